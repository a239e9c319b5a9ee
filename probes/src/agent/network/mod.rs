//! Addresses and routes for the network namespace that the agent runs in.
//!
//! A host outside the cluster has addresses that its container runtime does not know of, and a
//! node needs routes to them. A run says both in a [`NetworkPlan`] and has it carried out by a
//! short-lived container that shares the network of the one concerned, so that neither a host
//! nor a node needs tools or rights of its own.

mod netlink;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use serde::{Deserialize, Serialize};

use netlink::{Link, Request, Routes};

/// The UDP port of tunnels: not the one of VXLAN (RFC 7348), which network plugins use.
pub const TUNNEL_PORT: u16 = 14_789;

/// What becomes of a network namespace. Parts are carried out in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// Every default route goes.
    pub no_way_out: bool,
    /// Addresses that the loopback interface gets, each alone (/32, /128).
    pub loopback: Vec<IpAddr>,
    /// Addresses that cannot be reached wherever no other route leads to them.
    pub unreachable: Vec<IpAddr>,
    /// A tunnel to others.
    pub tunnel: Option<Tunnel>,
}

/// One end of a VXLAN (RFC 7348) that has no multicast: every end knows the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The interface's name, at most 15 bytes.
    pub name: String,
    /// The network identifier, of 24 bits.
    pub number: u32,
    /// The address, which an interface has already, that carries this end.
    pub local: Ipv4Addr,
    /// The addresses that carry the other ends.
    pub peers: Vec<Ipv4Addr>,
    /// The interface's own addresses, with the ranges that lie beyond it.
    pub addresses: Vec<Range>,
    /// What else is reached through it.
    pub routes: Vec<Route>,
}

/// A range of addresses, or an address in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// An address in it.
    pub address: IpAddr,
    /// How many leading bits all of its addresses share.
    pub length: u8,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A route to a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads.
    pub to: Range,
    /// The next hop.
    pub via: IpAddr,
}

/// What could not be done.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No interface has the address.
    #[error("expected an interface with the address `{0}`, found none")]
    NoInterface(Ipv4Addr),
    /// The interface that was made is not there.
    #[error("expected the interface `{name}`: {errno}")]
    Interface {
        /// Its name.
        name: String,
        /// The error number.
        errno: Errno,
    },
    /// The kernel refused a part of the plan.
    #[error("the kernel refused to {what}: {errno}")]
    Refused {
        /// What was to be done.
        what: String,
        /// The error number.
        errno: Errno,
    },
    /// There is no way to speak with the kernel.
    #[error("netlink socket")]
    Socket(#[from] io::Error),
}

/// Carries out a plan in the calling thread's network namespace, in which it needs
/// `CAP_NET_ADMIN`. What is there already may be there: routes are replaced.
///
/// # Errors
/// All of [`NetworkError`]; what was done before stays done.
pub fn configure(plan: &NetworkPlan) -> Result<(), NetworkError> {
    let mut kernel = Routes::open()?;
    if plan.no_way_out {
        for family in [nix::libc::AF_INET, nix::libc::AF_INET6] {
            while kernel.delete_default_route(family)? {}
        }
    }
    let loopback = Link::LOOPBACK;
    for address in &plan.loopback {
        let own = Range { address: *address, length: full(*address) };
        kernel.send(
            &format!("give loopback the address `{own}`"),
            &Request::address(loopback, own),
        )?;
    }
    for address in &plan.unreachable {
        let what = format!("make `{address}` unreachable");
        let range = Range { address: *address, length: full(*address) };
        kernel.send(&what, &Request::unreachable(range))?;
    }
    plan.tunnel.as_ref().map_or(Ok(()), |tunnel| dig(&mut kernel, tunnel))
}

/// How many bits an address has.
const fn full(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn dig(kernel: &mut Routes, tunnel: &Tunnel) -> Result<(), NetworkError> {
    let name = &tunnel.name;
    let below = carrier(tunnel.local)?;
    let below = link(&below)?;
    kernel.send(&format!("make the tunnel `{name}`"), &Request::vxlan(tunnel, below))?;
    let link = link(name)?;
    for peer in &tunnel.peers {
        kernel
            .send(&format!("add `{peer}` to the tunnel `{name}`"), &Request::peer(link, *peer))?;
    }
    for own in &tunnel.addresses {
        kernel
            .send(&format!("give `{name}` the address `{own}`"), &Request::address(link, *own))?;
    }
    kernel.send(&format!("bring `{name}` up"), &Request::up(link))?;
    for route in &tunnel.routes {
        let what = format!("route `{}` by `{}`", route.to, route.via);
        kernel.send(&what, &Request::route(link, route))?;
    }
    Ok(())
}

fn link(name: &str) -> Result<Link, NetworkError> {
    let index = if_nametoindex(name);
    index.map(Link::new).map_err(|errno| NetworkError::Interface { name: name.to_owned(), errno })
}

/// The name of the interface that has an address.
fn carrier(address: Ipv4Addr) -> Result<String, NetworkError> {
    let all = getifaddrs().map_err(io::Error::from)?;
    let has = |interface: &nix::ifaddrs::InterfaceAddress| {
        let found = interface.address.as_ref().and_then(|found| found.as_sockaddr_in());
        found.is_some_and(|found| found.ip() == address)
    };
    all.into_iter()
        .find(has)
        .map(|interface| interface.interface_name)
        .ok_or(NetworkError::NoInterface(address))
}
