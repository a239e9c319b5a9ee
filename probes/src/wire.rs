//! The messages between a run and whoever probes for it.
//!
//! A frame is a length (four bytes, big endian, of the JSON that follows, at
//! most [`MAX_FRAME`]) and one JSON object with a `kind`. The first frame of
//! each side is [`Message::Hello`]; a version that is not [`VERSION`] ends the
//! connection. The run's second frame opens or resumes a session
//! ([`agent::session`](crate::agent::session) has the rules). Golden frames in
//! the tests hold the format.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{HalfOpen, Outcome, Protocol};

/// The version of this protocol. Any change to a frame's meaning raises it. What never changes is
/// that the first frame is a `hello` with a number as its `version`.
pub const VERSION: u32 = 3;

/// The longest frame that either side accepts, in bytes of JSON.
pub const MAX_FRAME: usize = 64 << 20;

/// How SCTP can be spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sctp {
    /// The kernel has SCTP sockets.
    Kernel,
    /// Only by a handshake on raw sockets (INIT, INIT ACK).
    Raw,
    /// Not at all: neither sockets nor the right to open raw ones.
    None,
}

/// A port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Listen {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The port number.
    pub port: u16,
}

/// One connection attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The attempt's number within its round; results carry it back.
    pub id: u32,
    /// A number that no other attempt of the run carries. It travels with the packets, so
    /// that both ends can tell which attempt they belong to.
    pub nonce: u64,
    /// Which of the prober's places (network namespaces) dials; 0 where there is one.
    pub from: u32,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The address dialled.
    pub target: SocketAddr,
    /// The identity that should answer, such as `prod/db`.
    pub expect: String,
}

/// A round of attempts, all in flight together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The round's number within the session.
    pub round: u32,
    /// How long silence must last to count as a drop, in microseconds.
    pub deadline_us: u64,
    /// The attempts.
    pub attempts: Vec<Attempt>,
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// The attempt's number within its round.
    pub id: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// From the start of the attempt to its outcome, in microseconds.
    pub latency_us: u64,
    /// The prober's own address and port, where they are known.
    pub local: Option<SocketAddr>,
    /// The source address that the listener saw.
    pub seen_source: Option<IpAddr>,
    /// The dataplane's own word for a drop, where there is one.
    pub evidence: Option<Evidence>,
    /// How many sockets it took: 2 where silence on the first led to a second, 0 where
    /// nothing was dialled.
    pub tries: u8,
    /// Of the latency, how long it took until the socket was opened that got the answer, in
    /// microseconds: 0 where the first one did, and where there was no answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_us: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// The dataplane's own word for why it stopped a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The node that stopped it.
    pub node: String,
    /// What it said.
    pub text: String,
}

/// A nonce that arrived at a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The nonce.
    pub nonce: u64,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The listener's port.
    pub port: u16,
    /// The source that the listener saw.
    pub from: SocketAddr,
}

/// Where an agent is in the network: a pod whose network is made anew gets other addresses, and
/// an attempt at the old ones says nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Whereabouts {
    /// The addresses of the interfaces that are up, in order and each once; not those that every
    /// network has: `127.0.0.0/8`, `::1` and `fe80::/10`.
    pub addresses: Vec<IpAddr>,
    /// Why they could not be listed, where they could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

/// How an agent is to watch connections while something changes, and which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchOrder {
    /// From one turn to the next, at least, in microseconds.
    pub interval_us: u64,
    /// How long silence must last to count as a drop, in microseconds.
    pub deadline_us: u64,
    /// How long to watch before the order is answered, in microseconds.
    pub before_us: u64,
    /// How long to watch at most, in microseconds: the run may be gone.
    pub limit_us: u64,
    /// See [`Pace::nonce`](crate::Pace::nonce).
    pub nonce: u64,
    /// How many nonces each turn has.
    pub stride: u32,
    /// Connections to open once and to use in every turn.
    pub held: Vec<Attempt>,
    /// What to attempt anew in every turn.
    pub tried: Vec<Attempt>,
}

/// What an agent is to watch from its first moment, before it is spoken with: it comes with the
/// process (`RINGFENCE_WATCH`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// Every address that may be dialled.
    pub allowed: Vec<IpAddr>,
    /// The order, which a `begin-watch` of the same nonces takes over.
    pub order: WatchOrder,
}

/// Turns that follow each other, in which an attempt saw the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The first of the turns.
    pub first: u32,
    /// How many there are.
    pub turns: u32,
    /// What was seen; the latency is the longest.
    pub seen: AttemptResult,
}

