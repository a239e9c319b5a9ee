//! What each kind of subject and peer is written as, and whom it means: both by hand, side by
//! side.

use serde_json::{Value, json};

use super::axis::{Peer, Subject};
use crate::catalogue::selection::{End, Namespaces, Pods, expression, labels};
use crate::catalogue::town::{self, Host, NEXT, OWN, THIRD};
use crate::model::{Direction, Family, HOSTNAME_LABEL};

/// The node that the tested rule is about. Of the way to the target's own node, `node-1`, the
/// API leaves too much open.
pub(in crate::catalogue) const NODES: [&str; 1] = ["node-2"];

/// A subject as it is written, and the pods that it means, by the labels that they wear.
#[derive(Debug, Clone)]
pub(in crate::catalogue) struct Subjects {
    pub(in crate::catalogue) written: Value,
    pub(in crate::catalogue) namespaces: Namespaces,
    pub(in crate::catalogue) pods: Pods,
}

/// One entry of `from` or `to`.
#[derive(Debug, Clone)]
pub(in crate::catalogue) struct Entry {
    pub(in crate::catalogue) written: Value,
    pub(in crate::catalogue) meant: Meant,
}

/// Whom an entry means.
#[derive(Debug, Clone, Copy)]
pub(in crate::catalogue) enum Meant {
    /// Pods, by the labels that they wear.
    Pods(Namespaces, Pods),
    /// Hosts, by their addresses of a family.
    Hosts(Family, &'static [Host]),
    /// Everything that has an address of a family: pods, nodes, hosts.
    Everywhere(Family),
    /// Nodes.
    Nodes(&'static [&'static str]),
}

const RED: Namespaces = Namespaces::Wearing(&[OWN]);
const BLUE: Namespaces = Namespaces::Wearing(&[NEXT]);
const A: Pods = Pods::Wearing(&["a"]);
const B: Pods = Pods::Wearing(&["b"]);

/// `pods`, with a selector of namespaces or without.
fn pods(namespaces: Option<Value>, pods: Value) -> Value {
    let mut selectors = json!({ "podSelector": pods });
    if let Some(namespaces) = namespaces {
        selectors["namespaceSelector"] = namespaces;
    }
    json!({ "pods": selectors })
}

/// `spec.subject`.
pub(in crate::catalogue) fn subjects(subject: Subject) -> Subjects {
    let red = || labels("team", "red");
    let servers = || labels("role", "server");
    let (written, namespaces, pods) = match subject {
        Subject::Pods => (pods(Some(red()), servers()), RED, A),
        Subject::PodsEverywhere => (pods(Some(json!({})), servers()), Namespaces::Every, A),
        Subject::SelectorAbsent => (pods(None, servers()), Namespaces::Every, A),
        Subject::Namespaces => (json!({ "namespaces": red() }), RED, Pods::Every),
        // `x` has no label of the key.
        Subject::NamespacesNotIn => (
            json!({ "namespaces": expression("audited", "NotIn", &["soc2"]) }),
            Namespaces::Wearing(&[OWN, THIRD]),
            Pods::Every,
        ),
        Subject::EveryNamespace => (json!({ "namespaces": {} }), Namespaces::Every, Pods::Every),
    };
    Subjects { written, namespaces, pods }
}

/// The subject of what a policy replaces: the pods that wear the labels of `x/b`.
pub(in crate::catalogue) fn another_subject() -> Subjects {
    let written = pods(Some(labels("team", "red")), labels("role", "proxy"));
    Subjects { written, namespaces: RED, pods: B }
}

