//! What a scenario needs of a cluster as a whole, known before anything is created.

use std::collections::BTreeSet;

use crate::cluster::{Capabilities, Feature};
use crate::model::{Change, ClusterPeer, ClusterPolicyApi, ClusterPolicyKind, ClusterPort};
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

/// Whether the cluster can be given the scenario's policies of the cluster, and declares what
/// they rest on. Where it does not, no cell of the scenario is judged: whatever one rule leaves
/// open, another of the tier may decide. Everything that is missing is told at once, in words
/// that are the same for every scenario that lacks it.
fn cluster_tier(scenario: &Scenario, capabilities: &Capabilities) -> Result<(), String> {
    let mut apis: BTreeSet<ClusterPolicyApi> = BTreeSet::new();
    let mut wanted: BTreeSet<Feature> = BTreeSet::new();
    for change in scenario.steps.iter().flat_map(|step| &step.changes) {
        let Change::ApplyClusterPolicy(policy) = change else { continue };
        apis.insert(policy.api());
        wanted.insert(match policy.api().kind() {
            ClusterPolicyKind::ClusterNetworkPolicy => Feature::ClusterNetworkPolicies,
            _ => Feature::AdminNetworkPolicies,
        });
        for rule in policy.ingress.iter().chain(&policy.egress) {
            if rule.ports.iter().any(|port| matches!(port, ClusterPort::Name { .. })) {
                wanted.insert(Feature::ClusterTierNamedPorts);
            }
            if rule.peers.iter().any(|peer| matches!(peer, ClusterPeer::Nodes { .. })) {
                wanted.insert(Feature::ClusterTierNodePeers);
            }
            if rule.peers.iter().any(|peer| matches!(peer, ClusterPeer::DomainNames { .. })) {
                return Err(format!("`{}` names domains, which are not looked up", policy.name));
            }
        }
    }
    let not_given = apis
        .into_iter()
        .filter(|api| !capabilities.cluster_policies.contains(api))
        .map(|api| not_given(api, capabilities));
    let undeclared = wanted
        .into_iter()
        .filter(|feature| !capabilities.dataplane.has(*feature))
        .map(|feature| lack::undeclared_feature(feature, capabilities));
    let lacking: Vec<String> = not_given.chain(undeclared).collect();
    if lacking.is_empty() { Ok(()) } else { Err(lacking.join("; ")) }
}

/// That the cluster is not given policies of a kind, and why: the reason for that, or the one for
/// all kinds.
fn not_given(api: ClusterPolicyApi, capabilities: &Capabilities) -> String {
    let mut why = lack::because(capabilities, &api.to_string());
    if why.is_empty() {
        why = lack::because(capabilities, "policies of the cluster");
    }
    format!("`{}` is given no {api}{why}", capabilities.name)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::cluster::Dataplane;
    use crate::model::{Family, Protocol, Via};
    use crate::scenario::{LoadOptions, parse_scenario};

    fn capabilities(
        cluster_policies: &[ClusterPolicyApi],
        declares: &[Feature],
        missing: &[&str],
    ) -> Capabilities {
        Capabilities {
            name: "kubeconfig v1.36.2".to_owned(),
            families: Family::ALL.into(),
            protocols: Protocol::ALL.into(),
            ways: [Via::Pod].into(),
            host_network: false,
            external_hosts: false,
            cluster_policies: cluster_policies.iter().copied().collect(),
            evidence: false,
            dataplane: Box::new(Dataplane {
                name: "kube-router v2.11.1".to_owned(),
                declares: BTreeSet::from_iter(declares.iter().copied()),
                ..Dataplane::default()
            }),
            missing: missing.iter().map(|sentence| (*sentence).to_owned()).collect(),
        }
    }

    fn scenario() -> Scenario {
        let text = "name: a\nabout: a\ntopology:\n  namespaces:\n    app:\n      pods:\n        a: { ports: [80] }\n        b: { ports: [80] }\nsteps:\n  - name: shut\n    apply: [policy.yaml]\n    expect: [\"any * -> *\"]\n";
        let policy = "apiVersion: policy.networking.k8s.io/v1beta1\nkind: ClusterNetworkPolicy\nmetadata: { name: shut }\nspec:\n  tier: Admin\n  priority: 1\n  subject: { namespaces: {} }\n  ingress: [{ action: Deny, from: [{ namespaces: {} }] }]\n";
        let manifests = [("policy.yaml".to_owned(), policy.to_owned())].into();
        let (scenario, found) =
            parse_scenario("scenario.yaml", text, &manifests, &LoadOptions::default());
        scenario.unwrap_or_else(|| panic!("{found:?}"))
    }

    #[test]
    fn policies_that_a_cluster_is_not_given_are_told_with_the_reason() {
        let tiers = [Feature::ClusterNetworkPolicies];
        let flag = "no policies of the cluster: making any needs `--allow-cluster-scoped`";
        let served = "no ClusterNetworkPolicy v1beta1: the API server does not serve it";
        let told: Vec<String> = [
            capabilities(&[], &[], &[flag]),
            capabilities(&[ClusterPolicyApi::ClusterV1alpha2], &tiers, &[flag, served]),
            capabilities(&[ClusterPolicyApi::ClusterV1beta1], &[], &[]),
            // Another kind of the tier is not this one.
            capabilities(&ClusterPolicyApi::ALL, &[Feature::AdminNetworkPolicies], &[]),
        ]
        .iter()
        .map(|capabilities| met(&scenario(), capabilities).unwrap_err())
        .collect();
        expect![[r#"
            `kubeconfig v1.36.2` is given no ClusterNetworkPolicy v1beta1: making any needs `--allow-cluster-scoped`; `kube-router v2.11.1` does not declare ClusterNetworkPolicy
            `kubeconfig v1.36.2` is given no ClusterNetworkPolicy v1beta1: the API server does not serve it
            `kube-router v2.11.1` does not declare ClusterNetworkPolicy
            `kube-router v2.11.1` does not declare ClusterNetworkPolicy"#]].assert_eq(&told.join("\n"));
        let all = capabilities(&ClusterPolicyApi::ALL, &tiers, &[]);
        assert_eq!(met(&scenario(), &all), Ok(()));
    }
}
