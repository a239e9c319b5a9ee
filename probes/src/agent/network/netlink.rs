//! The few messages of rtnetlink(7) that a plan needs, one request at a time.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::{NetworkError, Range, Route, TUNNEL_PORT, Tunnel};

/// The kernel answers while a request is sent, so one that is not there by then will not come.
const ANSWER_SECONDS: i64 = 10;

const REQUEST: u16 = libc::NLM_F_REQUEST as u16 | libc::NLM_F_ACK as u16;
const CREATE: u16 = libc::NLM_F_CREATE as u16;
const EXCL: u16 = libc::NLM_F_EXCL as u16;
const REPLACE: u16 = libc::NLM_F_REPLACE as u16;
const APPEND: u16 = libc::NLM_F_APPEND as u16;
const HEADER: usize = 16;

const NESTED: u16 = 0x8000;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;

/// `linux/if_link.h`, `IFLA_VXLAN_*`.
const VXLAN_ID: u16 = 1;
const VXLAN_LINK: u16 = 3;
const VXLAN_LOCAL: u16 = 4;
const VXLAN_LEARNING: u16 = 7;
const VXLAN_PORT: u16 = 15;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NTF_SELF: u8 = 2;

/// The metric of a route that gives way to any other.
const LAST_RESORT: u32 = u32::MAX - 1;

/// An interface, by its index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link(u32);

impl Link {
    /// The loopback interface's index in every network namespace.
    pub(super) const LOOPBACK: Self = Self(1);

    /// The interface of this index.
    pub(super) const fn new(index: u32) -> Self {
        Self(index)
    }
}

