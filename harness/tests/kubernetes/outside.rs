//! Hosts outside the cluster: here they are pods that no run knows of.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{AttachParams, DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use ringfence::cluster::agents::{BoxStream, Dial, DialError};
use ringfence::cluster::docker::{Deployment, ExternalHosts, Host};
use ringfence::cluster::kubernetes::Outside;
use ringfence::cluster::{Cluster, ClusterError, Source, Stages, TeardownError};
use ringfence::model::{Cell, Endpoint, External, Family, Origin, Port, Protocol, Topology, Via};
use serde_json::json;

use crate::Outcome;
use crate::bed::{Bed, close, ended, share};
use crate::server::make_namespace;
use crate::town::*;

/// How long the host's pod may take.
const LONG: Duration = Duration::from_secs(60);

/// A range of Services that is nobody's.
const SERVICES: &str = "198.51.100.0/24";

/// An agent in a pod of the test's own.
struct PodHost {
    pods: Api<Pod>,
}

#[async_trait]
impl Dial for PodHost {
    async fn dial(&self) -> Result<BoxStream, DialError> {
        let params = AttachParams::default().stdin(true).stdout(true).stderr(false);
        let command = ["/ringfence-agent", "bridge"];
        let mut process =
            self.pods.exec("backup", command, &params).await.map_err(anyhow::Error::from)?;
        let (Some(output), Some(input)) = (process.stdout(), process.stdin()) else {
            return Err(anyhow::anyhow!("expected streams").into());
        };
        // What carries the streams ends with its process' handle.
        tokio::spawn(process.join());
        Ok(Box::new(tokio::io::join(output, input)))
    }
}

/// Hands out one host, and notes what it is asked.
struct Hosts {
    dial: Arc<PodHost>,
    notes: Mutex<Vec<String>>,
}

#[async_trait]
impl ExternalHosts for Hosts {
    async fn deploy(
        &self,
        hosts: &[External],
        avoid: &[IpNet],
    ) -> Result<Deployment, ClusterError> {
        let names: Vec<&str> = hosts.iter().map(|host| &*host.name).collect();
        let avoid: Vec<String> = avoid.iter().map(IpNet::to_string).collect();
        let note = format!("deploy {} avoid {}", names.join(" "), avoid.join(" "));
        self.notes.lock().unwrap().push(note);
        let made = |host: &External| (host.name.clone(), Host::new("backup", self.dial.clone()));
        let made: BTreeMap<_, _> = hosts.iter().map(made).collect();
        Ok(Deployment::new("outside", made))
    }

    async fn remove(&self, deployment: Deployment) -> Result<(), TeardownError> {
        self.notes.lock().unwrap().push(format!("remove {}", deployment.network()));
        Ok(())
    }
}

/// Starts the host's pod, and returns its addresses.
async fn start(client: &Client, namespace: &str, image: &str) -> Vec<IpAddr> {
    make_namespace(client, namespace).await;
    let pod = json!({
        "metadata": { "name": "backup" },
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532,
                "sysctls": [{ "name": "net.ipv4.ip_unprivileged_port_start", "value": "0" }],
            },
            "containers": [{
                "name": "agent", "image": image, "imagePullPolicy": "IfNotPresent",
                "args": ["serve", "--identity", "backup", "--listen", "80/TCP,53/UDP"],
            }],
        },
    });
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pod = serde_json::from_value(pod).unwrap();
    pods.create(&PostParams::default(), &pod).await.expect("a pod can be made");
    let runs = |pod: Option<&Pod>| {
        let status = pod.and_then(|pod| pod.status.as_ref());
        status.is_some_and(|it| it.phase.as_deref() == Some("Running") && it.pod_ips.is_some())
    };
    let pod = tokio::time::timeout(LONG, await_condition(pods, "backup", runs)).await;
    let status = pod.expect("it runs in time").expect("a watch").unwrap().status.unwrap();
    status.pod_ips.unwrap().iter().map(|address| address.ip.parse().unwrap()).collect()
}

