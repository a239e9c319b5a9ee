//! What connects and what does not.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use ringfence::cluster::embedded::{Embedded, EmbeddedOptions};
use ringfence::cluster::{Cluster, ClusterError};
use ringfence::model::{
    Change, Endpoint, Family, Name, Outcome, Phase, PodName, PolicyName, Protocol, Topology,
};

use crate::town::*;
use crate::{Outcome as Trial, start};

pub(crate) const TCP: &[(u16, Protocol)] = &[(80, Protocol::Tcp)];

/// Pods on two nodes, one of them in its node's network; hosts outside; a node that listens.
pub(crate) fn town() -> Topology {
    let mut host = pod("beta", "host", &[(8080, Protocol::Tcp), (8053, Protocol::Udp)]);
    host.host_network = true;
    let mut far = pod("beta", "far", EVERY_PROTOCOL);
    far.node = Some(Name::from("node-2"));
    let mut topology = topology([
        pod("alpha", "one", EVERY_PROTOCOL),
        pod("alpha", "two", EVERY_PROTOCOL),
        pod("alpha", "three", EVERY_PROTOCOL),
        host,
        far,
    ]);
    add_external(&mut topology, "user", &["203.0.113.7", "2001:db8::7"], &[]);
    add_external(&mut topology, "backup", &["192.168.5.10", "2001:db8:5::10"], EVERY_PROTOCOL);
    add_node(&mut topology, "node-1", &[(30080, Protocol::Tcp)]);
    topology
}

pub(crate) async fn every_cell_connects() -> Trial {
    let mut cluster = start().await?;
    let topology = cluster.deploy(&town(), 2, &[]).await?;
    assert_eq!(topology.nodes.len(), 2);
    let on = |name: &str| topology.pods[&PodName::new("alpha", name)].node.clone().unwrap();
    assert_ne!(on("one"), on("three"), "pods take turns");
    let host = &topology.pods[&PodName::new("beta", "host")];
    assert_eq!(host.addresses, topology.nodes[host.node.as_ref().unwrap()].addresses);

    let can = cluster.capabilities().clone();
    let cells = all_cells(&topology, &can);
    assert!(cells.len() > 80 * can.families.len(), "found {} cells", cells.len());
    let seen = probe(&mut cluster, &cells, Duration::from_secs(2)).await?;
    for (cell, seen) in cells.iter().zip(&seen) {
        assert_eq!(seen.outcome, Outcome::Connected, "{cell}: {seen:?}");
        // A pod that dials itself, or its own node, may do so from the loopback address.
        let source = topology.address(&cell.source, cell.family);
        let dialled = topology.address(&cell.destination, cell.family);
        if source != dialled {
            assert_eq!(seen.seen_source, source, "{cell}");
        }
        assert_eq!(seen.evidence, None, "{cell}");
    }
    cluster.teardown().await.map_err(|error| ClusterError::Other(error.into()))
}

pub(crate) async fn hosts_keep_out_of_named_ranges() -> Trial {
    let mut cluster = start().await?;
    let avoid: Vec<IpNet> =
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.5.0/24", "fc00::/7", "0.0.0.0/0"]
            .iter()
            .map(|range| range.parse().unwrap())
            .collect();
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP)]);
    let topology = cluster.deploy(&town, 2, &avoid).await?;
    let nodes = topology.nodes.values().flat_map(|node| &node.addresses);
    for address in topology.pods.values().flat_map(|pod| &pod.addresses).chain(nodes) {
        let inside = avoid.iter().find(|range| range.prefix_len() > 0 && range.contains(address));
        assert_eq!(inside, None, "{address}");
    }
    assert_eq!(outcomes(&mut cluster, &[("a/one", "a/two")]).await?, [Outcome::Connected]);
    Ok(())
}

pub(crate) async fn a_policy_stops_what_it_should() -> Trial {
    let mut cluster = start().await?;
    let topology = cluster.deploy(&town(), 2, &[]).await?;
    cluster.change(&[Change::ApplyPolicy(Arc::new(deny_all("alpha")))]).await?;
    let can = cluster.capabilities().clone();
    // Between other namespaces, and what reaches no pod of this one, nothing changes.
    let touches = |end: &Endpoint| end.as_pod().is_some_and(|pod| &*pod.namespace == "alpha");
    let node_of = |end: &Endpoint| match end {
        Endpoint::Pod(pod) => topology.pods[pod].node.clone(),
        Endpoint::Node(node) => Some(node.clone()),
        Endpoint::External(_) => None,
    };
    // A pod and what is in its own node's network are another matter: some of it is undefined.
    let cells: Vec<_> = all_cells(&topology, &can)
        .into_iter()
        .filter(|cell| {
            let hosts = [&cell.source, &cell.destination]
                .iter()
                .any(|end| matches!(end, Endpoint::Node(_)) || end.to_string() == "beta/host");
            let neighbours = node_of(&cell.source) == node_of(&cell.destination);
            cell.source != cell.destination && !(hosts && neighbours)
        })
        .collect();
    let seen = probe(&mut cluster, &cells, Duration::from_millis(800)).await?;
    let mut denied = 0;
    for (cell, seen) in cells.iter().zip(&seen) {
        if touches(&cell.source) || touches(&cell.destination) {
            denied += 1;
            assert_eq!(seen.outcome, Outcome::Dropped, "{cell}: {seen:?}");
            if can.evidence {
                let evidence = seen.evidence.as_ref().unwrap_or_else(|| panic!("{cell}: {seen:?}"));
                assert!(topology.nodes.contains_key(&evidence.node), "{cell}: {evidence:?}");
                assert!(seen.latency < Duration::from_millis(800), "{cell}: {seen:?}");
            }
        } else {
            assert_eq!(seen.outcome, Outcome::Connected, "{cell}: {seen:?}");
        }
    }
    assert!(denied > 40, "found {denied} denied cells of {}", cells.len());
    cluster.change(&[Change::DeletePolicy(PolicyName::new("alpha", "deny-all"))]).await?;
    let seen = probe(&mut cluster, &cells, Duration::from_secs(2)).await?;
    assert!(seen.iter().all(|seen| seen.outcome.is_connected()), "{seen:?}");
    Ok(())
}

