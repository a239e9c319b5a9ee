//! Dials turn after turn, on a thread of its own, until it is told to leave off.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ringfence_probe::wire::{Arrival, Attempt, AttemptResult, Round};
use ringfence_probe::{Environment, Held, Outcome, Prober, ProberOptions, Report};

use super::dataplane::DropLog;
use super::namespace::Namespace;
use crate::cluster::{Moment, Watch};
use crate::model::Observation;

/// What is dialled, and from where. The attempt's number is that of its cell.
pub(super) struct Line {
    pub(super) attempt: Attempt,
    pub(super) namespace: Namespace,
}

/// What a dialler is told.
pub(super) enum Order {
    /// Dial these, too.
    Dial {
        /// What to dial.
        lines: Vec<Line>,
        /// Every address that may be dialled from now on.
        allowed: Vec<IpAddr>,
    },
    /// Leave off at this moment of the watch.
    End(Duration),
}

/// Dials, and keeps what it saw.
pub(super) struct Dialler {
    begun: Instant,
    before: Duration,
    interval: Duration,
    deadline: Duration,
    prober: Prober,
    allowed: HashSet<IpAddr>,
    nonce: u64,
    tried: Vec<Attempt>,
    held_moments: Vec<Vec<Moment>>,
    tried_moments: Vec<Vec<Moment>>,
    /// Tried and silent: the cell and the moment, by nonce.
    silent: HashMap<u64, (usize, usize)>,
}

impl Dialler {
    /// A dialler whose nonces come after this one. The watch begins now.
    pub(super) fn new(watch: &Watch, allowed: Vec<IpAddr>, nonce: u64) -> anyhow::Result<Self> {
        // A retry would blur the moment.
        let options = ProberOptions { retry: false, ..ProberOptions::default() };
        let mut prober = Prober::new(options).context("start a prober")?;
        prober.allow_targets(allowed.iter().copied());
        Ok(Self {
            begun: Instant::now(),
            before: watch.before,
            interval: watch.interval,
            deadline: watch.deadline,
            prober,
            allowed: allowed.into_iter().collect(),
            nonce,
            tried: Vec::new(),
            held_moments: vec![Vec::new(); watch.held.len()],
            tried_moments: vec![Vec::new(); watch.tried.len()],
            silent: HashMap::new(),
        })
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) fn last_nonce(&self) -> u64 {
        self.nonce
    }

    /// Takes note that a cell's connection cannot be held.
    pub(super) fn cannot_hold(&mut self, number: usize, reason: String) {
        let seen = Observation::broken(reason);
        self.held_moments[number].push(Moment { at: Duration::ZERO, seen });
    }

    /// Opens what is to be held, and dials until it is told to leave off, or nobody is there
    /// to tell it. Says when the time before the changes is over. The thread is left in some
    /// network namespace.
    pub(super) fn run(
        &mut self,
        held: Vec<Line>,
        tried: Vec<Line>,
        logs: &mut [Option<DropLog>],
        orders: &Receiver<Order>,
        ready: &Sender<()>,
    ) {
        let mut walk = Walk { places: BTreeMap::new(), logs };
        let numbers: Vec<usize> = held.iter().map(|line| line.attempt.id as usize).collect();
        let opening = self.take(held, &mut walk);
        let at = self.begun.elapsed();
        let (mut held, opened) = Held::open(&opening, &self.allowed, self.deadline, &mut walk);
        for result in opened {
            note(&mut self.held_moments, at, result);
        }
        let lines = self.take(tried, &mut walk);
        self.tried.extend(lines);
        let (mut told, mut end) = (false, None);
        while end.is_none_or(|end| self.begun.elapsed() < end) {
            let turn = Instant::now();
            self.turn(&mut held, &numbers, &mut walk);
            if !told && self.begun.elapsed() >= self.before {
                // Whoever waited may have given up.
                let _ = ready.send(());
                told = true;
            }
            loop {
                let rest = self.interval.saturating_sub(turn.elapsed());
                match orders.recv_timeout(rest) {
                    Ok(Order::Dial { lines, allowed }) => {
                        self.prober.allow_targets(allowed);
                        let lines = self.take(lines, &mut walk);
                        self.tried.extend(lines);
                    }
                    Ok(Order::End(at)) => end = Some(at),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    /// Makes a place of each line's namespace.
    fn take(&mut self, lines: Vec<Line>, walk: &mut Walk<'_>) -> Vec<Attempt> {
        let mut attempts = Vec::with_capacity(lines.len());
        for Line { mut attempt, namespace } in lines {
            self.nonce += 1;
            attempt.nonce = self.nonce;
            walk.places.insert(attempt.from, namespace);
            attempts.push(attempt);
        }
        attempts
    }

    /// Attempts every tried cell and uses every held connection, once.
    fn turn(&mut self, held: &mut Held, numbers: &[usize], walk: &mut Walk<'_>) {
        let at = self.begun.elapsed();
        let mut last = self.nonce;
        let mut next = || {
            last += 1;
            last
        };
        let in_use: Vec<bool> = (0..numbers.len()).map(|line| held.is_open(line)).collect();
        held.ask(&mut next);
        self.tried.iter_mut().for_each(|attempt| attempt.nonce = next());
        self.nonce = last;
        let deadline_us = u64::try_from(self.deadline.as_micros()).unwrap_or(u64::MAX);
        let round = Round { round: 0, deadline_us, attempts: self.tried.clone() };
        let results = self.prober.round(&round, walk);
        for result in results {
            let number = result.id as usize;
            if result.outcome == Outcome::Dropped
                && let Some(attempt) = self.tried.iter().find(|tried| tried.id == result.id)
            {
                self.silent.insert(attempt.nonce, (number, self.tried_moments[number].len()));
            }
            note(&mut self.tried_moments, at, result);
        }
        for (result, used) in held.hear(self.deadline).into_iter().zip(in_use) {
            if used {
                note(&mut self.held_moments, at, result);
            }
        }
    }

    /// Turns silence into a lost reply where the request arrived.
    pub(super) fn correlate(&mut self, arrivals: &[Arrival]) {
        for arrival in arrivals {
            if let Some((number, moment)) = self.silent.get(&arrival.nonce) {
                let seen = &mut self.tried_moments[*number][*moment].seen;
                seen.outcome = Outcome::ReplyLost;
                seen.seen_source = Some(arrival.from.ip());
            }
        }
    }

    /// What held connections and tried cells saw.
    pub(super) fn told(self) -> (Vec<Vec<Moment>>, Vec<Vec<Moment>>) {
        (self.held_moments, self.tried_moments)
    }
}

fn note(moments: &mut [Vec<Moment>], at: Duration, result: AttemptResult) {
    let number = result.id as usize;
    moments[number].push(Moment { at, seen: Observation::from(result) });
}

/// The dialler's way through the cluster.
struct Walk<'a> {
    places: BTreeMap<u32, Namespace>,
    logs: &'a mut [Option<DropLog>],
}

impl Environment for Walk<'_> {
    fn enter(&mut self, place: u32) -> io::Result<()> {
        let namespace = self.places.get(&place);
        namespace
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no place {place}")))?
            .enter()
    }

    fn reports(&mut self, sink: &mut dyn FnMut(Report)) {
        self.logs.iter_mut().flatten().for_each(|log| log.read(sink));
    }
}
