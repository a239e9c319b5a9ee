//! Opening a try: a socket on a fresh source port, connected or on its way.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use nix::libc;
use socket2::{Domain, Protocol as Transport, SockAddr, Socket, Type};

use crate::wire::{Attempt, Sctp};
use crate::{Family, Protocol, exchange};

use super::descriptors::Permit;
use super::filter;
use super::flight::{Kind, Try};
use super::icmp;
use super::ports::SourcePorts;
use super::sctp;

/// Source ports tried before an attempt has to wait for one.
const PORT_TRIES: usize = 256;

/// Taken ports in a row after which the walk goes on elsewhere.
const CROWDED: usize = 16;

/// Attempts at one peer from which on raw sockets need a filter. A buffer of stock size holds 277
/// small packets, and each attempt may send two and get two answers.
const CROWD: usize = 64;

/// Times that a try is opened anew because its pair of addresses and ports is in use.
const COLLISIONS: usize = 3;

/// How SCTP is spoken in a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speech {
    sctp: Sctp,
    /// Whether answers to others could fill the buffer of a raw socket.
    crowded: bool,
}

impl Speech {
    /// Looks for the target that most SCTP attempts from one place share.
    pub(crate) fn of(attempts: &[Attempt], sctp: Sctp) -> Self {
        let mut peers: HashMap<(u32, IpAddr), usize> = HashMap::new();
        if sctp == Sctp::Raw {
            for attempt in attempts.iter().filter(|attempt| attempt.protocol == Protocol::Sctp) {
                *peers.entry((attempt.from, attempt.target.ip())).or_default() += 1;
            }
        }
        Self { sctp, crowded: peers.into_values().any(|count| count > CROWD) }
    }
}

/// Why a try could not be opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// Something ran out; it may be there later.
    Later(io::Error),
    /// It will not get better.
    Never(io::Error),
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(
                libc::EMFILE
                | libc::ENFILE
                | libc::ENOBUFS
                | libc::ENOMEM
                | libc::EAGAIN
                | libc::EADDRINUSE
                | libc::EINTR,
            ) => Self::Later(error),
            _ => Self::Never(error),
        }
    }
}

/// Opens one try of an attempt in the calling thread's network namespace, and sends its first
/// packet.
pub(crate) fn open(
    attempt: &Attempt,
    speech: Speech,
    ports: &mut SourcePorts,
    permit: Permit,
) -> Result<Try, NotOpened> {
    let mut left = COLLISIONS;
    let opened = Instant::now();
    loop {
        match dial(attempt, speech, ports) {
            // connect(2): the address is not available, here because another socket already
            // has the very same pair of addresses and ports.
            Err(NotOpened::Never(error)) if left > 0 && is_collision(&error) => left -= 1,
            Err(error) => return Err(error),
            Ok((socket, kind, local)) => {
                let partial = Vec::new();
                let watched = false;
                return Ok(Try { socket, kind, local, partial, watched, opened, _permit: permit });
            }
        }
    }
}

fn is_collision(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EADDRNOTAVAIL)
}

fn dial(
    attempt: &Attempt,
    speech: Speech,
    ports: &mut SourcePorts,
) -> Result<(Socket, Kind, Option<SocketAddr>), NotOpened> {
    let target = attempt.target;
    let family = Family::of(target.ip());
    let socket = |socket_type: Type| {
        let domain = match family {
            Family::Ipv4 => Domain::IPV4,
            Family::Ipv6 => Domain::IPV6,
        };
        let transport = Transport::from(i32::from(attempt.protocol.number()));
        let socket = Socket::new(domain, socket_type.nonblocking(), Some(transport))?;
        icmp::subscribe(&socket, family)?;
        Ok::<_, io::Error>(socket)
    };
    match (attempt.protocol, speech.sctp) {
        (Protocol::Tcp, _) | (Protocol::Sctp, Sctp::Kernel) => {
            let socket = socket(Type::STREAM)?;
            if attempt.protocol == Protocol::Tcp {
                // The request, which follows at once, acknowledges the handshake.
                socket.set_tcp_quickack(false)?;
            }
            connect(&socket, family, attempt, ports)?;
            let local = local(&socket);
            Ok((socket, Kind::Stream { asked: false }, local))
        }
        (Protocol::Udp, _) => {
            let socket = socket(Type::DGRAM)?;
            connect(&socket, family, attempt, ports)?;
            send(&socket, &exchange::request(attempt.nonce))?;
            let local = local(&socket);
            Ok((socket, Kind::Datagram, local))
        }
        (Protocol::Sctp, Sctp::Raw) => {
            let socket = socket(Type::RAW)?;
            let port = ports.next(attempt.from);
            let initiate_tag = sctp::initiate_tag(attempt.nonce, port);
            if speech.crowded {
                filter::only_answers(&socket, family, port, initiate_tag);
            }
            // A raw socket has no port to bind, and over IPv6 takes none to connect to
            // (rawv6_sendmsg); connecting chooses the source address.
            socket.connect(&SocketAddr::new(target.ip(), 0).into())?;
            let local = local(&socket).map(|local| SocketAddr::new(local.ip(), port));
            send(&socket, &sctp::init(port, target.port(), initiate_tag, attempt.nonce))?;
            Ok((socket, Kind::RawSctp { initiate_tag }, local))
        }
        (Protocol::Sctp, Sctp::None) => Err(NotOpened::Never(io::Error::new(
            io::ErrorKind::Unsupported,
            "expected SCTP sockets or the right to open raw ones (CAP_NET_RAW), found neither",
        ))),
    }
}

/// Binds to a fresh port and connects, stepping over ports that are taken.
pub(crate) fn connect(
    socket: &Socket,
    family: Family,
    attempt: &Attempt,
    ports: &mut SourcePorts,
) -> io::Result<()> {
    let any = match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let mut tries = 0;
    loop {
        tries += 1;
        if tries % CROWDED == 0 {
            ports.jump(attempt.from);
        }
        let port = ports.next(attempt.from);
        match socket.bind(&SockAddr::from(SocketAddr::new(any, port))) {
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) && tries < PORT_TRIES => {}
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    match socket.connect(&attempt.target.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(()),
    }
}

/// Sends a whole packet. An error that the network caused is left to the next look, which
/// finds it in the socket's error queue; one that nothing can be made of is an error here.
fn send(socket: &Socket, bytes: &[u8]) -> io::Result<()> {
    match socket.send_with_flags(bytes, libc::MSG_NOSIGNAL) {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(libc::EPERM | libc::ECONNREFUSED) => Ok(()),
            _ => Err(error),
        },
    }
}

fn local(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket()
}
