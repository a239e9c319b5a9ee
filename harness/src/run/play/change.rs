//! The changes of a step, made, and watched where the step wants it.

use std::time::Duration;

use tokio::time::Instant;

use super::super::NotJudged;
use super::super::plan;
use super::super::watched::{Seen, Watchlist};
use super::Play;
use crate::cluster::ClusterError;
use crate::model::{Change, Topology};
use crate::scenario::Expectation;

/// Changes that were made.
pub(super) struct Made {
    /// What there is now.
    pub(super) found: Topology,
    /// When they were accepted, or when the watch was over that was kept of them.
    pub(super) accepted: Instant,
    /// How much later that is than when they were accepted.
    pub(super) lag: Duration,
    /// What was to be watched.
    pub(super) order: Watchlist,
    /// What was seen.
    pub(super) seen: Option<Seen>,
    /// Why nothing was watched.
    pub(super) not_watched: Option<NotJudged>,
}

impl Play<'_> {
    /// Makes a step's changes, and watches what the step wants watched, if the cluster can.
    ///
    /// How long to watch follows from how slow the cluster enforces: where that is not known
    /// yet, the sentinel is flipped once before.
    pub(super) async fn make(
        &mut self,
        step: usize,
        changes: &[Change],
        expectation: &Expectation,
    ) -> Result<Made, ClusterError> {
        let order = Watchlist::of(expectation, &self.world.topology, &self.capabilities);
        let enforces = self.capabilities.dataplane.enforces;
        let mut not_watched = None;
        let not = |reason| Some(NotJudged { reason, cells: order.named });
        if !order.is_empty() && !enforces {
            let name = &self.capabilities.name;
            not_watched = not(format!(
                "`{name}` is declared to enforce nothing, so nothing is watched while it changes"
            ));
        } else if !order.is_empty() {
            if !self.stage.knows_enforcement() {
                self.restore(step).await?;
            }
            let comes = !plan::new_pods(changes).is_empty();
            match self.stage.watch(&order, comes, changes).await? {
                Ok(seen) => {
                    let timeline = &seen.timeline;
                    let (found, accepted) = (timeline.topology.clone(), Instant::now());
                    let lag = seen.watch.after;
                    return Ok(Made { found, accepted, lag, order, seen: Some(seen), not_watched });
                }
                Err(why) => not_watched = not(why),
            }
        }
        let found = self.stage.change(changes).await?;
        let (accepted, lag) = (Instant::now(), Duration::ZERO);
        Ok(Made { found, accepted, lag, order, seen: None, not_watched })
    }
}
