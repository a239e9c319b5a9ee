//! Rounds on a negative control: a cluster that is declared to enforce nothing.
//!
//! There the sentinel must not flip. Its policy denies from the first step on and stays,
//! and its cells have to connect in every step as the step's own do, denied or not.
//! Whether a cluster enforces late cannot be seen from a flip that never comes, so rounds
//! count from the end of a window ([`Settings::unenforced_window`]).
//!
//! [`Settings::unenforced_window`]: super::super::Settings

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::super::Purpose;
use super::super::settle::{Course, Goal, SettleRules, Settling, Watch};
use super::{Settled, Stage};
use crate::model::{Cell, Name, Observation};

impl Stage<'_> {
    /// Makes rounds until it is settled, after the window, that everything connects or what
    /// does not, or the step's deadline passes.
    pub(super) async fn settle_unenforced(
        &mut self,
        step: usize,
        mut settling: Settling,
        accepted: Instant,
    ) -> Settled {
        let window = self.settings.unenforced_window;
        let end = accepted + self.settings.step_deadline.max(window);
        let mut sentinel = self.sentinel_settling();
        settling.count_from(window, window);
        sentinel.count_from(window, window);
        let mut idle = 0;
        let silent = loop {
            let mut cells: Vec<Cell> = settling.cells().cloned().collect();
            cells.extend(self.own());
            let attempt = match self.attempt(cells, self.silence()).await {
                Ok(attempt) => attempt,
                Err(error) => return Settled::lost(settling, error),
            };
            let started = attempt.started - accepted;
            let silent = self.silent(&attempt.sentinel);
            let own: Vec<(Cell, Observation)> =
                attempt.sentinel.iter().map(|(cell, seen)| (cell.clone(), seen.clone())).collect();
            settling.take(started, silent.is_empty(), &attempt.seen);
            sentinel.take(started, silent.is_empty(), &own);
            self.record(Some(step), Purpose::Settle, attempt);
            let now = accepted.elapsed();
            if settling.is_over(now) && sentinel.is_over(now) {
                break BTreeSet::new();
            }
            if Instant::now() >= end {
                break silent;
            }
            let pause = if now < window {
                (window - now).min(self.settings.pause.after(idle))
            } else if settling.only_needs_confirmation() && sentinel.only_needs_confirmation() {
                Duration::ZERO
            } else {
                self.settings.pause.after(idle)
            };
            idle += 1;
            sleep_until((Instant::now() + pause).min(end)).await;
        };
        Settled {
            settling,
            blind: Vec::new(),
            silent: silent.into_iter().collect(),
            enforced: self.enforcing(&sentinel),
            looked: None,
            limit: end - accepted,
            in_doubt: false,
            lost: None,
        }
    }

    fn sentinel_settling(&self) -> Settling {
        let watch = Watch {
            goal: Goal::Allow,
            from_first_instant: false,
            until_deadline: false,
            steady: false,
        };
        let rules = SettleRules {
            differing: self.settings.differing_rounds,
            patience: self.settings.patience,
        };
        Settling::new(self.sentinel_cells.iter().map(|cell| (cell.clone(), watch)), rules)
    }

    /// The nodes on which the sentinel's cells were stopped.
    fn enforcing(&self, sentinel: &Settling) -> Vec<Name> {
        let courses = sentinel.courses(None);
        let stopped = courses
            .iter()
            .filter(|(_, (course, _))| matches!(course, Course::Differed { .. } | Course::Turned));
        let nodes: BTreeSet<&Name> =
            stopped.filter_map(|(cell, _)| self.sentinel.node_of(cell)).collect();
        nodes.into_iter().cloned().collect()
    }
}
