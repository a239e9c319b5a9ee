//! What not every cluster is asked for: Services, exact names, raw sockets, pull secrets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hyper::Method;
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use ringfence::cluster::kubernetes::{Options, PullSecret, owner};
use ringfence::cluster::{Cluster, ClusterError, Source, Stages};
use ringfence::model::{Cell, Change, Outcome, Port, Protocol, Topology, Via};
use serde_json::json;

use crate::Outcome as Ended;
use crate::bed::{Bed, close, ended, leave, on_node, share, tagged};
use crate::double::{Failure, Fault};
use crate::town::*;

/// How long a Service may take until it leads to its pod.
const SERVED: Duration = Duration::from_secs(20);

/// Every cell between pods, by other ways.
fn by(topology: &Topology, cluster: &dyn Cluster, ways: &[Via]) -> Vec<Cell> {
    let can = cluster.capabilities();
    assert!(ways.iter().all(|way| can.ways.contains(way)), "found {:?}", can.ways);
    let cells = all_cells(topology, can);
    ways.iter()
        .flat_map(|via| cells.iter().map(|cell| Cell { via: *via, ..cell.clone() }))
        .collect()
}

/// Looks until every cell has shown what is asked of it.
async fn shown(
    cluster: &mut dyn Cluster,
    cells: &[Cell],
    wanted: impl Fn(&Cell, &Outcome) -> bool,
) -> Result<(), ClusterError> {
    let begun = Instant::now();
    loop {
        let seen = probe(cluster, cells).await?;
        let mut other = cells.iter().zip(&seen).filter(|(cell, seen)| !wanted(cell, &seen.outcome));
        let Some((cell, seen)) = other.next() else { return Ok(()) };
        assert!(
            begun.elapsed() < SERVED,
            "expected {} cells to be as wanted within {SERVED:?}, found {} others; the first: \
             {cell}: {}",
            cells.len(),
            1 + other.count(),
            seen.outcome
        );
    }
}

/// Services of pods from the start and of pods that come later, before and under a policy.
async fn serve(bed: Bed, ways: &[Via], ephemeral: bool) -> Ended {
    let mut options = bed.options();
    options.ephemeral = ephemeral;
    let source = bed.source(options).await?;
    source.prepare(&Stages::silent()).await?;
    let mut cluster = share(&source).await?;
    let mut witnessed = town();
    for name in ["other", "source", "target"] {
        witnessed.pods.extend(topology([pod("ringfence-witness", name, &[])]).pods);
    }
    witnessed.namespaces.insert(name("ringfence-witness"), namespace("ringfence-witness"));
    cluster.deploy(&witnessed, 2, &[]).await?;
    let town = cluster.change(&[Change::AddPod(pod("b", "late", &[]))]).await?;
    let cells = by(&town, &*cluster, ways);
    assert!(!cells.is_empty());
    // Whoever asks a Service that is just made gets through: it is waited for.
    for (cell, seen) in cells.iter().zip(probe(&mut *cluster, &cells).await?) {
        assert_eq!(seen.outcome, Outcome::Connected, "{cell}");
    }
    let home = cluster.names()[&name("b")].to_string();
    let services: Api<Service> = Api::namespaced(bed.client.clone(), &home);
    let there = services.list(&ListParams::default()).await.map_err(anyhow::Error::from)?;
    assert!(there.iter().count() >= 2 * ways.len());
    if bed.enforces {
        cluster.change(&[deny_all("b")]).await?;
        let in_b = |cell: &Cell| {
            [&cell.source, &cell.destination]
                .into_iter()
                .filter_map(|end| end.as_pod())
                .any(|pod| *pod.namespace == *"b")
        };
        shown(&mut *cluster, &cells, |cell, seen| match in_b(cell) {
            true => seen.is_stopped(),
            false => seen.is_connected(),
        })
        .await?;
    }
    cluster.teardown().await.map_err(ended)?;
    let there = services.list(&ListParams::default()).await.map_err(anyhow::Error::from)?;
    assert_eq!(there.iter().count(), 0, "Services go with their scenario");
    close(&bed, &source).await
}

pub(crate) async fn services_lead_to_pods(bed: Bed) -> Ended {
    serve(bed, &[Via::Service], false).await
}

