//! A round: launching attempts, and bringing every one of them down.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};

use crate::wire::{Attempt, AttemptResult, Evidence, Round};
use crate::{Outcome, Protocol};

use super::clock::Clock;
use super::descriptors::{self, Permit};
use super::flight::{Flight, Seen, Try};
use super::launch::{self, NotOpened, Speech};
use super::options::ProberOptions;
use super::ports::SourcePorts;
use super::{Environment, Report};

/// Launches between two looks at the dataplane's reports; the netlink socket that brings them
/// has room for about twice as many in a buffer of stock size.
const BURST: usize = 128;

/// Launches after which an attempt is looked at for the first time. An answer is usually there
/// by then, and the attempt never has to meet epoll.
const GLANCE_AFTER: usize = 48;

/// Answers that may be owed by servers which have shaken hands. More of them only queue up: that
/// would inflate the latencies from which deadlines are computed.
const MOST_OWED: usize = 256;

/// Servers that owed so much answer nothing for so long are not slow but silent.
const OWED_PATIENCE: Duration = Duration::from_millis(20);

/// A datagram answered this late tells that servers are behind. Nothing else does: one that was
/// dropped looks like one that a busy server has not read yet. Launching pauses until answers
/// come sooner or, for as long, not at all: else the sockets of servers fill up with so many
/// that the last ones meet their deadlines there.
const LATE_ANSWER: Duration = Duration::from_millis(20);

/// The longest wait before reports are looked at again.
const LONGEST_WAIT: Duration = Duration::from_millis(5);

/// How long an attempt waits for descriptors, memory or buffers before it is `Broken`.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one round leaves to the next.
#[derive(Debug)]
pub(super) struct Equipment {
    pub(super) options: ProberOptions,
    /// The addresses that may be dialled.
    pub(super) allowed: HashSet<IpAddr>,
    pub(super) ports: SourcePorts,
    pub(super) epoll: Epoll,
}

/// All attempts of a round, by their position in it.
pub(super) struct Air<'a> {
    equipment: &'a mut Equipment,
    attempts: &'a [Attempt],
    deadline: Duration,
    clock: Clock,
    speech: Speech,
    budget: usize,
    window: usize,
    /// Waiting for their launch, by place.
    queue: VecDeque<usize>,
    /// The place that the thread was moved to.
    place: Option<u32>,
    /// Since when nothing could be launched. When patience has ended, it has for all that follow.
    starved: Option<Instant>,
    flights: Vec<Option<Box<Flight>>>,
    live: usize,
    /// Of those, how many have shaken hands and were silent at the first look.
    owed: usize,
    /// When an attempt was settled last.
    settled: Duration,
    /// Until when nothing is launched, since a datagram was answered late.
    pause: Duration,
    /// Launched and not looked at yet.
    recent: VecDeque<usize>,
    /// Looked at, and silent.
    quiet: Vec<usize>,
    /// In order of launch: the deadline is the same for all.
    retries: VecDeque<usize>,
    deadlines: VecDeque<usize>,
    by_source: HashMap<(Protocol, SocketAddr), usize>,
    results: Vec<Option<AttemptResult>>,
}

impl<'a> Air<'a> {
    pub(super) fn new(equipment: &'a mut Equipment, round: &'a Round) -> Self {
        let attempts = round.attempts.as_slice();
        let mut order: Vec<usize> = (0..attempts.len()).collect();
        order.sort_by_key(|&position| attempts[position].from);
        let budget = descriptors::budget(attempts.len());
        let window = equipment.options.window.max(1);
        let speech = Speech::of(attempts, equipment.options.sctp);
        Self {
            equipment,
            attempts,
            deadline: Duration::from_micros(round.deadline_us),
            clock: Clock::start(),
            speech,
            budget,
            window,
            queue: order.into(),
            place: None,
            starved: None,
            flights: attempts.iter().map(|_| None).collect(),
            live: 0,
            owed: 0,
            settled: Duration::ZERO,
            pause: Duration::ZERO,
            recent: VecDeque::new(),
            quiet: Vec::new(),
            retries: VecDeque::new(),
            deadlines: VecDeque::new(),
            by_source: HashMap::new(),
            results: attempts.iter().map(|_| None).collect(),
        }
    }

