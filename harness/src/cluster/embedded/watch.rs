//! Watching connections while changes are made: the cluster's own thread makes them, and
//! a [`Dialler`] on another dials.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use ringfence_probe::wire::{Arrival, Attempt};
use ringfence_probe::{Dialler, Order, Pace};

use super::dataplane::DropLog;
use super::deployment::Deployment;
use super::dialler::{Places, Walk, told};
use crate::cluster::{Moment, Timeline, Watch};
use crate::model::{Cell, Change, Observation};

impl Deployment {
    /// Makes changes, and looks at connections before, meanwhile and afterwards.
    pub(super) fn watch(&mut self, watch: &Watch, changes: &[Change]) -> anyhow::Result<Timeline> {
        let cells: Vec<Cell> = watch.held.iter().chain(&watch.tried).cloned().collect();
        self.raise_services(&cells)?;
        // How often the dialler dials is not counted.
        self.tracked = None;
        self.forget_connections(cells.len())?;
        drop(self.servers.take_arrivals());
        let pace = Pace {
            interval: watch.interval,
            deadline: watch.deadline,
            before: watch.before,
            limit: Duration::MAX,
            nonce: self.nonces,
            stride: cells.len() as u32,
        };
        let mut dialler =
            Dialler::new(pace.clone(), self.own_targets()).context("start a dialler")?;
        let places = Places::default();
        let mut held = Vec::new();
        let mut cannot_hold = Vec::new();
        for (number, cell) in watch.held.iter().enumerate() {
            match self.line(number, cell, &places)? {
                Ok(attempt) => held.push(attempt),
                Err(reason) => cannot_hold.push((number, reason)),
            }
        }
        let mut waiting: Vec<usize> = (0..watch.tried.len()).collect();
        let tried = self.lines(watch, &mut waiting, &places)?;
        let (orders, inbox) = channel();
        let (ready, is_ready) = channel();
        let mut logs: Vec<Option<DropLog>> =
            self.filters.iter_mut().map(|filter| filter.take_log()).collect();
        let begun = dialler.begun();
        let found = std::thread::scope(|scope| {
            let mut walk = Walk { places: places.clone(), logs: &mut logs };
            let dialling = scope.spawn(move || {
                // Whoever waited may have given up.
                let ready = move || {
                    let _ = ready.send(());
                };
                let ended = dialler.run(held, tried, &mut walk, &inbox, ready);
                (dialler, ended)
            });
            let changed = is_ready
                .recv()
                .context("expected the dialling thread to begin, found that it ended")
                .and_then(|()| {
                    self.change_watched(watch, changes, begun, (waiting, &places), &orders)
                });
            if changed.is_err() {
                // There is nothing to wait for. Where it has ended, joining it says why.
                drop(orders.send(Order::End(Duration::ZERO)));
            }
            let (dialler, ended) =
                dialling.join().map_err(|_| anyhow!("the dialling thread panicked"))?;
            let changed = changed?;
            ended.map_err(|why| anyhow!("the watch broke off: {why}"))?;
            anyhow::Ok((changed, dialler))
        });
        for (filter, log) in self.filters.iter_mut().zip(logs) {
            filter.return_log(log);
        }
        let ((asked, accepted), dialler) = found?;
        self.nonces = self.nonces.max(dialler.last_nonce());
        self.tracked = None;
        let arrivals: Vec<Arrival> =
            self.servers.take_arrivals().into_iter().map(|(_, arrival)| arrival).collect();
        let (mut held, tried) = told(dialler, &pace, watch, &arrivals);
        for (number, reason) in cannot_hold {
            held[number].push(Moment { at: Duration::ZERO, seen: Observation::broken(reason) });
        }
        Ok(Timeline {
            topology: self.topology().clone(),
            asked,
            accepted,
            held,
            tried,
            blur: Duration::ZERO,
            unseen: BTreeMap::new(),
            remarks: Vec::new(),
        })
    }

    /// Makes the changes, and hands over cells as soon as they can be dialled. Returns when
    /// the changes were begun, and when they were done.
    fn change_watched(
        &mut self,
        watch: &Watch,
        changes: &[Change],
        begun: Instant,
        (mut waiting, places): (Vec<usize>, &Places),
        orders: &Sender<Order>,
    ) -> anyhow::Result<(Duration, Duration)> {
        // Where the other thread has ended, joining it says why.
        let order = |order| drop(orders.send(order));
        let asked = begun.elapsed();
        self.change_step_by_step(changes, &mut |deployment| {
            let attempts = deployment.lines(watch, &mut waiting, places)?;
            if !attempts.is_empty() {
                order(Order::Dial { attempts, allowed: deployment.own_targets() });
            }
            Ok(())
        })?;
        let accepted = begun.elapsed();
        order(Order::End(accepted + watch.after));
        Ok((asked, accepted))
    }

    /// The tried cells that can be dialled by now, of those that wait for it.
    fn lines(
        &mut self,
        watch: &Watch,
        waiting: &mut Vec<usize>,
        places: &Places,
    ) -> anyhow::Result<Vec<Attempt>> {
        let mut lines = Vec::new();
        for number in std::mem::take(waiting) {
            match self.line(watch.held.len() + number, &watch.tried[number], places)? {
                Ok(attempt) => lines.push(attempt),
                Err(_) => waiting.push(number),
            }
        }
        Ok(lines)
    }

    /// A cell that can be dialled, or why it cannot.
    fn line(
        &mut self,
        number: usize,
        cell: &Cell,
        places: &Places,
    ) -> anyhow::Result<Result<Attempt, String>> {
        let attempt = match self.attempt(number as u32, cell) {
            Ok((attempt, _)) => attempt,
            Err(reason) => return Ok(Err(reason)),
        };
        let place = attempt.from;
        let namespace = self.network.places().get(place as usize).and_then(Option::as_ref);
        let namespace = namespace
            .with_context(|| format!("expected a network namespace at place {place}, found none"))?
            .try_clone()
            .context("keep a network namespace")?;
        places.add(place, namespace);
        Ok(Ok(attempt))
    }
}