pub(crate) async fn node_ports_lead_to_pods(bed: Bed) -> Ended {
    serve(bed, &[Via::NodePort, Via::LocalNodePort], true).await
}

pub(crate) async fn names_are_exact_where_asked(bed: Bed) -> Ended {
    let mut options = bed.options();
    options.ephemeral = true;
    let source = bed.source(options).await?;
    source.prepare(&Stages::silent()).await?;
    let mut cluster = tagged(&source, "exact-names").await?;
    // Nobody else on a shared cluster has this one.
    let home = bed.own_name();
    let pods = [pod(&home, "one", &[]), pod(&home, "two", &[])];
    let deployed = cluster.deploy(&topology(pods), 2, &[]).await?;
    assert!(cluster.names().is_empty(), "found {:?}", cluster.names());
    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    let there = namespaces.get(&home).await.map_err(anyhow::Error::from)?;
    assert_eq!(there.labels()[owner::RUN], source.run().as_str());
    all_open(&mut *cluster, &deployed).await?;
    cluster.teardown().await.map_err(ended)?;
    // Whoever needs exact names has the cluster alone.
    drop(cluster);
    let there = namespaces.get_opt(&home).await.map_err(anyhow::Error::from)?;
    assert!(there.is_none(), "exact names are free again when their scenario has ended");

    // Somebody else's namespace of such a name is left alone.
    let theirs = serde_json::from_value(json!({ "metadata": { "name": home } }))
        .map_err(anyhow::Error::from)?;
    let post = PostParams::default();
    let theirs = namespaces.create(&post, &theirs).await.map_err(anyhow::Error::from)?;
    let mut cluster = tagged(&source, "exact-names").await?;
    let deployed = cluster.deploy(&topology([pod(&home, "one", &[])]), 1, &[]).await;
    let teardown = cluster.teardown().await.map_err(ended);
    let found = namespaces.get(&home).await.map_err(anyhow::Error::from);
    namespaces.delete(&home, &DeleteParams::default()).await.map_err(anyhow::Error::from)?;
    let error = deployed.expect_err("it is somebody else's").to_string();
    assert!(error.contains(&format!("`{home}`")) && error.contains("left alone"), "{error}");
    assert_eq!(found?.uid(), theirs.uid());
    teardown?;
    close(&bed, &source).await
}

pub(crate) async fn raw_sockets_speak_sctp(bed: Bed) -> Ended {
    let source = bed.ready().await?;
    let plain = share(&source).await?;
    let kernel = plain.capabilities().protocols.contains(&Protocol::Sctp);
    drop(plain);
    let mut cluster = tagged(&source, "net-raw").await?;
    let mut pods = town();
    for pod in pods.pods.values_mut() {
        pod.ports.push(Port { name: None, number: 9899, protocol: Protocol::Sctp });
    }
    let deployed = cluster.deploy(&pods, 2, &[]).await?;
    let cells: Vec<Cell> = all_cells(&deployed, cluster.capabilities())
        .into_iter()
        .filter(|cell| cell.protocol == Protocol::Sctp)
        .collect();
    assert!(!cells.is_empty());
    let connected = |_: &Cell, seen: &Outcome| seen.is_connected();
    shown(&mut *cluster, &cells, connected).await?;
    if bed.enforces {
        cluster.change(&[deny_all("a")]).await?;
        shown(&mut *cluster, &cells, |_, seen| seen.is_stopped()).await?;
    }
    eprintln!("SCTP by {}", if kernel { "the kernel" } else { "raw sockets" });
    leave(&bed, &source, cluster).await
}

pub(crate) async fn a_port_that_is_taken_is_told(bed: Bed) -> Ended {
    let mut options = bed.options();
    options.allow_host_network = true;
    let source = bed.source(options).await?;
    source.prepare(&Stages::silent()).await?;
    let mut cluster = on_node(&source).await?;
    let mut host = pod("a", "host", &[]);
    host.host_network = true;
    // The kubelet's.
    host.ports = vec![Port { name: None, number: 10250, protocol: Protocol::Tcp }];
    let error = cluster.deploy(&topology([host]), 1, &[]).await.expect_err("it is taken");
    let text = format!("{:#}", anyhow::Error::new(error));
    assert!(text.contains("`a/host`") && text.contains("`10250/TCP`"), "{text}");
    leave(&bed, &source, cluster).await
}

