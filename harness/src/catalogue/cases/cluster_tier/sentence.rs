//! A case of the cluster tier in one sentence.

use crate::catalogue::axis::Path;
use crate::catalogue::cluster_tier::{
    Action, Api, Beside, Change, Combination, Peer, Port, Subject, Tier,
};
use crate::model::{Direction, Family};

/// What a case of this combination shows.
pub(super) fn sentence(combination: &Combination) -> String {
    let Combination { direction, api, tier, action, family, path, .. } = *combination;
    let ingress = direction == Direction::Ingress;
    let kind = match (api, tier) {
        (Api::V1alpha1, Tier::Admin) => "An AdminNetworkPolicy",
        (Api::V1alpha1, Tier::Baseline) => "The BaselineAdminNetworkPolicy",
        (Api::V1alpha2 | Api::V1beta1, Tier::Admin) => "A ClusterNetworkPolicy of the Admin tier",
        (Api::V1alpha2 | Api::V1beta1, Tier::Baseline) => {
            "A ClusterNetworkPolicy of the Baseline tier"
        }
    };
    let verb = match action {
        Action::Deny => "denies",
        Action::Accept => "accepts",
        Action::Pass => "hands on",
    };
    let port = port(combination.port, &combination.protocol.to_string());
    let (subject, peer) = (subject(combination.subject), peer(combination.peer));
    let ends = if ingress {
        format!("from {peer} to {subject}")
    } else {
        format!("from {subject} to {peer}")
    };
    let mut text = format!("{kind} {verb} {port} {ends}");
    text.push_str(match path {
        Path::OtherNode => " between two nodes",
        Path::SameNode => " within a node",
        Path::Outside => " across the cluster's edge",
    });
    if family == Family::Ipv6 {
        text.push_str(" over IPv6");
    }
    for aside in [beside(combination.beside), change(combination.change)].into_iter().flatten() {
        text.push_str(", ");
        text.push_str(aside);
    }
    text.push('.');
    text
}

const fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Pods => "pods with a label in namespaces with a label",
        Subject::PodsEverywhere => "pods with a label in every namespace",
        Subject::SelectorAbsent => "pods with a label wherever they are",
        Subject::Namespaces => "namespaces with a label",
        Subject::NamespacesNotIn => "namespaces by `NotIn` without the key",
        Subject::EveryNamespace => "every pod",
    }
}

const fn peer(peer: Peer) -> &'static str {
    match peer {
        Peer::Pods => "other pods with a label in namespaces with a label",
        Peer::PodsEverywhere => "other pods with a label in every namespace",
        Peer::SelectorAbsent => "other pods with a label wherever they are",
        Peer::PodsDoNotExist => "pods without a label in namespaces with a label",
        Peer::Namespaces => "other namespaces with a label",
        Peer::NamespacesNotIn => "namespaces by `NotIn` with another value and without the key",
        Peer::EveryNamespace => "every pod of every namespace",
        Peer::Several => "pods with a label or namespaces with a label",
        Peer::Network => "a range of addresses",
        Peer::NetworkOfEachFamily => "a range of addresses of each family",
        Peer::EveryAddress => "every address and so every pod",
        Peer::NetworkOrPods => "pods with a label or a range of addresses",
        Peer::Node => "a node by its label",
        Peer::EveryNode => "every node",
    }
}

fn port(port: Port, protocol: &str) -> String {
    match port {
        Port::Number => format!("{protocol} on one port"),
        Port::Absent => format!("any port (here {protocol}), since none is named,"),
        Port::NoProtocol => "TCP on one port, since no protocol is named,".to_owned(),
        Port::Name => format!("{protocol} on a port by its name"),
        Port::Range => format!("{protocol} on the last port of a range"),
        Port::EveryPort => format!("{protocol} on any port"),
        Port::Several => format!("{protocol} on the second of two ports"),
    }
}

const fn beside(beside: Beside) -> Option<&'static str> {
    match beside {
        Beside::Alone => None,
        Beside::Rules => Some("by the second of three rules of which the last says otherwise"),
        Beside::PriorityBelow => Some("before a policy of lower precedence that says otherwise"),
        Beside::PriorityAbove => {
            Some("which does not show behind a policy of higher precedence that says otherwise")
        }
        Beside::NetworkPolicyAllows => Some("beside a NetworkPolicy that allows it"),
        Beside::NetworkPolicyDenies => Some("beside a NetworkPolicy that denies it"),
        Beside::OtherDirection => Some("beside a NetworkPolicy for the other direction"),
        Beside::OtherTierAccepts => Some("beside a policy of the other tier that accepts it"),
        Beside::OtherTierDenies => Some("beside a policy of the other tier that denies it"),
        Beside::OtherTierPasses => Some("beside a policy of the other tier that hands it on"),
    }
}

const fn change(change: Change) -> Option<&'static str> {
    match change {
        Change::Create => None,
        Change::Replace => Some("once the policy has replaced another of its name"),
        Change::Delete => Some("once a policy that came before all others is deleted"),
        Change::Twice => Some("also when the policy is applied again"),
        Change::Priority => Some("once the policy has its priority"),
        Change::RelabelPeer => Some("once the peer has its labels"),
        Change::RelabelSubject => Some("once the subject has its labels"),
        Change::RelabelNamespace => Some("once the namespaces have their labels"),
        Change::AddPeer => Some("once the peer is there"),
        Change::AddSubject => Some("also where the subject comes after the policy"),
    }
}
