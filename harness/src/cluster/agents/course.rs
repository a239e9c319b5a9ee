//! How far an attempt is, and what both of its ends tell of it.

use std::collections::{HashMap, HashSet};

use ringfence_probe::wire::{Attempt, AttemptResult, Round};
use ringfence_probe::{HalfOpen, Outcome, Protocol, correlate, correlate_half_open};

use super::request::Arrivals;
use crate::model::{Endpoint, Observation};

/// How far an attempt is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Course {
    /// It is to be made.
    Planned,
    /// It was made, and this is what its source knows.
    Made(AttemptResult),
    /// It is known what became of it, or known that it cannot be.
    Settled(Observation),
    /// It is not known what became of it, and another attempt may tell.
    Unknown(String),
}

impl Course {
    /// Whether it is to be made.
    pub(super) fn is_planned(&self) -> bool {
        matches!(self, Self::Planned)
    }

    /// Whether it was made, so that its destination is asked what it knows of it.
    pub(super) fn is_made(&self) -> bool {
        matches!(self, Self::Made(_))
    }

    /// Whether its source saw it stopped.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self, Self::Made(result) if result.outcome.is_stopped())
    }
}

/// The arrivals of a window: which nonces came to whom.
pub(super) type Heard<'a> = HashMap<u64, &'a Endpoint>;

/// Puts together what the sources of stopped attempts know and what their destination tells.
///
/// Silence counts as a drop only where the destination is sure that nothing came.
pub(super) fn hear(
    destination: &Endpoint,
    attempts: Vec<Attempt>,
    mut results: Vec<AttemptResult>,
    told: &Arrivals,
    heard: &Heard<'_>,
) -> Vec<(u32, Course)> {
    // What the two functions look at is the attempts.
    let round = Round { round: 0, deadline_us: 0, attempts };
    correlate(&round, &mut results, &told.arrivals);
    let half_open: HashSet<HalfOpen> = told.half_open.iter().copied().collect();
    correlate_half_open(&round, &mut results, &half_open);
    let attempts: HashMap<u32, &Attempt> =
        round.attempts.iter().map(|attempt| (attempt.id, attempt)).collect();
    let course = |result: AttemptResult| {
        let attempt = attempts.get(&result.id).filter(|_| result.outcome == Outcome::Dropped);
        let doubt = attempt.and_then(|attempt| doubt(destination, attempt, told, heard));
        (result.id, doubt.unwrap_or_else(|| Course::Settled(Observation::from(result))))
    };
    results.into_iter().map(course).collect()
}

/// Why silence may not be a drop.
fn doubt(
    destination: &Endpoint,
    attempt: &Attempt,
    told: &Arrivals,
    heard: &Heard<'_>,
) -> Option<Course> {
    if let Some(other) = heard.get(&attempt.nonce).filter(|other| **other != destination) {
        return Some(Course::Settled(Observation::broken(format!(
            "expected the request at `{destination}` or nowhere, found it at `{other}`"
        ))));
    }
    if told.lost > 0 {
        return Some(Course::Unknown(format!(
            "the agent of `{destination}` had no room for {} arrivals: whether this one was among \
             them is not known",
            told.lost
        )));
    }
    let unseen = told.half_open_unseen.as_ref().filter(|_| attempt.protocol == Protocol::Tcp)?;
    Some(Course::Settled(Observation::broken(format!(
        "silence, and whether the request reached `{destination}` cannot be seen there: {unseen}"
    ))))
}
