//! Dials turn after turn while something changes, until it is told to leave off.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::wire::{Attempt, AttemptResult, Round, Stretch};
use crate::{Environment, Held, Prober, ProberOptions};

/// The most turns of a watch, which are two minutes at the shortest interval.
pub const MOST_TURNS: u32 = 1 << 16;

/// The most stretches of a watch, so that what was seen fits a frame: about 16 MB.
pub const MOST_STRETCHES: usize = 1 << 16;

/// How to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// From one turn to the next, at least: the one before has to be over.
    pub interval: Duration,
    /// How long silence must last to count as a drop, and so how long a turn may take.
    pub deadline: Duration,
    /// How long to watch before anybody is told that it is watched.
    pub before: Duration,
    /// How long to watch at most: who was to end it may be gone.
    pub limit: Duration,
    /// Comes before the nonce of the first turn's first attempt.
    pub nonce: u64,
    /// How many nonces each turn has: more than any attempt's number.
    pub stride: u32,
}

impl Pace {
    /// The nonce of an attempt, by its number and its turn: no two share one.
    pub fn nonce(&self, turn: u32, id: u32) -> u64 {
        self.nonce + u64::from(turn) * u64::from(self.stride) + u64::from(id) + 1
    }
}

/// What a dialler is told.
#[derive(Debug)]
pub enum Order {
    /// Dial these, too.
    Dial {
        /// What to dial.
        attempts: Vec<Attempt>,
        /// Every address that may be dialled from now on.
        allowed: Vec<IpAddr>,
    },
    /// Leave off at this moment of the watch.
    End(Duration),
}

/// Dials, and keeps what it saw: attempts in a row that saw the same, together.
///
/// In each turn all tried attempts are made once, and all held connections used once. The
/// attempts' own nonces mean nothing: each turn has its own ([`Pace::nonce`]).
#[derive(Debug)]
pub struct Dialler {
    begun: Instant,
    pace: Pace,
    prober: Prober,
    allowed: HashSet<IpAddr>,
    tried: Vec<Attempt>,
    turns: Vec<Duration>,
    stretches: BTreeMap<u32, Vec<Stretch>>,
    kept: usize,
}

impl Dialler {
    /// A dialler that may dial these addresses. The watch begins now.
    ///
    /// # Errors
    /// As [`Prober::new`].
    pub fn new(pace: Pace, allowed: Vec<IpAddr>) -> io::Result<Self> {
        // A retry would blur the moment.
        let options = ProberOptions { retry: false, ..ProberOptions::default() };
        let mut prober = Prober::new(options)?;
        prober.allow_targets(allowed.iter().copied());
        Ok(Self {
            begun: Instant::now(),
            pace,
            prober,
            allowed: allowed.into_iter().collect(),
            tried: Vec::new(),
            turns: Vec::new(),
            stretches: BTreeMap::new(),
            kept: 0,
        })
    }

    /// When the watch began.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// The last nonce that was used.
    pub fn last_nonce(&self) -> u64 {
        self.pace.nonce + self.turns.len() as u64 * u64::from(self.pace.stride)
    }

