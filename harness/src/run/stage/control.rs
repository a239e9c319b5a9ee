//! Paths that are shown to work while no policy stops them.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{Instant, sleep_until};

use super::Stage;
use crate::cluster::ClusterError;
use crate::model::Cell;
use crate::run::Purpose;

impl Stage<'_> {
    /// Attempts cells until each has connected once, within the control's
    /// deadline. Returns those that never did, with what was seen last.
    ///
    /// How long silence must last is not known yet: it starts at the floor and
    /// doubles with every round that leaves a path shut, so that a packet lost
    /// while a path is being set up costs little, and a slow path is seen.
    pub(in super::super) async fn open(
        &mut self,
        mut cells: BTreeSet<Cell>,
        purpose: Purpose,
    ) -> Result<BTreeMap<Cell, String>, ClusterError> {
        let end = Instant::now() + self.settings.control_deadline;
        let mut deadline = self.settings.silence.floor.min(self.settings.silence.ceiling);
        let mut shut = BTreeMap::new();
        let mut idle = 0;
        while !cells.is_empty() {
            let attempt = self.attempt(cells.iter().cloned().collect(), deadline).await?;
            for (cell, seen) in
                attempt.sentinel.iter().chain(attempt.seen.iter().map(|s| (&s.0, &s.1)))
            {
                if seen.outcome.is_connected() {
                    cells.remove(cell);
                    shut.remove(cell);
                } else {
                    shut.insert(cell.clone(), seen.outcome.to_string());
                }
            }
            self.record(None, purpose, attempt);
            if cells.is_empty() || Instant::now() >= end {
                break;
            }
            sleep_until((Instant::now() + self.settings.pause.after(idle)).min(end)).await;
            deadline = deadline.saturating_mul(2).min(self.settings.silence.ceiling);
            idle += 1;
        }
        Ok(shut)
    }

    /// Attempts cells once, for what is worth knowing of them; returns those
    /// that did not connect, with what was seen.
    pub(in super::super) async fn look(
        &mut self,
        cells: BTreeSet<Cell>,
        purpose: Purpose,
    ) -> Result<BTreeMap<Cell, String>, ClusterError> {
        if cells.is_empty() {
            return Ok(BTreeMap::new());
        }
        let attempt = self.attempt(cells.into_iter().collect(), self.silence()).await?;
        let shut = attempt.seen.iter().filter(|(_, seen)| !seen.outcome.is_connected());
        let shut = shut.map(|(cell, seen)| (cell.clone(), seen.outcome.to_string())).collect();
        self.record(None, purpose, attempt);
        Ok(shut)
    }

    /// Shows paths to be open before any policy, the run's own among them. Returns those that
    /// never were, or did not stay so, with what was seen.
    ///
    /// What they took to open first says little of how fast they answer: a cluster may still
    /// have been setting them up. So they are attempted again, unless all of them answered at
    /// once, and so fast that silence need not last longer than its floor.
    ///
    /// # Errors
    /// Where one of the run's own does not open within the control's deadline.
    pub(in super::super) async fn control(
        &mut self,
        cells: BTreeSet<Cell>,
    ) -> Result<BTreeMap<Cell, String>, ClusterError> {
        let before = self.rounds;
        let all: BTreeSet<Cell> = cells.into_iter().chain(self.own()).collect();
        let mut shut = self.open(all.clone(), Purpose::Control).await?;
        if let Some((cell, seen)) = shut.iter().find(|(cell, _)| self.is_own(cell)) {
            return Err(ClusterError::Deadline {
                what: format!(
                    "the path `{cell}` of the run's own pods to open without policies ({seen})"
                ),
                deadline: self.settings.control_deadline,
            });
        }
        let at_once = self.rounds - before <= 1;
        if at_once && self.silence() <= self.settings.silence.floor {
            return Ok(shut);
        }
        let open = all.into_iter().filter(|cell| !shut.contains_key(cell)).collect();
        self.slowest_answers.clear();
        let again = self.open(open, Purpose::Control).await?;
        let closed = |seen| format!("{seen}, after it had been open once");
        shut.extend(again.into_iter().map(|(cell, seen)| (cell, closed(seen))));
        Ok(shut)
    }
}
