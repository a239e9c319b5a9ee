//! The witness: pods of the run's own on every node that no policy selects.
//!
//! Silence is a deny only where something else was heard at the same time: a
//! node whose whole network stalls looks like one that denies everything, its
//! sentinel's flip included. So the witness's paths, within every node and from
//! every node to the next, are in each of a step's rounds, and what is silent
//! in a round in which one of them did not connect says nothing.

use std::collections::BTreeSet;

use crate::model::{
    Cell, Change, Endpoint, Family, Labels, Name, Namespace, Observation, Origin, Pod, PodName,
    Port, Protocol, Topology, Via,
};
use crate::scenario::Scenario;

use super::sentinel::free_namespace;

/// The witness's namespace, unless a scenario has one of that name. It is not
/// the sentinel's, whose policy is about a whole namespace.
const NAMESPACE: &str = "ringfence-witness";

/// The port on which the targets listen.
const PORT: u16 = 8080;

/// The witness of one scenario's run.
#[derive(Debug, Clone)]
pub(super) struct Witness {
    namespace: Name,
    nodes: Vec<Name>,
    protocols: Vec<Protocol>,
}

/// A path of the witness, by the indices of its ends' nodes.
type Way = (usize, usize);

impl Witness {
    /// The witness for a scenario on these nodes, over those of TCP and UDP that
    /// the cluster can probe. TCP is always among them, as it is the sentinel's.
    pub(super) fn new(
        scenario: &Scenario,
        nodes: impl Iterator<Item = Name>,
        can: &BTreeSet<Protocol>,
    ) -> Self {
        let udp = can.contains(&Protocol::Udp).then_some(Protocol::Udp);
        Self {
            namespace: free_namespace(scenario, NAMESPACE),
            nodes: nodes.collect(),
            protocols: std::iter::once(Protocol::Tcp).chain(udp).collect(),
        }
    }

    /// Its namespace.
    pub(super) const fn namespace(&self) -> &Name {
        &self.namespace
    }

    /// Whether a namespace is the witness's.
    pub(super) fn is_its(&self, namespace: &Name) -> bool {
        self.namespace == *namespace
    }

    /// What creates it.
    pub(super) fn deployment(&self) -> Vec<Change> {
        let origin = Origin::synthetic("witness");
        let pod = |name: PodName, node: &Name, ports| {
            let node = Some(node.clone());
            Change::AddPod(Pod { ports, node, ..Pod::new(name, origin.clone()) })
        };
        let port = |protocol: &Protocol| Port { name: None, number: PORT, protocol: *protocol };
        let ports: Vec<Port> = self.protocols.iter().map(port).collect();
        let namespace = Namespace::new(&self.namespace, Labels::new(), origin.clone());
        let pairs = self.nodes.iter().enumerate().flat_map(|(index, node)| {
            [
                pod(self.pod("source", index), node, Vec::new()),
                pod(self.pod("target", index), node, ports.clone()),
            ]
        });
        std::iter::once(Change::AddNamespace(namespace)).chain(pairs).collect()
    }

    fn pod(&self, role: &str, index: usize) -> PodName {
        PodName { namespace: self.namespace.clone(), name: Name::from(format!("{role}-{index}")) }
    }

    /// Within every node, and from every node to the next.
    fn ways(&self) -> BTreeSet<Way> {
        let count = self.nodes.len();
        (0..count).flat_map(|index| [(index, index), (index, (index + 1) % count)]).collect()
    }

    /// Its cells: every way, in every family that both ends have there.
    pub(super) fn cells(&self, topology: &Topology) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (from, to) in self.ways() {
            let source = Endpoint::Pod(self.pod("source", from));
            let destination = Endpoint::Pod(self.pod("target", to));
            let has = |family: &Family| {
                [&source, &destination].iter().all(|end| topology.address(end, *family).is_some())
            };
            for family in Family::ALL.into_iter().filter(has) {
                cells.extend(self.protocols.iter().map(|protocol| Cell {
                    source: source.clone(),
                    destination: destination.clone(),
                    port: PORT,
                    protocol: *protocol,
                    family,
                    via: Via::Pod,
                }));
            }
        }
        cells
    }

    /// The nodes between which something did not connect, of all the witness's
    /// cells in a round. Where a node does not reach itself, the paths between it
    /// and others say nothing about those.
    pub(super) fn silent<'a>(
        &self,
        seen: impl IntoIterator<Item = (&'a Cell, Option<&'a Observation>)>,
    ) -> BTreeSet<Name> {
        let shut = seen
            .into_iter()
            .filter(|(_, seen)| !seen.is_some_and(|seen| seen.outcome.is_connected()));
        let ways: BTreeSet<Way> = shut.filter_map(|(cell, _)| way(cell)).collect();
        let alone: BTreeSet<usize> =
            ways.iter().filter(|(from, to)| from == to).map(|(node, _)| *node).collect();
        ways.iter()
            .filter(|(from, to)| from == to || !alone.contains(from) && !alone.contains(to))
            .flat_map(|(from, to)| [*from, *to])
            .filter_map(|index| self.nodes.get(index).cloned())
            .collect()
    }

    /// The topology without the witness: what scenarios are about.
    pub(super) fn strip(&self, mut topology: Topology) -> Topology {
        topology.namespaces.remove(&self.namespace);
        topology.pods.retain(|pod, _| pod.namespace != self.namespace);
        topology
    }
}

/// The way of a cell of the witness.
fn way(cell: &Cell) -> Option<Way> {
    let index = |end: &Endpoint| end.as_pod()?.name.rsplit_once('-')?.1.parse().ok();
    Some((index(&cell.source)?, index(&cell.destination)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(nodes: &[&str]) -> Witness {
        Witness {
            namespace: Name::from(NAMESPACE),
            nodes: nodes.iter().map(|node| Name::from(*node)).collect(),
            protocols: vec![Protocol::Tcp],
        }
    }

    #[test]
    fn a_way_within_every_node_and_one_to_the_next() {
        assert_eq!(witness(&["a"]).ways(), [(0, 0)].into());
        let three = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 0)];
        assert_eq!(witness(&["a", "b", "c"]).ways(), three.into());
    }

    #[test]
    fn the_node_that_does_not_reach_itself_is_named_or_both_ends() {
        let witness = witness(&["a", "b", "c"]);
        for (shut, named) in [
            (&[][..], &[][..]),
            (&[(1, 1), (0, 1), (1, 2)], &["b"]),
            (&[(1, 1)], &["b"]),
            (&[(1, 2)], &["b", "c"]),
            (&[(0, 0), (2, 0), (1, 2)], &["a", "b", "c"]),
        ] {
            let cells: Vec<Cell> = shut
                .iter()
                .map(|(from, to)| Cell {
                    source: Endpoint::Pod(witness.pod("source", *from)),
                    destination: Endpoint::Pod(witness.pod("target", *to)),
                    port: PORT,
                    protocol: Protocol::Tcp,
                    family: Family::Ipv4,
                    via: Via::Pod,
                })
                .collect();
            let named: BTreeSet<Name> = named.iter().map(|node| Name::from(*node)).collect();
            assert_eq!(witness.silent(cells.iter().map(|cell| (cell, None))), named, "{shut:?}");
        }
    }
}
