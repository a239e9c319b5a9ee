//! Sessions with agents, and rounds of attempts over many of them.
//!
//! It knows neither pods nor containers: whoever uses it says how a stream to an
//! agent is opened ([`Dial`]), and which endpoint the agent stands for. Each agent
//! has a task that keeps a session with it: streams may break and are opened
//! again, and what was under way goes on. What is lost for good, because an agent
//! was restarted, is attempted again; what cannot be known is
//! [`Broken`](ringfence_probe::Outcome::Broken), never a drop.

mod backoff;
mod conversation;
mod course;
mod dial;
mod listening;
mod place;
mod planned;
mod request;
mod roster;
mod round;
mod session;
#[cfg(test)]
mod tests;
mod traffic;
mod vigil;
mod watch;
mod window;

pub use dial::{BoxStream, Dial, DialError, Stream};
pub use listening::NotListening;
pub use planned::Planned;
pub use roster::{Agents, NotReady, Patience};
pub use traffic::Traffic;
pub use vigil::Vigil;
pub use watch::{Ended, Plan, Watched};