    pub(super) fn fly(mut self, env: &mut dyn Environment) -> Vec<AttemptResult> {
        let mut events = vec![EpollEvent::empty(); 1024];
        while !self.queue.is_empty() || self.live > 0 {
            let launched = self.launch_burst(env);
            if launched < BURST {
                // Nothing more to launch for now: look at what is left over.
                while let Some(position) = self.recent.pop_front() {
                    self.glance(position);
                }
            }
            self.hear(env);
            self.watch_quiet();
            let wait = if launched == 0 { self.time_to_wait() } else { Duration::ZERO };
            self.poll(&mut events, wait);
            self.clock.tick(wait);
            self.retry(env);
            self.expire(env);
        }
        let mut results: Vec<AttemptResult> = self.results.into_iter().flatten().collect();
        results.sort_by_key(|result| result.id);
        results
    }

    fn launch_burst(&mut self, env: &mut dyn Environment) -> usize {
        for launched in 0..BURST {
            if self.live >= self.window || self.servers_are_behind() {
                return launched;
            }
            let Some(&position) = self.queue.front() else { return launched };
            if !self.launch(position, env) {
                return launched;
            }
            self.queue.pop_front();
            if self.recent.len() > GLANCE_AFTER
                && let Some(position) = self.recent.pop_front()
            {
                self.glance(position);
            }
        }
        BURST
    }

    fn servers_are_behind(&self) -> bool {
        let now = self.clock.now();
        now < self.pause || self.owed >= MOST_OWED && now < self.settled + OWED_PATIENCE
    }

    /// Launches an attempt, or settles it at once; `false` where it has to wait.
    fn launch(&mut self, position: usize, env: &mut dyn Environment) -> bool {
        let attempt = &self.attempts[position];
        let started = Instant::now();
        if !self.equipment.allowed.contains(&attempt.target.ip()) {
            let reason = format!(
                "expected a target of this run's allow-list, found `{}`; it was not dialled",
                attempt.target.ip()
            );
            self.record(position, started, None, Outcome::Broken { reason }.into(), None, 0);
            return true;
        }
        // The other half is for retries.
        let Some(permit) = Permit::take(self.budget / 2) else {
            // Another prober holds them, or we do; every attempt ends, so there will be one.
            return false;
        };
        if let Err(error) = self.enter(attempt.from, env) {
            let reason = format!("place {} could not be entered: {error}", attempt.from);
            self.record(position, started, None, Outcome::Broken { reason }.into(), None, 0);
            return true;
        }
        match launch::open(attempt, self.speech, &mut self.equipment.ports, permit) {
            Ok(opened) => {
                if let Some(local) = opened.local {
                    self.by_source.insert((attempt.protocol, local), position);
                }
                let due = self.clock.now() + self.deadline;
                let tries = vec![opened];
                self.flights[position] =
                    Some(Box::new(Flight { started, due, owed: false, tries }));
                self.live += 1;
                self.starved = None;
                self.recent.push_back(position);
                if self.equipment.options.retry {
                    self.retries.push_back(position);
                }
                self.deadlines.push_back(position);
                true
            }
            Err(NotOpened::Later(error)) => {
                // Another opens when one of ours closes, not before.
                self.window = self.live.max(1);
                self.wait_or_give_up(position, started, &error)
            }
            Err(NotOpened::Never(error)) => {
                let reason = format!("expected to dial `{}`: {error}", attempt.target);
                self.record(position, started, None, Outcome::Broken { reason }.into(), None, 0);
                true
            }
        }
    }

    fn wait_or_give_up(&mut self, position: usize, now: Instant, error: &io::Error) -> bool {
        let since = *self.starved.get_or_insert(now);
        if self.live > 0 || now.duration_since(since) < PATIENCE + self.deadline {
            return false;
        }
        let reason = format!(
            "expected a socket within {} ms: {error}; raise the limit of open files or lower the \
             window",
            (PATIENCE + self.deadline).as_millis()
        );
        self.record(position, since, None, Outcome::Broken { reason }.into(), None, 0);
        true
    }

