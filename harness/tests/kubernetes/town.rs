//! A small topology, and words for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence::cluster::kubernetes::KubernetesSource;
use ringfence::cluster::{Capabilities, Cluster, ClusterError, Round};
use ringfence::model::{
    Cell, Change, Endpoint, Labels, Name, Namespace, NetworkPolicy, Observation, Origin, Outcome,
    Pod, PodName, Port, Protocol, Topology, Via,
};
use ringfence::scenario::{LoadOptions, parse_manifests};
use serde_json::{Value, json};

use crate::bed::{Bed, share};

/// How long an attempt waits for an answer.
const SILENCE: Duration = Duration::from_millis(500);
/// How long a policy may take until packets feel it.
const ENFORCEMENT: Duration = Duration::from_secs(20);

pub(crate) fn pod(namespace: &str, name: &str, labels: &[(&str, &str)]) -> Pod {
    let mut pod = Pod::new(PodName::new(namespace, name), Origin::synthetic("test"));
    pod.labels = pairs(labels);
    pod.ports = [(80, Protocol::Tcp), (53, Protocol::Udp)]
        .map(|(number, protocol)| Port { name: None, number, protocol })
        .into();
    pod
}

pub(crate) fn pairs(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn namespace(name: &str) -> Namespace {
    Namespace::new(name, Labels::new(), Origin::synthetic("test"))
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

/// Two pods in `a`, one in `b`.
pub(crate) fn town() -> Topology {
    topology([
        pod("a", "one", &[("role", "client")]),
        pod("a", "two", &[("role", "server")]),
        pod("b", "three", &[]),
    ])
}

/// The town, on a cluster that is ready and a share of it.
pub(crate) async fn open_town(
    bed: &Bed,
    nodes: usize,
) -> Result<(KubernetesSource, Box<dyn Cluster>), ClusterError> {
    let source = bed.ready().await?;
    let mut cluster = share(&source).await?;
    cluster.deploy(&town(), nodes, &[]).await?;
    Ok((source, cluster))
}

pub(crate) fn policy(namespace: &str, name: &str, spec: &Value) -> Arc<NetworkPolicy> {
    let manifest = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "namespace": namespace, "name": name }, "spec": spec,
    });
    let bundle = parse_manifests("policy.json", &manifest.to_string(), &LoadOptions::default());
    bundle.policies.first().unwrap_or_else(|| panic!("{:?}", bundle.diagnostics)).clone()
}

/// Isolates every pod of a namespace, both ways.
pub(crate) fn deny_all(namespace: &str) -> Change {
    let spec = json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] });
    Change::ApplyPolicy(policy(namespace, "deny-all", &spec))
}

pub(crate) fn label_pod(namespace: &str, name: &str, labels: &[(&str, Option<&str>)]) -> Change {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)));
    Change::LabelPod { pod: PodName::new(namespace, name), labels: labels.collect() }
}

pub(crate) fn name(text: &str) -> Name {
    Name::from(text)
}

/// Every cell from every pod to every port of every other one, in every family.
pub(crate) fn all_cells(topology: &Topology, can: &Capabilities) -> Vec<Cell> {
    let mut cells = Vec::new();
    for source in topology.pods.keys() {
        for (destination, pod) in topology.pods.iter().filter(|(other, _)| *other != source) {
            for port in &pod.ports {
                for family in can.families.iter().copied() {
                    cells.push(Cell {
                        source: Endpoint::Pod(source.clone()),
                        destination: Endpoint::Pod(destination.clone()),
                        port: port.number,
                        protocol: port.protocol,
                        family,
                        via: Via::Pod,
                    });
                }
            }
        }
    }
    cells
}

/// The TCP cells between some pods, in the first family.
pub(crate) fn cells(can: &Capabilities, pairs: &[(&str, &str)]) -> Vec<Cell> {
    let family = *can.families.first().expect("pods have addresses");
    let cell = |(source, destination): &(&str, &str)| Cell {
        source: source.parse().expect("a pod"),
        destination: destination.parse().expect("a pod"),
        port: 80,
        protocol: Protocol::Tcp,
        family,
        via: Via::Pod,
    };
    pairs.iter().map(cell).collect()
}

pub(crate) async fn probe(
    cluster: &mut dyn Cluster,
    cells: &[Cell],
) -> Result<Vec<Observation>, ClusterError> {
    cluster.probe(&Round { cells: cells.to_vec(), deadline: SILENCE }).await
}

/// What each cell shows in short: `open`, `shut`, or why nothing is known.
pub(crate) async fn look(
    cluster: &mut dyn Cluster,
    pairs: &[(&str, &str)],
) -> Result<Vec<String>, ClusterError> {
    let cells = cells(cluster.capabilities(), pairs);
    Ok(probe(cluster, &cells).await?.iter().map(|seen| word(&seen.outcome)).collect())
}

pub(crate) fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Connected => "open".to_owned(),
        Outcome::Broken { reason } => reason.clone(),
        Outcome::Refused | Outcome::Rejected { .. } | Outcome::Dropped => "shut".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Looks until cells are as they should be, since policies take their time.
pub(crate) async fn settles(
    cluster: &mut dyn Cluster,
    pairs: &[(&str, &str)],
    wanted: &[&str],
) -> Result<(), ClusterError> {
    until(cluster, pairs, &format!("{wanted:?}"), |seen| seen == wanted).await.map(drop)
}

/// Looks until what cells show is as it should be, and returns it.
pub(crate) async fn until(
    cluster: &mut dyn Cluster,
    pairs: &[(&str, &str)],
    wanted: &str,
    enough: impl Fn(&[String]) -> bool,
) -> Result<Vec<String>, ClusterError> {
    let begun = Instant::now();
    loop {
        let seen = look(cluster, pairs).await?;
        if enough(&seen) {
            return Ok(seen);
        }
        assert!(
            begun.elapsed() < ENFORCEMENT,
            "expected {pairs:?} to be {wanted} within {} s, found {seen:?}",
            ENFORCEMENT.as_secs()
        );
    }
}

/// Fails unless every cell between pods connects.
pub(crate) async fn all_open(
    cluster: &mut dyn Cluster,
    topology: &Topology,
) -> Result<(), ClusterError> {
    let cells = all_cells(topology, cluster.capabilities());
    assert!(!cells.is_empty());
    for (cell, seen) in cells.iter().zip(probe(cluster, &cells).await?) {
        assert_eq!(seen.outcome, Outcome::Connected, "{cell}");
        let source = topology.address(&cell.source, cell.family);
        assert_eq!(seen.seen_source, source, "{cell}: the source that the server saw");
    }
    Ok(())
}
