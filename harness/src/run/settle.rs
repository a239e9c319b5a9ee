//! When a step has settled: a fold over its rounds, without a clock of its own.
//!
//! Rounds *show* something from the one in which the sentinel has flipped on every
//! node, and they *count* once the slowest enforcement seen on this cluster has passed
//! since the changes were accepted, and a margin since the flip. A cell has settled when
//! two rounds in a row that show something agree with what is specified, and the last of
//! them counts; for one that connected before the step and is to go on connecting, that
//! was the first. Among those that count, one that differs is given
//! [`SettleRules::patience`] and so many rounds in a row; one that agreed and then
//! differs has turned, and one that turned and agrees again is unstable.
//!
//! A round in which the witness did not connect counts for nothing that was
//! not heard in it: of such a round only what connected is taken in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Cell, Observation, Outcome};

use super::settings::AGREEING_ROUNDS;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// The cell must connect.
    Allow,
    /// The cell must be stopped.
    Deny,
    /// Nothing: it is recorded only.
    Free,
}

/// How a cell is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watch {
    /// What is waited for.
    pub(super) goal: Goal,
    /// Whether every round counts, from the first: a pod is isolated from its
    /// first instant by a policy that was handled before the pod was made.
    pub(super) from_first_instant: bool,
    /// Whether only the step's deadline ends the wait: the API leaves open how
    /// late the allows of a new pod come.
    pub(super) until_deadline: bool,
    /// Whether it connected before the step's changes, and is to connect after them. That
    /// counts as the first of two rounds that agree: no lost packet connects.
    pub(super) steady: bool,
}

/// The numbers of settling.
#[derive(Debug, Clone, Copy)]
pub(super) struct SettleRules {
    /// How many rounds in a row must differ.
    pub(super) differing: u32,
    /// How long a cell may differ, from the time at which rounds count.
    pub(super) patience: Duration,
}

/// What became of a cell over a step's rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Course {
    /// It was not waited for.
    Free,
    /// It agrees, in two rounds in a row.
    Agreed,
    /// It differs, round after round.
    Differed {
        /// How many rounds in a row.
        rounds: u32,
    },
    /// It agreed, and then differed.
    Turned,
    /// It agreed, differed, and agreed again.
    Unstable {
        /// How often it changed.
        changes: u32,
    },
    /// It must have been stopped from the pod's first instant, and was not.
    Leaked {
        /// When it was seen open, from the changes' acceptance.
        at: Duration,
    },
    /// It differed in every round until the step's deadline, and the sentinel
    /// never flipped either.
    Ignored {
        /// How many rounds.
        rounds: u32,
        /// What is to be said of the sentinel.
        blind: String,
    },
    /// The last attempts could not tell.
    Unclear,
    /// It could not be told, for this reason.
    Untold(String),
}

/// What one observation says about what is waited for; `None` where it says nothing.
pub(super) fn agrees(goal: Goal, outcome: &Outcome) -> Option<bool> {
    match (goal, outcome) {
        (Goal::Free, _) | (_, Outcome::WrongPod { .. } | Outcome::Broken { .. }) => None,
        (Goal::Allow, outcome) => Some(outcome.is_connected()),
        // A request that arrived was not stopped, whatever became of its answer.
        (Goal::Deny, outcome) => Some(outcome.is_stopped()),
    }
}

/// What a round says.
#[derive(Debug, Clone, Copy)]
struct Weight {
    /// Whether the sentinel had flipped in it.
    shows: bool,
    /// Whether the cluster is known to have looked, by now.
    counts: bool,
    /// Whether the witness connected, so that silence says something.
    witnessed: bool,
}

#[derive(Debug, Clone)]
struct Track {
    watch: Watch,
    last: Option<Observation>,
    /// Since when it has agreed without a break, in all rounds.
    since: Option<Duration>,
    /// Rounds in a row that agree, among those that show something.
    agreeing: u32,
    /// Rounds in a row that differ, or cannot tell, among those that count.
    differing: u32,
    unclear: u32,
    /// Rounds that differed, among all.
    opposed: u32,
    /// The last clear answer among rounds that count.
    stood: Option<bool>,
    changes: u32,
    turned: bool,
    returned: bool,
    leaked: Option<Duration>,
}

impl Track {
    fn new(watch: Watch) -> Self {
        Self {
            watch,
            last: None,
            since: None,
            agreeing: u32::from(watch.steady),
            differing: 0,
            unclear: 0,
            opposed: 0,
            stood: None,
            changes: 0,
            turned: false,
            returned: false,
            leaked: None,
        }
    }

