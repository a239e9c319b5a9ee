//! Whether silence by way of a Service says anything.
//!
//! No node tells when its proxy knows a Service; until it does, attempts meet silence or a
//! refusal, as if a policy had stopped them. A Service that was made before any policy is shown
//! to lead by the control. For one that is made later, [`Slot::served`](super::slot::Slot) waits,
//! which is an estimate: the proxy may still learn of this Service after the witness's. So what
//! is stopped counts only
//!
//! - where something came through this Service before, from the same node and to the same address
//!   and port, and its pod was not restarted since, which takes a pod out of its Service for a
//!   while; or
//! - where the pod itself, dialled by the same source in the same round, does not answer either:
//!   nothing is then told of the pod by the Service that is not known without it.
//!
//! Everything else is inconclusive: a proxy that lags never becomes a fault of enforcement.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::cluster::Kubernetes;
use super::round::exposure;
use super::service::Way;
use crate::cluster::Moment;
use crate::model::{Cell, Observation, Via};

impl Kubernetes {
    /// Takes note of the Services that led to their pods in a round, and makes of silence at
    /// the others what it is. `targets` are those that were dialled, by the cells' numbers.
    pub(super) fn weigh(
        &mut self,
        cells: &[Cell],
        targets: &BTreeMap<usize, SocketAddr>,
        seen: &mut [Option<Observation>],
    ) {
        let by_service: Vec<usize> =
            (0..cells.len()).filter(|number| cells[*number].via != Via::Pod).collect();
        if by_service.is_empty() {
            return;
        }
        let Some(slot) = &self.slot else { return };
        let way = |number: usize| -> Option<Way> {
            let cell = &cells[number];
            Some((slot.node_of(&cell.source), *targets.get(&number)?, cell.protocol))
        };
        let is = |number: usize, what: fn(&Observation) -> bool| {
            seen.get(number).and_then(Option::as_ref).is_some_and(what)
        };
        let stopped: BTreeSet<&Cell> = (0..cells.len())
            .filter(|number| is(*number, |seen| seen.outcome.is_stopped()))
            .map(|number| &cells[number])
            .collect();
        let mut doubtful = Vec::new();
        for number in by_service.iter().copied() {
            let cell = &cells[number];
            let (Some(pod), Some(exposure)) = (cell.destination.as_pod(), exposure(cell.via))
            else {
                continue;
            };
            let lost = slot.agents.lost(&cell.destination);
            let Some(way) = way(number) else { continue };
            if is(number, |seen| seen.outcome.is_connected()) {
                self.services.lead(pod, exposure, way, lost);
            } else if is(number, |seen| seen.outcome.is_stopped())
                && !stopped.contains(&Cell { via: Via::Pod, ..cell.clone() })
            {
                doubtful.push((number, pod.clone(), exposure, way, lost));
            }
        }
        for (number, pod, exposure, way, lost) in doubtful {
            if self.services.led(&pod, exposure, &way, lost) {
                continue;
            }
            let node = way.0.map_or_else(String::new, |node| format!(" from node `{node}`"));
            if let Some(seen) = &mut seen[number] {
                *seen = Observation::broken(format!(
                    "{} at the Service of `{pod}`, by which nothing has come through{node} since \
                     the Service was made or its pod was restarted: the node's proxy may not know \
                     it yet",
                    seen.outcome
                ));
            }
        }
    }
    /// Makes of silence at Services what it is, in what was watched: it only counts at those
    /// that led to their pods before the changes were asked for.
    pub(super) fn weigh_watched(
        &self,
        cells: &[Cell],
        targets: &BTreeMap<u32, SocketAddr>,
        asked: Duration,
        seen: &mut BTreeMap<u32, Vec<Moment>>,
    ) {
        for (id, moments) in seen {
            let cell = &cells[*id as usize];
            let mut before = moments.iter().take_while(|moment| moment.at < asked);
            let led = || {
                let (pod, exposure) = (cell.destination.as_pod()?, exposure(cell.via)?);
                let (slot, target) = (self.slot.as_ref()?, *targets.get(id)?);
                let way = (slot.node_of(&cell.source), target, cell.protocol);
                let lost = slot.agents.lost(&cell.destination);
                Some(self.services.led(pod, exposure, &way, lost))
            };
            if cell.via == Via::Pod
                || before.any(|moment| moment.seen.outcome.is_connected())
                || led() == Some(true)
            {
                continue;
            }
            for moment in moments.iter_mut().filter(|it| it.seen.outcome.is_stopped()) {
                moment.seen = Observation::broken(format!(
                    "{} at the Service of `{}`, by which nothing came through before the changes: \
                     the node's proxy may not know it yet",
                    moment.seen.outcome, cell.destination
                ));
            }
        }
    }
}