    fn enter(&mut self, place: u32, env: &mut dyn Environment) -> io::Result<()> {
        if self.place != Some(place) {
            self.place = None;
            env.enter(place)?;
            self.place = Some(place);
        }
        Ok(())
    }

    /// The first look at an attempt.
    fn glance(&mut self, position: usize) {
        if self.look(position, Try::look) {
            return;
        }
        let Some(flight) = &mut self.flights[position] else { return };
        if !flight.owed && flight.tries.iter().any(Try::has_asked) {
            flight.owed = true;
            self.owed += 1;
        }
        self.quiet.push(position);
    }

    /// Looks at an attempt's sockets; whether that settled it.
    fn look(&mut self, position: usize, look: impl Fn(&mut Try, &Attempt) -> Option<Seen>) -> bool {
        let attempt = &self.attempts[position];
        let Some(flight) = &mut self.flights[position] else { return false };
        let seen = flight.tries.iter_mut().find_map(|opened| {
            look(opened, attempt).map(|seen| (seen, opened.local, opened.opened))
        });
        let Some((seen, local, opened)) = seen else { return false };
        self.settle(position, local, seen, None, Some(opened));
        true
    }

    /// Takes the dataplane's reports. What an attempt's own sockets say goes first.
    fn hear(&mut self, env: &mut dyn Environment) {
        let mut reports = Vec::new();
        env.reports(&mut |report| reports.push(report));
        for Report { protocol, source, target, evidence } in reports {
            let (position, local, outcome) =
                if let Some(&position) = self.by_source.get(&(protocol, source)) {
                    (position, source, Outcome::Dropped)
                } else if let Some(&position) = self.by_source.get(&(protocol, target)) {
                    (position, target, Outcome::ReplyLost)
                } else {
                    continue;
                };
            if !self.look(position, Try::look_closely) {
                self.settle(position, Some(local), outcome.into(), Some(evidence), None);
            }
        }
    }

    /// Hands attempts to epoll that were silent at the first look and of which the dataplane
    /// reports nothing. An event that is there already is reported at once (epoll(7)).
    fn watch_quiet(&mut self) {
        let mut quiet = std::mem::take(&mut self.quiet);
        for position in quiet.drain(..) {
            self.watch(position);
        }
        self.quiet = quiet;
    }

    fn watch(&mut self, position: usize) {
        let Some(flight) = &mut self.flights[position] else { return };
        let wanted = EpollFlags::EPOLLIN
            | EpollFlags::EPOLLOUT
            | EpollFlags::EPOLLRDHUP
            | EpollFlags::EPOLLET;
        for opened in flight.tries.iter_mut().filter(|opened| !opened.watched) {
            // Without room in epoll the socket is still looked at before its deadline.
            let event = EpollEvent::new(wanted, position as u64);
            opened.watched = self.equipment.epoll.add(&opened.socket, event).is_ok();
        }
    }

    fn time_to_wait(&self) -> Duration {
        let now = self.clock.now();
        let due = |position: Option<&usize>| {
            position.and_then(|&position| Some(self.flights[position].as_ref()?.due))
        };
        let deadline = due(self.deadlines.front());
        let retry = due(self.retries.front()).map(|due| due.saturating_sub(self.deadline / 2));
        let next = [deadline, retry].into_iter().flatten().min();
        next.map_or(LONGEST_WAIT, |next| next.saturating_sub(now).min(LONGEST_WAIT))
    }

    fn poll(&mut self, events: &mut [EpollEvent], wait: Duration) {
        // epoll_wait(2) counts milliseconds; half of one is not worth a busy loop.
        let wait = u16::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let count = self.equipment.epoll.wait(events, EpollTimeout::from(wait)).unwrap_or(0);
        for event in &events[..count] {
            let Ok(position) = usize::try_from(event.data()) else { continue };
            if event.events().contains(EpollFlags::EPOLLERR) {
                self.look(position, Try::look_closely);
            } else {
                self.look(position, Try::look);
            }
        }
    }