    fn see(&mut self, started: Duration, of: Weight, observation: &Observation) {
        if !of.witnessed && !observation.outcome.is_connected() {
            self.last.get_or_insert_with(|| observation.clone());
            return;
        }
        let answer = agrees(self.watch.goal, &observation.outcome);
        self.last = Some(observation.clone());
        match answer {
            // A deny held for the whole attempt, an allow at its end at the latest.
            Some(true) => {
                let held = match self.watch.goal {
                    Goal::Allow => started + observation.latency,
                    Goal::Deny | Goal::Free => started,
                };
                self.since.get_or_insert(held);
            }
            Some(false) => {
                self.since = None;
                self.opposed += 1;
                if self.watch.from_first_instant {
                    self.leaked.get_or_insert(started);
                }
            }
            None => {}
        }
        if of.shows {
            self.agreeing = if answer == Some(true) { self.agreeing + 1 } else { 0 };
        }
        if !of.counts {
            return;
        }
        (self.differing, self.unclear) = match answer {
            Some(true) => (0, 0),
            Some(false) => (self.differing + 1, 0),
            None => (0, self.unclear + 1),
        };
        if let Some(answer) = answer {
            if self.stood.is_some_and(|stood| stood != answer) {
                self.changes += 1;
                self.turned |= !answer;
                self.returned |= answer && self.turned;
            }
            self.stood = Some(answer);
        }
    }

    /// Whether it was left out of every round so far.
    fn is_untried(&self) -> bool {
        self.last.is_none() && self.watch.steady
    }

    /// Whether it agrees: twice in a row, and at last in a round that counts.
    fn has_agreed(&self) -> bool {
        self.agreeing >= AGREEING_ROUNDS && self.stood == Some(true)
    }

    /// Whether another round would not change what is said of the cell.
    fn is_decided(&self, patient: bool, rules: &SettleRules) -> bool {
        let enough = rules.differing.max(AGREEING_ROUNDS);
        self.watch.goal == Goal::Free
            || self.returned
            || self.has_agreed()
            || patient
                && !self.watch.until_deadline
                && (self.differing >= enough || self.unclear >= enough)
    }

    /// What became of it; `silent` says in words that the witness did not
    /// connect, which then is why nothing could be told.
    fn course(&self, silent: Option<&str>) -> Course {
        let unconfirmed = || {
            let reason = silent.unwrap_or("the step's deadline passed before two rounds agreed");
            Course::Untold(reason.to_owned())
        };
        if self.watch.goal == Goal::Free {
            Course::Free
        } else if let Some(at) = self.leaked {
            Course::Leaked { at }
        } else if self.returned {
            Course::Unstable { changes: self.changes }
        } else if self.has_agreed() {
            Course::Agreed
        } else if self.differing > 0 && self.turned {
            Course::Turned
        } else if self.differing >= AGREEING_ROUNDS {
            Course::Differed { rounds: self.differing }
        } else if self.unclear > 0 {
            Course::Unclear
        } else {
            unconfirmed()
        }
    }
}

/// The rounds of one step so far. Times count from the acceptance of its changes.
#[derive(Debug, Clone)]
pub(super) struct Settling {
    tracks: BTreeMap<Cell, Track>,
    rules: SettleRules,
    /// From when on rounds show something.
    shows_from: Option<Duration>,
    /// From when on rounds count.
    counts_from: Option<Duration>,
    /// From when on a cell that differs may be called wrong.
    patient_from: Duration,
    /// How many rounds were made.
    pub(super) rounds: u32,
    /// How many of them showed something, and how many counted.
    shown: u32,
    counted: u32,
}

impl Settling {
    /// Before the first round.
    pub(super) fn new(
        watches: impl IntoIterator<Item = (Cell, Watch)>,
        rules: SettleRules,
    ) -> Self {
        Self {
            tracks: watches.into_iter().map(|(cell, watch)| (cell, Track::new(watch))).collect(),
            rules,
            shows_from: None,
            counts_from: None,
            patient_from: Duration::ZERO,
            rounds: 0,
            shown: 0,
            counted: 0,
        }
    }

