//! The probe engine of Ringfence: real connection attempts, and what became of them.
//!
//! A *server* listens on a pod's ports and answers with the pod's identity. A
//! *prober* makes a round of attempts, all in flight together, and says for each
//! what both ends saw. The same engine runs inside the embedded cluster's helper
//! process, where it visits many network namespaces, and inside a pod, where
//! there is one.

pub mod agent;
mod correlate;
mod diag;
mod dialler;
mod engine;
pub mod exchange;
pub mod frame;
mod half_open;
mod handshake;
mod outcome;
mod traffic;
pub mod wire;

pub use correlate::correlate;
pub use dialler::{Dialler, MOST_STRETCHES, MOST_TURNS, Order, Pace};
pub use engine::{Environment, Held, Here, Prober, ProberOptions, Report, Servers, sctp_support};
pub use half_open::{correlate_half_open, half_open, half_open_among};
pub use handshake::HalfOpen;
pub use outcome::Outcome;
pub use traffic::{Family, Protocol, UnknownProtocol};
