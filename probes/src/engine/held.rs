//! Connections that are opened once and used again and again.

use std::collections::HashSet;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol as Transport, Socket, Type};

use crate::exchange::{self, Answer};
use crate::wire::{Attempt, AttemptResult};
use crate::{Family, Outcome, Protocol};

use super::Environment;
use super::launch;
use super::ports::SourcePorts;

/// Connections that stay open, each for as long as its other end lets it.
///
/// Every use is an exchange with a nonce of its own. One that is silent is given up after
/// its deadline and the connection kept: TCP goes on sending what was not acknowledged, so
/// a later use may be answered, behind the earlier ones.
#[derive(Debug, Default)]
pub struct Held {
    lines: Vec<Line>,
}

/// One connection.
#[derive(Debug)]
struct Line {
    attempt: Attempt,
    /// `None` once it is broken.
    socket: Option<Socket>,
    local: Option<SocketAddr>,
    /// What was received and is no whole answer yet.
    partial: Vec<u8>,
    asked: Instant,
    settled: Option<(Outcome, Option<IpAddr>, Duration)>,
}

impl Held {
    /// Opens connections from their places, and uses each for the first time, all within
    /// the deadline. Only the `allowed` addresses are dialled. One result for each attempt,
    /// in order; a connection that did not open is not used again.
    pub fn open(
        attempts: &[Attempt],
        allowed: &HashSet<IpAddr>,
        deadline: Duration,
        env: &mut dyn Environment,
    ) -> (Self, Vec<AttemptResult>) {
        let end = Instant::now() + deadline;
        let lines = attempts.iter().map(|attempt| Line::dial(attempt.clone(), allowed, env));
        let mut held = Self { lines: lines.collect() };
        held.wait(PollFlags::POLLOUT, end, |line| match line.connected() {
            Ok(done) => done,
            Err(error) => line.fail(&error),
        });
        held.lines.iter_mut().filter(|line| line.settled.is_none()).for_each(Line::ask);
        let results = held.hear(deadline);
        for (line, result) in held.lines.iter_mut().zip(&results) {
            if !result.outcome.is_connected() {
                line.socket = None;
            }
        }
        (held, results)
    }

    /// Begins a use of every connection that is not broken, each with the next nonce.
    pub fn ask(&mut self, mut nonce: impl FnMut() -> u64) {
        for line in self.lines.iter_mut().filter(|line| line.socket.is_some()) {
            line.attempt.nonce = nonce();
            line.settled = None;
            line.ask();
        }
    }

    /// Waits for the answers until this long after each was asked for. One result for each
    /// connection, by its attempt's number; for one that broke earlier the last again.
    pub fn hear(&mut self, deadline: Duration) -> Vec<AttemptResult> {
        let end = self.lines.iter().map(|line| line.asked + deadline).max();
        if let Some(end) = end {
            self.wait(PollFlags::POLLIN, end, Line::listen);
        }
        self.lines.iter().map(|line| line.result(deadline)).collect()
    }

    /// Whether the connection of this number, from 0, can be used.
    pub fn is_open(&self, number: usize) -> bool {
        self.lines.get(number).is_some_and(|line| line.socket.is_some())
    }

    /// Looks at every line that is not settled, and again whenever something happened, until
    /// `done` holds of all of them or the end has come.
    fn wait(&mut self, wanted: PollFlags, end: Instant, mut done: impl FnMut(&mut Line) -> bool) {
        let mut left: Vec<&mut Line> =
            self.lines.iter_mut().filter(|line| line.settled.is_none()).collect();
        loop {
            left.retain_mut(|line| !done(line));
            let rest = end.saturating_duration_since(Instant::now());
            if left.is_empty() || rest.is_zero() {
                return;
            }
            let mut watched: Vec<PollFd<'_>> = left
                .iter()
                .filter_map(|line| Some(PollFd::new(line.socket.as_ref()?.as_fd(), wanted)))
                .collect();
            // poll(2) counts milliseconds; an interrupted wait is begun again.
            let rest = u16::try_from(rest.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
            let _ = poll(&mut watched, PollTimeout::from(rest));
        }
    }
}

impl Line {
    fn dial(attempt: Attempt, allowed: &HashSet<IpAddr>, env: &mut dyn Environment) -> Self {
        let dialled = connect(&attempt, allowed, env);
        let mut line = Self {
            attempt,
            socket: None,
            local: None,
            partial: Vec::new(),
            asked: Instant::now(),
            settled: None,
        };
        match dialled {
            Ok(socket) => {
                line.local = socket.local_addr().ok().and_then(|local| local.as_socket());
                line.socket = Some(socket);
            }
            Err(reason) => line.settle(Outcome::Broken { reason }, None),
        }
        line
    }