/// `from` or `to`.
pub(in crate::catalogue) fn entries(peer: Peer, family: Family) -> Vec<Entry> {
    let blue = || labels("team", "blue");
    let b = || labels("app", "b");
    let of = |written, namespaces, pods| Entry { written, meant: Meant::Pods(namespaces, pods) };
    match peer {
        Peer::Pods => vec![of(pods(Some(blue()), b()), BLUE, B)],
        Peer::PodsEverywhere => vec![of(pods(Some(json!({})), b()), Namespaces::Every, B)],
        Peer::SelectorAbsent => vec![of(pods(None, b()), Namespaces::Every, B)],
        Peer::PodsDoNotExist => {
            vec![of(pods(Some(blue()), expression("tier", "DoesNotExist", &[])), BLUE, B)]
        }
        Peer::Namespaces => vec![of(json!({ "namespaces": blue() }), BLUE, Pods::Every)],
        // `y` has no label of the key.
        Peer::NamespacesNotIn => vec![of(
            json!({ "namespaces": expression("zone", "NotIn", &["north"]) }),
            Namespaces::Wearing(&[NEXT, THIRD]),
            Pods::Every,
        )],
        Peer::EveryNamespace => vec![every_pod()],
        Peer::Several => {
            vec![third(), of(json!({ "namespaces": blue() }), BLUE, Pods::Every)]
        }
        Peer::Network => vec![range(family)],
        Peer::NetworkOfEachFamily => vec![range(Family::Ipv4), range(Family::Ipv6)],
        Peer::EveryAddress => vec![everywhere(family)],
        Peer::NetworkOrPods => vec![third(), range(family)],
        Peer::Node => {
            let written = json!({ "nodes": labels(HOSTNAME_LABEL, NODES[0]) });
            vec![Entry { written, meant: Meant::Nodes(&NODES) }]
        }
        Peer::EveryNode => {
            vec![Entry { written: json!({ "nodes": {} }), meant: Meant::Nodes(&NODES) }]
        }
    }
}

/// The entry for `z/b`, a peer that is never the tested one.
pub(in crate::catalogue) fn third() -> Entry {
    let wearing = Namespaces::Wearing(&[THIRD]);
    let written = pods(Some(labels("team", "green")), labels("app", "b"));
    Entry { written, meant: Meant::Pods(wearing, B) }
}

/// Entries for everybody that a rule of a direction can name.
pub(in crate::catalogue) fn everybody(direction: Direction) -> Vec<Entry> {
    let mut everybody = vec![every_pod()];
    if direction == Direction::Egress {
        everybody.extend(Family::ALL.map(everywhere));
    }
    everybody
}

fn every_pod() -> Entry {
    let written = json!({ "namespaces": {} });
    Entry { written, meant: Meant::Pods(Namespaces::Every, Pods::Every) }
}

fn network(cidr: &str, family: Family, hosts: &'static [Host]) -> Entry {
    Entry { written: json!({ "networks": [cidr] }), meant: Meant::Hosts(family, hosts) }
}

fn range(family: Family) -> Entry {
    network(town::range(family), family, &[Host::Inside])
}

fn everywhere(family: Family) -> Entry {
    let written = json!({ "networks": [town::everywhere(family)] });
    Entry { written, meant: Meant::Everywhere(family) }
}

impl Peer {
    /// The end that the tested rule is about.
    pub(in crate::catalogue) const fn deciding(self) -> End {
        if self.is_outside() {
            End::Host(Host::Inside)
        } else if self.is_node() {
            End::Node(NODES[0])
        } else {
            End::Pod((NEXT, "b"))
        }
    }

    /// Ends that are nearly meant, the nearest first: they are left out by the peers alone.
    pub(in crate::catalogue) const fn near_misses(self) -> &'static [End] {
        const OWN_B: End = End::Pod((OWN, "b"));
        const OWN_C: End = End::Pod((OWN, "c"));
        const NEXT_B: End = End::Pod((NEXT, "b"));
        const NEXT_C: End = End::Pod((NEXT, "c"));
        const THIRD_B: End = End::Pod((THIRD, "b"));
        const OUTSIDE: End = End::Host(Host::Outside);
        match self {
            Self::Pods | Self::PodsDoNotExist => &[NEXT_C, THIRD_B, OWN_B],
            Self::PodsEverywhere | Self::SelectorAbsent => &[NEXT_C, OWN_C],
            Self::Namespaces => &[THIRD_B, OWN_B],
            Self::NamespacesNotIn => &[OWN_B, OWN_C],
            Self::EveryNamespace => &[OUTSIDE],
            Self::Several => &[OWN_B, OWN_C],
            Self::Network | Self::NetworkOfEachFamily => &[OUTSIDE, NEXT_B],
            Self::EveryAddress => &[],
            Self::NetworkOrPods => &[OUTSIDE, NEXT_B],
            // `x/b` runs on the node.
            Self::Node | Self::EveryNode => &[OWN_B, NEXT_B],
        }
    }

    /// The hosts outside that a case with this peer has.
    pub(in crate::catalogue) const fn hosts(self) -> &'static [Host] {
        match self {
            Self::EveryNamespace | Self::EveryAddress => &[Host::Outside],
            Self::Network | Self::NetworkOfEachFamily | Self::NetworkOrPods => {
                &[Host::Inside, Host::Outside]
            }
            _ => &[],
        }
    }
}
