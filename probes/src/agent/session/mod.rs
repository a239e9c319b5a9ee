//! A session between a run and an agent, over connections that may break.
//!
//! Both halves take bytes and give frames; who carries them, and when, is the
//! caller's business. [`ClientSession`] is the run's half.
//!
//! # The rules
//!
//! 1. Each side's first frame is `hello`. Another version ends the connection with an `error`
//!    that names both.
//! 2. The run then sends `open`, or `resume` where an `opened` came before. The agent answers
//!    `opened`, or an `error` with its [`Reason`](crate::wire::Reason).
//! 3. *Numbered* messages are `allow-targets`, `listen`, `round`, `take-arrivals`, `begin-watch`,
//!    `watch-also` and `end-watch` from the run, `listening`, `results`, `arrivals`, `watching` and
//!    `watched` from the agent. Each side counts those it
//!    received and keeps those it sent until the other acknowledges them. `resume` and
//!    `opened` carry the counts; what the other side lacks goes out again. So whatever is cut,
//!    each message arrives once, and in order.
//! 4. The agent works through requests one after the other, also while no connection is there.
//!    `ping` is answered at once, whatever is under way.
//! 5. An agent is in one session. A connection that names it takes it over, and the older
//!    connection ends. Others are refused while the session is kept: until `close`, or for
//!    [`KEPT`] after it was last heard.
//! 6. A session that an agent does not know is lost with all that was under way in it: its
//!    rounds are neither passed nor failed.
//!
//! # The bounds
//!
//! An agent keeps at most [`MOST_KEPT`] bytes of answers, and one answer more, before it lets
//! requests wait; at most [`MOST_REQUESTS`] requests wait, with at most [`MOST_ATTEMPTS`]
//! attempts in all. Both sides refuse frames beyond [`MAX_FRAME`](crate::wire::MAX_FRAME).

mod client;
mod ledger;
mod sessions;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use client::{ClientSession, Event};
pub use ledger::Frame;
pub(super) use sessions::{Next, Sessions, Work, attempts_of};

/// How often a run pings: load balancers cut connections that are idle for a minute.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// An agent ends a connection on which nothing was heard for so long: three heartbeats, and one
/// half. Exec connections often die without a word.
pub const SILENCE: Duration = Duration::from_secs(35);

/// How long a new connection may take to name its session.
pub const GREETING: Duration = Duration::from_secs(10);

/// How long an agent keeps a session of which it hears nothing.
pub const KEPT: Duration = Duration::from_secs(600);

/// How many bytes of answers an agent keeps before it lets requests wait.
pub const MOST_KEPT: usize = 8 << 20;

/// How many requests may wait at an agent. More end the connection.
pub const MOST_REQUESTS: usize = 1024;

/// How many attempts may wait at an agent, those of the round under way included. More end the
/// connection; a run splits its rounds.
pub const MOST_ATTEMPTS: usize = 1 << 16;

/// The longest deadline of a round: an agent must not be kept from all else.
pub const LONGEST_DEADLINE: Duration = Duration::from_secs(60);

/// How long an agent watches at most: as long as it keeps a session of which it hears nothing.
pub const LONGEST_WATCH: Duration = KEPT;

/// The longest identifier of a session, in bytes.
pub const LONGEST_SESSION: usize = 64;
