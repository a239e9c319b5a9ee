//! Small random worlds, the same for the same seed.
//!
//! Every policy in them is valid to the API server, and its `manifest` says what
//! the policy says, so that a world can also be given to a cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fastrand::Rng;
use ringfence::model::{
    External, Labels, Name, Namespace, Node, Origin, Phase, Pod, PodName, Port, Protocol, Topology,
    World,
};

pub(crate) mod policies;

pub(crate) use policies::policy;

/// Namespaces; a world has the first two or all.
pub(crate) const NAMESPACES: [&str; 3] = ["red", "green", "blue"];
/// The keys and values of labels, few enough that selectors often match.
pub(crate) const KEYS: [&str; 3] = ["app", "tier", "team"];
pub(crate) const VALUES: [&str; 3] = ["a", "b", "c"];
/// Port numbers, few enough that rules often match.
pub(crate) const NUMBERS: [u16; 4] = [80, 81, 443, 8080];
pub(crate) const PORT_NAMES: [&str; 2] = ["http", "admin"];
/// What a node listens on; no hostNetwork pod of its has the same.
const NODE_PORT: u16 = 9100;

/// A world with 2 or 3 namespaces, 3 to 6 pods on 2 nodes, 2 to 4 external hosts and 1 to 5
/// policies; every pod runs, is placed and has an address of each family.
///
/// Pods have 2 or 3 ports each, of any protocol, sometimes with names that mean another
/// number on another pod, or two on the same. At most one pod of a node shares its network;
/// otherwise no endpoint shares an address with another. External addresses lie in
/// 203.0.113.0/24 and 2001:db8:1::/48, some hosts having one family only; pods' lie in
/// 10.0.0.0/16 and fd00::/48, nodes' in 172.18.0.0/24 and fd00:10:18::/48.
pub(crate) fn generate(seed: u64) -> World {
    let mut random = Rng::with_seed(seed);
    let origin = Origin::synthetic(&format!("seed {seed}"));
    let mut topology = Topology::default();
    for name in NAMESPACES.into_iter().take(random.usize(2..=3)) {
        topology
            .namespaces
            .insert(Name::from(name), Namespace::new(name, labels(&mut random), origin.clone()));
    }
    let namespaces: Vec<Name> = topology.namespaces.keys().cloned().collect();
    for number in 0..2 {
        let name = Name::from(format!("node-{number}"));
        let addresses = vec![
            address(format!("172.18.0.{}", number + 1)),
            address(format!("fd00:10:18::{}", number + 1)),
        ];
        let ports = if random.bool() { node_ports(&mut random) } else { Vec::new() };
        topology.nodes.insert(name.clone(), Node { addresses, ports, ..Node::new(name) });
    }
    for number in 0..random.usize(3..=6) {
        let namespace = &namespaces[random.usize(..namespaces.len())];
        let mut pod = pod(&mut random, namespace, number, &origin);
        if number < 2 && random.u8(..4) == 0 {
            pod.host_network = true;
            let node = pod.node.as_ref().expect("every pod is placed");
            pod.addresses.clone_from(&topology.nodes[node].addresses);
        }
        topology.pods.insert(pod.name.clone(), pod);
    }
    let hosts: [(&str, &[&str]); 4] = [
        ("near", &["203.0.113.5", "2001:db8:1:5::1"]),
        ("far", &["203.0.113.200", "2001:db8:1:200::1"]),
        ("old", &["203.0.113.130"]),
        ("young", &["2001:db8:1:8000::1"]),
    ];
    for (name, addresses) in hosts.into_iter().take(random.usize(2..=4)) {
        let host = External {
            name: Name::from(name),
            addresses: addresses.iter().map(|text| address((*text).to_owned())).collect(),
            ports: ports(&mut random).into_iter().map(|port| Port { name: None, ..port }).collect(),
            origin: origin.clone(),
        };
        topology.externals.insert(host.name.clone(), host);
    }
    let mut policies = BTreeMap::new();
    for number in 0..random.usize(1..=5) {
        let namespace = &namespaces[random.usize(..namespaces.len())];
        let policy = policy(&mut random, namespace, &format!("policy-{number}"), &origin);
        policies.insert(policy.name.clone(), Arc::new(policy));
    }
    World { policies, ..World::new(topology) }
}

/// A random pod; its number, from 0 to 250, makes its name, its node and its addresses.
pub(crate) fn pod(random: &mut Rng, namespace: &str, number: usize, origin: &Origin) -> Pod {
    let node = number % 2;
    Pod {
        name: PodName::new(namespace, &format!("p{number}")),
        labels: labels(random),
        ports: ports(random),
        node: Some(Name::from(format!("node-{node}"))),
        addresses: vec![
            address(format!("10.0.{node}.{}", number + 1)),
            address(format!("fd00:0:0:{node}::{}", number + 1)),
        ],
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin: origin.clone(),
    }
}

fn address(text: String) -> IpAddr {
    text.parse().expect("the generator writes addresses well")
}

fn pick<'a, T: ?Sized>(random: &mut Rng, from: &[&'a T]) -> &'a T {
    from[random.usize(..from.len())]
}

pub(crate) fn labels(random: &mut Rng) -> Labels {
    let mut labels = Labels::new();
    for key in KEYS {
        if random.f32() < 0.6 {
            labels.insert(key.to_owned(), pick(random, &VALUES).to_owned());
        }
    }
    labels
}

/// Two or three ports that differ in number or protocol, the first of them TCP. A name may
/// be that of two ports.
fn ports(random: &mut Rng) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    for turn in 0..random.usize(2..=3) {
        let number = NUMBERS[random.usize(..NUMBERS.len())];
        let protocol = if turn == 0 { Protocol::Tcp } else { protocol(random) };
        // Half of the names are the same: a pod may have it twice in one protocol.
        let name = match random.u8(..4) {
            0 => None,
            1 => Some(Name::from(PORT_NAMES[1])),
            _ => Some(Name::from(PORT_NAMES[0])),
        };
        if !ports.iter().any(|port| (port.number, port.protocol) == (number, protocol)) {
            ports.push(Port { name, number, protocol });
        }
    }
    ports
}

fn node_ports(random: &mut Rng) -> Vec<Port> {
    vec![Port { name: None, number: NODE_PORT, protocol: protocol(random) }]
}

pub(crate) fn protocol(random: &mut Rng) -> Protocol {
    match random.u8(..5) {
        0 | 1 => Protocol::Tcp,
        2 | 3 => Protocol::Udp,
        _ => Protocol::Sctp,
    }
}
