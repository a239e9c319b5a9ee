//! Watching connections while changes are made: the cluster's own thread makes them, and
//! a [`Dialler`] on another dials.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use ringfence_probe::wire::Arrival;

use super::dataplane::DropLog;
use super::deployment::Deployment;
use super::dialler::{Dialler, Line, Order};
use crate::cluster::{Timeline, Watch};
use crate::model::{Cell, Change};

impl Deployment {
    /// Makes changes, and looks at connections before, meanwhile and afterwards.
    pub(super) fn watch(&mut self, watch: &Watch, changes: &[Change]) -> anyhow::Result<Timeline> {
        let cells: Vec<Cell> = watch.held.iter().chain(&watch.tried).cloned().collect();
        self.raise_services(&cells)?;
        // Another prober dials, from ports of its own choice.
        self.tracked = None;
        self.forget_connections(cells.len())?;
        drop(self.servers.take_arrivals());
        let mut dialler = Dialler::new(watch, self.own_targets(), self.nonces)?;
        let mut held = Vec::new();
        for (number, cell) in watch.held.iter().enumerate() {
            match self.line(number, cell)? {
                Ok(line) => held.push(line),
                Err(reason) => dialler.cannot_hold(number, reason),
            }
        }
        let mut waiting: Vec<usize> = (0..watch.tried.len()).collect();
        let lines = self.lines(watch, &mut waiting)?;
        let (orders, inbox) = channel();
        let (ready, is_ready) = channel();
        let mut logs: Vec<Option<DropLog>> =
            self.filters.iter_mut().map(|filter| filter.take_log()).collect();
        let begun = dialler.begun();
        let found = std::thread::scope(|scope| {
            let logs = &mut logs;
            let dialling = scope.spawn(move || {
                dialler.run(held, lines, logs, &inbox, &ready);
                dialler
            });
            let changed = is_ready
                .recv()
                .context("expected the dialling thread to begin, found that it ended")
                .and_then(|()| self.change_watched(watch, changes, begun, waiting, &orders));
            if changed.is_err() {
                // There is nothing to wait for. Where it has ended, joining it says why.
                drop(orders.send(Order::End(Duration::ZERO)));
            }
            let dialler = dialling.join().map_err(|_| anyhow!("the dialling thread panicked"))?;
            anyhow::Ok((changed?, dialler))
        });
        for (filter, log) in self.filters.iter_mut().zip(logs) {
            filter.return_log(log);
        }
        let ((asked, accepted), mut dialler) = found?;
        self.nonces = dialler.last_nonce();
        self.tracked = None;
        let arrivals: Vec<Arrival> =
            self.servers.take_arrivals().into_iter().map(|(_, arrival)| arrival).collect();
        dialler.correlate(&arrivals);
        let (held, tried) = dialler.told();
        Ok(Timeline { topology: self.topology().clone(), asked, accepted, held, tried })
    }

    /// Makes the changes, and hands over cells as soon as they can be dialled. Returns when
    /// the changes were begun, and when they were done.
    fn change_watched(
        &mut self,
        watch: &Watch,
        changes: &[Change],
        begun: Instant,
        mut waiting: Vec<usize>,
        orders: &Sender<Order>,
    ) -> anyhow::Result<(Duration, Duration)> {
        // Where the other thread has ended, joining it says why.
        let order = |order| drop(orders.send(order));
        let asked = begun.elapsed();
        self.change_step_by_step(changes, &mut |deployment| {
            let lines = deployment.lines(watch, &mut waiting)?;
            if !lines.is_empty() {
                order(Order::Dial { lines, allowed: deployment.own_targets() });
            }
            Ok(())
        })?;
        let accepted = begun.elapsed();
        order(Order::End(accepted + watch.after));
        Ok((asked, accepted))
    }

    /// The tried cells that can be dialled by now, of those that wait for it.
    fn lines(&mut self, watch: &Watch, waiting: &mut Vec<usize>) -> anyhow::Result<Vec<Line>> {
        let mut lines = Vec::new();
        for number in std::mem::take(waiting) {
            match self.line(number, &watch.tried[number])? {
                Ok(line) => lines.push(line),
                Err(_) => waiting.push(number),
            }
        }
        Ok(lines)
    }

    /// A cell that can be dialled, or why it cannot.
    fn line(&mut self, number: usize, cell: &Cell) -> anyhow::Result<Result<Line, String>> {
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
        Ok(Ok(Line { attempt, namespace }))
    }
}