fn with_host(addresses: &[IpAddr]) -> Topology {
    let port = |number, protocol| Port { name: None, number, protocol };
    let host = External {
        name: name("backup"),
        addresses: addresses.to_vec(),
        ports: vec![port(80, Protocol::Tcp), port(53, Protocol::Udp)],
        origin: Origin::synthetic("test"),
    };
    Topology { externals: [(host.name.clone(), host)].into(), ..town() }
}

/// From a pod to the host and back, over every family of the host.
fn both_ways(addresses: &[IpAddr]) -> Vec<Cell> {
    let host = || Endpoint::External(name("backup"));
    let pod = |text: &str| text.parse::<Endpoint>().expect("a pod");
    let ways = |address: &IpAddr| {
        let cell = |source, destination, port, protocol| Cell {
            source,
            destination,
            port,
            protocol,
            family: Family::of(*address),
            via: Via::Pod,
        };
        [
            cell(pod("a/one"), host(), 80, Protocol::Tcp),
            cell(pod("b/three"), host(), 53, Protocol::Udp),
            cell(host(), pod("a/two"), 80, Protocol::Tcp),
        ]
    };
    addresses.iter().flat_map(ways).collect()
}

async fn words(cluster: &mut dyn Cluster, cells: &[Cell]) -> Result<Vec<String>, ClusterError> {
    Ok(probe(cluster, cells).await?.iter().map(|seen| word(&seen.outcome)).collect())
}

pub(crate) async fn hosts_outside_are_reached_and_removed(bed: Bed) -> Outcome {
    let namespace = format!("outside-{}", std::process::id());
    let addresses = start(&bed.client, &namespace, &bed.image).await;
    let pods: Api<Pod> = Api::namespaced(bed.client.clone(), &namespace);
    let hosts = Arc::new(Hosts { dial: Arc::new(PodHost { pods }), notes: Mutex::default() });
    let outside = Outside { hosts: hosts.clone(), avoid: vec![SERVICES.parse().unwrap()] };
    let source = bed.source(bed.options()).await?.with_outside(outside);
    source.prepare(&Stages::silent()).await?;
    let mut cluster = share(&source).await?;
    let can = cluster.capabilities().clone();
    assert!(can.external_hosts, "{can:?}");
    assert!(!can.missing.iter().any(|why| why.contains("external hosts")), "{:?}", can.missing);

    let policies = "203.0.113.0/24";
    let deployed = cluster.deploy(&with_host(&addresses), 2, &[policies.parse().unwrap()]).await?;
    assert_eq!(deployed.externals["backup"].addresses, addresses);
    let asked = hosts.notes.lock().unwrap().last().unwrap().clone();
    assert!(asked.starts_with(&format!("deploy backup avoid {policies} {SERVICES} ")), "{asked}");
    let nodes = deployed.nodes.values().flat_map(|node| &node.addresses);
    for address in nodes {
        assert!(asked.contains(&IpNet::from(*address).to_string()), "{asked}: {address}");
    }

    let cells = both_ways(&addresses);
    assert_eq!(words(&mut *cluster, &cells).await?, vec!["open"; cells.len()]);
    if bed.enforces {
        cluster.change(&[deny_all("a")]).await?;
        let wanted: Vec<&str> = addresses.iter().flat_map(|_| ["shut", "open", "shut"]).collect();
        let end = tokio::time::Instant::now() + LONG;
        loop {
            let seen = words(&mut *cluster, &cells).await?;
            if seen == wanted {
                break;
            }
            assert!(tokio::time::Instant::now() < end, "expected {wanted:?}, found {seen:?}");
        }
    }
    cluster.teardown().await.map_err(ended)?;
    assert_eq!(hosts.notes.lock().unwrap().last().unwrap(), "remove outside");

    // The slot goes on without them.
    let mut next = share(&source).await?;
    next.deploy(&town(), 2, &[]).await?;
    let seen = words(&mut *next, &cells[..1]).await?;
    assert_eq!(seen, ["expected an agent for `backup`, found none"]);
    assert_eq!(hosts.notes.lock().unwrap().len(), 2, "nothing was deployed that nobody declared");
    next.teardown().await.map_err(ended)?;
    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    namespaces.delete(&namespace, &DeleteParams::default()).await.map_err(anyhow::Error::from)?;
    close(&bed, &source).await
}
