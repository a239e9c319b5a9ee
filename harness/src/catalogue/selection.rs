//! What each kind of selector is written as, and whom it means: both by hand, side by side.

use serde_json::{Value, json};

use super::axis::{Peer, Target};
use super::town::{self, Host, NEXT, OWN, Place, THIRD};
use crate::model::Family;

/// Namespaces, by whose labels they wear.
#[derive(Debug, Clone, Copy)]
pub(super) enum Namespaces {
    /// The policy's own.
    Own,
    /// The one of this name.
    Named(&'static str),
    /// Those that wear the labels of these.
    Wearing(&'static [&'static str]),
    /// All.
    Every,
}

/// Pods, by whose labels they wear.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pods {
    /// All.
    Every,
    /// Those that wear the labels of these.
    Wearing(&'static [&'static str]),
}

/// One entry of `from` or `to`.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// As it is written.
    pub(super) written: Value,
    /// Whom it means.
    pub(super) meant: Meant,
}

/// Whom an entry means.
#[derive(Debug, Clone)]
pub(super) enum Meant {
    /// Pods.
    Pods(Namespaces, Pods),
    /// Hosts, by their addresses of a family.
    Hosts(Family, &'static [Host]),
    /// Everything that has an address of a family. Of pods the API leaves it open.
    Everywhere(Family),
}

/// `spec.podSelector` as it is written, and the pods of the policy's namespace that it means.
pub(super) fn target(target: Target) -> (Value, Pods) {
    match target {
        Target::Labels => (labels("role", "server"), Pods::Wearing(&["a"])),
        Target::Every => (json!({}), Pods::Every),
        Target::In => (expression("role", "In", &["server", "cache"]), Pods::Wearing(&["a", "c"])),
        // `a` has no label of the key.
        Target::NotIn => (expression("side", "NotIn", &["left"]), Pods::Wearing(&["a", "c"])),
        Target::Exists => (expression("core", "Exists", &[]), Pods::Wearing(&["a"])),
        Target::DoesNotExist => (expression("side", "DoesNotExist", &[]), Pods::Wearing(&["a"])),
    }
}

/// `from` or `to`, and whom it means; `None` where it is absent.
pub(super) fn entries(peer: Peer, family: Family) -> Option<Vec<Entry>> {
    const B: Pods = Pods::Wearing(&["b"]);
    const BLUE: Namespaces = Namespaces::Wearing(&[NEXT]);
    let blue = || labels("team", "blue");
    let entries = match peer {
        Peer::Absent => return None,
        Peer::EmptyList => Vec::new(),
        Peer::PodLabels => vec![pods(labels("app", "b"), B)],
        Peer::EveryPod => vec![pods(json!({}), Pods::Every)],
        Peer::PodIn => {
            vec![pods(expression("app", "In", &["a", "b"]), Pods::Wearing(&["a", "b"]))]
        }
        // `b` has no label of the key.
        Peer::PodNotIn => {
            vec![pods(expression("tier", "NotIn", &["back"]), Pods::Wearing(&["a", "b"]))]
        }
        Peer::PodExists => vec![pods(expression("edge", "Exists", &[]), B)],
        Peer::PodDoesNotExist => vec![pods(expression("tier", "DoesNotExist", &[]), B)],
        Peer::PodLabelsAndExpressions => {
            let mut selector = expression("tier", "DoesNotExist", &[]);
            selector["matchLabels"] = json!({ "kind": "client" });
            vec![pods(selector, B)]
        }
        Peer::NamespaceLabels => vec![namespaces(blue(), BLUE)],
        Peer::NamespaceName => vec![namespaces(
            labels(crate::model::NAMESPACE_NAME_LABEL, NEXT),
            Namespaces::Named(NEXT),
        )],
        Peer::EveryNamespace => vec![namespaces(json!({}), Namespaces::Every)],
        Peer::NamespaceIn => vec![namespaces(
            expression("team", "In", &["blue", "green"]),
            Namespaces::Wearing(&[NEXT, THIRD]),
        )],
        // `y` has no label of the key.
        Peer::NamespaceNotIn => vec![namespaces(
            expression("zone", "NotIn", &["north"]),
            Namespaces::Wearing(&[NEXT, THIRD]),
        )],
        Peer::NamespaceExists => vec![namespaces(expression("audited", "Exists", &[]), BLUE)],
        Peer::NamespaceDoesNotExist => {
            vec![namespaces(expression("zone", "DoesNotExist", &[]), BLUE)]
        }
        Peer::NamespaceAndPod => vec![both(blue(), BLUE, labels("app", "b"), B)],
        Peer::NamespaceOrPod => vec![namespaces(blue(), BLUE), pods(labels("app", "b"), B)],
        Peer::PodInEveryNamespace => {
            vec![both(json!({}), Namespaces::Every, labels("app", "b"), B)]
        }
        Peer::Address => vec![block(town::address(family), &[], family, &[Host::Inside])],
        Peer::Range => vec![range(family)],
        Peer::Except => vec![with_hole(family)],
        Peer::NestedExcept => {
            vec![with_hole(family), block(town::pinhole(family), &[], family, &[Host::Pinhole])]
        }
        Peer::EveryAddress => vec![Entry {
            written: json!({ "ipBlock": { "cidr": town::everywhere(family) } }),
            meant: Meant::Everywhere(family),
        }],
        Peer::RangeOfEachFamily => vec![range(Family::Ipv4), range(Family::Ipv6)],
        Peer::RangeOrPod => vec![range(family), pods(labels("app", "b"), B)],
    };
    Some(entries)
}

/// The entry for `z/b`, a peer that is never the tested one.
pub(super) fn third() -> Entry {
    let wearing = Namespaces::Wearing(&[THIRD]);
    both(labels("team", "green"), wearing, labels("app", "b"), Pods::Wearing(&["b"]))
}

impl Peer {
    /// The end that the tested rule is to let in or out.
    pub(super) fn deciding(self) -> End {
        match self {
            Self::NestedExcept => End::Host(Host::Pinhole),
            Self::EveryAddress => End::Host(Host::Outside),
            _ if self.is_outside() => End::Host(Host::Inside),
            _ if self.is_own_namespace() => End::Pod((OWN, "b")),
            _ => End::Pod((NEXT, "b")),
        }
    }

