//! Sets and rules in the kernel's terms.

use std::net::IpAddr;

use super::super::netlink::nftables::{
    Base, Compare, DataType, Element, Expressions, Key, Meta, Register, Verdict,
};
use super::drop_log;
use super::ruleset::{Chain, Handling, LogText, Match, Rule, Ruling, Set, SetId, TierRule};
use crate::model::{Direction, Family, Protocol};

/// Where a value is loaded that is compared on the spot, and the first part of a key.
const FIRST: Register = Register(0);

/// What a set's keys are made of.
pub(super) const fn key(set: &Set) -> &'static [DataType] {
    use DataType::{Ipv4, Ipv6, Port, Protocol};
    match set {
        Set::Addresses(addresses) => match addresses.family() {
            Family::Ipv4 => &[Ipv4],
            Family::Ipv6 => &[Ipv6],
        },
        Set::Ports(_) => &[Protocol, Port],
        Set::Sockets(Family::Ipv4, _) => &[Ipv4, Protocol, Port],
        Set::Sockets(Family::Ipv6, _) => &[Ipv6, Protocol, Port],
    }
}

/// Whether a set's elements are the bounds of ranges.
pub(super) fn is_interval(set: &Set) -> bool {
    matches!(set, Set::Addresses(addresses) if addresses.singles().is_none())
}

/// A set's elements; the bounds of ranges in order.
pub(super) fn elements(set: &Set) -> Vec<Element<'static>> {
    match set {
        Set::Addresses(addresses) => match addresses.singles() {
            Some(singles) => singles.map(|one| Element::Key(address_key(one))).collect(),
            None => addresses
                .bounds()
                .flat_map(|(first, behind)| {
                    let end = behind.map(|behind| Element::RangeEnd(address_key(behind)));
                    std::iter::once(Element::Key(address_key(first))).chain(end)
                })
                .collect(),
        },
        Set::Ports(ports) => ports
            .iter()
            .map(|(protocol, port)| Element::Key(with_service(Key::default(), *protocol, *port)))
            .collect(),
        Set::Sockets(_, sockets) => sockets
            .iter()
            .map(|(address, protocol, port)| {
                Element::Key(with_service(address_key(*address), *protocol, *port))
            })
            .collect(),
    }
}

pub(super) fn address_key(address: IpAddr) -> Key {
    match address {
        IpAddr::V4(address) => Key::default().with(&address.octets()),
        IpAddr::V6(address) => Key::default().with(&address.octets()),
    }
}

/// The key with a protocol and a port behind, as [`load_service`] loads them.
pub(super) fn with_service(before: Key, protocol: Protocol, port: u16) -> Key {
    before.with(&[protocol.number()]).with(&port.to_be_bytes())
}

/// Writes a rule that accepts.
pub(super) fn accept(
    e: &mut Expressions<'_>,
    direction: Direction,
    rule: &Rule,
    sets: &[Set],
    handling: &Handling,
) {
    go_on_for(e, direction, rule, sets, handling);
    e.verdict(Verdict::Accept);
}

/// Writes a rule of a tier.
pub(super) fn decide(
    e: &mut Expressions<'_>,
    direction: Direction,
    rule: &TierRule,
    sets: &[Set],
    handling: &Handling,
) {
    go_on_for(e, direction, &rule.rule, sets, handling);
    match &rule.ruling {
        Ruling::Accept => {
            e.verdict(Verdict::Accept);
        }
        Ruling::Pass => {
            e.verdict(Verdict::Return);
        }
        Ruling::Deny(log) => drop_with(e, log.as_ref()),
    }
}

