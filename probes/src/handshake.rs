//! A TCP handshake that is not finished.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// A handshake that a listener answered and whose completion it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HalfOpen {
    /// The listener's address and port.
    pub listener: SocketAddr,
    /// The client's address and port, as the listener sees them.
    pub client: SocketAddr,
}
