//! What an agent watches beside its other work, on a thread of its own.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::wire::{Attempt, Sightings, WatchOrder};
use crate::{Dialler, Here, Order, Pace};

use super::session::{LONGEST_DEADLINE, LONGEST_WATCH};

/// What was seen, and why it broke off before it was told to.
type Seen = (Dialler, Result<(), String>);

/// A watch that is under way. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Vigil {
    begun: Instant,
    orders: Sender<Order>,
    /// The thread, or why there is none.
    thread: Option<Result<JoinHandle<Seen>, String>>,
    /// Before the first of its nonces.
    nonce: u64,
    /// What it has attempted from the process' start, where it began then.
    from_start: Option<BTreeSet<u32>>,
}

impl Vigil {
    /// Begins to watch, and returns when the time before the changes is over.
    pub(super) fn begin(order: WatchOrder, allowed: Vec<IpAddr>) -> Self {
        let (vigil, is_ready) = Self::start(order, allowed);
        // Where the thread is none, or has ended, its end of the channel is gone.
        let _ = is_ready.recv();
        vigil
    }

    /// Begins to watch with the process, and waits for nothing.
    pub(super) fn from_start(order: WatchOrder, allowed: Vec<IpAddr>) -> Self {
        let tried = order.tried.iter().map(|attempt| attempt.id).collect();
        let (mut vigil, _) = Self::start(order, allowed);
        vigil.from_start = Some(tried);
        vigil
    }

    fn start(order: WatchOrder, allowed: Vec<IpAddr>) -> (Self, Receiver<()>) {
        let begun = Instant::now();
        let (orders, inbox) = channel();
        let (ready, is_ready) = channel();
        let WatchOrder { held, tried, .. } = &order;
        let (held, tried) = (held.clone(), tried.clone());
        let thread = Dialler::new(pace(&order), allowed)
            .and_then(|mut dialler| {
                thread::Builder::new().name("watch".to_owned()).spawn(move || {
                    // Whoever waits may have given up.
                    let ready = move || {
                        let _ = ready.send(());
                    };
                    let ended = dialler.run(held, tried, &mut Here, &inbox, ready);
                    (dialler, ended)
                })
            })
            .map_err(|error| format!("expected to begin a watch: {error}"));
        let nonce = order.nonce;
        (Self { begun, orders, thread: Some(thread), nonce, from_start: None }, is_ready)
    }

    /// Whether it began with the process, by an order of which this is the rest.
    pub(super) fn is_for(&self, order: &WatchOrder) -> bool {
        self.from_start.is_some() && self.nonce == order.nonce && order.held.is_empty()
    }

    /// How long it has been under way, in microseconds.
    pub(super) fn at_us(&self) -> u64 {
        micros(self.begun.elapsed())
    }

    /// Attempts these, too, but for those that it attempts since its start. `allowed` is all
    /// that may be dialled.
    pub(super) fn also(&self, mut attempts: Vec<Attempt>, allowed: Vec<IpAddr>) {
        attempts.retain(|one| self.from_start.as_ref().is_none_or(|its| !its.contains(&one.id)));
        // Where the thread has ended, its end says why.
        drop(self.orders.send(Order::Dial { attempts, allowed }));
    }

    /// Leaves off, and tells what was seen.
    pub(super) fn end(mut self) -> Sightings {
        let asked = self.begun.elapsed();
        let mut told = Self::none();
        told.from_start = self.from_start.is_some();
        match self.leave_off() {
            Some(Ok((dialler, ended))) => {
                // Its own clock may have begun a moment later.
                let late = dialler.begun().saturating_duration_since(self.begun);
                let (turns, seen) = dialler.told();
                told.turns = turns.into_iter().map(|at| micros(late + at)).collect();
                told.seen = seen.into_iter().collect();
                told.broken = ended.err();
            }
            Some(Err(reason)) => told.broken = Some(reason),
            None => {}
        }
        told.asked_us = micros(asked);
        told.told_us = micros(self.begun.elapsed());
        told
    }

