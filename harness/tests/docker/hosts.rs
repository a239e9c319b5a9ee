//! Hosts outside the cluster, and nodes that reach them.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;

use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{InspectContainerOptions, StartContainerOptions};
use futures_util::FutureExt;
use ringfence::cluster::agents::{BoxStream, Dial, DialError};
use ringfence::cluster::docker::{DockerHosts, Engine, ExternalHosts, NodeContainer, RUN};
use ringfence::model::{External, Origin, Port};
use ringfence_probe::Outcome;
use ringfence_probe::Protocol::{Tcp, Udp};

use crate::session::Session;
use crate::{Place, loaded};

/// What an agent may need when nothing happens.
const IDLE_MEMORY_KIB: u64 = 10 << 10;

pub(crate) fn external(name: &str, addresses: &[&str]) -> External {
    External {
        name: name.into(),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        ports: vec![port("80/TCP"), port("53/UDP")],
        origin: Origin::synthetic("test"),
    }
}

fn port(text: &str) -> Port {
    let (number, protocol) = text.split_once('/').unwrap();
    Port { name: None, number: number.parse().unwrap(), protocol: protocol.parse().unwrap() }
}

/// A container that stands for a node: on a network with a way out, as a node is.
struct Node {
    engine: Engine,
    id: String,
    address: String,
}

#[async_trait]
impl Dial for Node {
    async fn dial(&self) -> Result<BoxStream, DialError> {
        let stream = self.engine.exec(&self.id, &["/ringfence-agent", "bridge"]).await;
        Ok(Box::new(stream.map_err(|error| DialError::Failed(error.into()))?))
    }
}

