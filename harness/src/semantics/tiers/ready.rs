//! Policies of the cluster made ready: whom each is about, and whom each peer selects.

use std::sync::Arc;

use fixedbitset::FixedBitSet;

use super::super::isolation::PerDirection;
use super::super::selection::Selection;
use crate::model::{
    ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterRuleRef, ClusterSubject, Direction,
    LabelSelector, Pod, Tier, World,
};

use super::RuleMatch;

/// The policies of the cluster, in the order in which they are asked.
#[derive(Debug)]
pub(in super::super) struct Tiers {
    /// By tier, kind, priority and name.
    pub(in super::super) policies: Vec<ReadyClusterPolicy>,
    /// For each pod, the policies that are about it and have rules, in their order.
    pub(in super::super) about: PerDirection<Vec<Vec<usize>>>,
}

/// A policy with its selectors resolved.
#[derive(Debug)]
pub(in super::super) struct ReadyClusterPolicy {
    pub(in super::super) policy: Arc<ClusterPolicy>,
    /// For each rule, for each of its peers, the pods that it selects.
    pub(in super::super) peers: PerDirection<Vec<Vec<PeerPods>>>,
}

/// The pods that a peer selects; `None` where it does not select pods.
pub(in super::super) type PeerPods = Option<FixedBitSet>;

impl Tiers {
    pub(in super::super) fn new(
        world: &World,
        pods: &[Pod],
        selection: &mut Selection<'_>,
    ) -> Self {
        let mut hosts = FixedBitSet::with_capacity(pods.len());
        for (index, pod) in pods.iter().enumerate() {
            hosts.set(index, pod.host_network);
        }
        let mut about = PerDirection::of(|_| vec![Vec::new(); pods.len()]);
        let mut ordered: Vec<&Arc<ClusterPolicy>> = world.cluster_policies.values().collect();
        // "Policies with lower priority values have higher precedence, and are checked
        // before policies with higher priority values" (`AdminNetworkPolicySpec.priority`).
        ordered.sort_by_key(|policy| {
            (policy.tier, is_of_first_version(policy), policy.priority, policy.name.clone())
        });
        let mut policies = Vec::with_capacity(ordered.len());
        for policy in ordered {
            // "Note that host-networked pods are not included in subject selection."
            // (`ClusterNetworkPolicySubject`), and likewise of peers of either type.
            let mut chosen = |namespaces: &LabelSelector, pods: Option<&LabelSelector>| {
                let mut chosen = selection.across(namespaces, pods);
                chosen.difference_with(&hosts);
                chosen
            };
            let subjects = match &policy.subject {
                ClusterSubject::Namespaces { selector, .. } => chosen(selector, None),
                ClusterSubject::Pods { namespace_selector, pod_selector, .. } => {
                    chosen(namespace_selector, Some(pod_selector))
                }
            };
            let peers = PerDirection::of(|direction| {
                let rules = policy.rules(direction).iter();
                let mut pods = |peer: &ClusterPeer| match peer {
                    ClusterPeer::Namespaces { selector, .. } => Some(chosen(selector, None)),
                    ClusterPeer::Pods { namespace_selector, pod_selector, .. } => {
                        Some(chosen(namespace_selector, Some(pod_selector)))
                    }
                    ClusterPeer::Networks { .. }
                    | ClusterPeer::Nodes { .. }
                    | ClusterPeer::DomainNames { .. }
                    | ClusterPeer::Unknown { .. } => None,
                };
                rules.map(|rule| rule.peers.iter().map(&mut pods).collect()).collect()
            });
            for direction in [Direction::Ingress, Direction::Egress] {
                // "CNPs with no ingress rules do not affect ingress traffic."
                // (`ClusterNetworkPolicySpec.ingress`, and likewise `egress`)
                if !policy.rules(direction).is_empty() {
                    subjects.ones().for_each(|pod| about[direction][pod].push(policies.len()));
                }
            }
            policies.push(ReadyClusterPolicy { policy: policy.clone(), peers });
        }
        Self { policies, about }
    }
}

/// Whether it is of `v1alpha1`, which orders its policies among themselves.
pub(super) fn is_of_first_version(policy: &ClusterPolicy) -> bool {
    policy.name.kind != ClusterPolicyKind::ClusterNetworkPolicy
}

impl ReadyClusterPolicy {
    pub(in super::super) fn tier(&self) -> Tier {
        self.policy.tier
    }

    /// The name of a rule that matched, or may.
    pub(in super::super) fn reference(
        &self,
        direction: Direction,
        found: RuleMatch,
    ) -> Option<ClusterRuleRef> {
        let policy = &self.policy;
        let rule = policy.rules(direction).get(found.rule)?;
        Some(ClusterRuleRef {
            policy: policy.name.clone(),
            tier: policy.tier,
            priority: policy.priority,
            action: found.action,
            name: rule.name.clone(),
            direction,
            rule: found.rule,
            peer: found.peer?,
            port: found.port,
            origin: rule.origin.clone(),
        })
    }
}
