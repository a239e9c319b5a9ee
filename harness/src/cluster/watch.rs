//! What connections do while something changes: those that are there already, and those
//! that are attempted at every moment of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Cell, Observation, Topology, micros};

/// What to look at while changes are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Connections that are opened before the changes and used ever since: a TCP connection,
    /// UDP from one source port.
    pub held: Vec<Cell>,
    /// What is attempted anew all the time. Where an end only comes with the changes, it is
    /// from the moment on at which it has an address.
    pub tried: Vec<Cell>,
    /// From one attempt at a cell, or one use of a connection, to the next, at least: the one
    /// before has to be over.
    #[serde(with = "micros")]
    pub interval: Duration,
    /// How long silence must last to count as a drop, and so how long a turn may take in which
    /// something is silent: moments are as exact as that.
    #[serde(with = "micros")]
    pub deadline: Duration,
    /// How long to watch before the changes are made.
    #[serde(with = "micros")]
    pub before: Duration,
    /// How long to watch after the cluster has accepted them.
    #[serde(with = "micros")]
    pub after: Duration,
}

/// What became of what was watched. Moments count from the start of the watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// What there is after the changes.
    pub topology: Topology,
    /// When the changes were asked for.
    #[serde(with = "micros")]
    pub asked: Duration,
    /// When the cluster had accepted them.
    #[serde(with = "micros")]
    pub accepted: Duration,
    /// What each held connection saw, in the order of the watch: its opening first, which
    /// used it for the first time. Where it could not be opened, nothing follows.
    pub held: Vec<Vec<Moment>>,
    /// What each tried cell saw, in the order of the watch; nothing where an end never came.
    pub tried: Vec<Vec<Moment>>,
    /// How much later than said an attempt may have begun, where clocks are compared. No
    /// attempt began earlier.
    #[serde(default, with = "micros")]
    pub blur: Duration,
    /// Tried cells of which a part of the time was not seen that should have been, by their
    /// numbers, and which part.
    #[serde(default)]
    pub unseen: BTreeMap<usize, String>,
    /// What else is to be known of how it was watched, in sentences.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// One attempt, or one use of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When it began.
    #[serde(with = "micros")]
    pub at: Duration,
    /// What became of it.
    pub seen: Observation,
}

/// How many of some attempts got through, and until when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// How many there were.
    pub attempts: usize,
    /// How many of them connected.
    pub passed: usize,
    /// When the first of those began.
    pub first: Option<Duration>,
    /// When the last of those began.
    pub last: Option<Duration>,
}

impl Passage {
    /// What got through of those that began at this moment or later.
    pub fn of(moments: &[Moment], since: Duration) -> Self {
        let mut passage = Self::default();
        for moment in moments.iter().filter(|moment| moment.at >= since) {
            passage.attempts += 1;
            if moment.seen.outcome.is_connected() {
                passage.passed += 1;
                passage.first.get_or_insert(moment.at);
                passage.last = Some(moment.at);
            }
        }
        passage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outcome;

    #[test]
    fn what_got_through_since_a_moment() {
        let moment = |at, outcome| Moment {
            at: Duration::from_millis(at),
            seen: Observation { outcome, ..Observation::broken("") },
        };
        let moments = [
            moment(1, Outcome::Connected),
            moment(5, Outcome::Connected),
            moment(7, Outcome::Dropped),
            moment(9, Outcome::Connected),
            moment(11, Outcome::ReplyLost),
        ];
        let (at, since) = (Duration::from_millis, Passage::of(&moments, Duration::from_millis(5)));
        let expected = Passage { attempts: 4, passed: 2, first: Some(at(5)), last: Some(at(9)) };
        assert_eq!(since, expected);
        let none = Passage { attempts: 1, ..Passage::default() };
        assert_eq!(Passage::of(&moments, at(10)), none);
    }
}
