//! How policies are misread: transformations of one policy, without a state.

use std::collections::HashSet;

use super::super::dataplane::affects;
use super::Fault;
use crate::model::{
    Direction, LabelSelector, NetworkPolicy, Operator, Peer, PolicyPort, PolicyType, Protocol,
    Requirement, Rule,
};

/// A policy as the dataplane reads it; `None` where it comes to mean nothing at all.
///
/// `policyTypes` is written out first: a fault that takes rules away must not change which
/// directions the policy is about.
pub(super) fn misread(faults: &[Fault], policy: &NetworkPolicy) -> Option<NetworkPolicy> {
    let mut read = policy.clone();
    let written = read.policy_types.as_ref().is_some_and(|types| !types.is_empty());
    let mut types = Vec::new();
    for (direction, named) in
        [(Direction::Ingress, PolicyType::Ingress), (Direction::Egress, PolicyType::Egress)]
    {
        if affects(policy, direction) {
            types.push(named);
        }
    }
    for fault in faults {
        match fault {
            Fault::PolicyTypesDefaultWrong if !written => types = vec![PolicyType::Ingress],
            Fault::IngressRulesUnderEgress
                if !none(&read.ingress) && !types.contains(&PolicyType::Ingress) =>
            {
                types.insert(0, PolicyType::Ingress);
            }
            Fault::IngressIgnored => types.retain(|of| *of != PolicyType::Ingress),
            Fault::EgressIgnored => types.retain(|of| *of != PolicyType::Egress),
            Fault::DefaultIsolationMissing => types.retain(|of| match of {
                PolicyType::Ingress => !none(&read.ingress),
                PolicyType::Egress => !none(&read.egress),
            }),
            _ => {}
        }
        selector(*fault, &mut read.pod_selector);
        for rules in [&mut read.ingress, &mut read.egress].into_iter().flatten() {
            misread_rules(*fault, rules);
        }
    }
    read.policy_types = Some(types);
    // An empty list would be one that is not specified.
    (read.policy_types.as_ref().is_some_and(|types| !types.is_empty())).then_some(read)
}

fn none(rules: &Option<Vec<Rule>>) -> bool {
    rules.as_ref().is_none_or(Vec::is_empty)
}

fn misread_rules(fault: Fault, rules: &mut Vec<Rule>) {
    match fault {
        Fault::EmptyPeersMatchNobody => {
            rules.retain(|rule| rule.peers.as_ref().is_none_or(|peers| !peers.is_empty()));
        }
        Fault::SameRangeRulesMerged => first_of_each_range(rules),
        _ => {}
    }
    for rule in rules {
        if let Some(peers) = &mut rule.peers {
            misread_peers(fault, peers);
        }
        misread_ports(fault, &mut rule.ports);
    }
}

/// A range is about the ports of the first rule that names it alone. A rule that is left
/// without a peer goes: with an empty list it would be about everybody.
fn first_of_each_range(rules: &mut Vec<Rule>) {
    let mut known = HashSet::new();
    rules.retain_mut(|rule| {
        let Some(peers) = &mut rule.peers else { return true };
        let named = peers.len();
        let mut own = HashSet::new();
        peers.retain(|peer| match peer {
            Peer::IpBlock { cidr, .. } => {
                own.insert(cidr.net);
                !known.contains(&cidr.net)
            }
            Peer::Pods { .. } => true,
        });
        known.extend(own);
        named == 0 || !peers.is_empty()
    });
}

fn misread_peers(fault: Fault, peers: &mut Vec<Peer>) {
    match fault {
        Fault::AndReadAsOr => *peers = peers.drain(..).flat_map(apart).collect(),
        Fault::OrReadAsAnd => join(peers),
        _ => {}
    }
    for peer in peers {
        match peer {
            Peer::Pods { pod_selector, namespace_selector, .. } => {
                for found in [&mut *pod_selector, &mut *namespace_selector].into_iter().flatten() {
                    selector(fault, found);
                }
                match (fault, namespace_selector) {
                    (Fault::NamespaceSelectorIgnored, Some(found)) => {
                        *found = LabelSelector::everything();
                    }
                    (Fault::PodSelectorCrossesNamespaces, found @ None) => {
                        *found = Some(LabelSelector::everything());
                    }
                    _ => {}
                }
            }
            Peer::IpBlock { except, .. } if fault == Fault::ExceptIgnored => except.clear(),
            Peer::IpBlock { .. } => {}
        }
    }
}

/// A peer of two selectors as two peers.
fn apart(peer: Peer) -> Vec<Peer> {
    match peer {
        Peer::Pods {
            pod_selector: pods @ Some(_),
            namespace_selector: namespaces @ Some(_),
            origin,
        } => vec![
            Peer::Pods {
                pod_selector: None,
                namespace_selector: namespaces,
                origin: origin.clone(),
            },
            Peer::Pods { pod_selector: pods, namespace_selector: None, origin },
        ],
        other => vec![other],
    }
}

/// A peer of namespaces and a peer of pods as one: the dash before the second is missed.
fn join(peers: &mut Vec<Peer>) {
    let is = |peer: &Peer, pods: bool| match peer {
        Peer::Pods { pod_selector, namespace_selector, .. } => {
            pod_selector.is_some() == pods && namespace_selector.is_some() != pods
        }
        Peer::IpBlock { .. } => false,
    };
    let of_pods = peers.iter().position(|peer| is(peer, true));
    let of_namespaces = peers.iter().position(|peer| is(peer, false));
    let (Some(of_pods), Some(of_namespaces)) = (of_pods, of_namespaces) else { return };
    let Peer::Pods { pod_selector: pods, .. } = peers[of_pods].clone() else { return };
    if let Peer::Pods { pod_selector, .. } = &mut peers[of_namespaces] {
        *pod_selector = pods;
    }
    peers.remove(of_pods);
}

fn misread_ports(fault: Fault, ports: &mut Option<Vec<PolicyPort>>) {
    if fault == Fault::PortsIgnored {
        *ports = None;
    }
    let Some(ports) = ports else { return };
    match fault {
        Fault::EmptyPortEntryDropped => {
            ports.retain(|entry| entry.port.is_some() || entry.protocol.is_some());
        }
        Fault::FirstPortOfRange => ports.iter_mut().for_each(|entry| entry.end_port = None),
        Fault::SctpReadAsTcp => {
            let sctp = ports.iter_mut().filter(|entry| entry.protocol == Some(Protocol::Sctp));
            sctp.for_each(|entry| entry.protocol = Some(Protocol::Tcp));
        }
        Fault::ProtocolIgnored => {
            let every = |entry: PolicyPort| {
                Protocol::ALL.map(|of| PolicyPort { protocol: Some(of), ..entry.clone() })
            };
            *ports = ports.drain(..).flat_map(every).collect();
        }
        _ => {}
    }
}

fn selector(fault: Fault, selector: &mut LabelSelector) {
    match fault {
        Fault::MatchExpressionsIgnored => selector.match_expressions.clear(),
        Fault::NotInNeedsKey => {
            let wanted = &mut selector.match_expressions;
            let not_in = wanted.iter().filter(|wanted| wanted.operator == Operator::NotIn);
            let present: Vec<Requirement> = not_in
                .map(|wanted| Requirement {
                    key: wanted.key.clone(),
                    operator: Operator::Exists,
                    values: Vec::new(),
                })
                .collect();
            wanted.extend(present);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