async fn node(place: &Place, image: &str) -> Node {
    let docker = Docker::connect_with_defaults().unwrap();
    let sysctl = |name: &str| (name.to_owned(), "0".to_owned());
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(["serve", "--identity", "node", "--listen", "80/TCP"].map(str::to_owned).into()),
        labels: Some(HashMap::from([(RUN.to_owned(), place.run.clone())])),
        host_config: Some(HostConfig {
            sysctls: Some(HashMap::from([
                sysctl("net.ipv4.ip_unprivileged_port_start"),
                sysctl("net.ipv6.conf.all.disable_ipv6"),
                sysctl("net.ipv6.conf.default.disable_ipv6"),
            ])),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let id = docker.create_container(None, body).await.unwrap().id;
    docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    let found = docker.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
    let networks = found.network_settings.unwrap().networks.unwrap();
    let address = networks["bridge"].ip_address.clone().unwrap();
    Node { engine: place.engine.clone(), id, address }
}

pub(crate) async fn without_rights(place: Place) {
    let image = loaded(&place.engine).await.reference;
    let hosts = DockerHosts::new(place.engine.clone(), image, &place.run, Vec::new());
    let deployed = hosts.deploy(&[external("backup", &["203.0.113.7"])], &[]).await.unwrap();
    let host = &deployed.hosts["backup"];
    let mut session = Session::open(host, "backup").await;
    let itself = [("127.0.0.1:80", Tcp, "backup"), ("203.0.113.7:53", Udp, "backup")];
    assert_eq!(session.outcomes(&itself).await, [Outcome::Connected, Outcome::Connected]);

    let docker = Docker::connect_with_defaults().unwrap();
    let found = docker.inspect_container(host.container(), None::<InspectContainerOptions>).await;
    let found = found.unwrap();
    let config = found.host_config.unwrap();
    assert_eq!(config.readonly_rootfs, Some(true));
    assert_eq!(config.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!((config.cap_add, config.privileged), (None, Some(false)));

    // The kernel's own word on it, where the Engine is on this machine.
    let process = found.state.unwrap().pid.unwrap();
    let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else { return };
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    };
    assert_eq!(field("Uid"), ["65532"; 4].join("\t"));
    assert_eq!(field("CapEff"), "0000000000000000");
    assert_eq!(field("CapBnd"), "0000000000000000");
    assert_eq!(field("NoNewPrivs"), "1");
    let memory: u64 = field("VmRSS").trim_end_matches(" kB").parse().unwrap();
    println!("idle memory of the agent: {memory} KiB");
    assert!(memory <= IDLE_MEMORY_KIB, "expected at most {IDLE_MEMORY_KIB} KiB, found {memory}");
}

pub(crate) async fn by_nodes_alone(place: Place) {
    let image = loaded(&place.engine).await.reference;
    let node = node(&place, &image).await;
    let pods = format!("{}/32", node.address).parse().unwrap();
    let nodes = vec![NodeContainer { container: node.id.clone(), pods: vec![pods] }];
    let hosts = DockerHosts::new(place.engine.clone(), image, &place.run, nodes);
    let declared =
        [external("backup", &["203.0.113.7", "2001:db8::7"]), external("other", &["203.0.113.9"])];
    let avoid = ["198.18.0.0/16".parse().unwrap(), "fd00::/9".parse().unwrap()];
    let deployed = hosts.deploy(&declared, &avoid).await.unwrap();
    let host = |name: &str| &deployed.hosts[name];

    // The node has a route.
    let mut from_node = Session::open(&node, "node").await;
    let targets = [
        ("203.0.113.7:80", Tcp, "backup"),
        ("203.0.113.7:53", Udp, "backup"),
        ("[2001:db8::7]:80", Tcp, "backup"),
        ("[2001:db8::7]:53", Udp, "backup"),
        ("203.0.113.9:80", Tcp, "other"),
    ];
    let results = from_node.round(&targets).await;
    for (result, target) in results.iter().zip(targets) {
        assert_eq!(result.outcome, Outcome::Connected, "{target:?}");
        let seen: IpAddr = result.seen_source.expect("the host saw it");
        assert!(!avoid.iter().any(|range: &ipnet::IpNet| range.contains(&seen)), "{seen}");
    }

    // The other host has none, though it is on the same network, nor has it any way out.
    let mut from_other = Session::open(host("other"), "other").await;
    let unreachable = from_other.outcomes(&targets[..4]).await;
    assert!(
        unreachable.iter().all(|outcome| matches!(outcome, Outcome::Broken { .. })),
        "{unreachable:?}"
    );
    // Hosts reach pods, by the node that has them.
    let pod = format!("{}:80", node.address);
    let pod = [(pod.as_str(), Tcp, "node")];
    let reached = Session::open(host("backup"), "backup").await.round(&pod).await;
    assert_eq!(reached[0].outcome, Outcome::Connected);

    // A host that is gone is unreachable: nothing goes out by the node's default route.
    hosts.remove(deployed).await.unwrap();
    let gone = from_node.outcomes(&targets[..2]).await;
    assert!(gone.iter().all(|outcome| matches!(outcome, Outcome::Broken { .. })), "{gone:?}");
}

pub(crate) async fn waited_for(place: Place) {
    let image = loaded(&place.engine).await.reference;
    let hosts = DockerHosts::new(place.engine.clone(), image, &place.run, Vec::new());
    let declared = [external("backup", &["203.0.113.7"])];
    let first = hosts.deploy(&declared, &[]).await.unwrap();
    let mut second = std::pin::pin!(hosts.deploy(&declared, &[]));
    assert!(second.as_mut().now_or_never().is_none(), "the address is taken");
    let another = hosts.deploy(&[external("user", &["203.0.113.8"])], &[]).await.unwrap();
    assert!(second.as_mut().now_or_never().is_none(), "the address is still taken");
    hosts.remove(first).await.unwrap();
    let second = second.await.unwrap();
    hosts.remove(second).await.unwrap();
    hosts.remove(another).await.unwrap();
}

pub(crate) async fn gone(place: Place) {
    let image = loaded(&place.engine).await.reference;
    let hosts = DockerHosts::new(place.engine.clone(), image, &place.run, Vec::new());
    let deployed = hosts.deploy(&[external("backup", &["203.0.113.7"])], &[]).await.unwrap();
    let host = deployed.hosts["backup"].clone();
    hosts.remove(deployed).await.unwrap();
    match host.dial().await {
        Err(DialError::Gone(what)) => {
            assert_eq!(what, format!("the container `{}`", host.container()));
        }
        Err(other) => panic!("expected it to be gone, found {other}"),
        Ok(_) => panic!("expected it to be gone, found a stream"),
    }
}