    /// What is told where nothing is watched.
    pub(super) fn none() -> Sightings {
        Sightings {
            asked_us: 0,
            told_us: 0,
            from_start: false,
            turns: Vec::new(),
            seen: Vec::new(),
            broken: Some("expected a watch to be under way, found none".to_owned()),
        }
    }

    fn leave_off(&mut self) -> Option<Result<Seen, String>> {
        let thread = self.thread.take()?;
        drop(self.orders.send(Order::End(Duration::ZERO)));
        Some(thread.and_then(|thread| {
            thread.join().map_err(|_| "the thread that watched panicked".to_owned())
        }))
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.leave_off();
    }
}

fn pace(order: &WatchOrder) -> Pace {
    let duration = Duration::from_micros;
    Pace {
        interval: duration(order.interval_us),
        // Other work waits for the end of a turn.
        deadline: duration(order.deadline_us).min(LONGEST_DEADLINE),
        before: duration(order.before_us).min(LONGEST_DEADLINE),
        limit: duration(order.limit_us).min(LONGEST_WATCH),
        nonce: order.nonce,
        stride: order.stride,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::wire::Listen;
    use crate::{Outcome, Protocol, Servers};

    /// A port of loopback on which nobody listens, from a moment ago.
    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    fn attempt(id: u32, host: [u8; 4], port: u16) -> Attempt {
        Attempt {
            id,
            nonce: 0,
            from: 0,
            protocol: Protocol::Tcp,
            target: (host, port).into(),
            expect: "a/b".to_owned(),
        }
    }

    fn order(held: Vec<Attempt>, tried: Vec<Attempt>, limit: Duration) -> WatchOrder {
        WatchOrder {
            interval_us: 1_000,
            deadline_us: 2_000_000,
            before_us: 5_000,
            limit_us: micros(limit),
            nonce: 1_000,
            stride: 4,
            held,
            tried,
        }
    }

    #[test]
    fn holds_and_tries_and_takes_more_until_it_is_ended() {
        let servers = Servers::start().unwrap();
        let port = free_port();
        let listen = Listen { protocol: Protocol::Tcp, port };
        assert_eq!(servers.listen("a/b", &[listen]), []);
        let loopback = [127, 0, 0, 1];
        let allowed = vec![Ipv4Addr::from(loopback).into()];
        let to = |id| attempt(id, loopback, port);
        let vigil = Vigil::begin(order(vec![to(0)], vec![to(1)], LONGEST_WATCH), allowed.clone());
        assert!(vigil.at_us() >= 5_000, "the time before is over");
        vigil.also(vec![to(2), attempt(3, [127, 0, 0, 99], port)], allowed);
        // The order comes before the end, and the turn after it is whole.
        let begun = Instant::now();
        while servers.take_arrivals().iter().all(|(_, it)| (it.nonce - 1_001) % 4 != 2) {
            assert!(begun.elapsed() < Duration::from_secs(20), "it is tried");
            thread::yield_now();
        }
        let told = vigil.end();
        assert_eq!(told.broken, None);
        assert!(told.asked_us <= told.told_us && told.turns.is_sorted());
        for (id, stretches) in &told.seen {
            let last = stretches.last().unwrap();
            let turns: u32 = stretches.iter().map(|stretch| stretch.turns).sum();
            assert!((last.first + last.turns) as usize <= told.turns.len());
            assert_eq!(stretches.len(), 1, "{stretches:?}");
            match &last.seen.outcome {
                Outcome::Connected => assert!(*id < 3 && turns > 0, "{told:?}"),
                Outcome::Broken { reason } => assert!(*id == 3 && reason.contains("127.0.0.99")),
                other => panic!("{id}: {other}"),
            }
        }
        assert_eq!(told.seen.len(), 4);
    }

    #[test]
    fn says_why_it_left_off() {
        let vigil = Vigil::begin(order(Vec::new(), Vec::new(), Duration::ZERO), Vec::new());
        let broken = vigil.end().broken.unwrap_or_default();
        assert_eq!(broken, "it was not ended within 0 s");
        let none = Vigil::none().broken.unwrap_or_default();
        assert_eq!(none, "expected a watch to be under way, found none");
    }
}
