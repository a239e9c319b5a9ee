//! What this cluster cannot be asked, and why: cells that it cannot probe, and cells
//! that an optional part of the API decides which it does not declare.

use std::collections::BTreeMap;

use crate::cluster::{Capabilities, Feature};
use crate::model::{
    Cell, Decision, Endpoint, Family, NetworkPolicy, PolicyPort, PortRef, Protocol, Rule, Topology,
    Verdict, Via, World,
};

use super::NotJudged;

/// Why a cell cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lack {
    /// The cluster cannot probe the protocol.
    Protocol(Protocol),
    /// It has no such addresses.
    Family(Family),
    /// It cannot address a destination like that.
    Way(Via),
    /// It comes from outside to an address that is the cluster's own.
    ClusterIp,
    /// It makes no hosts outside itself.
    ExternalHosts,
    /// One end has no address of the family.
    Address(Family),
    /// Its dataplane does not declare a feature that the API makes optional.
    Feature(Feature),
}

/// Why a cell cannot be asked here, whatever the policies say; `None` where it can.
/// An end without any address is still to come, and is taken to have every family.
pub(super) fn lack(cell: &Cell, topology: &Topology, capabilities: &Capabilities) -> Option<Lack> {
    let ends = [&cell.source, &cell.destination];
    let lacks_family = |end: &&Endpoint| {
        let addresses = topology.addresses(end);
        !addresses.is_empty() && addresses.iter().all(|a| Family::of(*a) != cell.family)
    };
    let lacks = |feature| capabilities.dataplane.lacks.contains(&feature);
    let family = match cell.family {
        Family::Ipv4 => Feature::Ipv4,
        Family::Ipv6 => Feature::Ipv6,
    };
    let from_outside = matches!(cell.source, Endpoint::External(_))
        && cell.destination.as_pod().is_some()
        && cell.via == Via::Pod;
    if !capabilities.protocols.contains(&cell.protocol) {
        Some(Lack::Protocol(cell.protocol))
    } else if !capabilities.families.contains(&cell.family) {
        Some(Lack::Family(cell.family))
    } else if lacks(family) {
        Some(Lack::Feature(family))
    } else if !capabilities.ways.contains(&cell.via) {
        Some(Lack::Way(cell.via))
    } else if cell.via == Via::Service && matches!(cell.source, Endpoint::External(_)) {
        Some(Lack::ClusterIp)
    } else if cell.via != Via::Pod && lacks(Feature::Services) {
        Some(Lack::Feature(Feature::Services))
    } else if !capabilities.external_hosts
        && ends.iter().any(|end| matches!(end, Endpoint::External(_)))
    {
        Some(Lack::ExternalHosts)
    } else if from_outside && lacks(Feature::ExternalToPod) {
        Some(Lack::Feature(Feature::ExternalToPod))
    } else if ends.iter().any(lacks_family) {
        Some(Lack::Address(cell.family))
    } else {
        None
    }
}

/// Why a cell cannot be judged under these policies: a rule decides it, or may, that
/// rests on a feature which the dataplane does not declare. `shut` where its path never
/// opened without policies.
///
/// Without `endPort` a policy "will be applied only for the single `port` field"
/// (`concepts/services-networking/network-policies`), so only the ports behind the first
/// of a range are open to doubt. Of SCTP the API says no more than that the plugin has to
/// support it. What a rule for another protocol must not open stays judged.
pub(super) fn undeclared(
    cell: &Cell,
    specified: &Decision,
    world: &World,
    capabilities: &Capabilities,
    shut: bool,
) -> Option<Lack> {
    let lacks = |feature| capabilities.dataplane.lacks.contains(&feature);
    let decided_by = |matches: &dyn Fn(&PolicyPort) -> bool| {
        world.policies.values().any(|policy| {
            let rules = |end: &Endpoint, rules: &Option<Vec<Rule>>| {
                selects(policy, end, &world.topology)
                    && rules
                        .iter()
                        .flatten()
                        .filter_map(|rule| rule.ports.as_ref())
                        .any(|ports| ports.iter().any(matches))
            };
            rules(&cell.destination, &policy.ingress) || rules(&cell.source, &policy.egress)
        })
    };
    let behind_the_first = |port: &PolicyPort| {
        let (Some(PortRef::Number(first)), Some(last)) = (&port.port, port.end_port) else {
            return false;
        };
        port.protocol.unwrap_or_default() == cell.protocol
            && *first < cell.port
            && cell.port <= last
    };
    if lacks(Feature::EndPort) && decided_by(&behind_the_first) {
        return Some(Lack::Feature(Feature::EndPort));
    }
    let opens = shut || specified.verdict != Verdict::Deny;
    let sctp_rule = || decided_by(&|port| port.protocol == Some(Protocol::Sctp));
    let sctp = is_in_doubt(cell, capabilities) && opens || lacks(Feature::Sctp) && sctp_rule();
    sctp.then_some(Lack::Feature(Feature::Sctp))
}

