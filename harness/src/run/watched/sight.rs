//! What was seen of one cell over a watch.

use std::time::Duration;

use crate::cluster::Moment;
use crate::model::{Intent, Observation, Outcome};

use super::super::{Stretch, Window};

/// Times in which the witness was not heard: silence then says nothing.
#[derive(Debug, Default)]
pub(super) struct Stalls(Vec<(Duration, Duration)>);

impl Stalls {
    /// Those of a witness's cells. Each may have been later by this: others than the cells
    /// that it bears witness for may have seen them, by other clocks.
    pub(super) fn of(witness: &[Vec<Moment>], blur: Duration) -> Self {
        let silent = witness.iter().flatten().filter(|moment| !moment.seen.outcome.is_connected());
        let around = |moment: &Moment| {
            (moment.at.saturating_sub(blur), moment.at + moment.seen.latency + blur)
        };
        Self(silent.map(around).collect())
    }

    fn cover(&self, moment: &Moment) -> bool {
        let end = moment.at + moment.seen.latency;
        self.0.iter().any(|(from, until)| *from <= end && moment.at <= *until)
    }
}

/// What was seen of one cell, and counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// From when on it counts.
    pub(super) since: Duration,
    /// What got through since then.
    pub(super) through: Window,
    /// What was stopped since then.
    pub(super) stopped: Window,
    /// Whether the last attempt that counts got through; `None` where none counts.
    pub(super) last: Option<bool>,
    /// How many of what was stopped are more than silence that one attempt met alone, between
    /// others that got through, as it does whose packet is lost; and more than a request that
    /// arrived, whose answer may come from a busy pod too late.
    pub(super) firm: usize,
    /// Since when all attempts that count have been as the last one, from then.
    pub(super) turned: Option<Duration>,
    /// How many attempts that count began after the changes were accepted.
    pub(super) late: usize,
    /// What was seen last of what was stopped.
    pub(super) stop: Option<Observation>,
    /// Why nothing counts, if something was seen: the first attempt that could not tell.
    pub(super) broken: Option<String>,
}

/// Whether an attempt got through; `None` where it does not say. What arrived was not
/// stopped; where everything is to get through, so is the answer.
fn got_through(specified: Option<Intent>, outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::WrongPod { .. } | Outcome::Broken { .. } => None,
        outcome if specified == Some(Intent::Allow) => Some(outcome.is_connected()),
        outcome => Some(outcome.arrived()),
    }
}

/// What one cell is looked at by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glass<'a> {
    /// What the policies mean all the time.
    pub(super) specified: Option<Intent>,
    /// From when on it counts.
    pub(super) since: Duration,
    /// When the changes were accepted.
    pub(super) accepted: Duration,
    /// Whether silence was given little time: then it is only taken for a stop where the
    /// cell may be shut at all, or the dataplane says so.
    pub(super) hasty: bool,
    /// When the witness was not heard.
    pub(super) stalls: &'a Stalls,
}

impl Sight {
    /// What was seen of it.
    pub(super) fn of(moments: &[Moment], glass: Glass<'_>) -> Self {
        let Glass { specified, since, accepted, hasty, stalls } = glass;
        let mut sight = Self {
            since,
            through: Window::default(),
            stopped: Window::default(),
            last: None,
            firm: 0,
            turned: None,
            late: 0,
            stop: None,
            broken: None,
        };
        // Whether nothing but silence was seen of the one before, at both ends.
        let mut was_lost = false;
        // An attempt that was under way when it began to count may have been early.
        for moment in moments.iter().filter(|moment| moment.at >= since) {
            let Moment { at, seen } = moment;
            let Some(through) = got_through(specified, &seen.outcome) else {
                sight.broken.get_or_insert_with(|| seen.outcome.to_string());
                continue;
            };
            let silent = matches!(seen.outcome, Outcome::Dropped | Outcome::ReplyLost);
            let told = through || seen.evidence.is_some() || !silent;
            if !told && (stalls.cover(moment) || hasty && specified == Some(Intent::Allow)) {
                continue;
            }
            let at_since = *at - since;
            let window = if through { &mut sight.through } else { &mut sight.stopped };
            window.attempts += 1;
            window.first.get_or_insert(at_since);
            window.last = Some(at_since);
            if sight.last != Some(through) {
                (sight.last, sight.turned) = (Some(through), Some(at_since));
            }
            let silence = silent && seen.evidence.is_none();
            let lost = silence && seen.outcome == Outcome::Dropped;
            if !through {
                sight.firm += usize::from(!silence || lost && was_lost);
                sight.stop = Some(seen.clone());
            }
            was_lost = !through && lost;
            sight.late += usize::from(*at >= accepted);
        }
        sight
    }

    /// How many attempts count.
    pub(super) fn attempts(&self) -> usize {
        self.through.attempts + self.stopped.attempts
    }
}

/// Attempts in a row that saw the same, together.
pub(super) fn stretches(moments: &[Moment]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for Moment { at, seen } in moments {
        match stretches.last_mut().filter(|last| last.outcome == seen.outcome) {
            Some(last) => {
                last.until = *at;
                last.attempts += 1;
            }
            None => stretches.push(Stretch {
                from: *at,
                until: *at,
                attempts: 1,
                outcome: seen.outcome.clone(),
            }),
        }
    }
    stretches
}
