//! One attempt in the air: one socket, two after a retry.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nix::libc;
use socket2::Socket;

use crate::exchange::{self, Answer, ExchangeError};
use crate::wire::Attempt;
use crate::{Family, Outcome, Protocol};

use super::descriptors::Permit;
use super::icmp;
use super::sctp::{self, Chunk};

/// What an attempt came to, as its own socket saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    /// The source that the server saw.
    pub(crate) source: Option<IpAddr>,
}

impl From<Outcome> for Seen {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, source: None }
    }
}

/// An attempt of which the outcome is not known yet.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) started: Instant,
    /// When silence counts as a drop, on the prober's clock.
    pub(crate) due: Duration,
    /// Whether it is counted among those to which a server owes an answer.
    pub(crate) owed: bool,
    pub(crate) tries: Vec<Try>,
}

/// How a try speaks.
#[derive(Debug)]
pub(crate) enum Kind {
    /// TCP, or the kernel's SCTP.
    Stream {
        /// Whether the request is written, which takes a finished handshake.
        asked: bool,
    },
    /// UDP.
    Datagram,
    /// SCTP by a raw socket.
    RawSctp {
        /// The tag of our INIT, which every packet to us carries.
        initiate_tag: u32,
    },
}

/// One socket and what came to it so far.
#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) socket: Socket,
    pub(crate) kind: Kind,
    pub(crate) local: Option<SocketAddr>,
    /// The part of an answer that came when more is missing.
    pub(crate) partial: Vec<u8>,
    /// Whether epoll watches the socket.
    pub(crate) watched: bool,
    /// When it was begun.
    pub(crate) opened: Instant,
    /// Dropped after the socket: fields drop in order of declaration.
    pub(crate) _permit: Permit,
}

