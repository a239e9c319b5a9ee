//! A watch that many agents keep, each by itself, while something else goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringfence_probe::Pace;
use ringfence_probe::wire::{Ahead, Attempt, WatchOrder};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::conversation::Targets;
use super::planned::Planned;
use super::request::{Request, Said};
use crate::model::Endpoint;

/// What an agent says when it watches, and when that was heard.
pub(super) type Watching = (Result<Said<Duration>, String>, Duration);

/// A watch that is under way. Clones are of the same one.
///
/// An agent that is added while it is under way is asked for its share at once, and has it
/// as soon as it answers.
#[derive(Debug, Clone)]
pub struct Vigil {
    begun: Instant,
    pace: Arc<Pace>,
    targets: Arc<watch::Sender<Targets>>,
    shares: Arc<Mutex<Shares>>,
    over: Arc<AtomicBool>,
}

/// Who watches what.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// What is to be attempted, by its number.
    pub(super) planned: BTreeMap<u32, Planned>,
    /// Those whose connections are held.
    pub(super) held: BTreeSet<u32>,
    /// What was asked of the agents.
    pub(super) asked: BTreeMap<Endpoint, Share>,
    /// What agents were given along, before they were there: when, and which attempts.
    pub(super) ahead: BTreeMap<Endpoint, (Duration, BTreeSet<u32>)>,
}

/// What one agent was asked.
#[derive(Debug)]
pub(super) struct Share {
    /// The watch keeps nobody's session open.
    requests: mpsc::WeakUnboundedSender<Request>,
    /// When it was asked, or given its order along: it does not watch since before.
    pub(super) at: Duration,
    /// Its answer, once it has come.
    pub(super) answer: watch::Receiver<Option<Watching>>,
}

impl Vigil {
    /// Nobody watches yet.
    pub(super) fn new(pace: Pace, targets: Arc<watch::Sender<Targets>>) -> Self {
        let (begun, pace) = (Instant::now(), Arc::new(pace));
        Self { begun, pace, targets, shares: Arc::default(), over: Arc::default() }
    }

    /// How long it has been under way: its moments count from its start.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How it is watched.
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Who watches what. What is in it is never half-made.
    pub(super) fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allows attempts to these addresses, too: those of endpoints of this run that have come.
    pub fn allow(&self, addresses: &[IpAddr]) {
        self.targets.send_modify(|targets| {
            let all: BTreeSet<IpAddr> = targets.iter().chain(addresses).copied().collect();
            *targets = all.into_iter().collect();
        });
    }

    /// Whether this cell is to be attempted by now.
    pub fn tries(&self, id: u32) -> bool {
        self.shares().planned.contains_key(&id)
    }

    /// Tries these, too, each by its number: as soon as their agents answer.
    pub fn also(&self, planned: Vec<(u32, Planned)>) {
        let mut shares = self.shares();
        let mut more: BTreeMap<Endpoint, Vec<Attempt>> = BTreeMap::new();
        for (id, planned) in planned {
            let attempts = more.entry(planned.source.clone()).or_default();
            attempts.push(attempt(id, &planned));
            shares.planned.insert(id, planned);
        }
        for (source, attempts) in more {
            let share = shares.asked.get(&source);
            // Where its session has ended, the end of the watch says so.
            if let Some(requests) = share.and_then(|share| share.requests.upgrade()) {
                drop(requests.send(Request::WatchAlso(attempts)));
            }
        }
    }

    /// What an agent that does not answer yet is to watch from its first moment; nothing where
    /// that is not known yet.
    pub(super) fn ahead(&self, source: &Endpoint) -> Option<Ahead> {
        let mut shares = self.shares();
        let mut order = self.order(source, &shares);
        order.held.clear();
        if self.is_over() || order.tried.is_empty() {
            return None;
        }
        let tried = order.tried.iter().map(|attempt| attempt.id).collect();
        shares.ahead.insert(source.clone(), (self.elapsed(), tried));
        Some(Ahead { allowed: self.targets.borrow().to_vec(), order })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn order(&self, source: &Endpoint, shares: &Shares) -> WatchOrder {
        let own = shares.planned.iter().filter(|(_, planned)| planned.source == *source);
        let (held, tried): (Vec<_>, Vec<_>) = own
            .map(|(id, planned)| attempt(*id, planned))
            .partition(|attempt| shares.held.contains(&attempt.id));
        let pace = &self.pace;
        // Who comes later is not waited for.
        let before = pace.before.saturating_sub(self.elapsed());
        WatchOrder {
            interval_us: micros(pace.interval),
            deadline_us: micros(pace.deadline),
            before_us: micros(before),
            limit_us: micros(pace.limit),
            nonce: pace.nonce,
            stride: pace.stride,
            held,
            tried,
        }
    }

    /// Has all agents leave off, where nobody wants to know any more what they saw: they must
    /// not dial what is not the run's by then.
    pub(super) fn leave_off(&self) {
        self.over.store(true, Ordering::Relaxed);
        let asked = std::mem::take(&mut self.shares().asked);
        let Ok(runtime) = Handle::try_current() else { return };
        for share in asked.into_values() {
            let Some(requests) = share.requests.upgrade() else { continue };
            let (reply, answer) = oneshot::channel();
            drop(requests.send(Request::EndWatch(reply)));
            // What nobody waits for is not asked.
            runtime.spawn(async move { drop(answer.await) });
        }
    }

    /// Asks an agent for its share of what is planned, if it has one.
    pub(super) fn ask(&self, source: &Endpoint, requests: &mpsc::UnboundedSender<Request>) {
        if self.is_over() {
            return;
        }
        let mut shares = self.shares();
        let order = self.order(source, &shares);
        let (reply, answer) = oneshot::channel();
        let at = shares.ahead.get(source).map_or_else(|| self.elapsed(), |(at, _)| *at);
        let begun = self.begun;
        drop(requests.send(Request::BeginWatch(order, reply)));
        let (told, watching) = watch::channel(None);
        // It may come long after whoever asked went on, and the moment counts.
        tokio::spawn(async move {
            let said = answer.await.unwrap_or_else(|_| Err("its session has ended".to_owned()));
            // Nobody listens where the watch was given up.
            drop(told.send(Some((said, begun.elapsed()))));
        });
        let share = Share { requests: requests.downgrade(), at, answer: watching };
        shares.asked.insert(source.clone(), share);
    }
}

fn attempt(id: u32, planned: &Planned) -> Attempt {
    Attempt {
        id,
        // Each turn has its own.
        nonce: 0,
        from: 0,
        protocol: planned.protocol,
        target: planned.target,
        expect: planned.expect.clone(),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
