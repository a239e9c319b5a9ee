//! Which nodes take pods, and which of them a scenario uses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1 as core;

use crate::cluster::placement::node_names;
use crate::model::{HOSTNAME_LABEL, Labels, Name, Topology};

/// A node that takes pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeFacts {
    /// Its name in the cluster.
    pub(super) name: Name,
    /// Its addresses of type `InternalIP`.
    pub(super) addresses: Vec<IpAddr>,
    /// Its labels.
    pub(super) labels: Labels,
}

impl NodeFacts {
    /// The label that its kubelet gave it.
    pub(super) fn hostname(&self) -> Option<Name> {
        self.labels.get(HOSTNAME_LABEL).map(|host| Name::from(host.as_str()))
    }

    /// Its labels where it stands for a node of another name: with that as its hostname, for
    /// which a policy of the cluster asks as it is applied ([`super::rewrite::cluster`]).
    pub(super) fn labels_as(&self, name: &Name) -> Labels {
        let mut labels = self.labels.clone();
        if let Some(host) = labels.get_mut(HOSTNAME_LABEL) {
            *host = name.to_string();
        }
        labels
    }
}

/// The nodes that take ordinary pods, in order.
pub(super) fn schedulable(nodes: &[core::Node]) -> Vec<NodeFacts> {
    let mut found: Vec<NodeFacts> =
        nodes.iter().filter(|node| takes_pods(node)).map(facts).collect();
    // `node-2` before `node-10`.
    found.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    found
}

/// Why a node takes no ordinary pods, in words; `None` where it does.
pub(super) fn closed(node: &core::Node) -> Option<String> {
    let ready = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    if !ready.into_iter().any(|c| c.type_ == "Ready" && c.status == "True") {
        return Some("is not ready".to_owned());
    }
    let spec = node.spec.as_ref()?;
    if spec.unschedulable == Some(true) {
        return Some("is cordoned".to_owned());
    }
    let mut taints = spec.taints.iter().flatten();
    let taint = taints.find(|taint| matches!(&*taint.effect, "NoSchedule" | "NoExecute"))?;
    Some(format!("has the taint `{}`", taint.key))
}

fn takes_pods(node: &core::Node) -> bool {
    closed(node).is_none()
}

fn facts(node: &core::Node) -> NodeFacts {
    let addresses = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let mut addresses: Vec<IpAddr> = addresses
        .filter(|address| address.type_ == "InternalIP")
        .filter_map(|address| address.address.parse().ok())
        .collect();
    addresses.dedup();
    let name = Name::from(node.metadata.name.as_deref().unwrap_or_default());
    NodeFacts { name, addresses, labels: node.metadata.labels.clone().unwrap_or_default() }
}

/// Which nodes of a cluster stand for those of a scenario, by the scenario's names.
///
/// A name that the cluster has stands for itself. The others are given out in turn,
/// from another one for each slot, so that a large cluster is used evenly.
///
/// # Errors
/// That there are too few, in words.
pub(super) fn stand_ins(
    topology: &Topology,
    least: usize,
    nodes: &[NodeFacts],
    slot: u32,
) -> Result<BTreeMap<Name, NodeFacts>, String> {
    let names = node_names(topology, least);
    if names.len() > nodes.len() {
        return Err(format!(
            "it needs {} nodes that take pods, and the cluster has {}",
            names.len(),
            nodes.len()
        ));
    }
    let itself = |name: &Name| nodes.iter().find(|node| node.name == *name);
    let taken: BTreeSet<&Name> = names.iter().filter(|name| itself(name).is_some()).collect();
    let first = slot as usize * names.len() % nodes.len();
    let (before, after) = nodes.split_at(first);
    let mut free = after.iter().chain(before).filter(|node| !taken.contains(&node.name));
    let given = names.iter().filter_map(|name| {
        let node = itself(name).or_else(|| free.next())?;
        Some((name.clone(), node.clone()))
    });
    Ok(given.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, spec: Value, ready: &str) -> core::Node {
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": spec,
            "status": {
                "conditions": [{"type": "Ready", "status": ready}],
                "addresses": [
                    {"type": "InternalIP", "address": "10.0.0.1"},
                    {"type": "Hostname", "address": name},
                    {"type": "InternalIP", "address": "fd00::1"},
                ],
            },
        }))
        .unwrap()
    }

    fn named(names: &[&str]) -> Vec<NodeFacts> {
        let node = |name: &&str| NodeFacts {
            name: Name::from(*name),
            addresses: Vec::new(),
            labels: Labels::new(),
        };
        names.iter().map(node).collect()
    }

    #[test]
    fn nodes_that_take_no_pods_are_left_out() {
        let taint = |effect| json!({"taints": [{"key": "k", "effect": effect}]});
        let nodes = [
            node("b-10", json!({}), "True"),
            node("b-2", taint("PreferNoSchedule"), "True"),
            node("cordoned", json!({"unschedulable": true}), "True"),
            node("control", taint("NoSchedule"), "True"),
            node("leaving", taint("NoExecute"), "True"),
            node("down", json!({}), "Unknown"),
        ];
        let found = schedulable(&nodes);
        assert_eq!(found.iter().map(|node| &*node.name).collect::<Vec<_>>(), ["b-2", "b-10"]);
        let addresses: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(found[0].addresses, addresses);
    }

    #[test]
    fn a_name_stands_for_itself_and_others_are_given_out_in_turn() {
        let topology = Topology::default();
        let pairs = |nodes: &[&str], slot| -> Vec<String> {
            let given = stand_ins(&topology, 2, &named(nodes), slot).unwrap();
            given.into_iter().map(|(name, node)| format!("{name}={}", node.name)).collect()
        };
        assert_eq!(pairs(&["a", "b", "c", "d"], 0), ["node-1=a", "node-2=b"]);
        assert_eq!(pairs(&["a", "b", "c", "d"], 1), ["node-1=c", "node-2=d"]);
        assert_eq!(pairs(&["a", "b", "c"], 1), ["node-1=c", "node-2=a"]);
        assert_eq!(pairs(&["a", "node-1"], 0), ["node-1=node-1", "node-2=a"]);
        assert_eq!(
            stand_ins(&topology, 2, &named(&["a"]), 0),
            Err("it needs 2 nodes that take pods, and the cluster has 1".to_owned())
        );
    }
}
