//! Short ways to write policies of the cluster down.

use std::sync::Arc;

use crate::model::{
    Cidr, ClusterAction, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPolicyName,
    ClusterPolicyVersion, ClusterPort, ClusterRule, ClusterSubject, LabelSelector, Name, Origin,
    Tier, World,
};

fn origin() -> Origin {
    Origin::synthetic("test")
}

fn about_every_pod(
    kind: ClusterPolicyKind,
    name: &str,
    tier: Tier,
    priority: Option<u16>,
) -> ClusterPolicy {
    let version = match kind {
        ClusterPolicyKind::ClusterNetworkPolicy => ClusterPolicyVersion::V1alpha2,
        _ => ClusterPolicyVersion::V1alpha1,
    };
    let selector = LabelSelector::everything();
    ClusterPolicy {
        name: ClusterPolicyName::new(kind, name),
        version,
        tier,
        priority,
        subject: ClusterSubject::Namespaces { selector, origin: origin() },
        ingress: Vec::new(),
        egress: Vec::new(),
        origin: origin(),
        manifest: serde_json::Value::Null,
    }
}

/// A ClusterNetworkPolicy of this tier about every pod.
pub(super) fn of(tier: Tier, name: &str, priority: u16) -> ClusterPolicy {
    about_every_pod(ClusterPolicyKind::ClusterNetworkPolicy, name, tier, Some(priority))
}

/// An AdminNetworkPolicy about every pod.
pub(super) fn admin(name: &str, priority: u16) -> ClusterPolicy {
    about_every_pod(ClusterPolicyKind::AdminNetworkPolicy, name, Tier::Admin, Some(priority))
}

/// The BaselineAdminNetworkPolicy, about every pod.
pub(super) fn baseline() -> ClusterPolicy {
    let kind = ClusterPolicyKind::BaselineAdminNetworkPolicy;
    about_every_pod(kind, "default", Tier::Baseline, None)
}

impl ClusterPolicy {
    /// About pods alone that the selector finds, in whichever namespace.
    pub(super) fn about(self, pod_selector: LabelSelector) -> Self {
        let namespace_selector = LabelSelector::everything();
        let origin = origin();
        Self { subject: ClusterSubject::Pods { namespace_selector, pod_selector, origin }, ..self }
    }

    /// About the pods of these namespaces.
    pub(super) fn about_namespaces(self, selector: LabelSelector) -> Self {
        Self { subject: ClusterSubject::Namespaces { selector, origin: origin() }, ..self }
    }

    pub(super) fn from(self, rules: &[ClusterRule]) -> Self {
        Self { ingress: rules.to_vec(), ..self }
    }

    pub(super) fn to(self, rules: &[ClusterRule]) -> Self {
        Self { egress: rules.to_vec(), ..self }
    }
}

fn rule(action: ClusterAction, peers: &[ClusterPeer], ports: &[&str]) -> ClusterRule {
    let ports = ports.iter().map(|text| port(text)).collect();
    ClusterRule { name: None, action, peers: peers.to_vec(), ports, origin: origin() }
}

pub(super) fn accept(peers: &[ClusterPeer], ports: &[&str]) -> ClusterRule {
    rule(ClusterAction::Accept, peers, ports)
}

pub(super) fn deny(peers: &[ClusterPeer], ports: &[&str]) -> ClusterRule {
    rule(ClusterAction::Deny, peers, ports)
}

pub(super) fn pass(peers: &[ClusterPeer], ports: &[&str]) -> ClusterRule {
    rule(ClusterAction::Pass, peers, ports)
}

/// The rule with a name of its own.
pub(super) fn named(name: &str, rule: ClusterRule) -> ClusterRule {
    ClusterRule { name: Some(Name::from(name)), ..rule }
}

/// A port such as `80/TCP`, `8000-8100/TCP`, `/SCTP`, or `http`.
fn port(text: &str) -> ClusterPort {
    let origin = origin();
    let Some((port, protocol)) = text.split_once('/') else {
        return ClusterPort::Name { name: Name::from(text), origin };
    };
    let protocol = protocol.parse().unwrap();
    match port.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
            ClusterPort::Range { protocol, first, last, origin }
        }
        None if port.is_empty() => ClusterPort::Protocol { protocol, origin },
        None => ClusterPort::Number { protocol, port: port.parse().unwrap(), origin },
    }
}

pub(super) fn namespaces(selector: LabelSelector) -> ClusterPeer {
    ClusterPeer::Namespaces { selector, origin: origin() }
}

pub(super) fn everyone() -> ClusterPeer {
    namespaces(LabelSelector::everything())
}

/// Pods by their own labels, in whichever namespace.
pub(super) fn pods(pod_selector: LabelSelector) -> ClusterPeer {
    pods_in(LabelSelector::everything(), pod_selector)
}

pub(super) fn pods_in(
    namespace_selector: LabelSelector,
    pod_selector: LabelSelector,
) -> ClusterPeer {
    ClusterPeer::Pods { namespace_selector, pod_selector, origin: origin() }
}

pub(super) fn networks(cidrs: &[&str]) -> ClusterPeer {
    let cidrs = cidrs.iter().map(|text| Cidr::new(text).unwrap()).collect();
    ClusterPeer::Networks { cidrs, origin: origin() }
}

pub(super) fn nodes(selector: LabelSelector) -> ClusterPeer {
    ClusterPeer::Nodes { selector, origin: origin() }
}

pub(super) fn unknown() -> ClusterPeer {
    ClusterPeer::Unknown { origin: origin() }
}

/// The world with these policies of the cluster too.
pub(super) fn with(mut world: World, policies: &[ClusterPolicy]) -> World {
    let policies = policies.iter().map(|policy| (policy.name.clone(), Arc::new(policy.clone())));
    world.cluster_policies.extend(policies);
    world
}