    /// Opens what is to be held, and dials until it is told to leave off, or nobody is there
    /// to tell it. Says when the time before the changes is over. The thread is left in
    /// whatever place was entered last.
    ///
    /// # Errors
    /// Why it left off before it was told to, in words: it had too much to keep, or nobody
    /// ended it in time.
    pub fn run(
        &mut self,
        held: Vec<Attempt>,
        tried: Vec<Attempt>,
        env: &mut dyn Environment,
        orders: &Receiver<Order>,
        ready: impl FnOnce(),
    ) -> Result<(), String> {
        let ids: Vec<u32> = held.iter().map(|attempt| attempt.id).collect();
        let mut held = self.open(held, env);
        self.tried = tried;
        let mut ready = Some(ready);
        let mut end = None;
        while end.is_none_or(|end| self.begun.elapsed() < end) {
            self.spare()?;
            let turn = Instant::now();
            self.turn(&mut held, &ids, env);
            if self.begun.elapsed() >= self.pace.before
                && let Some(ready) = ready.take()
            {
                ready();
            }
            loop {
                let rest = self.pace.interval.saturating_sub(turn.elapsed());
                match orders.recv_timeout(rest) {
                    Ok(Order::Dial { attempts, allowed }) => {
                        self.prober.allow_targets(allowed);
                        self.tried.extend(attempts);
                    }
                    Ok(Order::End(at)) => end = Some(at),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Whether there is room and time for another turn.
    fn spare(&self) -> Result<(), String> {
        let limit = self.pace.limit;
        if self.begun.elapsed() >= limit {
            return Err(format!("it was not ended within {} s", limit.as_secs()));
        }
        if self.turns.len() >= MOST_TURNS as usize || self.kept >= MOST_STRETCHES {
            return Err(format!(
                "it keeps at most {MOST_TURNS} turns and {MOST_STRETCHES} changes of outcome"
            ));
        }
        Ok(())
    }

    /// Opens what is to be held: the first turn.
    fn open(&mut self, mut attempts: Vec<Attempt>, env: &mut dyn Environment) -> Held {
        attempts.iter_mut().for_each(|attempt| attempt.nonce = self.pace.nonce(0, attempt.id));
        self.turns.push(self.begun.elapsed());
        let (held, opened) = Held::open(&attempts, &self.allowed, self.pace.deadline, env);
        opened.into_iter().for_each(|result| self.note(0, result));
        held
    }

    /// Attempts every tried cell and uses every held connection, once.
    fn turn(&mut self, held: &mut Held, ids: &[u32], env: &mut dyn Environment) {
        let turn = self.turns.len() as u32;
        self.turns.push(self.begun.elapsed());
        let in_use: Vec<bool> = (0..ids.len()).map(|line| held.is_open(line)).collect();
        let mut using = ids.iter().zip(&in_use).filter(|(_, used)| **used);
        let pace = &self.pace;
        held.ask(|| using.next().map_or(0, |(id, _)| pace.nonce(turn, *id)));
        for attempt in &mut self.tried {
            attempt.nonce = pace.nonce(turn, attempt.id);
        }
        let deadline_us = u64::try_from(pace.deadline.as_micros()).unwrap_or(u64::MAX);
        let round = Round { round: turn, deadline_us, attempts: self.tried.clone() };
        for result in self.prober.round(&round, env) {
            self.note(turn, result);
        }
        for (result, used) in held.hear(self.pace.deadline).into_iter().zip(in_use) {
            if used {
                self.note(turn, result);
            }
        }
    }

    /// Keeps a result: with the one of the turn before, where it saw the same.
    fn note(&mut self, turn: u32, result: AttemptResult) {
        let stretches = self.stretches.entry(result.id).or_default();
        let same = |last: &&mut Stretch| {
            let seen = &last.seen;
            last.first + last.turns == turn
                && seen.outcome == result.outcome
                && seen.seen_source == result.seen_source
                && seen.evidence == result.evidence
        };
        match stretches.last_mut().filter(same) {
            Some(last) => {
                last.turns += 1;
                last.seen.latency_us = last.seen.latency_us.max(result.latency_us);
            }
            None => {
                // Every attempt has another source port: the first one's says nothing.
                let seen = AttemptResult { local: None, ..result };
                stretches.push(Stretch { first: turn, turns: 1, seen });
                self.kept += 1;
            }
        }
    }

    /// When each turn began, and what every attempt saw, by its number.
    pub fn told(self) -> (Vec<Duration>, BTreeMap<u32, Vec<Stretch>>) {
        (self.turns, self.stretches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    fn dialler() -> Dialler {
        let pace = Pace {
            interval: Duration::ZERO,
            deadline: Duration::from_millis(20),
            before: Duration::ZERO,
            limit: Duration::from_secs(60),
            nonce: 100,
            stride: 10,
        };
        Dialler::new(pace, Vec::new()).unwrap()
    }

    fn result(id: u32, outcome: Outcome, latency_us: u64) -> AttemptResult {
        AttemptResult {
            id,
            outcome,
            latency_us,
            local: Some("127.0.0.1:1".parse().unwrap()),
            seen_source: None,
            evidence: None,
            tries: 1,
            waited_us: 0,
        }
    }

    #[test]
    fn what_saw_the_same_in_turns_that_follow_is_one_stretch() {
        let mut dialler = dialler();
        for (turn, outcome, latency) in [
            (1, Outcome::Connected, 7),
            (2, Outcome::Connected, 9),
            (3, Outcome::Dropped, 20),
            // Not in the fourth.
            (5, Outcome::Dropped, 20),
        ] {
            dialler.note(turn, result(3, outcome, latency));
        }
        dialler.note(5, result(4, Outcome::Connected, 1));
        let (_, stretches) = dialler.told();
        let of = |id| {
            let all: &Vec<Stretch> = &stretches[&id];
            let told = |it: &Stretch| (it.first, it.turns, it.seen.latency_us, it.seen.local);
            all.iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(of(3), [(1, 2, 9, None), (3, 1, 20, None), (5, 1, 20, None)]);
        assert_eq!(of(4), [(5, 1, 1, None)]);
    }

    #[test]
    fn no_two_attempts_share_a_nonce() {
        let pace = &dialler().pace;
        let turn = |turn| (0..10).map(move |id| pace.nonce(turn, id));
        let all: Vec<u64> = (0..3).flat_map(turn).collect();
        assert_eq!(all, (101..131).collect::<Vec<u64>>());
    }

    #[test]
    fn what_is_too_much_to_keep_ends_it() {
        let (_orders, inbox) = std::sync::mpsc::channel();
        let mut dialler = dialler();
        dialler.pace.limit = Duration::from_millis(5);
        let late = dialler.run(Vec::new(), Vec::new(), &mut crate::Here, &inbox, || ());
        assert_eq!(late, Err("it was not ended within 0 s".to_owned()));
        dialler.pace.limit = Duration::from_secs(60);
        dialler.kept = MOST_STRETCHES;
        let full = dialler.run(Vec::new(), Vec::new(), &mut crate::Here, &inbox, || ());
        assert!(full.unwrap_err().contains("keeps at most"));
    }
}
