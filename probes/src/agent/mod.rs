//! The agent: what runs inside a pod, and the session in which a run speaks with it.
//!
//! [`serve`] is the container's first process. It owns the listeners and what
//! arrived, so both outlive any connection, and it waits on an abstract Unix
//! socket (unix(7)), which needs neither a file system nor a port that a policy
//! could cut. [`bridge`] is what an exec into the container runs: it carries
//! bytes between its standard streams and that socket, and knows nothing of
//! their meaning. [`session`] has both halves of the conversation, without any
//! input or output of their own. [`network`] is of another kind: it gives a host
//! outside the cluster its addresses, and does not serve.

pub mod arguments;
mod bridge;
mod executor;
mod fresh;
pub mod network;
mod server;
pub mod session;
mod vigil;
mod whereabouts;

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use crate::wire::{Ahead, Listen};

pub use bridge::bridge;
pub use server::serve;

/// The abstract socket's name where no other is given.
pub const SOCKET: &str = "ringfence-agent";

/// The variable of the environment that says what to watch from the start.
pub const WATCH: &str = "RINGFENCE_WATCH";

/// What an agent is told before any session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// Who answers: the pod's `namespace/name`.
    pub identity: String,
    /// The abstract socket's name. Pods on a node's own network share one space of names.
    pub socket: String,
    /// The ports that are open from the start.
    pub listen: Vec<Listen>,
    /// What to watch from the start.
    pub watch: Option<Ahead>,
}

/// The address of an abstract socket.
fn abstract_socket(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}
