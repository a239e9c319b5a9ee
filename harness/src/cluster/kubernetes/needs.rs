//! What a scenario needs of a cluster beyond ordinary pods.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::objects::Level;
use super::options::Options;
use super::reserved;
use crate::model::{Change, ClusterPolicy, Name, Pod};
use crate::scenario::tag::{EXACT_NAMES, NET_RAW};
use crate::scenario::{EndpointPattern, Scenario};

/// What a scenario needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Needs {
    /// The names as they are declared, and so the cluster for itself.
    pub(super) exact_names: bool,
    /// Agents that may open raw sockets.
    pub(super) net_raw: bool,
    /// Agents in the networks of nodes, since nodes are ends of its cells.
    pub(super) nodes: bool,
    /// The namespaces with hostNetwork pods, now or later.
    host_network: BTreeSet<Name>,
    /// The namespaces that steps add.
    pub(super) added_namespaces: BTreeSet<Name>,
    /// The policies of the cluster's scope that steps apply.
    pub(super) cluster_policies: Vec<Arc<ClusterPolicy>>,
}

impl Needs {
    /// Of a scenario.
    pub(super) fn of(scenario: &Scenario) -> Self {
        let tagged = |tag: &str| scenario.tags.iter().any(|it| it == tag);
        let changes = || scenario.steps.iter().flat_map(|step| &step.changes);
        let added = changes().filter_map(|change| match change {
            Change::AddPod(pod) => Some(pod),
            _ => None,
        });
        let added_namespaces = changes().filter_map(|change| match change {
            Change::AddNamespace(namespace) => Some(namespace.name.clone()),
            _ => None,
        });
        let pods = scenario.topology.pods.values().chain(added);
        let host_network = pods.filter(|pod| pod.host_network);
        let rules = scenario.steps.iter().flat_map(|step| step.expect.iter().chain(&step.faults));
        let ends = rules.flat_map(|rule| [&rule.source, &rule.destination]);
        let cluster_policies = changes().filter_map(|change| match change {
            Change::ApplyClusterPolicy(policy) => Some(policy.clone()),
            _ => None,
        });
        let node_ports = scenario.topology.nodes.values().any(|node| !node.ports.is_empty());
        Self {
            exact_names: tagged(EXACT_NAMES),
            net_raw: tagged(NET_RAW),
            nodes: node_ports
                || ends.into_iter().any(|end| matches!(end, EndpointPattern::Node(_))),
            host_network: host_network.map(|pod: &Pod| pod.name.namespace.clone()).collect(),
            added_namespaces: added_namespaces.collect(),
            cluster_policies: cluster_policies.collect(),
        }
    }

    /// The Pod Security level of a namespace.
    pub(super) fn level(&self, namespace: &Name) -> Level {
        if self.net_raw || self.host_network.contains(namespace) {
            Level::Privileged
        } else {
            Level::Restricted
        }
    }

    /// Whether it has pods in the networks of nodes, whose ports it then shares with others.
    pub(super) fn is_on_nodes(&self) -> bool {
        self.nodes || !self.host_network.is_empty()
    }

    /// Whether it makes policies of the cluster's scope.
    pub(super) fn is_of_the_cluster(&self) -> bool {
        !self.cluster_policies.is_empty()
    }

    /// Why the scenario cannot run with these options; `None` where it can.
    pub(super) fn obstacle(&self, scenario: &Scenario, options: &Options) -> Option<String> {
        let name = &options.name;
        if self.exact_names && !options.ephemeral {
            return Some(format!(
                "it depends on the names of its namespaces (`{EXACT_NAMES}`), and on `{name}`, which exists already, they get a prefix"
            ));
        }
        if self.nodes && !options.host_network() {
            return Some(format!(
                "nodes are ends of its connections, and agents in their networks are only made on `{name}` with `--allow-host-network`"
            ));
        }
        reserved::obstacle(scenario).map(|why| format!("it cannot run on `{name}`: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect_file;

    use super::*;
    use crate::scenario::{LoadOptions, parse_scenario};

    fn scenario(tag: &str, pod: &str, label: &str, source: &str) -> Scenario {
        let text = format!(
            "name: a\nabout: a\ntags: [{tag}]\ntopology:\n  namespaces:\n    app:\n      pods:\n        a: {{ ports: [8080] }}\n        b: {{ ports: [8080], labels: {{ {label}: x }}, {pod} }}\nsteps:\n  - name: open\n    expect: [\"any {source} -> app/a\", \"any * -> *\"]\n"
        );
        let (scenario, found) =
            parse_scenario("scenario.yaml", &text, &BTreeMap::new(), &LoadOptions::default());
        scenario.unwrap_or_else(|| panic!("{found:?}"))
    }

    #[test]
    fn what_a_cluster_that_exists_does_not_give_is_told() {
        let options = Options::new("kubeconfig:staging", "agent:1");
        let told: Vec<String> = [
            scenario("exact-names", "", "app", "*"),
            scenario("free", "", "app", "node/node-1"),
            scenario("free", "", "ringfence.dev/run", "*"),
        ]
        .iter()
        .map(|scenario| Needs::of(scenario).obstacle(scenario, &options).unwrap() + "\n")
        .collect();
        expect_file!["golden/obstacles.txt"].assert_eq(&told.concat());
        let allowed = Options { allow_host_network: true, ..options };
        for scenario in [
            scenario("net-raw", "", "app", "*"),
            scenario("free", "hostNetwork: true", "app", "*"),
            scenario("free", "", "app", "node/node-1"),
        ] {
            assert_eq!(Needs::of(&scenario).obstacle(&scenario, &allowed), None);
        }
    }
}
