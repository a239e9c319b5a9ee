//! What an agent does for a session: listens, dials, tells what arrived.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::wire::{Ahead, AttemptResult, Listen, Message, Round, WatchOrder};
use crate::{Here, Outcome, Prober, ProberOptions, Servers, half_open};

use super::fresh::mark;
use super::session::{LONGEST_DEADLINE, Work};
use super::vigil::Vigil;
use super::whereabouts::whereabouts;

/// The most arrivals in one answer, so that it fits a frame: about 12 MB.
const MOST_ARRIVALS: usize = 100_000;

/// The listeners and the prober.
#[derive(Debug)]
pub(super) struct Executor {
    identity: String,
    servers: Servers,
    prober: Prober,
    /// What may be dialled.
    allowed: Vec<IpAddr>,
    /// What is watched.
    vigil: Option<Vigil>,
    /// Whether a session was begun.
    begun: bool,
    open: BTreeSet<Listen>,
    /// Whether a port is missing that should be open.
    incomplete: bool,
    /// How many arrivals were forgotten when that was told last.
    lost: u64,
}

impl Executor {
    /// Opens no port and may dial nothing yet.
    pub(super) fn new(identity: String) -> io::Result<Self> {
        Ok(Self {
            identity,
            servers: Servers::start()?,
            prober: Prober::new(ProberOptions::default())?,
            allowed: Vec::new(),
            vigil: None,
            begun: false,
            open: BTreeSet::new(),
            incomplete: false,
            lost: 0,
        })
    }

    /// Does a piece of work; the answer, where it has one.
    pub(super) fn perform(&mut self, work: Work) -> Option<Message> {
        match work {
            Work::Begin => {
                self.allowed.clear();
                self.prober.allow_targets([]);
                // Before the first session it may have been watched and dialled already; what
                // was before another one belongs to nobody who is still there.
                if std::mem::replace(&mut self.begun, true) {
                    self.vigil = None;
                    drop(self.servers.take_arrivals());
                    self.lost = self.servers.lost_arrivals();
                }
                None
            }
            Work::AllowTargets(addresses) => {
                self.prober.allow_targets(addresses.iter().copied());
                self.allowed = addresses;
                None
            }
            Work::Listen(ports) => Some(Message::Listening { failed: self.listen(&ports) }),
            Work::Round(round) => {
                let results = self.round(&round);
                let whereabouts = whereabouts();
                Some(Message::Results { round: round.round, results, whereabouts })
            }
            Work::TakeArrivals => Some(self.arrivals()),
            Work::BeginWatch(order) => {
                let vigil = self.vigil(order);
                let vigil = self.vigil.insert(vigil);
                Some(Message::Watching { at_us: vigil.at_us(), whereabouts: whereabouts() })
            }
            Work::WatchAlso(attempts) => {
                if let Some(vigil) = &self.vigil {
                    vigil.also(attempts, self.allowed.clone());
                }
                None
            }
            Work::EndWatch => {
                let sightings = match self.vigil.take() {
                    Some(vigil) => vigil.end(),
                    None => Vigil::none(),
                };
                Some(Message::Watched { sightings, whereabouts: whereabouts() })
            }
        }
    }

    /// Begins to watch before anybody has spoken with it.
    ///
    /// # Errors
    /// Where it is not the network's first moment: a container that is started anew has an
    /// order that is out of date, and must not dial whoever has those addresses by now.
    pub(super) fn watch_ahead(&mut self, Ahead { allowed, order }: Ahead) -> io::Result<()> {
        mark()?;
        self.vigil = Some(Vigil::from_start(order, allowed));
        Ok(())
    }

    /// The watch of an order: the one that began with the process, where it is its own.
    fn vigil(&mut self, order: WatchOrder) -> Vigil {
        match self.vigil.take() {
            Some(vigil) if vigil.is_for(&order) => {
                vigil.also(order.tried, self.allowed.clone());
                vigil
            }
            // It ends first: two would not know each other's connections.
            other => {
                drop(other);
                Vigil::begin(order, self.allowed.clone())
            }
        }
    }

    /// Opens these ports and no others; those that failed, and why. Where only more are wanted,
    /// nothing is closed; else all are, for a moment.
    pub(super) fn listen(&mut self, ports: &[Listen]) -> Vec<(Listen, String)> {
        let wanted: BTreeSet<Listen> = ports.iter().copied().collect();
        if self.incomplete || !self.open.is_subset(&wanted) {
            self.servers.close(&self.identity);
            self.open.clear();
        }
        let missing: Vec<Listen> = wanted.difference(&self.open).copied().collect();
        let failed = self.servers.listen(&self.identity, &missing);
        self.incomplete = !failed.is_empty();
        self.open = wanted;
        failed
    }

    fn round(&mut self, round: &Round) -> Vec<AttemptResult> {
        let deadline = Duration::from_micros(round.deadline_us);
        if deadline <= LONGEST_DEADLINE {
            return self.prober.round(round, &mut Here);
        }
        let reason = format!(
            "expected a deadline of at most {} s, found {} s; it was not dialled",
            LONGEST_DEADLINE.as_secs(),
            deadline.as_secs()
        );
        let mut ids: Vec<u32> = round.attempts.iter().map(|attempt| attempt.id).collect();
        ids.sort_unstable();
        let broken = |id| AttemptResult {
            id,
            outcome: Outcome::Broken { reason: reason.clone() },
            latency_us: 0,
            local: None,
            seen_source: None,
            evidence: None,
            tries: 0,
            waited_us: 0,
        };
        ids.into_iter().map(broken).collect()
    }

    fn arrivals(&mut self) -> Message {
        let mut arrived = self.servers.take_arrivals();
        // The newest are those that a run can still use.
        let excess = arrived.len().saturating_sub(MOST_ARRIVALS);
        arrived.drain(..excess);
        let forgotten = self.servers.lost_arrivals();
        let lost = forgotten - self.lost + excess as u64;
        self.lost = forgotten;
        let (half_open, half_open_unseen) = match half_open() {
            Ok(found) => {
                let mut found: Vec<_> = found.into_iter().collect();
                found.sort_unstable();
                found.truncate(MOST_ARRIVALS);
                (found, None)
            }
            Err(error) => {
                (Vec::new(), Some(format!("expected to read `/proc/thread-self/net/tcp`: {error}")))
            }
        };
        let arrivals = arrived.into_iter().map(|(_, arrival)| arrival).collect();
        let whereabouts = whereabouts();
        Message::Arrivals { arrivals, lost, half_open, half_open_unseen, whereabouts }
    }
}