impl Try {
    /// Looks whether an outcome is there, without waiting. Reads until nothing is left, as
    /// edge-triggered epoll asks for.
    pub(crate) fn look(&mut self, attempt: &Attempt) -> Option<Seen> {
        if let Kind::Stream { asked: false } = self.kind {
            let request = exchange::request(attempt.nonce);
            match self.socket.send_with_flags(&request, libc::MSG_NOSIGNAL) {
                Ok(exchange::REQUEST_LENGTH) => self.kind = Kind::Stream { asked: true },
                Ok(length) => return Some(broken(&format!("only {length} bytes could be sent"))),
                Err(error) => return self.failed(&error, attempt),
            }
        }
        let mut buffer = [0; 1024];
        loop {
            match (&self.socket).read(&mut buffer) {
                Ok(length) => {
                    if let Some(seen) = self.received(&buffer[..length], attempt) {
                        return Some(seen);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // An error that settles nothing is gone once read, and there may be more behind it.
                Err(error) => {
                    if let Some(seen) = self.failed(&error, attempt) {
                        return Some(seen);
                    }
                }
            }
        }
    }

    /// Whether a handshake is finished and the request is out.
    pub(crate) const fn has_asked(&self) -> bool {
        matches!(self.kind, Kind::Stream { asked: true })
    }

    /// Looks once more before silence counts: also into the error queue, of which a TCP
    /// socket's reads tell nothing while it connects.
    pub(crate) fn look_closely(&mut self, attempt: &Attempt) -> Option<Seen> {
        self.look(attempt).or_else(|| self.icmp_error(attempt))
    }

    fn received(&mut self, bytes: &[u8], attempt: &Attempt) -> Option<Seen> {
        match self.kind {
            Kind::Stream { .. } if bytes.is_empty() => {
                Some(broken("the connection was closed without an answer"))
            }
            Kind::Stream { .. } => {
                self.partial.extend_from_slice(bytes);
                match Answer::parse(&self.partial) {
                    Ok(None) => None,
                    Ok(Some(answer)) if answer.nonce == attempt.nonce => {
                        Some(judge(&answer, attempt))
                    }
                    Ok(Some(_)) => Some(broken("the answer carries another attempt's nonce")),
                    Err(error) => Some(foreign(&error)),
                }
            }
            // A datagram is whole or worthless. One with another nonce answers somebody else.
            Kind::Datagram => match Answer::parse(bytes) {
                Ok(Some(answer)) => {
                    (answer.nonce == attempt.nonce).then(|| judge(&answer, attempt))
                }
                Ok(None) => Some(broken("the answer was cut short")),
                Err(error) => Some(foreign(&error)),
            },
            Kind::RawSctp { initiate_tag } => self.received_sctp(bytes, initiate_tag, attempt),
        }
    }

    /// A raw socket sees all SCTP that the target sends here; only what carries our ports and
    /// our tag is for us.
    fn received_sctp(&self, bytes: &[u8], initiate_tag: u32, attempt: &Attempt) -> Option<Seen> {
        let packet = match Family::of(attempt.target.ip()) {
            Family::Ipv4 => sctp::behind_ipv4_header(bytes)?,
            Family::Ipv6 => bytes,
        };
        let (header, chunk) = sctp::parse(packet)?;
        if header.tag != initiate_tag
            || header.source != attempt.target.port()
            || Some(header.target) != self.local.map(|local| local.port())
        {
            return None;
        }
        match chunk {
            Chunk::Init { .. } => None,
            Chunk::Abort => Some(Outcome::Refused.into()),
            Chunk::InitAck { cookie } => Some(match Answer::parse(cookie) {
                Ok(Some(answer)) if answer.nonce == attempt.nonce => judge(&answer, attempt),
                Ok(_) => broken("the INIT ACK carries no answer to this attempt"),
                Err(error) => foreign(&error),
            }),
        }
    }

    /// What a socket's error means; `None` where it is silence.
    pub(crate) fn failed(&self, error: &io::Error, attempt: &Attempt) -> Option<Seen> {
        if error.kind() == io::ErrorKind::WouldBlock {
            return None;
        }
        if let Some(seen) = self.icmp_error(attempt) {
            return Some(seen);
        }
        match (error.raw_os_error(), &self.kind) {
            // A reset, before or after the handshake: somebody answered, and refused.
            (Some(libc::ECONNREFUSED | libc::ECONNRESET | libc::EPIPE), Kind::Stream { .. }) => {
                Some(Outcome::Refused.into())
            }
            // A packet filter on the way out of this very host dropped the packet, and
            // sendto(2) tells: as silent as any other drop, so the deadline decides.
            (Some(libc::EPERM), Kind::Datagram | Kind::RawSctp { .. }) => None,
            // A hint to send smaller packets (ICMP "fragmentation needed"): ours are small.
            (Some(libc::EMSGSIZE), Kind::Datagram | Kind::RawSctp { .. }) => None,
            // The kernel gave up before the deadline did. The rest of it is silence too.
            (Some(libc::ETIMEDOUT), Kind::Stream { .. }) => Some(Outcome::Dropped.into()),
            // A raw socket also hears of errors about other sockets' packets.
            (Some(_), Kind::RawSctp { .. }) if is_path_error(error) => None,
            _ => Some(broken(&error.to_string())),
        }
    }

    fn icmp_error(&self, attempt: &Attempt) -> Option<Seen> {
        let error = icmp::take(&self.socket, |quoted| match self.kind {
            Kind::Stream { .. } | Kind::Datagram => true,
            Kind::RawSctp { .. } => {
                let local = self.local.map_or(0, |local| local.port()).to_be_bytes();
                let target = attempt.target.port().to_be_bytes();
                quoted.starts_with(&[local[0], local[1], target[0], target[1]])
            }
        })?;
        Some(error.outcome(self.local).into())
    }

    /// Lets the socket go without leaving `TIME_WAIT` behind (socket(7), `SO_LINGER`).
    pub(crate) fn reset_on_close(&self, protocol: Protocol) {
        if protocol == Protocol::Tcp && matches!(self.kind, Kind::Stream { asked: true }) {
            // Failing leaves an entry in TIME_WAIT for a minute: no reason to doubt the outcome.
            let _ = self.socket.set_linger(Some(Duration::ZERO));
        }
    }
}

/// Errors that ICMP can cause, or a route.
fn is_path_error(error: &io::Error) -> bool {
    let path = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
        libc::ENOPROTOOPT,
        libc::EOPNOTSUPP,
        libc::EACCES,
        libc::EPROTO,
    ];
    error.raw_os_error().is_some_and(|errno| path.contains(&errno))
}

fn judge(answer: &Answer<'_>, attempt: &Attempt) -> Seen {
    let outcome = if answer.identity == attempt.expect {
        Outcome::Connected
    } else {
        Outcome::WrongPod { answered: answer.identity.to_owned() }
    };
    Seen { outcome, source: Some(answer.seen.ip()) }
}

fn foreign(error: &ExchangeError) -> Seen {
    broken(&format!("something other than a probe server answered: {error}"))
}

fn broken(reason: &str) -> Seen {
    Outcome::Broken { reason: reason.to_owned() }.into()
}