pub(crate) async fn artifacts_tell_of_everything(bed: Bed) -> Ended {
    let (source, mut cluster) = open_town(&bed, 2).await?;
    cluster.change(&[deny_all("b")]).await?;
    let names = cluster.names();
    let (a, b) = (&names[&name("a")], &names[&name("b")]);
    let artifacts: BTreeMap<String, String> =
        cluster.artifacts().await.into_iter().map(|found| (found.path, found.text)).collect();
    let found = |path: &str| {
        let text = artifacts.get(path);
        text.unwrap_or_else(|| panic!("expected `{path}`, found {:?}", artifacts.keys()))
    };
    assert!(found(&format!("policies/{b}-deny-all.json")).contains("\"policyTypes\""));
    assert!(found(&format!("namespaces/{a}.json")).contains(source.run().as_str()));
    assert!(found(&format!("pods/{a}-one.json")).contains("\"podIPs\""));
    found(&format!("events/{a}.txt"));
    let log = found(&format!("logs/{a}-one-agent.txt"));
    // The double keeps no logs, and a gap is told.
    let said = if bed.is_real() { "serves on" } else { "not to be had" };
    assert!(log.contains(said), "{log}");
    assert!(artifacts.keys().any(|path| path.starts_with("nodes/")));
    assert!(artifacts.keys().any(|path| path.starts_with("cni/")));
    leave(&bed, &source, cluster).await
}

pub(crate) async fn a_pull_secret_is_copied(bed: Bed) -> Ended {
    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    let post = PostParams::default();
    let mut options = bed.options();
    let infra = bed.own_name();
    options.pull_secret =
        Some(PullSecret { namespace: Some(infra.clone()), name: "registry".to_owned() });
    let namespace = json!({ "metadata": { "name": infra } });
    let namespace = serde_json::from_value(namespace).map_err(anyhow::Error::from)?;
    namespaces.create(&post, &namespace).await.map_err(anyhow::Error::from)?;
    let copied = copied(&bed, options, &infra).await;
    let delete = namespaces.delete(&infra, &DeleteParams::default()).await;
    copied?;
    delete.map_err(anyhow::Error::from)?;
    Ok(())
}

async fn copied(bed: &Bed, options: Options, infra: &str) -> Ended {
    let post = PostParams::default();
    let source = bed.source(options).await?;
    let error = source.prepare(&Stages::silent()).await.expect_err("there is no such secret");
    let text = format!("{:#}", anyhow::Error::new(error));
    assert!(text.contains(&format!("get secrets `{infra}/registry`: there is none")), "{text}");

    let data = json!({ ".dockerconfigjson": "eyJhdXRocyI6e319" });
    let secret = json!({
        "metadata": { "name": "registry" }, "type": "kubernetes.io/dockerconfigjson", "data": data,
    });
    let secret: Secret = serde_json::from_value(secret).map_err(anyhow::Error::from)?;
    let theirs: Api<Secret> = Api::namespaced(bed.client.clone(), infra);
    theirs.create(&post, &secret).await.map_err(anyhow::Error::from)?;
    source.close().await.map_err(ended)?;
    if !bed.is_real() {
        // Whoever made a secret and heard nothing of it does not read it: there is no right to.
        bed.fake().fault(Fault::hang_up(Method::POST, "/secrets").times(1));
        let rights = "secrets \"ringfence-pull\" is forbidden: User \"anyone\" cannot get";
        bed.fake().fault(Fault::answer(Method::GET, "/ringfence-pull", Failure::forbidden(rights)));
    }
    source.prepare(&Stages::silent()).await?;
    let mut cluster = share(&source).await?;
    let deployed = cluster.deploy(&town(), 1, &[]).await?;
    if !bed.is_real() {
        assert_eq!(bed.fake().met(), 1, "an answer was lost, and nothing was read");
        bed.fake().heal();
    }
    for home in cluster.names().values() {
        let ours: Api<Secret> = Api::namespaced(bed.client.clone(), home);
        let copy = ours.get("ringfence-pull").await.map_err(anyhow::Error::from)?;
        assert_eq!((&copy.data, &copy.type_), (&secret.data, &secret.type_));
        assert_eq!(copy.labels()[owner::RUN], source.run().as_str());
    }
    all_open(&mut *cluster, &deployed).await?;
    leave(bed, &source, cluster).await
}
