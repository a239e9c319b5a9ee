//! Changes that are watched while they are made.

use tokio::time::timeout;

use super::super::settings::{
    ENFORCEMENT_MARGIN, STARTING_SILENCE, Silence, WATCHED_AFTER, WATCHED_BEFORE, WATCHED_INTERVAL,
    WATCHED_SILENCE, WATCHED_TURNS,
};
use super::super::watched::{Seen, Watchlist};
use super::Stage;
use crate::cluster::{ClusterError, Watch};
use crate::model::Change;

impl Stage<'_> {
    /// Makes changes and flips the sentinel after them, as [`Stage::change`] does, and watches
    /// connections before, meanwhile and afterwards; the witness's with them. `comes` where
    /// pods come with the changes. Says why, and has changed nothing, where the cluster
    /// cannot watch.
    pub(in super::super) async fn watch(
        &mut self,
        order: &Watchlist,
        comes: bool,
        changes: &[Change],
    ) -> Result<Result<Seen, String>, ClusterError> {
        let mut changes = self.spare(changes);
        let flips = self.blind.is_empty();
        if flips {
            changes.push(self.sentinel.flip());
        }
        let watch = self.watch_of(order, comes);
        let deadline = self.settings.call_deadline + watch.before + watch.after;
        let made = timeout(deadline, self.cluster.watch(&watch, &changes)).await;
        let mut timeline = match made {
            Ok(Ok(timeline)) => timeline,
            Ok(Err(ClusterError::Unsupported(why))) => {
                self.sentinel.denied ^= flips;
                return Ok(Err(why));
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let what = format!("{} changes to be accepted and watched", changes.len());
                return Err(ClusterError::Deadline { what, deadline });
            }
        };
        if [timeline.held.len(), timeline.tried.len()] != [watch.held.len(), watch.tried.len()] {
            return Err(ClusterError::Lost(format!(
                "expected a timeline of {} held and {} tried cells, found {} and {}",
                watch.held.len(),
                watch.tried.len(),
                timeline.held.len(),
                timeline.tried.len()
            )));
        }
        let witness = timeline.tried.split_off(order.tried.len());
        timeline.topology = self.witness.strip(self.sentinel.strip(timeline.topology));
        Ok(Ok(Seen { timeline, witness, watch }))
    }

    /// How an order is watched. What is silent makes a turn as long as silence lasts, so
    /// after the changes there is time for several such turns.
    fn watch_of(&self, order: &Watchlist, comes: bool) -> Watch {
        let slowest = self.slowest_answers.iter().max().copied().unwrap_or_default();
        let silence = match comes {
            true => STARTING_SILENCE,
            false => Silence { floor: WATCHED_SILENCE, ..self.settings.silence },
        };
        let deadline = silence.deadline(Some(slowest));
        let enforced = self.slowest_enforcement * ENFORCEMENT_MARGIN;
        // Where the dataplane gives its word for a drop, nobody waits for silence but
        // connections, and those who dial a pod that is not wired.
        let waits = comes || !order.held.is_empty() || !self.cluster.capabilities().evidence;
        let turns = if waits { WATCHED_TURNS } else { 0 };
        Watch {
            held: order.held.clone(),
            tried: order.tried.iter().chain(&self.witness_cells).cloned().collect(),
            interval: WATCHED_INTERVAL,
            deadline,
            before: WATCHED_BEFORE,
            after: enforced + deadline * turns + WATCHED_AFTER,
        }
    }

    /// Whether it is known by now how slow the cluster enforces.
    pub(in super::super) fn knows_enforcement(&self) -> bool {
        !self.slowest_enforcement.is_zero() || !self.blind.is_empty()
    }
}
