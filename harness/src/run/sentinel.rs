//! The sentinel: a pod pair of the run's own on every node.
//!
//! A step that changes nothing agrees with its expectation before the cluster
//! has even looked. So every step also flips a policy on the sentinel: denied
//! in one step, not in the next. Only when every node has shown the flip do
//! rounds of the step's own cells count.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use crate::model::{
    Cell, Change, Endpoint, Family, LabelSelector, Labels, Name, Namespace, NetworkPolicy, Origin,
    Pod, PodName, PolicyName, PolicyType, Port, Protocol, Topology, Via,
};
use crate::scenario::Scenario;

/// The namespace of the sentinel, unless a scenario has one of that name.
const NAMESPACE: &str = "ringfence-sentinel";

/// The port on which the targets listen.
const PORT: u16 = 8080;

/// A name like the wanted one that no namespace of a scenario has.
pub(super) fn free_namespace(scenario: &Scenario, wanted: &str) -> Name {
    let changes = scenario.steps.iter().flat_map(|step| &step.changes);
    let added = changes.filter_map(|change| match change {
        Change::AddNamespace(namespace) => Some(&namespace.name),
        _ => None,
    });
    let taken: BTreeSet<&Name> = scenario.topology.namespaces.keys().chain(added).collect();
    (1_u32..)
        .map(|n| match n {
            1 => Name::from(wanted),
            _ => Name::from(format!("{wanted}-{n}")),
        })
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| unreachable!("there are more names than a scenario has namespaces"))
}

/// The sentinel of one scenario's run.
#[derive(Debug, Clone)]
pub(super) struct Sentinel {
    namespace: Name,
    nodes: Vec<Name>,
    /// Whether the policy that denies is in force.
    pub(super) denied: bool,
}

impl Sentinel {
    /// The sentinel for a scenario on these nodes.
    pub(super) fn new(scenario: &Scenario, nodes: impl Iterator<Item = Name>) -> Self {
        let namespace = free_namespace(scenario, NAMESPACE);
        Self { namespace, nodes: nodes.collect(), denied: false }
    }

    /// What creates it.
    pub(super) fn deployment(&self) -> Vec<Change> {
        let origin = Origin::synthetic("sentinel");
        let namespace = Namespace::new(&self.namespace, Labels::new(), origin.clone());
        let pod = |name: PodName, node: &Name, ports| {
            let labels = Labels::from([("app".to_owned(), name.name.to_string())]);
            let node = Some(node.clone());
            Change::AddPod(Pod { labels, ports, node, ..Pod::new(name, origin.clone()) })
        };
        let port = Port { name: None, number: PORT, protocol: Protocol::Tcp };
        let pairs = self.nodes.iter().enumerate().flat_map(|(index, node)| {
            [
                pod(self.pod("source", index), node, Vec::new()),
                pod(self.pod("target", index), node, vec![port.clone()]),
            ]
        });
        std::iter::once(Change::AddNamespace(namespace)).chain(pairs).collect()
    }

    fn pod(&self, role: &str, index: usize) -> PodName {
        PodName { namespace: self.namespace.clone(), name: Name::from(format!("{role}-{index}")) }
    }

    /// The other state of its policy: what changes it.
    ///
    /// The policy isolates the whole namespace in both directions, so that a
    /// cluster which looks at one direction alone still shows that it looked,
    /// and the step's own cells show what it missed.
    pub(super) fn flip(&mut self) -> Change {
        self.denied = !self.denied;
        if self.denied {
            Change::ApplyPolicy(Arc::new(self.policy()))
        } else {
            Change::DeletePolicy(self.policy_name())
        }
    }

    fn policy_name(&self) -> PolicyName {
        PolicyName { namespace: self.namespace.clone(), name: Name::from("deny") }
    }

    fn policy(&self) -> NetworkPolicy {
        let name = self.policy_name();
        NetworkPolicy {
            pod_selector: LabelSelector::everything(),
            policy_types: Some(vec![PolicyType::Ingress, PolicyType::Egress]),
            ingress: None,
            egress: None,
            origin: Origin::synthetic("sentinel"),
            manifest: json!({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": { "namespace": *name.namespace, "name": *name.name },
                "spec": { "podSelector": {}, "policyTypes": ["Ingress", "Egress"] },
            }),
            name,
        }
    }

    /// Its cells: on every node, in every family that both ends have there.
    pub(super) fn cells(&self, topology: &Topology) -> Vec<Cell> {
        let mut cells = Vec::new();
        for index in 0..self.nodes.len() {
            let source = Endpoint::Pod(self.pod("source", index));
            let destination = Endpoint::Pod(self.pod("target", index));
            let has = |family| {
                [&source, &destination].iter().all(|end| topology.address(end, family).is_some())
            };
            cells.extend(Family::ALL.into_iter().filter(|family| has(*family)).map(|family| {
                Cell {
                    source: source.clone(),
                    destination: destination.clone(),
                    port: PORT,
                    protocol: Protocol::Tcp,
                    family,
                    via: Via::Pod,
                }
            }));
        }
        cells
    }

    /// The node that a cell of the sentinel stands for.
    pub(super) fn node_of(&self, cell: &Cell) -> Option<&Name> {
        let pod = cell.destination.as_pod()?;
        let index: usize = pod.name.strip_prefix("target-")?.parse().ok()?;
        self.nodes.get(index)
    }

    /// Its namespace.
    pub(super) const fn namespace(&self) -> &Name {
        &self.namespace
    }

    /// Whether a namespace is the sentinel's.
    pub(super) fn is_its(&self, namespace: &Name) -> bool {
        self.namespace == *namespace
    }

    /// The nodes that have a pair.
    pub(super) fn nodes(&self) -> &[Name] {
        &self.nodes
    }

    /// The topology without the sentinel: what scenarios are about.
    pub(super) fn strip(&self, mut topology: Topology) -> Topology {
        topology.namespaces.remove(&self.namespace);
        topology.pods.retain(|pod, _| pod.namespace != self.namespace);
        topology
    }
}
