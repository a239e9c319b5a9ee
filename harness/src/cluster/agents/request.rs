//! What is asked of one agent, and what it says.

use std::sync::Arc;
use std::time::Duration;

use ringfence_probe::HalfOpen;
use ringfence_probe::wire::{
    Arrival, Attempt, AttemptResult, Listen, Sightings, WatchOrder, Whereabouts,
};
use tokio::sync::oneshot;

/// An answer, and the session in which it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said<T> {
    /// How many sessions there were with the agent before this one. Where two answers differ in
    /// it, the agent was restarted between them.
    pub(super) epoch: u64,
    /// Where the agent was then.
    pub(super) whereabouts: Arc<Whereabouts>,
    /// The answer.
    pub(super) what: T,
}

/// Where an answer goes: or why it will never come, when the session was lost.
pub(super) type Reply<T> = oneshot::Sender<Result<Said<T>, String>>;

/// What a listener tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Arrivals {
    /// Nonces that arrived.
    pub(super) arrivals: Vec<Arrival>,
    /// How many more were forgotten.
    pub(super) lost: u64,
    /// TCP handshakes answered and not completed.
    pub(super) half_open: Vec<HalfOpen>,
    /// Why those could not be seen.
    pub(super) half_open_unseen: Option<String>,
}

/// Something that is asked of an agent.
#[derive(Debug)]
pub(super) enum Request {
    /// Listen on these ports and no others; answered by those that failed, and why.
    Listen(Vec<Listen>, Reply<Vec<(Listen, String)>>),
    /// Make these attempts; silence must last this long to count as a drop.
    Round(Duration, Vec<Attempt>, Reply<Vec<AttemptResult>>),
    /// Tell what arrived, and forget it.
    TakeArrivals(Reply<Arrivals>),
    /// Watch these; answered, when it does, by how long it has.
    BeginWatch(WatchOrder, Reply<Duration>),
    /// Attempt these, too, where it watches. There is no answer.
    WatchAlso(Vec<Attempt>),
    /// Leave off watching, and tell what was seen.
    EndWatch(Reply<Sightings>),
}

impl Request {
    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Listen(_, reply) => reply.is_closed(),
            Self::Round(_, _, reply) => reply.is_closed(),
            Self::TakeArrivals(reply) => reply.is_closed(),
            Self::BeginWatch(_, reply) => reply.is_closed(),
            Self::WatchAlso(_) => false,
            Self::EndWatch(reply) => reply.is_closed(),
        }
    }
}
