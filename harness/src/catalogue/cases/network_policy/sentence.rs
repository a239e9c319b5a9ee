//! A case in one sentence.

use crate::catalogue::axis::{Change, Path, Peer, Port, Rules, Stacking, Target, Types};
use crate::catalogue::feature::Combination;
use crate::model::{Direction, Family, Via};

/// What a case of this combination shows.
pub(super) fn sentence(combination: &Combination) -> String {
    let Combination { direction, rules, family, via, types, path, .. } = *combination;
    let ingress = direction == Direction::Ingress;
    let mut parts = vec![target(combination.target).to_owned()];
    parts.push(if ingress { "accept" } else { "send" }.to_owned());
    parts.push(match rules {
        Rules::Absent => "nothing, since there is no list of rules".to_owned(),
        Rules::EmptyList => "nothing, since the list of rules is empty".to_owned(),
        Rules::EmptyRule => "everything, since the rule is empty".to_owned(),
        Rules::One | Rules::Several => {
            let port = port(combination.port, &combination.protocol.to_string());
            let peer = peer(combination.peer);
            format!("{port} {} {peer}", if ingress { "from" } else { "to" })
        }
    });
    if rules == Rules::Several {
        parts.push("by the second of three rules".to_owned());
    }
    if via == Via::Service {
        parts.push("by way of a Service".to_owned());
    }
    parts.push(
        match path {
            Path::OtherNode => "between two nodes",
            Path::SameNode => "within a node",
            Path::Outside => "across the cluster's edge",
        }
        .to_owned(),
    );
    if family == Family::Ipv6 {
        parts.push("over IPv6".to_owned());
    }
    let mut text = parts.join(" ");
    let asides = [self::types(types), stacking(combination.stacking), change(combination.change)];
    for aside in asides.into_iter().flatten() {
        text.push_str(", ");
        text.push_str(aside);
    }
    text.push('.');
    text
}

const fn target(target: Target) -> &'static str {
    match target {
        Target::Labels => "Pods selected by a label",
        Target::Every => "All pods of a namespace",
        Target::In => "Pods selected by `In`",
        Target::NotIn => "Pods selected by `NotIn`, without the key,",
        Target::Exists => "Pods selected by `Exists`",
        Target::DoesNotExist => "Pods selected by `DoesNotExist`",
    }
}

fn port(port: Port, protocol: &str) -> String {
    match port {
        Port::Number => format!("{protocol} on one port"),
        Port::Absent => format!("any port (here {protocol}), since none is named,"),
        Port::EmptyList => format!("any port (here {protocol}), since the list of ports is empty,"),
        Port::NoProtocol => "TCP on one port, since no protocol is named,".to_owned(),
        Port::Name => format!("{protocol} on a port by its name"),
        Port::Range => format!("{protocol} on the last port of a range"),
        Port::RangeOfOne => format!("{protocol} on a range of one port"),
        Port::ProtocolOnly => format!("{protocol} on any port"),
        Port::EmptyEntry => "TCP on any port, since the entry is empty,".to_owned(),
        Port::Several => format!("{protocol} on the second of two ports"),
    }
}

const fn peer(peer: Peer) -> &'static str {
    match peer {
        Peer::PodLabels => "pods of their namespace with a label",
        Peer::Absent => "anybody, since no peer is named",
        Peer::EmptyList => "anybody, since the list of peers is empty",
        Peer::EveryPod => "every pod of their namespace",
        Peer::PodIn => "pods of their namespace by `In`",
        Peer::PodNotIn => "pods of their namespace by `NotIn`, without the key",
        Peer::PodExists => "pods of their namespace by `Exists`",
        Peer::PodDoesNotExist => "pods of their namespace by `DoesNotExist`",
        Peer::PodLabelsAndExpressions => "pods of their namespace by a label and an expression",
        Peer::NamespaceLabels => "namespaces with a label",
        Peer::NamespaceName => "a namespace by its name",
        Peer::EveryNamespace => "every pod of every namespace",
        Peer::NamespaceIn => "namespaces by `In`",
        Peer::NamespaceNotIn => "namespaces by `NotIn`, without the key",
        Peer::NamespaceExists => "namespaces by `Exists`",
        Peer::NamespaceDoesNotExist => "namespaces by `DoesNotExist`",
        Peer::NamespaceAndPod => "pods with a label in namespaces with a label",
        Peer::NamespaceOrPod => "namespaces with a label or pods with a label",
        Peer::PodInEveryNamespace => "pods with a label in every namespace",
        Peer::Address => "one address",
        Peer::Range => "a range of addresses",
        Peer::Except => "a range of addresses with an exception",
        Peer::NestedExcept => "a range of addresses within another's exception",
        Peer::EveryAddress => "every address",
        Peer::RangeOfEachFamily => "a range of addresses of each family",
        Peer::RangeOrPod => "a range of addresses or pods with a label",
    }
}

const fn types(types: Types) -> Option<&'static str> {
    match types {
        Types::Written => None,
        Types::Absent => Some("with `policyTypes` left to the default"),
        Types::EmptyList => Some("with an empty `policyTypes`, left to the default"),
        Types::Both => Some("with both directions isolated"),
    }
}

const fn stacking(stacking: Stacking) -> Option<&'static str> {
    match stacking {
        Stacking::Alone => None,
        Stacking::Deny => Some("beside a policy that allows nothing"),
        Stacking::OtherRule => Some("beside a policy that allows another peer another port"),
        Stacking::OtherNamespace => Some("beside a policy of the same name in another namespace"),
        Stacking::OtherDirection => Some("while their other direction is shut"),
    }
}

const fn change(change: Change) -> Option<&'static str> {
    match change {
        Change::Create => None,
        Change::Replace => Some("once the policy has replaced another of its name"),
        Change::Delete => Some("once a policy that allowed everything is deleted"),
        Change::Twice => Some("also when the policy is applied again"),
        Change::RelabelPeer => Some("once the peer has its labels"),
        Change::RelabelTarget => Some("once the target has its labels"),
        Change::RelabelNamespace => Some("once the peer's namespace has its labels"),
        Change::AddPeer => Some("once the peer is there"),
        Change::AddTarget => Some("also where the target comes after the policy"),
        Change::AddNamespace => Some("once the peer's namespace is there"),
        Change::ReturnPeer => Some("also when the peer comes back with another address"),
        Change::ReturnTarget => Some("also when the target comes back with another address"),
    }
}
