//! Services with a ClusterIP.

use std::sync::Arc;
use std::time::Duration;

use ringfence::cluster::{Capabilities, Cluster};
use ringfence::model::{
    Cell, Change, Endpoint, NetworkPolicy, Outcome, PodName, PolicyPort, PolicyType, PortRef,
    Protocol, Rule, Topology, Via, service_port,
};

use crate::town::*;
use crate::traffic::{TCP, town};
use crate::{Outcome as Trial, start};

/// Long enough that a loaded machine is not taken for a drop.
const DEADLINE: Duration = Duration::from_secs(5);

/// The cells that a Service can be asked for.
fn served(topology: &Topology, can: &Capabilities) -> Vec<Cell> {
    let cells = all_cells(topology, can).into_iter().filter(|cell| {
        cell.destination.as_pod().is_some() && !matches!(cell.source, Endpoint::External(_))
    });
    cells.map(|cell| Cell { via: Via::Service, ..cell }).collect()
}

fn via_service(source: &str, destination: &str) -> Cell {
    Cell { via: Via::Service, ..tcp(source, destination) }
}

/// Isolates the pods of a namespace for ingress, save on one TCP port.
fn only(namespace: &str, port: u16) -> NetworkPolicy {
    let port = PolicyPort {
        protocol: Some(Protocol::Tcp),
        port: Some(PortRef::Number(port)),
        end_port: None,
        origin: origin(),
    };
    NetworkPolicy {
        policy_types: Some(vec![PolicyType::Ingress]),
        ingress: Some(vec![Rule { peers: None, ports: Some(vec![port]), origin: origin() }]),
        ..deny_all(namespace)
    }
}

/// Every pod and node, to every port of every pod, itself included.
pub(crate) async fn lead_to_pods() -> Trial {
    let mut cluster = start().await?;
    let can = cluster.capabilities().clone();
    assert!(can.ways.contains(&Via::Service), "{:?}", can.missing);
    let topology = cluster.deploy(&town(), 2, &[]).await?;
    let cells = served(&topology, &can);
    assert!(cells.len() > 60 * can.families.len(), "found {} cells", cells.len());
    let seen = probe(&mut cluster, &cells, DEADLINE).await?;
    for (cell, seen) in cells.iter().zip(&seen) {
        assert_eq!(seen.outcome, Outcome::Connected, "{cell}: {seen:?}");
        // A pod that dials itself comes from its node, or else its packets would be forged.
        let from = match &cell.source {
            Endpoint::Pod(pod) if cell.source == cell.destination => {
                Endpoint::Node(topology.pods[pod].node.clone().unwrap())
            }
            source => source.clone(),
        };
        assert_eq!(seen.seen_source, topology.address(&from, cell.family), "{cell}");
    }
    let mut from_outside = via_service("alpha/one", "alpha/two");
    from_outside.source = "user".parse().unwrap();
    let seen = probe(&mut cluster, &[from_outside], DEADLINE).await?;
    assert!(matches!(seen[0].outcome, Outcome::Broken { .. }), "{seen:?}");
    Ok(())
}

/// A policy is about the pod's port, on one node and across two, and its word for a drop is
/// heard.
pub(crate) async fn are_judged_by_the_pods_port() -> Trial {
    let mut cluster = start().await?;
    let can = cluster.capabilities().clone();
    let topology = cluster.deploy(&town(), 2, &[]).await?;
    let cells: Vec<Cell> = served(&topology, &can)
        .into_iter()
        .filter(|cell| {
            let [from, to] = [&cell.source, &cell.destination].map(Endpoint::as_pod);
            from != to
                && from.is_some_and(|pod| !topology.pods[pod].host_network)
                && to.is_some_and(|pod| &*pod.namespace == "alpha")
        })
        .collect();
    for (port, opens) in [(80, true), (service_port(80), false)] {
        cluster.change(&[Change::ApplyPolicy(Arc::new(only("alpha", port)))]).await?;
        let seen = probe(&mut cluster, &cells, DEADLINE).await?;
        for (cell, seen) in cells.iter().zip(&seen) {
            let open = opens && cell.protocol == Protocol::Tcp;
            let expected = if open { Outcome::Connected } else { Outcome::Dropped };
            assert_eq!(seen.outcome, expected, "{cell} under a rule for {port}: {seen:?}");
            let word = seen.evidence.as_ref().map(|evidence| evidence.text.clone());
            let denied = format!("ingress {}: isolated by alpha/deny-all", cell.destination);
            assert_eq!(word, (can.evidence && !open).then_some(denied), "{cell}");
        }
    }
    Ok(())
}

/// A Service goes with its pod, and the one that returns under its name has its own.
pub(crate) async fn come_and_go_with_pods() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP), pod("a", "idle", &[])]);
    cluster.deploy(&town, 2, &[]).await?;
    let cells = [via_service("a/two", "a/one"), via_service("a/two", "a/idle")];
    let outcome = async |cluster: &mut _| {
        let seen = probe(cluster, &cells, DEADLINE).await?;
        assert!(matches!(seen[1].outcome, Outcome::Broken { .. }), "no port, no Service: {seen:?}");
        Ok::<_, ringfence::cluster::ClusterError>(seen[0].outcome.clone())
    };
    assert_eq!(outcome(&mut cluster).await?, Outcome::Connected);
    let one = PodName::new("a", "one");
    cluster.change(&[Change::RemovePod(one.clone())]).await?;
    assert!(matches!(outcome(&mut cluster).await?, Outcome::Broken { .. }));
    cluster.change(&[Change::AddPod(pod("a", "one", TCP))]).await?;
    assert_eq!(outcome(&mut cluster).await?, Outcome::Connected);
    cluster.change(&[Change::RemovePod(one), Change::AddPod(pod("a", "one", TCP))]).await?;
    assert_eq!(outcome(&mut cluster).await?, Outcome::Connected);
    Ok(())
}
