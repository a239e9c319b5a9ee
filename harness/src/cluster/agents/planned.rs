//! What is to be attempted.

use std::net::SocketAddr;

use ringfence_probe::Protocol;

use crate::model::Endpoint;

/// An attempt that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Whose agent dials.
    pub source: Endpoint,
    /// Whose agent is asked what arrived.
    pub destination: Endpoint,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The address dialled: the destination's own, or one that leads to it.
    pub target: SocketAddr,
    /// The identity that should answer: what the destination's agent was started with.
    pub expect: String,
}