/// One message without its header.
#[derive(Debug)]
pub(super) struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Request {
    const fn new(kind: u16, flags: u16) -> Self {
        Self { kind, flags, body: Vec::new() }
    }

    fn fixed(mut self, parts: &[&[u8]]) -> Self {
        self.body.extend(parts.concat());
        self
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        // Values here are names and addresses, and nests of few of them: 16 bits suffice.
        let length = (value.len() + 4) as u16;
        self.body.extend_from_slice(&length.to_ne_bytes());
        self.body.extend_from_slice(&kind.to_ne_bytes());
        self.body.extend_from_slice(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }

    fn nested(self, kind: u16, inner: impl FnOnce(Self) -> Self) -> Self {
        let inner = inner(Self::new(0, 0));
        self.attribute(kind | NESTED, &inner.body)
    }

    /// Gives an interface an address and, where the range has more, a route to it.
    pub(super) fn address(link: Link, own: Range) -> Self {
        // An IPv6 address is not tried first: nobody else has it.
        let first = if own.address.is_ipv6() { libc::IFA_F_NODAD } else { 0 };
        Self::new(libc::RTM_NEWADDR, CREATE | REPLACE)
            .fixed(&[&[family(own.address), own.length, 0, 0], &link.0.to_ne_bytes()])
            .attribute(IFA_LOCAL, &octets(own.address))
            .attribute(IFA_ADDRESS, &octets(own.address))
            .attribute(IFA_FLAGS, &(first | libc::IFA_F_PERMANENT).to_ne_bytes())
    }

    /// `struct rtmsg`: family, lengths of destination and source, TOS, table, protocol, scope,
    /// type, flags.
    fn to(self, to: Range, scope: u8, kind: u8) -> Self {
        let (table, by) = (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC);
        let route =
            self.fixed(&[&[family(to.address), to.length, 0, 0, table, by, scope, kind], &[0; 4]]);
        if to.length == 0 { route } else { route.attribute(RTA_DST, &octets(to.address)) }
    }

    /// Makes a range unreachable where no other route leads to it.
    pub(super) fn unreachable(range: Range) -> Self {
        Self::new(libc::RTM_NEWROUTE, CREATE | REPLACE)
            .to(range, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNREACHABLE)
            .attribute(RTA_PRIORITY, &LAST_RESORT.to_ne_bytes())
    }

    /// Routes a range by a next hop on an interface.
    pub(super) fn route(link: Link, route: &Route) -> Self {
        Self::new(libc::RTM_NEWROUTE, CREATE | REPLACE)
            .to(route.to, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST)
            .attribute(RTA_GATEWAY, &octets(route.via))
            .attribute(RTA_OIF, &link.0.to_ne_bytes())
    }

    /// Makes one end of a VXLAN. It goes with the interface that carries it.
    pub(super) fn vxlan(tunnel: &Tunnel, below: Link) -> Self {
        let mut name = tunnel.name.clone().into_bytes();
        name.push(0);
        Self::new(libc::RTM_NEWLINK, CREATE | EXCL)
            .fixed(&[&[0; 16]])
            .attribute(IFLA_IFNAME, &name)
            .nested(IFLA_LINKINFO, |info| {
                info.attribute(IFLA_INFO_KIND, b"vxlan\0").nested(IFLA_INFO_DATA, |data| {
                    data.attribute(VXLAN_ID, &tunnel.number.to_ne_bytes())
                        .attribute(VXLAN_LINK, &below.0.to_ne_bytes())
                        .attribute(VXLAN_LOCAL, &tunnel.local.octets())
                        .attribute(VXLAN_LEARNING, &[1])
                        .attribute(VXLAN_PORT, &TUNNEL_PORT.to_be_bytes())
                })
            })
    }

    /// Sends a VXLAN's broadcasts, and what it has not learnt of, to another end too.
    pub(super) fn peer(link: Link, peer: Ipv4Addr) -> Self {
        let state = libc::NUD_PERMANENT | libc::NUD_NOARP;
        // `struct ndmsg`: family, padding, index, state, flags, type.
        Self::new(libc::RTM_NEWNEIGH, CREATE | APPEND)
            .fixed(&[
                &[libc::AF_BRIDGE as u8, 0, 0, 0],
                &link.0.to_ne_bytes(),
                &state.to_ne_bytes(),
                &[NTF_SELF, 0],
            ])
            .attribute(NDA_LLADDR, &[0; 6])
            .attribute(NDA_DST, &peer.octets())
    }

    /// Brings an interface up.
    pub(super) fn up(link: Link) -> Self {
        let up = (libc::IFF_UP as u32).to_ne_bytes();
        Self::new(libc::RTM_NEWLINK, 0).fixed(&[&[0; 4], &link.0.to_ne_bytes(), &up, &up])
    }
}

/// A socket for these requests, in the network namespace in which it was made.
#[derive(Debug)]
pub(super) struct Routes {
    socket: OwnedFd,
    sequence: u32,
}

impl Routes {
    pub(super) fn open() -> io::Result<Self> {
        let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
        let socket = socket(AddressFamily::Netlink, kind, flags, SockProtocol::NetlinkRoute)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_SECONDS))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends a request, and returns when the kernel has done it.
    pub(super) fn send(&mut self, what: &str, request: &Request) -> Result<(), NetworkError> {
        match self.ask(request)? {
            None => Ok(()),
            Some(errno) => Err(NetworkError::Refused { what: what.to_owned(), errno }),
        }
    }

    /// Deletes a default route of a family; whether there was one.
    pub(super) fn delete_default_route(&mut self, family: i32) -> Result<bool, NetworkError> {
        let header = [family as u8, 0, 0, 0, libc::RT_TABLE_MAIN, 0, libc::RT_SCOPE_NOWHERE, 0];
        let request = Request::new(libc::RTM_DELROUTE, 0).fixed(&[&header, &[0; 4]]);
        match self.ask(&request)? {
            None => Ok(true),
            // None is left, there never was a table, or the kernel does not know the family.
            Some(Errno::ESRCH | Errno::ENOENT | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT) => {
                Ok(false)
            }
            Some(errno) => {
                Err(NetworkError::Refused { what: "delete a default route".to_owned(), errno })
            }
        }
    }

    /// What the kernel refused a request with.
    fn ask(&mut self, request: &Request) -> io::Result<Option<Errno>> {
        self.sequence += 1;
        let mut bytes = Vec::with_capacity(HEADER + request.body.len());
        bytes.extend_from_slice(&((HEADER + request.body.len()) as u32).to_ne_bytes());
        bytes.extend_from_slice(&request.kind.to_ne_bytes());
        bytes.extend_from_slice(&(request.flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&request.body);
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty())?;
        let mut answer = [0; 4096];
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
            // One acknowledgement per request: `struct nlmsgerr`, whose first word is the error.
            let word = |at: usize| {
                let bytes = answer[..length].get(at..at + 4)?;
                bytes.try_into().ok().map(u32::from_ne_bytes)
            };
            match (word(8), word(HEADER)) {
                (Some(sequence), Some(error)) if sequence == self.sequence => {
                    let error = error as i32;
                    return Ok((error != 0).then(|| Errno::from_raw(-error)));
                }
                _ => {}
            }
        }
    }
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
