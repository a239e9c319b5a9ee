//! Sessions with agents, and rounds of attempts over many of them.
//!
//! It knows neither pods nor containers: whoever uses it says how a stream to an
//! agent is opened ([`Dial`]), and which endpoint the agent stands for.

mod dial;
mod planned;
mod roster;
mod traffic;

pub use dial::{BoxStream, Dial, DialError, Stream};
pub use planned::Planned;
pub use roster::{Agents, NotListening, NotReady, Patience};
pub use traffic::Traffic;