/// What an agent saw while it watched. Moments count from the start of its watch, in
/// microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings {
    /// When it was asked to leave off.
    pub asked_us: u64,
    /// When it answered.
    pub told_us: u64,
    /// Whether the watch began with the process, in a network that had sent nothing yet.
    pub from_start: bool,
    /// When each turn began.
    pub turns: Vec<u64>,
    /// What was seen of each attempt, by its number.
    pub seen: Vec<(u32, Vec<Stretch>)>,
    /// Why it left off before it was asked to, where it did.
    pub broken: Option<String>,
}

/// Why a side ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The other side speaks another [`VERSION`].
    Version,
    /// The other side sent what the protocol does not allow.
    Protocol,
    /// The other side may not speak here: it runs as another user.
    Stranger,
    /// Another session holds the agent, or too many connections are there. Trying later may help.
    Busy,
    /// There is no such session: the agent was restarted, or kept it as long as it promised.
    /// What was under way in it is lost.
    UnknownSession,
    /// The session goes on over another connection.
    TakenOver,
    /// Nothing was heard for too long. The session is kept and can be resumed.
    Silent,
}

impl Reason {
    /// Whether the session can go on over another connection.
    pub const fn leaves_session(self) -> bool {
        matches!(self, Self::Busy | Self::Silent)
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Message {
    /// The first frame of each side.
    Hello {
        /// [`VERSION`] of the sender.
        version: u32,
        /// Who is speaking: a pod's identity, or the run.
        identity: String,
        /// How SCTP can be spoken there.
        sctp: Sctp,
    },
    /// Begin a session; the run's second frame. Answered by [`Message::Opened`].
    Open {
        /// The session's identifier: one that nobody can guess, of the run's choice.
        session: String,
    },
    /// Go on with a session whose connection broke; the run's second frame. Answered by
    /// [`Message::Opened`].
    Resume {
        /// The session's identifier.
        session: String,
        /// How many numbered messages of the session the run has received.
        received: u64,
    },
    /// The session is this connection's from now on.
    Opened {
        /// How many numbered messages of the session the agent has received; 0 in a new one.
        received: u64,
        /// Where the agent was when the connection came.
        whereabouts: Whereabouts,
    },
    /// Numbered messages that arrived: the other side need not keep them any longer.
    Acknowledge {
        /// How many of the session were received, in all.
        received: u64,
    },
    /// The run is done: the agent forgets the session.
    Close,
    /// The only addresses that attempts may target from now on.
    AllowTargets {
        /// The addresses; a target that is not among them is refused, not dialled.
        addresses: Vec<IpAddr>,
    },
    /// Listen on these ports and no others.
    Listen {
        /// The ports.
        ports: Vec<Listen>,
    },
    /// The ports are open.
    Listening {
        /// The ports that could not be opened, and the operating system's word why.
        failed: Vec<(Listen, String)>,
    },
    /// Make these attempts.
    Round(Round),
    /// What became of a round's attempts.
    Results {
        /// The round.
        round: u32,
        /// One for each attempt, in order of `id`.
        results: Vec<AttemptResult>,
        /// Where the agent was when the last of them ended.
        whereabouts: Whereabouts,
    },
    /// Watch these connections, turn after turn, until `end-watch` or the session's end. It
    /// takes the place of a watch that is under way.
    BeginWatch(WatchOrder),
    /// It is watched: the connections are open, and the time before is over.
    Watching {
        /// How long it has been watched, in microseconds.
        at_us: u64,
        /// Where the agent was then.
        whereabouts: Whereabouts,
    },
    /// Attempt these, too, from the next turn on. There is no answer.
    WatchAlso {
        /// The attempts.
        attempts: Vec<Attempt>,
    },
    /// Leave off watching, and tell what was seen.
    EndWatch,
    /// What was seen.
    Watched {
        /// What was seen.
        sightings: Sightings,
        /// Where the agent was afterwards.
        whereabouts: Whereabouts,
    },
    /// Tell what arrived, and forget it.
    TakeArrivals,
    /// What arrived since the last time.
    Arrivals {
        /// In the order in which they arrived.
        arrivals: Vec<Arrival>,
        /// How many more were forgotten for want of room. Where there are any, a silent attempt
        /// may be [`Outcome::Dropped`] whose request did arrive.
        lost: u64,
        /// TCP handshakes that the listeners have answered and whose completion they have not
        /// seen ([`correlate_half_open`](crate::correlate_half_open)), in order.
        half_open: Vec<HalfOpen>,
        /// Why half-open handshakes could not be seen, where they could not.
        half_open_unseen: Option<String>,
        /// Where the agent was afterwards.
        whereabouts: Whereabouts,
    },
    /// Are you there?
    Ping {
        /// Comes back in the pong.
        number: u64,
    },
    /// I am.
    Pong {
        /// The ping's number.
        number: u64,
    },
    /// The last frame of a connection that its sender ends.
    Error {
        /// Why, for the program.
        reason: Reason,
        /// What was expected, what was found, and what to do.
        message: String,
    },
}