pub(crate) async fn without_evidence_silence_counts() -> Trial {
    let options = EmbeddedOptions { evidence: false, ..EmbeddedOptions::default() };
    let mut cluster = Embedded::start(options).await?;
    assert!(!cluster.capabilities().evidence);
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP), pod("b", "three", TCP)]);
    cluster.deploy(&town, 2, &[]).await?;
    cluster.change(&[Change::ApplyPolicy(Arc::new(deny_all("a")))]).await?;
    let cells = [tcp("a/one", "a/two"), tcp("b/three", "a/one"), tcp("b/three", "b/three")];
    let deadline = Duration::from_millis(200);
    let seen = probe(&mut cluster, &cells, deadline).await?;
    for seen in &seen[..2] {
        assert_eq!((&seen.outcome, &seen.evidence), (&Outcome::Dropped, &None));
        assert!(seen.latency >= deadline, "{seen:?}");
    }
    assert_eq!(seen[2].outcome, Outcome::Connected);
    Ok(())
}

pub(crate) async fn a_new_pod_is_isolated_at_once() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", TCP), pod("b", "free", TCP)]);
    cluster.deploy(&town, 2, &[]).await?;
    cluster.change(&[Change::ApplyPolicy(Arc::new(deny_all("a")))]).await?;
    for turn in 0..20 {
        let name = format!("new-{turn}");
        cluster.change(&[Change::AddPod(pod("a", &name, TCP))]).await?;
        let new = format!("a/{name}");
        let found =
            outcomes(&mut cluster, &[("b/free", &new), (&new, "b/free"), (&new, &new)]).await?;
        assert_eq!(found, [Outcome::Dropped, Outcome::Dropped, Outcome::Connected], "{new}");
    }
    Ok(())
}

pub(crate) async fn pods_come_and_go() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP)]);
    let before = cluster.deploy(&town, 2, &[]).await?;
    let mut ended = pod("b", "ended", TCP);
    ended.phase = Phase::Succeeded;
    let mut host = pod("b", "host", &[(8080, Protocol::Tcp)]);
    host.host_network = true;
    let after = cluster
        .change(&[
            Change::RemovePod(PodName::new("a", "one")),
            Change::AddPod(pod("a", "one", TCP)),
            Change::AddNamespace(namespace("b")),
            Change::AddPod(pod("b", "three", TCP)),
            Change::AddPod(ended),
            Change::AddPod(host),
            Change::AddPod(pod("b", "brief", TCP)),
            Change::RemovePod(PodName::new("b", "brief")),
        ])
        .await?;
    let one = PodName::new("a", "one");
    assert_ne!(
        before.pods[&one].addresses, after.pods[&one].addresses,
        "no address is given twice"
    );
    assert!(after.pods[&PodName::new("b", "ended")].addresses.is_empty());
    assert!(!after.pods.contains_key(&PodName::new("b", "brief")));
    let found =
        outcomes(&mut cluster, &[("a/two", "a/one"), ("a/one", "b/three"), ("b/host", "a/one")])
            .await?;
    assert_eq!(found, vec![Outcome::Connected; 3]);
    let host = cell(
        &Endpoint::pod("a", "one"),
        &Endpoint::pod("b", "host"),
        8080,
        Protocol::Tcp,
        Family::Ipv4,
    );
    let seen = probe(&mut cluster, std::slice::from_ref(&host), Duration::from_secs(1)).await?;
    assert_eq!(seen[0].outcome, Outcome::Connected);

    let after = cluster.change(&[Change::RemoveNamespace(Name::from("b"))]).await?;
    assert_eq!(after.pods.len(), 2);
    let found = outcomes(
        &mut cluster,
        &[("a/two", "a/one"), ("a/two", "b/three"), ("b/three", "a/two"), ("a/one", "b/ended")],
    )
    .await?;
    assert_eq!(found[0], Outcome::Connected);
    assert!(found[1..].iter().all(|found| matches!(found, Outcome::Broken { .. })), "{found:?}");
    // The listener of the hostNetwork pod is gone with it, though its node is still there.
    let seen = cluster.change(&[Change::AddNamespace(namespace("b"))]).await?;
    assert_eq!(seen.pods.len(), 2);
    Ok(())
}

pub(crate) async fn a_bad_change() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP)]);
    let before = cluster.deploy(&town, 1, &[]).await?;
    let changes = [
        Change::ApplyPolicy(Arc::new(deny_all("a"))),
        Change::RemovePod(PodName::new("a", "one")),
        Change::RemovePod(PodName::new("a", "three")),
    ];
    let error = cluster.change(&changes).await.unwrap_err();
    assert_eq!(error.to_string(), "expected a pod named `a/three`, found none");
    assert_eq!(cluster.change(&[]).await?, before);
    assert_eq!(outcomes(&mut cluster, &[("a/two", "a/one")]).await?, [Outcome::Connected]);
    Ok(())
}
