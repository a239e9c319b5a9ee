//! Links, addresses, routes and neighbours (`rtnetlink(7)`, `linux/if_link.h`).
//!
//! Everything is named by interface indexes that the caller chose: nothing has to
//! be looked up, and nothing can be mistaken for another.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use ipnet::IpNet;
use nix::libc;

use super::message::{Messages, attributes, flags};

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_NUM_TX_QUEUES: u16 = 31;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
const IF_OPER_UP: u8 = 6;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;

/// Numbers of `linux/ip.h`, `IPV4_DEVCONF_*`.
const FORWARDING: u16 = 1;
const SEND_REDIRECTS: u16 = 6;
const RP_FILTER: u16 = 8;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_NODAD: u32 = 0x02;
const IFA_F_PERMANENT: u32 = 0x80;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTNH_F_ONLINK: u32 = 4;

const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_PERMANENT: u16 = 0x80;

/// The loopback interface's index in every network namespace.
pub(in super::super) const LOOPBACK: u32 = 1;

/// A hardware address.
pub(in super::super) type Mac = [u8; 6];

/// One end of a veth pair.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct VethEnd<'a> {
    /// Its interface name, at most 15 bytes.
    pub(in super::super) name: &'a str,
    /// Its interface index.
    pub(in super::super) index: u32,
    /// Its hardware address.
    pub(in super::super) mac: Mac,
}

/// What a link does with packets that are not for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Role {
    /// It passes them on.
    Router,
    /// It does not.
    Host,
}

/// Makes a veth pair: `here` in the socket's namespace, `there` in another one.
pub(in super::super) fn veth(
    messages: &mut Messages,
    here: VethEnd<'_>,
    there: VethEnd<'_>,
    namespace: BorrowedFd<'_>,
) {
    messages.message(libc::RTM_NEWLINK, flags::CREATE | flags::EXCL, |m| {
        end(m, here);
        m.nested(IFLA_LINKINFO, |m| {
            m.text(IFLA_INFO_KIND, "veth");
            m.nested(IFLA_INFO_DATA, |m| {
                m.nested(VETH_INFO_PEER, |m| {
                    end(m, there);
                    m.u32(IFLA_NET_NS_FD, namespace.as_raw_fd() as u32);
                });
            });
        });
    });
}

fn end(m: &mut Messages, end: VethEnd<'_>) {
    interface(m, end.index, 0, 0);
    m.text(IFLA_IFNAME, end.name);
    m.attribute(IFLA_ADDRESS, &end.mac);
    // One queue each: a queue per processor would be most of a pod's memory.
    m.u32(IFLA_NUM_TX_QUEUES, 1);
    m.u32(IFLA_NUM_RX_QUEUES, 1);
}