/// Goes on for packets that the rule's matches all hold for.
fn go_on_for(
    e: &mut Expressions<'_>,
    direction: Direction,
    Rule(matches): &Rule,
    sets: &[Set],
    handling: &Handling,
) {
    let port = |e: &mut Expressions<'_>, to: Register| match handling.service_ports {
        false => load_port(e, to),
        true => {
            e.dialled_port(to);
        }
    };
    let service = |e: &mut Expressions<'_>, register: u32| {
        e.meta(Meta::Protocol, Register(register));
        port(e, Register(register + 1));
    };
    for found in matches {
        match found {
            Match::Family(family) => only(e, *family),
            Match::Peer(set) => {
                let SetId(position) = set;
                if let Set::Addresses(addresses) = &sets[*position] {
                    load_peer(e, direction, addresses.family());
                }
                e.lookup(&set.to_string(), FIRST);
            }
            Match::Protocol(protocol) => {
                e.meta(Meta::Protocol, FIRST).compare(FIRST, Compare::Equal, &[protocol.number()]);
            }
            Match::Port(protocol, first, last) => {
                e.meta(Meta::Protocol, FIRST).compare(FIRST, Compare::Equal, &[protocol.number()]);
                port(e, FIRST);
                if first == last {
                    e.compare(FIRST, Compare::Equal, &first.to_be_bytes());
                } else {
                    e.range(FIRST, &first.to_be_bytes(), &last.to_be_bytes());
                }
            }
            Match::Service(set) => {
                service(e, 0);
                e.lookup(&set.to_string(), FIRST);
            }
            Match::Socket(set) => {
                let SetId(position) = set;
                if let Set::Sockets(family, _) = &sets[*position] {
                    let registers = load_peer(e, direction, *family);
                    service(e, registers);
                }
                e.lookup(&set.to_string(), FIRST);
            }
        }
    }
}

/// Writes the end of a chain.
pub(super) fn deny(e: &mut Expressions<'_>, chain: &Chain) {
    drop_with(e, chain.log.as_ref());
}

fn drop_with(e: &mut Expressions<'_>, log: Option<&LogText>) {
    if let Some(log) = log {
        e.log(drop_log::GROUP, &log.prefix);
    }
    e.verdict(Verdict::Drop);
}

/// Goes on for packets of this family.
fn only(e: &mut Expressions<'_>, family: Family) {
    e.meta(Meta::Family, FIRST).compare(FIRST, Compare::Equal, &[family_number(family)]);
}

/// The netfilter family (`NFPROTO_IPV4`, `NFPROTO_IPV6`).
pub(super) const fn family_number(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    }
}

/// Loads a packet's destination: address, protocol and port, as [`with_service`] has them.
pub(super) fn load_destination(e: &mut Expressions<'_>, family: Family) {
    let registers = load_peer(e, Direction::Egress, family);
    load_service(e, registers);
}

/// Loads a packet's source address, and behind it the destination's.
pub(super) fn load_ends(e: &mut Expressions<'_>, family: Family) {
    only(e, family);
    // One behind the other in the header, too.
    let (offset, length) = match family {
        Family::Ipv4 => (12, 8),
        Family::Ipv6 => (8, 32),
    };
    e.payload(Base::Network, offset, length, FIRST);
}

/// Loads the address of the end that is not the isolated pod; says how many registers it
/// took. The offsets are those of RFC 791 and RFC 8200.
pub(super) fn load_peer(e: &mut Expressions<'_>, direction: Direction, family: Family) -> u32 {
    only(e, family);
    let (offset, length) = match (family, direction) {
        (Family::Ipv4, Direction::Ingress) => (12, 4),
        (Family::Ipv4, Direction::Egress) => (16, 4),
        (Family::Ipv6, Direction::Ingress) => (8, 16),
        (Family::Ipv6, Direction::Egress) => (24, 16),
    };
    e.payload(Base::Network, offset, length, FIRST);
    length / 4
}

/// Loads protocol and destination port into this register and the next. TCP, UDP and SCTP
/// all have the port at the same place.
fn load_service(e: &mut Expressions<'_>, register: u32) {
    e.meta(Meta::Protocol, Register(register));
    load_port(e, Register(register + 1));
}

fn load_port(e: &mut Expressions<'_>, to: Register) {
    e.payload(Base::Transport, 2, 2, to);
}

/// A rule about a packet's connection, before any chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Accepts packets of known connections.
    Accept,
    /// Gives new connections a number.
    Number(u32),
    /// Accepts packets of known connections of this number.
    AcceptNumbered(u32),
    /// Drops packets of known connections.
    Drop,
}

impl Known {
    /// The rules that there are.
    pub(super) fn rules(handling: &Handling) -> Vec<Self> {
        match handling.cut {
            _ if handling.replies => Vec::new(),
            None => vec![Self::Accept],
            Some(number) => vec![Self::Number(number), Self::AcceptNumbered(number), Self::Drop],
        }
    }

    /// Writes the rule.
    pub(super) fn write(self, e: &mut Expressions<'_>) {
        match self {
            Self::Accept => e.known_connection().verdict(Verdict::Accept),
            Self::Number(number) => e.new_connection().number(number),
            Self::AcceptNumbered(number) => {
                e.known_connection().numbered(number).verdict(Verdict::Accept)
            }
            Self::Drop => e.known_connection().verdict(Verdict::Drop),
        };
    }
}
