//! Random topologies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::draw::Draw;
use super::selector::labels;
use crate::model::{
    External, Name, Namespace, Node, Origin, Phase, Pod, PodName, Port, Protocol, Topology,
};

/// Namespaces; a world has the first two or all.
pub const NAMESPACES: [&str; 3] = ["red", "green", "blue"];

/// Port numbers, few enough that rules often match, and some of them neighbours.
pub const NUMBERS: [u16; 4] = [80, 81, 443, 8080];

/// The names of ports.
pub const PORT_NAMES: [&str; 2] = ["http", "admin"];

/// What a node listens on; no hostNetwork pod of its has the same.
const NODE_PORT: u16 = 9100;

/// Hosts with addresses of documentation ranges (RFC 5737, RFC 3849): two that are neighbours in
/// both families, one far off, and one of each family alone.
const HOSTS: [(&str, &[IpAddr]); 5] = [
    ("near", &[outside(4), outside_v6(0, 4)]),
    ("next", &[outside(5), outside_v6(0, 5)]),
    ("far", &[outside(200), outside_v6(0x8000, 1)]),
    ("old", &[outside(6)]),
    ("young", &[outside_v6(0, 6)]),
];

const fn outside(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, last))
}

const fn outside_v6(subnet: u16, last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, subnet, 0, 0, 0, last))
}

/// A topology with 2 or 3 namespaces, 3 to 6 pods on 2 nodes, and up to 4 external hosts;
/// every pod runs, is placed and has an address of each family.
///
/// Pods have 2 or 3 ports each, of any protocol, sometimes with names that mean another
/// number on another pod, or two on the same. At most one pod of a node shares its network;
/// otherwise no endpoint shares an address with another. Pods' addresses lie in 10.0.0.0/16
/// and fd00::/48, nodes' in 172.18.0.0/24 and fd00:10:18::/48.
pub(super) fn topology(draw: &mut Draw, origin: &Origin) -> Topology {
    let mut topology = Topology::default();
    for name in NAMESPACES.into_iter().take(draw.between(2, 3)) {
        let namespace = Namespace::new(name, labels(draw), origin.clone());
        topology.namespaces.insert(Name::from(name), namespace);
    }
    let namespaces: Vec<Name> = topology.namespaces.keys().cloned().collect();
    for number in 1..=2_u8 {
        let name = Name::from(format!("node-{number}"));
        let addresses = vec![
            IpAddr::from([172, 18, 0, number]),
            IpAddr::from([0xfd00, 0x10, 0x18, 0, 0, 0, 0, number.into()]),
        ];
        let port = Port { name: None, number: NODE_PORT, protocol: protocol(draw) };
        let ports = if draw.once_in(2) { vec![port] } else { Vec::new() };
        topology.nodes.insert(name.clone(), Node { addresses, ports, ..Node::new(name) });
    }
    let pods = draw.between(3, 6);
    for number in (0..).take(pods) {
        let namespace = draw.pick(&namespaces).clone();
        let mut pod = pod(draw, &namespace, number, origin);
        // The first two are on different nodes.
        if number < 2
            && draw.once_in(12)
            && let Some(node) = pod.node.as_ref().and_then(|node| topology.nodes.get(node))
        {
            pod.host_network = true;
            pod.addresses.clone_from(&node.addresses);
        }
        topology.pods.insert(pod.name.clone(), pod);
    }
    let mut hosts = HOSTS.to_vec();
    for _ in 0..draw.between(0, 4) {
        let (name, addresses) = hosts.swap_remove(draw.below(hosts.len()));
        let unnamed = |port: Port| Port { name: None, ..port };
        let host = External {
            name: Name::from(name),
            addresses: addresses.to_vec(),
            ports: ports(draw).into_iter().map(unnamed).collect(),
            origin: origin.clone(),
        };
        topology.externals.insert(host.name.clone(), host);
    }
    topology
}

/// A random pod; its number, from 0 to 254, makes its name, its node and its addresses.
pub fn pod(draw: &mut Draw, namespace: &str, number: u8, origin: &Origin) -> Pod {
    let node = number % 2 + 1;
    Pod {
        name: PodName::new(namespace, &format!("p{number}")),
        labels: labels(draw),
        ports: ports(draw),
        node: Some(Name::from(format!("node-{node}"))),
        addresses: vec![
            IpAddr::from([10, 0, node, number + 1]),
            IpAddr::from([0xfd00, 0, 0, node.into(), 0, 0, 0, u16::from(number) + 1]),
        ],
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin: origin.clone(),
    }
}

/// Two or three ports that differ in number or protocol, the first of them TCP. A name may
/// be that of two ports.
fn ports(draw: &mut Draw) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    for turn in 0..draw.between(2, 3) {
        let number = *draw.pick(&NUMBERS);
        let protocol = if turn == 0 { Protocol::Tcp } else { protocol(draw) };
        // Half of the names are the same: a pod may have it twice in one protocol.
        let name = match draw.below(4) {
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

/// A random protocol, SCTP less often than the others.
pub(super) fn protocol(draw: &mut Draw) -> Protocol {
    match draw.below(5) {
        0 | 1 => Protocol::Tcp,
        2 | 3 => Protocol::Udp,
        _ => Protocol::Sctp,
    }
}
