//! Which nodes there are, and which pod runs where.

use std::collections::BTreeSet;

use crate::model::{Name, Pod, Topology};

/// The nodes of a cluster: those that the topology names, and `node-1`, `node-2`, …
/// until there are at least `least`.
pub(super) fn node_names(topology: &Topology, least: usize) -> Vec<Name> {
    let declared = topology.nodes.keys();
    let wanted = topology.pods.values().filter_map(|pod| pod.node.as_ref());
    let mut names: BTreeSet<Name> = declared.chain(wanted).cloned().collect();
    let mut number = 1;
    while names.len() < least.max(1) {
        names.insert(Name::from(format!("node-{number}")));
        number += 1;
    }
    let mut names: Vec<Name> = names.into_iter().collect();
    // `node-2` before `node-10`.
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    names
}

/// Spreads pods over nodes in turn.
#[derive(Debug, Default)]
pub(super) struct Placement {
    next: usize,
}

impl Placement {
    /// The number of the node on which a pod runs; `None` where it names one that is not there.
    pub(super) fn place(&mut self, pod: &Pod, nodes: &[Name]) -> Option<usize> {
        match &pod.node {
            Some(name) => nodes.iter().position(|node| node == name),
            None => {
                let node = self.next % nodes.len();
                self.next += 1;
                Some(node)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, Node, Origin, Phase, PodName};

    fn pod(name: &str, node: Option<&str>) -> Pod {
        Pod {
            name: PodName::new("a", name),
            labels: Labels::new(),
            ports: Vec::new(),
            node: node.map(Name::from),
            addresses: Vec::new(),
            host_network: false,
            phase: Phase::Running,
            terminating: false,
            origin: Origin::synthetic("test"),
        }
    }

    #[test]
    fn named_nodes_count() {
        let mut topology = Topology::default();
        let names = |topology: &Topology, least| node_names(topology, least).join(" ");
        assert_eq!(names(&topology, 0), "node-1");
        assert_eq!(names(&topology, 11).split(' ').next_back(), Some("node-11"));
        let name = Name::from("node-2");
        topology.nodes.insert(name.clone(), Node::new(name));
        assert_eq!(names(&topology, 1), "node-2");
        assert_eq!(names(&topology, 2), "node-1 node-2");
        let there = pod("p", Some("edge"));
        topology.pods.insert(there.name.clone(), there);
        assert_eq!(names(&topology, 2), "edge node-2");
    }

    #[test]
    fn pods_take_turns_unless_they_name_a_node() {
        let nodes = [Name::from("node-1"), Name::from("node-2")];
        let mut placement = Placement::default();
        let places: Vec<_> = [None, Some("node-1"), None, None, Some("elsewhere")]
            .into_iter()
            .map(|node| placement.place(&pod("p", node), &nodes))
            .collect();
        assert_eq!(places, [Some(0), Some(0), Some(1), Some(0), None]);
    }
}
