//! What a scenario needs of a cluster as a whole, known before anything is created.

use std::collections::BTreeMap;

use crate::cluster::{Capabilities, Feature};
use crate::model::{Change, ClusterPeer, ClusterPolicyName, ClusterPort};
use crate::scenario::Scenario;

use super::lack;

/// What is not understood in this scenario, or what the cluster cannot do for
/// it at all, in words.
pub(super) fn met(scenario: &Scenario, capabilities: &Capabilities) -> Result<(), String> {
    if !scenario.unsupported.is_empty() {
        return Err(scenario.unsupported.join("; "));
    }
    let added = scenario.steps.iter().flat_map(|step| &step.changes);
    let added = added.filter_map(|change| match change {
        Change::AddPod(pod) => Some(pod),
        _ => None,
    });
    let host_network = scenario.topology.pods.values().chain(added).find(|pod| pod.host_network);
    match host_network {
        Some(pod) if !capabilities.host_network => Err(format!(
            "`{}` makes no hostNetwork pods, and `{}` is one{}",
            capabilities.name,
            pod.name,
            lack::because(capabilities, "hostNetwork")
        )),
        _ => cluster_tier(scenario, capabilities),
    }
}

/// Whether the cluster declares what the scenario's policies of the cluster rest on. Where it
/// does not, no cell of the scenario is judged: whatever one rule leaves open, another of the
/// tier may decide.
fn cluster_tier(scenario: &Scenario, capabilities: &Capabilities) -> Result<(), String> {
    let mut wanted: BTreeMap<Feature, &ClusterPolicyName> = BTreeMap::new();
    for change in scenario.steps.iter().flat_map(|step| &step.changes) {
        let Change::ApplyClusterPolicy(policy) = change else { continue };
        wanted.entry(Feature::ClusterTiers).or_insert(&policy.name);
        for rule in policy.ingress.iter().chain(&policy.egress) {
            if rule.ports.iter().any(|port| matches!(port, ClusterPort::Name { .. })) {
                wanted.entry(Feature::ClusterTierNamedPorts).or_insert(&policy.name);
            }
            if rule.peers.iter().any(|peer| matches!(peer, ClusterPeer::Nodes { .. })) {
                wanted.entry(Feature::ClusterTierNodePeers).or_insert(&policy.name);
            }
            if rule.peers.iter().any(|peer| matches!(peer, ClusterPeer::DomainNames { .. })) {
                return Err(format!("`{}` names domains, which are not looked up", policy.name));
            }
        }
    }
    let lacking = wanted.into_iter().find(|(feature, _)| !capabilities.dataplane.has(*feature));
    match lacking {
        None => Ok(()),
        Some((feature, policy)) => {
            Err(format!("{}: `{policy}` needs it", lack::undeclared_feature(feature, capabilities)))
        }
    }
}
