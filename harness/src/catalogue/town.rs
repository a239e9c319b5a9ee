//! Who lives in a case's topology: three namespaces, seven pods, hosts outside.
//!
//! Pods wear two families of labels, one by which peers are selected and one by which
//! targets are, so that a case can exchange one of them and leave the other.

use crate::model::{Direction, Endpoint, Family, Protocol};

/// The policy's own namespace.
pub(super) const OWN: &str = "x";

/// The namespace of the peer, where it is not the policy's own.
pub(super) const NEXT: &str = "y";

/// A namespace that is neither.
pub(super) const THIRD: &str = "z";

/// The namespaces, with their labels.
pub(super) const NAMESPACES: [(&str, &[(&str, &str)]); 3] = [
    (OWN, &[("team", "red"), ("zone", "north")]),
    (NEXT, &[("team", "blue"), ("audited", "soc2")]),
    (THIRD, &[("team", "green"), ("zone", "south")]),
];

/// The labels by which pods of these names are selected as peers.
pub(super) const PEER_LABELS: [(&str, &[(&str, &str)]); 3] = [
    ("a", &[("app", "a"), ("kind", "server"), ("tier", "front")]),
    ("b", &[("app", "b"), ("kind", "client"), ("edge", "public")]),
    ("c", &[("app", "c"), ("kind", "client"), ("tier", "back")]),
];

/// The labels by which pods of these names are selected as targets.
pub(super) const TARGET_LABELS: [(&str, &[(&str, &str)]); 3] = [
    ("a", &[("role", "server"), ("core", "main")]),
    ("b", &[("role", "proxy"), ("side", "left")]),
    ("c", &[("role", "cache"), ("side", "right")]),
];

/// A pod's namespace and name.
pub(super) type Place = (&'static str, &'static str);

/// The pod whose policy is tested.
pub(super) const TARGET: Place = (OWN, "a");

/// Every pod, with the node it runs on; the target's is the case's to choose.
pub(super) const PODS: [(Place, &str); 7] = [
    (TARGET, ""),
    ((OWN, "b"), "node-2"),
    ((OWN, "c"), "node-1"),
    ((NEXT, "a"), "node-2"),
    ((NEXT, "b"), "node-1"),
    ((NEXT, "c"), "node-2"),
    ((THIRD, "b"), "node-2"),
];

/// A port that something listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) number: u16,
    pub(super) protocol: Protocol,
    /// Whether its name is [`PORT_NAME`].
    pub(super) named: bool,
}

/// The name that stands for 80 here and for 81 there.
pub(super) const PORT_NAME: &str = "web";

/// The protocol that is tried beside the tested one.
pub(super) const fn beside(protocol: Protocol) -> Protocol {
    match protocol {
        Protocol::Tcp => Protocol::Udp,
        Protocol::Udp | Protocol::Sctp => Protocol::Tcp,
    }
}

/// The ports of a pod: many where the deciding cell may end, one where a neighbour's fate
/// shows, none where nothing is to be learnt.
pub(super) fn ports(direction: Direction, protocol: Protocol, place: Place) -> Vec<Listener> {
    let at = |number, named| Listener { number, protocol, named };
    let other = Listener { number: 80, protocol: beside(protocol), named: false };
    match (direction, place) {
        (Direction::Ingress, TARGET) | (Direction::Egress, (OWN, "b")) => {
            vec![at(80, true), at(81, false), other]
        }
        (Direction::Ingress, (OWN, "b")) => vec![at(80, false), at(81, true)],
        (Direction::Ingress, (OWN, "c") | (NEXT, "a"))
        | (Direction::Egress, TARGET | (OWN | NEXT, "c")) => vec![at(80, false)],
        (Direction::Egress, (NEXT, "b")) => vec![at(80, false), at(81, true), other],
        (Direction::Egress, (THIRD, "b")) => vec![at(80, false), at(81, false), other],
        _ => Vec::new(),
    }
}

/// The ports of a node, none of which its system needs.
pub(super) fn node_ports(protocol: Protocol) -> Vec<Listener> {
    let at = |number, protocol| Listener { number, protocol, named: false };
    vec![at(NODE_PORT, protocol), at(NODE_PORT + 1, protocol), at(NODE_PORT, beside(protocol))]
}

/// The port of a node that has the part of 80.
pub(super) const NODE_PORT: u16 = 18_080;

/// A host outside the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    /// In the range, and in none of its exceptions.
    Inside,
    /// In the range's exception.
    Hole,
    /// In a small range within the exception.
    Pinhole,
    /// In none of the ranges.
    Outside,
}

impl Host {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Hole => "hole",
            Self::Pinhole => "pinhole",
            Self::Outside => "outside",
        }
    }

    /// Its addresses, of documentation ranges (RFC 5737, RFC 3849).
    pub(super) const fn addresses(self) -> [&'static str; 2] {
        match self {
            Self::Inside => ["203.0.113.10", "2001:db8:1::10"],
            Self::Hole => ["203.0.113.70", "2001:db8:1:0:ff::70"],
            Self::Pinhole => ["203.0.113.81", "2001:db8:1:0:ff::81"],
            Self::Outside => ["198.51.100.10", "2001:db8:2::10"],
        }
    }

    /// As the end of a cell.
    pub(super) fn end(self) -> Endpoint {
        Endpoint::External(self.name().into())
    }

    /// Its ports.
    pub(super) fn ports(self, direction: Direction, protocol: Protocol) -> Vec<Listener> {
        if direction == Direction::Ingress {
            return Vec::new();
        }
        let at = |number, protocol| Listener { number, protocol, named: false };
        match self {
            Self::Inside | Self::Pinhole => {
                vec![at(80, protocol), at(81, protocol), at(80, beside(protocol))]
            }
            Self::Hole | Self::Outside => vec![at(80, protocol)],
        }
    }
}

/// The one address of [`Host::Inside`] as a range.
pub(super) const fn address(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "203.0.113.10/32",
        Family::Ipv6 => "2001:db8:1::10/128",
    }
}

/// The range of all hosts but [`Host::Outside`].
pub(super) const fn range(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "203.0.113.0/24",
        Family::Ipv6 => "2001:db8:1::/64",
    }
}

/// The range of [`Host::Hole`] and [`Host::Pinhole`].
pub(super) const fn hole(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "203.0.113.64/26",
        Family::Ipv6 => "2001:db8:1:0:ff::/80",
    }
}

/// The range of [`Host::Pinhole`].
pub(super) const fn pinhole(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "203.0.113.80/30",
        Family::Ipv6 => "2001:db8:1:0:ff::80/124",
    }
}

/// The range of every address.
pub(super) const fn everywhere(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "0.0.0.0/0",
        Family::Ipv6 => "::/0",
    }
}

/// The other address family.
pub(super) const fn other(family: Family) -> Family {
    match family {
        Family::Ipv4 => Family::Ipv6,
        Family::Ipv6 => Family::Ipv4,
    }
}