    /// Dials those once more that were silent for half the deadline, place by place.
    fn retry(&mut self, env: &mut dyn Environment) {
        let half = self.deadline / 2;
        let now = self.clock.now();
        let mut due = Vec::new();
        while let Some(&position) = self.retries.front() {
            match &self.flights[position] {
                Some(flight) if flight.due.saturating_sub(half) > now => break,
                Some(_) => due.push(position),
                None => {}
            }
            self.retries.pop_front();
        }
        due.sort_by_key(|&position| self.attempts[position].from);
        for (count, &position) in due.iter().enumerate() {
            if count % BURST == BURST - 1 {
                self.hear(env);
            }
            let attempt = &self.attempts[position];
            if self.flights[position].is_none() || self.look(position, Try::look_closely) {
                continue;
            }
            // Without a socket for it there is no retry; the result counts one try.
            let Some(permit) = Permit::take(self.budget) else { continue };
            if self.enter(attempt.from, env).is_err() {
                continue;
            }
            let Ok(opened) = launch::open(attempt, self.speech, &mut self.equipment.ports, permit)
            else {
                continue;
            };
            if let Some(local) = opened.local {
                self.by_source.insert((attempt.protocol, local), position);
            }
            if let Some(flight) = &mut self.flights[position] {
                flight.tries.push(opened);
            }
            self.recent.push_back(position);
        }
    }

    /// Brings down those whose deadline has passed, after a last look at everything.
    fn expire(&mut self, env: &mut dyn Environment) {
        let now = self.clock.now();
        let mut heard = false;
        while let Some(&position) = self.deadlines.front() {
            if let Some(flight) = &self.flights[position] {
                if flight.due > now {
                    return;
                }
                if !heard {
                    heard = true;
                    self.hear(env);
                }
                if self.flights[position].is_some() && !self.look(position, Try::look_closely) {
                    self.settle(position, None, Outcome::Dropped.into(), None, None);
                }
            }
            self.deadlines.pop_front();
        }
    }

    /// Brings an attempt down; `answered` is when the try was begun that got an answer.
    fn settle(
        &mut self,
        position: usize,
        local: Option<SocketAddr>,
        seen: Seen,
        evidence: Option<Evidence>,
        answered: Option<Instant>,
    ) {
        let Some(flight) = self.flights[position].take() else { return };
        self.live -= 1;
        self.owed -= usize::from(flight.owed);
        self.settled = self.clock.now();
        self.window = (self.window + 1).min(self.equipment.options.window.max(1));
        let protocol = self.attempts[position].protocol;
        let waited = answered.map(|opened| opened.elapsed()).unwrap_or_default();
        if protocol != Protocol::Tcp && waited > LATE_ANSWER {
            self.pause = self.clock.now() + LATE_ANSWER;
        }
        for opened in &flight.tries {
            if let Some(local) = opened.local {
                self.by_source.remove(&(protocol, local));
            }
            opened.reset_on_close(protocol);
        }
        let tries = u8::try_from(flight.tries.len()).unwrap_or(u8::MAX);
        // A try whose handshake was finished is not named: its listener may be half open all the
        // same, because it learns of the end of the handshake by the request.
        let unanswered = || flight.tries.iter().find(|opened| !opened.has_asked())?.local;
        let local = local.or_else(unanswered);
        self.record(position, flight.started, local, seen, evidence, tries);
        if let (Some(opened), 2.., Some(result)) = (answered, tries, &mut self.results[position])
            && flight.tries.first().is_some_and(|first| first.opened < opened)
        {
            let waited = opened.saturating_duration_since(flight.started).as_micros();
            result.waited_us = u64::try_from(waited).unwrap_or(u64::MAX).min(result.latency_us);
        }
    }

    fn record(
        &mut self,
        position: usize,
        started: Instant,
        local: Option<SocketAddr>,
        seen: Seen,
        evidence: Option<Evidence>,
        tries: u8,
    ) {
        let latency = started.elapsed().as_micros();
        self.results[position] = Some(AttemptResult {
            id: self.attempts[position].id,
            outcome: seen.outcome,
            latency_us: u64::try_from(latency).unwrap_or(u64::MAX),
            local,
            seen_source: seen.source,
            evidence,
            tries,
            waited_us: 0,
        });
    }
}