    /// The cells of a round. The first leaves out what it would tell nothing of: cells that
    /// are steady, and those that are not waited for.
    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell> {
        let first = self.rounds == 0;
        let changes = |watch: &Watch| !watch.steady && watch.goal != Goal::Free;
        let tracks = self.tracks.iter().filter(move |(_, track)| !first || changes(&track.watch));
        tracks.map(|(cell, _)| cell)
    }

    /// From when on rounds count, once it is known.
    pub(super) fn counts_from(&self) -> Option<Duration> {
        self.counts_from
    }

    /// Rounds that start at this time or later show something: the sentinel had flipped.
    pub(super) fn show_from(&mut self, at: Duration) {
        self.shows_from = Some(at);
    }

    /// Rounds that start at `at` or later count. A cell that differs is given until
    /// `enforced`, when the slowest of clusters would have enforced it, and then patience.
    pub(super) fn count_from(&mut self, at: Duration, enforced: Duration) {
        self.shows_from.get_or_insert(at);
        self.counts_from = Some(at);
        self.patient_from = enforced.max(at) + self.rules.patience;
    }

    /// Takes in a round; `witnessed` where the witness connected in it.
    pub(super) fn take(
        &mut self,
        started: Duration,
        witnessed: bool,
        observations: &[(Cell, Observation)],
    ) {
        let shows = self.shows_from.is_some_and(|from| started >= from);
        let counts = self.counts_from.is_some_and(|from| started >= from);
        self.rounds += 1;
        self.shown += u32::from(shows && witnessed);
        self.counted += u32::from(counts && witnessed);
        let weight = Weight { shows, counts, witnessed };
        for (cell, observation) in observations {
            if let Some(track) = self.tracks.get_mut(cell) {
                track.see(started, weight, observation);
            }
        }
    }

    /// Whether another round would change nothing.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        if self.counts_from.is_none() {
            return false;
        }
        let patient = now >= self.patient_from;
        let enough = self.counted > 0 && self.shown >= AGREEING_ROUNDS;
        (enough || self.tracks.is_empty())
            && self.tracks.values().all(|track| track.is_decided(patient, &self.rules))
    }

    /// Whether every cell that is waited for agrees already, in rounds that do not count
    /// yet: until they do, nothing is learned by another.
    pub(super) fn agrees_so_far(&self) -> bool {
        self.tracks.values().all(|track| {
            track.watch.goal == Goal::Free || track.since.is_some() || track.is_untried()
        })
    }

    /// Whether every cell that is waited for agreed in the last round that
    /// counted, or none has counted yet: then nothing is gained by a pause.
    pub(super) fn only_needs_confirmation(&self) -> bool {
        self.counted == 0
            || self
                .tracks
                .values()
                .all(|track| track.watch.goal == Goal::Free || track.agreeing > 0)
    }

    /// What became of every cell, and what was seen of it last. `silent` says in
    /// words that the witness did not connect until the step's deadline.
    pub(super) fn courses(
        &self,
        silent: Option<&str>,
    ) -> BTreeMap<Cell, (Course, Option<Observation>)> {
        self.tracks
            .iter()
            .map(|(cell, track)| (cell.clone(), (track.course(silent), track.last.clone())))
            .collect()
    }

    /// What became of every cell where the sentinel never flipped, `blind` in
    /// words. A cell that agrees may do so because nothing was looked at yet. One
    /// that differed in every round until the step's deadline was not enforced.
    pub(super) fn courses_unseen(
        &self,
        blind: &str,
    ) -> BTreeMap<Cell, (Course, Option<Observation>)> {
        let course = |track: &Track| {
            // The first round left steady cells out.
            let tried = self.rounds.saturating_sub(u32::from(track.watch.steady));
            let always = track.opposed == tried && track.watch.goal != Goal::Free;
            if always && tried >= self.rules.differing.max(AGREEING_ROUNDS) {
                Course::Ignored { rounds: tried, blind: blind.to_owned() }
            } else {
                Course::Untold(blind.to_owned())
            }
        };
        self.tracks
            .iter()
            .map(|(cell, track)| (cell.clone(), (course(track), track.last.clone())))
            .collect()
    }

    /// When the last of these cells came to agree for good; `None` where there
    /// is none, or one never did.
    pub(super) fn last_to_agree<'a>(
        &self,
        cells: impl IntoIterator<Item = &'a Cell>,
    ) -> Option<Duration> {
        let since = cells.into_iter().map(|cell| {
            let track = self.tracks.get(cell)?;
            (track.has_agreed() && !track.returned).then_some(track.since)?
        });
        since.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

#[cfg(test)]
mod tests;