/// `struct ifinfomsg`.
fn interface(m: &mut Messages, index: u32, flags: u32, change: u32) {
    m.fixed(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
    m.fixed(&index.to_ne_bytes());
    m.fixed(&flags.to_ne_bytes());
    m.fixed(&change.to_ne_bytes());
}

/// Brings a link up.
pub(in super::super) fn up(messages: &mut Messages, index: u32) {
    messages.message(libc::RTM_SETLINK, 0, |m| {
        interface(m, index, libc::IFF_UP as u32, libc::IFF_UP as u32);
    });
}

/// Says what a link does with packets, before it is up.
///
/// Set per device and over netlink, because `/proc/sys` may be read-only in a
/// container and a new namespace copies the machine's own defaults. IPv6
/// forwarding has no such message: it needs the sysctl.
pub(in super::super) fn configure(messages: &mut Messages, index: u32, role: Role, ipv6: bool) {
    messages.message(libc::RTM_SETLINK, 0, |m| {
        interface(m, index, 0, 0);
        m.nested(IFLA_AF_SPEC, |m| {
            m.nested(libc::AF_INET as u16, |m| {
                m.nested(IFLA_INET_CONF, |m| {
                    m.u32(FORWARDING, u32::from(role == Role::Router));
                    m.u32(SEND_REDIRECTS, 0);
                    m.u32(RP_FILTER, 0);
                });
            });
            if ipv6 {
                // No link-local address: making one sure to be unique takes 1.2 s.
                m.nested(libc::AF_INET6 as u16, |m| {
                    m.u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
                });
            }
        });
    });
}

/// Asks how a link is; [`is_running`] reads the answer.
///
/// The end of a veth pair that was brought up first learns of the other one from a
/// work queue, and drops every packet until then. Since Linux 6.8 asking makes the
/// kernel do that work at once (`rtnl_getlink`, "Synchronize the carrier state").
pub(in super::super) fn inquire(messages: &mut Messages, index: u32) {
    messages.message(libc::RTM_GETLINK, 0, |m| {
        interface(m, index, 0, 0);
        m.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    });
}

/// Whether an answer says that a link passes packets; and the link's index.
pub(in super::super) fn is_running(answer: &[u8]) -> Option<(u32, bool)> {
    let index = u32::from_ne_bytes(*answer.get(4..)?.first_chunk()?);
    let mut attributes = attributes(answer.get(16..)?);
    let state = attributes.find(|(kind, _)| *kind == IFLA_OPERSTATE)?.1;
    Some((index, state == [IF_OPER_UP]))
}

/// Deletes a link, and with a veth its other end.
pub(in super::super) fn delete(messages: &mut Messages, index: u32) {
    messages.message(libc::RTM_DELLINK, 0, |m| interface(m, index, 0, 0));
}

/// Gives a link an address that is its own alone (/32, /128).
pub(in super::super) fn address(messages: &mut Messages, index: u32, address: IpAddr) {
    messages.message(libc::RTM_NEWADDR, flags::CREATE | flags::EXCL, |m| {
        let full = if address.is_ipv4() { 32 } else { 128 };
        m.fixed(&[family(address), full, 0, 0]);
        m.fixed(&index.to_ne_bytes());
        with_octets(address, |octets| {
            m.attribute(IFA_LOCAL, octets);
            m.attribute(IFA_ADDRESS, octets);
        });
        let nodad = if address.is_ipv6() { IFA_F_NODAD } else { 0 };
        m.u32(IFA_FLAGS, IFA_F_PERMANENT | nodad);
    });
}

/// Routes a range to a link, by a gateway or straight to it.
pub(in super::super) fn route(
    messages: &mut Messages,
    to: IpNet,
    index: u32,
    gateway: Option<IpAddr>,
) {
    messages.message(libc::RTM_NEWROUTE, flags::CREATE | flags::EXCL, |m| {
        let scope = match gateway {
            None if to.addr().is_ipv4() => libc::RT_SCOPE_LINK,
            _ => libc::RT_SCOPE_UNIVERSE,
        };
        // `struct rtmsg`: family, lengths of destination and source, TOS, table,
        // protocol, scope, type, flags.
        m.fixed(&[
            family(to.addr()),
            to.prefix_len(),
            0,
            0,
            libc::RT_TABLE_MAIN,
            libc::RTPROT_STATIC,
            scope,
            libc::RTN_UNICAST,
        ]);
        // No address of ours shares a range with the gateway: it is on the link.
        m.fixed(&gateway.map_or(0, |_| RTNH_F_ONLINK).to_ne_bytes());
        if to.prefix_len() > 0 {
            with_octets(to.network(), |octets| m.attribute(RTA_DST, octets));
        }
        if let Some(gateway) = gateway {
            with_octets(gateway, |octets| m.attribute(RTA_GATEWAY, octets));
        }
        m.u32(RTA_OIF, index);
    });
}

/// Delivers an IPv6 address to this namespace, at once.
///
/// The kernel adds such a route for every address, but for IPv6 it does so from a
/// work queue, after duplicate address detection or where that is off
/// (`addrconf_dad_work`); until then packets to the address are lost. This one
/// stands beside it.
pub(in super::super) fn deliver_here(messages: &mut Messages, address: Ipv6Addr, index: u32) {
    messages.message(libc::RTM_NEWROUTE, flags::CREATE | flags::EXCL, |m| {
        m.fixed(&[
            libc::AF_INET6 as u8,
            128,
            0,
            0,
            libc::RT_TABLE_LOCAL,
            libc::RTPROT_STATIC,
            libc::RT_SCOPE_UNIVERSE,
            libc::RTN_LOCAL,
        ]);
        m.fixed(&0_u32.to_ne_bytes());
        m.attribute(RTA_DST, &address.octets());
        m.u32(RTA_OIF, index);
    });
}

/// Says once and for all which hardware address an address has on a link.
pub(in super::super) fn neighbour(messages: &mut Messages, index: u32, address: IpAddr, mac: Mac) {
    messages.message(libc::RTM_NEWNEIGH, flags::CREATE | flags::REPLACE, |m| {
        m.fixed(&[family(address), 0, 0, 0]);
        m.fixed(&index.to_ne_bytes());
        // `ndm_state`, then `ndm_flags` and `ndm_type`.
        let [low, high] = NUD_PERMANENT.to_ne_bytes();
        m.fixed(&[low, high, 0, 0]);
        with_octets(address, |octets| m.attribute(NDA_DST, octets));
        m.attribute(NDA_LLADDR, &mac);
    });
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

fn with_octets<T>(address: IpAddr, then: impl FnOnce(&[u8]) -> T) -> T {
    match address {
        IpAddr::V4(address) => then(&address.octets()),
        IpAddr::V6(address) => then(&address.octets()),
    }
}