/// Whether nothing says that a cell's path works here even without policies.
pub(super) fn is_in_doubt(cell: &Cell, capabilities: &Capabilities) -> bool {
    cell.protocol == Protocol::Sctp && capabilities.dataplane.lacks.contains(&Feature::Sctp)
}

fn selects(policy: &NetworkPolicy, end: &Endpoint, topology: &Topology) -> bool {
    let pod = end.as_pod().and_then(|name| topology.pods.get(name));
    pod.is_some_and(|pod| {
        pod.name.namespace == policy.name.namespace && policy.pod_selector.matches(&pod.labels)
    })
}

/// The cells that are not asked, by reason.
pub(super) fn left_out(
    lacks: BTreeMap<Lack, usize>,
    capabilities: &Capabilities,
) -> Vec<NotJudged> {
    lacks
        .into_iter()
        .map(|(lack, cells)| NotJudged { reason: sentence(lack, capabilities), cells })
        .collect()
}

fn sentence(lack: Lack, capabilities: &Capabilities) -> String {
    let name = &capabilities.name;
    let because = |about: &str| because(capabilities, about);
    match lack {
        Lack::Protocol(protocol) => {
            format!("`{name}` cannot probe {protocol}{}", because(protocol.as_str()))
        }
        Lack::Family(family) => {
            let word = if family == Family::Ipv6 { "IPv6" } else { "IPv4" };
            format!("`{name}` has no {word}{}", because(word))
        }
        Lack::Way(via) => format!("`{name}` has no way via {via}{}", because(&via.to_string())),
        // "Choosing this value makes the Service only reachable from within the cluster"
        // (concepts/services-networking/service, `type: ClusterIP`).
        Lack::ClusterIp => {
            "from outside the cluster there is no way to a Service's ClusterIP".to_owned()
        }
        Lack::ExternalHosts => {
            format!("`{name}` makes no external hosts{}", because("external"))
        }
        Lack::Address(family) => format!("an end has no {family} address"),
        Lack::Feature(feature) => undeclared_feature(feature, capabilities),
    }
}

/// The sentence for a feature that a dataplane does not declare.
pub(super) fn undeclared_feature(feature: Feature, capabilities: &Capabilities) -> String {
    let dataplane = match capabilities.dataplane.name.as_str() {
        "" => &capabilities.name,
        dataplane => dataplane,
    };
    let (what, why) = match feature {
        Feature::EndPort => {
            ("`endPort`", ", and a rule with it decides whether these ports are open")
        }
        Feature::Sctp => ("SCTP", ", and a rule or a connection with it is in question"),
        Feature::Ipv4 => ("IPv4", ""),
        Feature::Ipv6 => ("IPv6", ""),
        Feature::ExternalToPod => {
            ("connections from outside the cluster to a pod's own address", "")
        }
        Feature::AdminNetworkPolicies => ("AdminNetworkPolicy and BaselineAdminNetworkPolicy", ""),
        Feature::ClusterNetworkPolicies => ("ClusterNetworkPolicy", ""),
        Feature::Services => ("Services", ""),
        Feature::ClusterTierNamedPorts => ("named ports in policies of the cluster tier", ""),
        Feature::ClusterTierNodePeers => ("nodes as peers in policies of the cluster tier", ""),
    };
    format!("`{dataplane}` does not declare {what}{why}")
}

/// Why the cluster lacks it, after a colon, from its own sentence `no SCTP: …`; empty where it
/// has none.
pub(super) fn because(capabilities: &Capabilities, about: &str) -> String {
    let about = about.to_lowercase();
    let sentence = capabilities.missing.iter().find(|text| text.to_lowercase().contains(&about));
    let why = sentence.and_then(|text| text.split_once(": "));
    why.map(|(_, why)| format!(": {why}")).unwrap_or_default()
}
