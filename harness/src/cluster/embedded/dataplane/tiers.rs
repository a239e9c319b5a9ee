//! What policies of the cluster say, for the compiler: their order, their pods, their peers.

use super::addresses::Addresses;
use super::pods::{Pods, Scope};
use crate::model::{
    ClusterPeer, ClusterPolicy, ClusterRule, ClusterSubject, Direction, Family, LabelSelector, Pod,
    PodName, Tier, Topology, World,
};

/// The policies of a tier in the order in which they are asked: "Policies with lower priority
/// values have higher precedence, and are checked before policies with higher priority values
/// in the same tier" (`ClusterNetworkPolicySpec.priority`).
///
/// Of equal priorities the API leaves it open: AdminNetworkPolicies come before
/// ClusterNetworkPolicies, and each in order of its name. The BaselineAdminNetworkPolicy,
/// which has no priority, comes behind every ClusterNetworkPolicy.
pub(super) fn in_order(world: &World, tier: Tier) -> Vec<&ClusterPolicy> {
    let policies = world.cluster_policies.values().map(|policy| &**policy);
    let mut policies: Vec<&ClusterPolicy> = policies.filter(|policy| policy.tier == tier).collect();
    policies.sort_by_key(|policy| (policy.priority.is_none(), policy.priority, &policy.name));
    policies
}

/// The pods that a policy is about. "Note that host-networked pods are not included in subject
/// selection" (`ClusterNetworkPolicySubject`): they are none of `pods`.
pub(super) fn subjects<'a>(pods: &Pods<'a>, policy: &ClusterPolicy) -> Vec<&'a Pod> {
    match &policy.subject {
        ClusterSubject::Namespaces { selector, .. } => of_namespaces(pods, selector),
        ClusterSubject::Pods { namespace_selector, pod_selector, .. } => {
            pods.select(Scope::Selected(namespace_selector), pod_selector)
        }
    }
}

fn of_namespaces<'a>(pods: &Pods<'a>, namespaces: &LabelSelector) -> Vec<&'a Pod> {
    pods.select(Scope::Selected(namespaces), &LabelSelector::everything())
}

/// The addresses of a rule's peers. "If any element matches … then the specified action is
/// applied."
pub(super) fn addresses(
    pods: &Pods<'_>,
    topology: &Topology,
    peers: &[ClusterPeer],
    family: Family,
) -> Addresses {
    let (mut singles, mut blocks) = (Vec::new(), Vec::new());
    for peer in peers {
        match peer {
            // "Note that host-networked pods are not included in this type of peer."
            ClusterPeer::Namespaces { selector, .. } => {
                let found = of_namespaces(pods, selector);
                singles.extend(found.into_iter().flat_map(|pod| pod.addresses.iter().copied()));
            }
            ClusterPeer::Pods { namespace_selector, pod_selector, .. } => {
                let scope = Scope::Selected(namespace_selector);
                let found = pods.select(scope, pod_selector);
                singles.extend(found.into_iter().flat_map(|pod| pod.addresses.iter().copied()));
            }
            // "cluster-internal traffic will be checked against the rule as well"
            ClusterPeer::Networks { cidrs, .. } => {
                blocks.extend(cidrs.iter().map(|cidr| Addresses::of_block(cidr, &[])));
            }
            // "It selects the nodeIPs as the peer type by matching on the IPs present in the
            // node.Status.Addresses field of the node … if present but empty, it selects all
            // Nodes."
            ClusterPeer::Nodes { selector, .. } => {
                let selected = topology.nodes.values().filter(|node| match &node.labels {
                    Some(labels) => selector.matches(labels),
                    None => selector.is_empty(),
                });
                singles.extend(selected.flat_map(|node| node.addresses.iter().copied()));
            }
            // Nothing is looked up, and nothing passes by its name: `Embedded::change` refuses
            // these. One that is not understood makes its whole rule another.
            ClusterPeer::DomainNames { .. } | ClusterPeer::Unknown { .. } => {}
        }
    }
    Addresses::of(family, singles, blocks)
}

/// What the packet log is told of a pod's packet that a rule denies. `position` is the rule's
/// place among those of its direction.
pub(super) fn denial(
    direction: Direction,
    pod: &PodName,
    policy: &ClusterPolicy,
    position: usize,
    rule: &ClusterRule,
) -> String {
    let policy = &policy.name;
    let mut text = format!("{direction} {pod}: denied by {policy} {direction}[{position}]");
    // "This field should be used by the implementation to help improve observability" (`name`).
    if let Some(name) = &rule.name {
        text += &format!(" {:?}", &**name);
    }
    text
}
