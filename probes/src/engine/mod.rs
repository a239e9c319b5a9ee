//! The engine: sockets driven by epoll, without an async runtime.
//!
//! [`Servers`] answer on a thread of their own. A [`Prober`] belongs to one
//! thread and makes a round of attempts from it, in as many network namespaces
//! (*places*) as its [`Environment`] can enter. A socket stays in the namespace
//! in which it was made (network_namespaces(7)), so both visit a namespace only
//! to open sockets.

mod arrivals;
mod clock;
mod descriptors;
mod filter;
mod flight;
mod held;
mod icmp;
mod launch;
mod listener;
mod options;
mod packet;
mod ports;
mod prober;
mod reactor;
mod round;
mod sctp;
mod servers;

use std::io;
use std::net::SocketAddr;

pub use held::Held;
pub use options::ProberOptions;
pub use prober::Prober;
pub use sctp::sctp_support;
pub use servers::Servers;

use crate::Protocol;
use crate::wire::Evidence;

/// What differs between a prober that visits many network namespaces and one inside a pod.
pub trait Environment {
    /// Moves the calling thread to a place's network namespace.
    ///
    /// Called before the first attempt from a place, and again for retries; the
    /// thread is left where the last call took it.
    ///
    /// # Errors
    /// Whatever setns(2) says. The place's attempts are then `Broken` with that reason.
    fn enter(&mut self, place: u32) -> io::Result<()>;

    /// Hands over what the dataplane reported since the last call; may do nothing.
    ///
    /// Called at least every 256 attempts, while waiting, and once more before
    /// silence counts as a drop. It must not block.
    fn reports(&mut self, sink: &mut dyn FnMut(Report));
}

/// A packet that the dataplane says it stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The packet's transport protocol.
    pub protocol: Protocol,
    /// The packet's source.
    pub source: SocketAddr,
    /// The packet's destination, as it was where the packet was stopped.
    pub target: SocketAddr,
    /// The dataplane's own word.
    pub evidence: Evidence,
}

/// Where there is one network namespace and a dataplane that reports nothing: inside a pod.
#[derive(Debug, Clone, Copy, Default)]
pub struct Here;

impl Environment for Here {
    fn enter(&mut self, place: u32) -> io::Result<()> {
        if place == 0 {
            return Ok(());
        }
        let reason = format!("expected place 0, the only one here, found {place}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
    }

    fn reports(&mut self, _sink: &mut dyn FnMut(Report)) {}
}
