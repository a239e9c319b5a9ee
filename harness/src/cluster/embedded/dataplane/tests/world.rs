//! A small cluster to compile for, and short ways to write policies down.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::{LocalPod, NodeView};
use crate::model::{
    Cidr, LabelSelector, Labels, Name, Namespace, NetworkPolicy, Node, Operator, Origin, Peer,
    Phase, Pod, PodName, PolicyName, PolicyPort, PolicyType, Port, PortRef, Protocol, Requirement,
    Rule, Topology, World,
};

pub(super) fn labels(text: &str) -> Labels {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn origin() -> Origin {
    Origin::synthetic("test")
}

/// A pod on node `one` with addresses that end in `number`, and ports such as `http:80/TCP`.
pub(super) fn pod(name: &str, number: u8, of: &str, ports: &[&str]) -> Pod {
    let (namespace, name) = name.split_once('/').unwrap();
    let ports = ports.iter().map(|text| {
        let (port, protocol) = text.split_once('/').unwrap();
        let (name, number) = port.split_once(':').map_or((None, port), |(a, b)| (Some(a), b));
        let number = number.parse().unwrap();
        Port { name: name.map(Name::from), number, protocol: protocol.parse().unwrap() }
    });
    let addresses = [format!("10.1.0.{number}"), format!("fd00::{number:x}")];
    Pod {
        name: PodName::new(namespace, name),
        labels: labels(of),
        ports: ports.collect(),
        node: Some(Name::from("one")),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin: origin(),
    }
}

/// Two namespaces with web, api and db in one and another api in the other.
pub(super) fn cluster() -> Vec<Pod> {
    vec![
        pod("prod/web", 1, "app=web", &["http:80/TCP", "8443/TCP"]),
        pod("prod/api", 2, "app=api", &["http:8080/TCP", "http:8081/UDP", "9999/SCTP"]),
        pod("prod/db", 3, "app=db,tier=data", &["sql:3306/TCP", "http:8080/TCP"]),
        pod("dev/api", 4, "app=api", &["http:8000/TCP"]),
    ]
}

/// The world of these pods and policies.
pub(super) fn world(pods: Vec<Pod>, policies: Vec<NetworkPolicy>) -> World {
    let mut topology = Topology::default();
    for (name, of) in [("prod", "env=prod,team=a"), ("dev", "env=dev,team=a"), ("bare", "")] {
        let namespace = Namespace::new(name, labels(of), origin());
        topology.namespaces.insert(Name::from(name), namespace);
    }
    let name = Name::from("one");
    let addresses: Vec<IpAddr> = vec!["172.31.0.1".parse().unwrap()];
    topology.nodes.insert(name.clone(), Node { addresses, ..Node::new(name) });
    topology.pods.extend(pods.into_iter().map(|pod| (pod.name.clone(), pod)));
    let mut world = World::new(topology);
    world.policies.extend(policies.into_iter().map(|p| (p.name.clone(), Arc::new(p))));
    world
}

/// Node `one` with every pod that is placed there, interfaces from 11 in order of their names.
pub(super) fn node(world: &World) -> NodeView {
    let pods = world.topology.pods.values();
    let local = pods.filter(|pod| pod.node.as_deref() == Some("one") && !pod.host_network);
    let pods = local
        .zip(11..)
        .map(|(pod, interface)| LocalPod { name: pod.name.clone(), interface })
        .collect();
    NodeView { name: Name::from("one"), pods }
}

/// A policy `namespace/name` that selects by this selector and says nothing else.
pub(super) fn policy(name: &str, selector: LabelSelector) -> NetworkPolicy {
    let (namespace, name) = name.split_once('/').unwrap();
    NetworkPolicy {
        name: PolicyName::new(namespace, name),
        pod_selector: selector,
        policy_types: None,
        ingress: None,
        egress: None,
        origin: origin(),
        manifest: serde_json::Value::Null,
    }
}

impl NetworkPolicy {
    pub(super) fn types(self, types: &[PolicyType]) -> Self {
        Self { policy_types: Some(types.to_vec()), ..self }
    }

    pub(super) fn ingress(self, rules: &[Rule]) -> Self {
        Self { ingress: Some(rules.to_vec()), ..self }
    }

    pub(super) fn egress(self, rules: &[Rule]) -> Self {
        Self { egress: Some(rules.to_vec()), ..self }
    }
}

pub(super) fn everything() -> LabelSelector {
    LabelSelector::everything()
}

pub(super) fn app(value: &str) -> LabelSelector {
    LabelSelector::label("app", value)
}

/// A selector of one requirement.
pub(super) fn requirement(key: &str, operator: Operator, values: &[&str]) -> LabelSelector {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    let requirement = Requirement { key: key.to_owned(), operator, values };
    LabelSelector { match_labels: Labels::new(), match_expressions: vec![requirement] }
}

/// A rule with `from` or `to`, and `ports`, where they are given.
pub(super) fn rule(peers: Option<&[Peer]>, ports: Option<&[PolicyPort]>) -> Rule {
    Rule { peers: peers.map(Into::into), ports: ports.map(Into::into), origin: origin() }
}

pub(super) fn pods(pod: Option<LabelSelector>, namespace: Option<LabelSelector>) -> Peer {
    Peer::Pods { pod_selector: pod, namespace_selector: namespace, origin: origin() }
}

pub(super) fn block(cidr: &str, except: &[&str]) -> Peer {
    let except = except.iter().map(|text| Cidr::new(text).unwrap()).collect();
    Peer::IpBlock { cidr: Cidr::new(cidr).unwrap(), except, origin: origin() }
}

/// An entry of `ports` such as `80`, `80/UDP`, `http`, `/SCTP`, `8000-8100/TCP` or nothing.
pub(super) fn port(text: &str) -> PolicyPort {
    let (port, protocol) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let protocol: Option<Protocol> = protocol.map(|text| text.parse().unwrap());
    let (first, last) = port.split_once('-').map_or((port, None), |(a, b)| (a, Some(b)));
    let port = match first.parse() {
        Ok(number) => Some(PortRef::Number(number)),
        Err(_) if first.is_empty() => None,
        Err(_) => Some(PortRef::Name(Name::from(first))),
    };
    let end_port = last.map(|last| last.parse().unwrap());
    PolicyPort { protocol, port, end_port, origin: origin() }
}