    /// Whether the handshake is finished, or why it never will be.
    fn connected(&self) -> io::Result<bool> {
        let Some(socket) = &self.socket else { return Ok(true) };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn ask(&mut self) {
        self.asked = Instant::now();
        let Some(socket) = &self.socket else { return };
        let request = exchange::lasting_request(self.attempt.nonce);
        match socket.send_with_flags(&request, libc::MSG_NOSIGNAL) {
            Ok(exchange::REQUEST_LENGTH) => {}
            Ok(length) => {
                let reason = format!("only {length} bytes could be sent");
                self.settle(Outcome::Broken { reason }, None);
            }
            Err(error) => {
                self.fail(&error);
            }
        }
    }

    /// Reads what is there; whether the current use is settled.
    fn listen(&mut self) -> bool {
        let mut buffer = [0; 1024];
        while self.settled.is_none() {
            let Some(mut socket) = self.socket.as_ref() else { return true };
            match socket.read(&mut buffer) {
                Ok(0) if self.attempt.protocol == Protocol::Tcp => {
                    self.break_off(Outcome::Broken {
                        reason: "the other end closed the connection".to_owned(),
                    });
                }
                Ok(length) => {
                    self.partial.extend_from_slice(&buffer[..length]);
                    self.answers();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => return self.fail(&error),
            }
        }
        true
    }

    /// Takes the answers that were received; those to earlier uses came too late.
    fn answers(&mut self) {
        loop {
            let (nonce, from, identity, length) = match Answer::parse(&self.partial) {
                Ok(None) => return,
                Ok(Some(answer)) => {
                    (answer.nonce, answer.seen.ip(), answer.identity.to_owned(), answer.length())
                }
                Err(error) => {
                    let reason = format!("something other than a probe server answered: {error}");
                    return self.break_off(Outcome::Broken { reason });
                }
            };
            self.partial.drain(..length);
            if nonce != self.attempt.nonce {
                continue;
            }
            let right = identity == self.attempt.expect;
            let outcome = match right {
                true => Outcome::Connected,
                false => Outcome::WrongPod { answered: identity },
            };
            return self.settle(outcome, Some(from));
        }
    }

    /// What an error means; whether it settles the current use.
    fn fail(&mut self, error: &io::Error) -> bool {
        match (error.raw_os_error(), self.attempt.protocol) {
            (Some(libc::EAGAIN), _) => return false,
            (Some(libc::ECONNREFUSED | libc::ECONNRESET | libc::EPIPE), Protocol::Tcp) => {
                self.break_off(Outcome::Refused);
            }
            // The kernel gave up.
            (Some(libc::ETIMEDOUT), Protocol::Tcp) => self.break_off(Outcome::Dropped),
            // Nobody listened for a moment, or a packet filter on this host said no: the
            // socket can be used again.
            (Some(libc::ECONNREFUSED), _) => self.settle(Outcome::Refused, None),
            (Some(libc::EPERM), _) => return false,
            _ => self.break_off(Outcome::Broken { reason: error.to_string() }),
        }
        true
    }

    fn settle(&mut self, outcome: Outcome, source: Option<IpAddr>) {
        self.settled = Some((outcome, source, self.asked.elapsed()));
    }

    fn break_off(&mut self, outcome: Outcome) {
        self.settle(outcome, None);
        self.socket = None;
    }

    fn result(&self, deadline: Duration) -> AttemptResult {
        let silence = (Outcome::Dropped, None, deadline);
        let (outcome, seen_source, latency) = self.settled.clone().unwrap_or(silence);
        AttemptResult {
            id: self.attempt.id,
            outcome,
            latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
            local: self.local,
            seen_source,
            evidence: None,
            tries: 1,
            waited_us: 0,
        }
    }
}

/// A socket that is connected, or on its way.
fn connect(
    attempt: &Attempt,
    allowed: &HashSet<IpAddr>,
    env: &mut dyn Environment,
) -> Result<Socket, String> {
    let (target, protocol) = (attempt.target, attempt.protocol);
    if !allowed.contains(&target.ip()) {
        return Err(format!(
            "expected a target of this run's allow-list, found `{}`; it was not dialled",
            target.ip()
        ));
    }
    let kind = match protocol {
        Protocol::Tcp => Type::STREAM,
        Protocol::Udp => Type::DGRAM,
        Protocol::Sctp => {
            return Err("an SCTP connection cannot be held, only its handshake be made".to_owned());
        }
    };
    let place = attempt.from;
    env.enter(place).map_err(|error| format!("place {place} could not be entered: {error}"))?;
    let family = Family::of(target.ip());
    let domain = match family {
        Family::Ipv4 => Domain::IPV4,
        Family::Ipv6 => Domain::IPV6,
    };
    let open = || {
        let transport = Transport::from(i32::from(protocol.number()));
        let socket = Socket::new(domain, kind.nonblocking(), Some(transport))?;
        if protocol == Protocol::Tcp {
            // A use must not wait until the one before is acknowledged.
            socket.set_tcp_nodelay(true)?;
        }
        launch::connect(&socket, family, attempt, &mut SourcePorts::default())?;
        Ok(socket)
    };
    open().map_err(|error: io::Error| format!("expected to dial `{target}`: {error}"))
}
