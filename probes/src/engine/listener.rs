//! Opening a server's sockets, in the calling thread's network namespace.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol as Transport, Socket, Type};

use crate::wire::{Listen, Sctp};
use crate::{Family, Protocol};

use super::{filter, sctp_support};

/// Connections that wait for accept(2). The kernel caps it at `net.core.somaxconn`, 4096.
const BACKLOG: i32 = 4096;

/// Room for a burst of datagrams from many pods at once, in bytes.
const RECEIVE_BUFFER: usize = 16 << 20;

/// A server's socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) identity: Arc<str>,
    pub(crate) listen: Listen,
    pub(crate) family: Family,
    pub(crate) socket: Socket,
    pub(crate) kind: ListenerKind,
}

/// What kind of socket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListenerKind {
    /// TCP, or the kernel's SCTP: accepts connections.
    Stream,
    /// UDP.
    Datagram,
    /// Sees all SCTP packets of a network namespace, which is named by its inode: however
    /// many pods share the namespace, one such socket must answer for all of them.
    RawSctp { namespace: u64 },
}

/// A port that could not be opened, and why.
pub(crate) type Failure = (Listen, String);

/// Opens both families of every port. A family that the kernel lacks is left out.
pub(crate) fn open(identity: &Arc<str>, ports: &[Listen]) -> (Vec<Listener>, Vec<Failure>) {
    let mut listeners = Vec::new();
    let mut failures = Vec::new();
    let sctp = if ports.iter().any(|listen| listen.protocol == Protocol::Sctp) {
        sctp_support()
    } else {
        Sctp::None
    };
    for &listen in ports {
        for family in Family::ALL {
            match open_one(listen, family, sctp) {
                Ok((socket, kind)) => {
                    let identity = Arc::clone(identity);
                    listeners.push(Listener { identity, listen, family, socket, kind });
                }
                Err(error)
                    if family == Family::Ipv6
                        && error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
                Err(error) => failures.push((listen, format!("{family}: {error}"))),
            }
        }
    }
    (listeners, failures)
}

fn open_one(listen: Listen, family: Family, sctp: Sctp) -> io::Result<(Socket, ListenerKind)> {
    let Listen { protocol, port } = listen;
    let (kind, socket_type) = match (protocol, sctp) {
        (Protocol::Tcp, _) | (Protocol::Sctp, Sctp::Kernel) => (ListenerKind::Stream, Type::STREAM),
        (Protocol::Udp, _) => (ListenerKind::Datagram, Type::DGRAM),
        (Protocol::Sctp, Sctp::Raw) => {
            let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
            (ListenerKind::RawSctp { namespace }, Type::RAW)
        }
        (Protocol::Sctp, Sctp::None) => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "expected SCTP sockets or the right to open raw ones (CAP_NET_RAW), found neither",
            ));
        }
    };
    let (domain, any) = match family {
        Family::Ipv4 => (Domain::IPV4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        Family::Ipv6 => (Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    };
    let transport = Transport::from(i32::from(protocol.number()));
    let socket = Socket::new(domain, socket_type.nonblocking(), Some(transport))?;
    if family == Family::Ipv6 && socket_type != Type::RAW {
        // Each family has a socket of its own. A raw one has but its own (raw(7), ipv6(7)).
        socket.set_only_v6(true)?;
    }
    if kind == ListenerKind::Stream {
        // Entries in TIME_WAIT must not keep a port from being opened again.
        socket.set_reuse_address(true)?;
    } else {
        enlarge(&socket);
        if socket_type == Type::RAW {
            filter::only_inits(&socket, family);
        }
        // A host with several addresses must answer from the one that was asked.
        match family {
            Family::Ipv4 => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            Family::Ipv6 => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    if !matches!(kind, ListenerKind::RawSctp { .. }) {
        socket.bind(&SocketAddr::new(any, port).into())?;
    }
    if kind == ListenerKind::Stream {
        socket.listen(BACKLOG)?;
        if protocol == Protocol::Tcp {
            // Connections inherit it: the answer acknowledges the request. Listening resets it.
            socket.set_tcp_quickack(false)?;
        }
    }
    Ok((socket, kind))
}

/// Beyond `net.core.rmem_max` takes `CAP_NET_ADMIN`; without it the kernel gives what it may.
fn enlarge(socket: &Socket) {
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
}
