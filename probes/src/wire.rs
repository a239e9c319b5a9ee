//! The messages between a run and whoever probes for it.
//!
//! A frame is a length (four bytes, big endian, of the JSON that follows, at
//! most [`MAX_FRAME`]) and one JSON object with a `kind`. The first frame of
//! each side is [`Message::Hello`]; a version that is not [`VERSION`] ends the
//! session. Golden frames in the tests hold the format.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{Outcome, Protocol};

/// The version of this protocol. Any change to a frame's meaning raises it.
pub const VERSION: u32 = 1;

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
    },
    /// Tell what arrived, and forget it.
    TakeArrivals,
    /// What arrived since the last time.
    Arrivals {
        /// In the order in which they arrived.
        arrivals: Vec<Arrival>,
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
    /// Something could not be done; the session goes on.
    Error {
        /// What was expected, what was found, and what to do.
        message: String,
    },
}
