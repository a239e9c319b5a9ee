//! A small topology, and words for it.

use std::collections::BTreeSet;
use std::time::Duration;

use ringfence::cluster::embedded::Embedded;
use ringfence::cluster::{Cluster, ClusterError, Round};
use ringfence::model::{
    Cell, Endpoint, External, Family, LabelSelector, Labels, Name, Namespace, NetworkPolicy, Node,
    Observation, Origin, Outcome, Pod, PodName, PolicyName, PolicyType, Port, Protocol, Topology,
    Via,
};

pub(crate) fn origin() -> Origin {
    Origin::synthetic("test")
}

pub(crate) fn ports(list: &[(u16, Protocol)]) -> Vec<Port> {
    list.iter()
        .map(|(number, protocol)| Port { name: None, number: *number, protocol: *protocol })
        .collect()
}

pub(crate) const EVERY_PROTOCOL: &[(u16, Protocol)] =
    &[(80, Protocol::Tcp), (53, Protocol::Udp), (9999, Protocol::Sctp)];

pub(crate) fn pod(namespace: &str, name: &str, list: &[(u16, Protocol)]) -> Pod {
    Pod {
        labels: Labels::from([("app".to_owned(), name.to_owned())]),
        ports: ports(list),
        ..Pod::new(PodName::new(namespace, name), origin())
    }
}

pub(crate) fn namespace(name: &str) -> Namespace {
    Namespace::new(name, Labels::new(), origin())
}

pub(crate) fn topology(pods: impl IntoIterator<Item = Pod>) -> Topology {
    let mut topology = Topology::default();
    for pod in pods {
        let namespace = namespace(&pod.name.namespace);
        topology.namespaces.insert(namespace.name.clone(), namespace);
        topology.pods.insert(pod.name.clone(), pod);
    }
    topology
}

pub(crate) fn add_external(
    topology: &mut Topology,
    name: &str,
    addresses: &[&str],
    list: &[(u16, Protocol)],
) {
    let name = Name::from(name);
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let host = External { name: name.clone(), addresses, ports: ports(list), origin: origin() };
    topology.externals.insert(name, host);
}

pub(crate) fn add_node(topology: &mut Topology, name: &str, list: &[(u16, Protocol)]) {
    let name = Name::from(name);
    let node = Node { ports: ports(list), ..Node::new(name.clone()) };
    topology.nodes.insert(name, node);
}

/// A policy that isolates every pod of a namespace, both ways.
pub(crate) fn deny_all(namespace: &str) -> NetworkPolicy {
    NetworkPolicy {
        name: PolicyName::new(namespace, "deny-all"),
        pod_selector: LabelSelector::everything(),
        policy_types: Some(vec![PolicyType::Ingress, PolicyType::Egress]),
        ingress: None,
        egress: None,
        origin: origin(),
        manifest: serde_json::Value::Null,
    }
}

/// Every cell from every endpoint to every declared port of every other one.
pub(crate) fn all_cells(topology: &Topology, can: &ringfence::cluster::Capabilities) -> Vec<Cell> {
    let pods = topology.pods.keys().cloned().map(Endpoint::Pod);
    let nodes = topology.nodes.keys().cloned().map(Endpoint::Node);
    let externals = topology.externals.keys().cloned().map(Endpoint::External);
    let endpoints: Vec<Endpoint> = pods.chain(nodes).chain(externals).collect();
    let mut cells = Vec::new();
    for source in &endpoints {
        for destination in &endpoints {
            let ports: BTreeSet<_> = topology
                .ports(destination)
                .iter()
                .map(|port| (port.number, port.protocol))
                .collect();
            for (port, protocol) in ports {
                for family in can.families.iter().copied() {
                    let both = [source, destination].map(|end| topology.address(end, family));
                    if both.iter().all(Option::is_some) && can.protocols.contains(&protocol) {
                        cells.push(cell(source, destination, port, protocol, family));
                    }
                }
            }
        }
    }
    cells
}

pub(crate) fn cell(
    source: &Endpoint,
    destination: &Endpoint,
    port: u16,
    protocol: Protocol,
    family: Family,
) -> Cell {
    let (source, destination) = (source.clone(), destination.clone());
    Cell { source, destination, port, protocol, family, via: Via::Pod }
}

pub(crate) fn tcp(source: &str, destination: &str) -> Cell {
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    cell(&source, &destination, 80, Protocol::Tcp, Family::Ipv4)
}

pub(crate) async fn probe(
    cluster: &mut Embedded,
    cells: &[Cell],
    deadline: Duration,
) -> Result<Vec<Observation>, ClusterError> {
    cluster.probe(&Round { cells: cells.to_vec(), deadline }).await
}

/// The outcome of a few TCP cells.
pub(crate) async fn outcomes(
    cluster: &mut Embedded,
    cells: &[(&str, &str)],
) -> Result<Vec<Outcome>, ClusterError> {
    let cells: Vec<Cell> = cells.iter().map(|(from, to)| tcp(from, to)).collect();
    let seen = probe(cluster, &cells, Duration::from_millis(500)).await?;
    Ok(seen.into_iter().map(|observation| observation.outcome).collect())
}