    /// Ends that are nearly meant, the nearest first: they are kept out by the peers alone.
    pub(super) const fn near_misses(self) -> &'static [End] {
        const OWN_B: End = End::Pod((OWN, "b"));
        const OWN_C: End = End::Pod((OWN, "c"));
        const NEXT_B: End = End::Pod((NEXT, "b"));
        const NEXT_C: End = End::Pod((NEXT, "c"));
        const THIRD_B: End = End::Pod((THIRD, "b"));
        match self {
            Self::Absent | Self::EmptyList | Self::EveryAddress => &[],
            Self::PodLabels
            | Self::PodIn
            | Self::PodNotIn
            | Self::PodExists
            | Self::PodDoesNotExist
            | Self::PodLabelsAndExpressions => &[OWN_C, NEXT_B],
            Self::EveryPod => &[NEXT_B, THIRD_B],
            Self::NamespaceLabels
            | Self::NamespaceName
            | Self::NamespaceExists
            | Self::NamespaceDoesNotExist => &[THIRD_B, OWN_B],
            Self::EveryNamespace | Self::Range | Self::RangeOfEachFamily => {
                &[End::Host(Host::Outside)]
            }
            Self::NamespaceIn | Self::NamespaceNotIn => &[OWN_B, OWN_C],
            Self::NamespaceAndPod => &[NEXT_C, THIRD_B, OWN_B],
            Self::NamespaceOrPod => &[THIRD_B, OWN_C],
            Self::PodInEveryNamespace => &[NEXT_C, OWN_C],
            Self::Address | Self::Except | Self::NestedExcept => &[End::Host(Host::Hole)],
            Self::RangeOrPod => &[End::Host(Host::Outside), OWN_C],
        }
    }

    /// The hosts outside that a case with this peer has.
    pub(super) const fn hosts(self) -> &'static [Host] {
        match self {
            Self::Absent | Self::EmptyList | Self::EveryNamespace | Self::EveryAddress => {
                &[Host::Outside]
            }
            Self::Address | Self::Except => &[Host::Inside, Host::Hole],
            Self::Range | Self::RangeOfEachFamily | Self::RangeOrPod => {
                &[Host::Inside, Host::Outside]
            }
            Self::NestedExcept => &[Host::Inside, Host::Hole, Host::Pinhole],
            _ => &[],
        }
    }
}

/// One end of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Pod(Place),
    Host(Host),
    Node(&'static str),
}

/// The selector of the pods that wear the target's labels.
pub(super) fn like_target() -> (Value, Pods) {
    target(Target::Labels)
}

/// A selector by one label.
pub(super) fn labels(key: &str, value: &str) -> Value {
    json!({ "matchLabels": { key: value } })
}

/// A selector by one expression.
pub(super) fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    let mut expression = json!({ "key": key, "operator": operator });
    if !values.is_empty() {
        expression["values"] = json!(values);
    }
    json!({ "matchExpressions": [expression] })
}

fn pods(selector: Value, pods: Pods) -> Entry {
    Entry { written: json!({ "podSelector": selector }), meant: Meant::Pods(Namespaces::Own, pods) }
}

fn namespaces(selector: Value, namespaces: Namespaces) -> Entry {
    Entry {
        written: json!({ "namespaceSelector": selector }),
        meant: Meant::Pods(namespaces, Pods::Every),
    }
}

fn both(namespace: Value, namespaces: Namespaces, pod: Value, pods: Pods) -> Entry {
    Entry {
        written: json!({ "namespaceSelector": namespace, "podSelector": pod }),
        meant: Meant::Pods(namespaces, pods),
    }
}

fn range(family: Family) -> Entry {
    const WITHIN: &[Host] = &[Host::Inside, Host::Hole, Host::Pinhole];
    block(town::range(family), &[], family, WITHIN)
}

fn with_hole(family: Family) -> Entry {
    block(town::range(family), &[town::hole(family)], family, &[Host::Inside])
}

fn block(cidr: &str, except: &[&str], family: Family, hosts: &'static [Host]) -> Entry {
    let mut block = json!({ "cidr": cidr });
    if !except.is_empty() {
        block["except"] = json!(except);
    }
    Entry { written: json!({ "ipBlock": block }), meant: Meant::Hosts(family, hosts) }
}
