//! The cluster that the tables ask about.

use std::sync::Arc;

use ringfence::model::{
    Cell, External, Family, Labels, Name, Namespace, Node, Origin, Phase, Pod, PodName, Port,
    Topology, Via, World,
};
use serde_json::Value;

use super::manifest::policy;

/// The cluster with policies `p0`, `p1`, … of these `spec`s in namespace `prod`.
pub(crate) fn world(specs: &[Value]) -> World {
    let mut world = World::new(topology());
    for (index, spec) in specs.iter().enumerate() {
        let policy = policy("prod", &format!("p{index}"), spec);
        world.policies.insert(policy.name.clone(), Arc::new(policy));
    }
    world
}

/// Two namespaces on two nodes: `web` and `host` run on node `a`, the others on `b`.
fn topology() -> Topology {
    let origin = Origin::synthetic("table");
    let mut topology = Topology::default();
    let labels = |key: &str, value: &str| Labels::from([(key.to_owned(), value.to_owned())]);
    for name in ["prod", "dev"] {
        let namespace = Namespace::new(name, labels("env", name), origin.clone());
        topology.namespaces.insert(Name::from(name), namespace);
    }
    let ip = |text: &str| text.parse().expect("the address is well written");
    for (name, v4, v6) in [("a", "172.30.0.1", "fd01::1"), ("b", "172.30.0.2", "fd01::2")] {
        let node = Node { addresses: vec![ip(v4), ip(v6)], ..Node::new(Name::from(name)) };
        topology.nodes.insert(Name::from(name), node);
    }
    type Row = (&'static str, &'static str, Option<&'static str>, u8, &'static str);
    let rows: [Row; 9] = [
        ("prod", "web", Some("a"), 1, "http:80/TCP"),
        ("prod", "db", Some("b"), 2, "mysql:3306/TCP dns:53/UDP http:8080/TCP sig:53/SCTP"),
        ("dev", "web", Some("b"), 3, "http:8081/TCP"),
        ("prod", "host", Some("a"), 0, "metrics:9100/TCP"),
        ("prod", "unplaced", None, 0, ":80/TCP"),
        ("prod", "pending", None, 0, ":80/TCP"),
        ("prod", "done", Some("b"), 4, ":80/TCP"),
        ("prod", "failed", Some("b"), 5, ":80/TCP"),
        ("prod", "leaving", Some("b"), 6, ":80/TCP"),
    ];
    for (namespace, name, node, last, ports) in rows {
        let host_network = name == "host";
        let pod = Pod {
            name: PodName::new(namespace, name),
            labels: labels("app", name),
            ports: ports.split(' ').map(port).collect(),
            node: node.map(Name::from),
            addresses: match last {
                0 if host_network => vec![ip("172.30.0.1"), ip("fd01::1")],
                0 => Vec::new(),
                _ => vec![ip(&format!("10.0.0.{last}")), ip(&format!("fd00::{last}"))],
            },
            host_network,
            phase: match name {
                "pending" => Phase::Pending,
                "done" => Phase::Succeeded,
                "failed" => Phase::Failed,
                _ => Phase::Running,
            },
            terminating: name == "leaving",
            origin: origin.clone(),
        };
        topology.pods.insert(pod.name.clone(), pod);
    }
    for (name, addresses) in
        [("backup", vec![ip("192.168.5.10"), ip("2001:db8::10")]), ("somewhere", vec![])]
    {
        let host = External {
            name: Name::from(name),
            addresses,
            ports: vec![port(":80/TCP")],
            origin: origin.clone(),
        };
        topology.externals.insert(host.name.clone(), host);
    }
    topology
}

fn port(text: &str) -> Port {
    let (name, rest) = text.split_once(':').expect("a port is `name:number/protocol`");
    let (number, protocol) = rest.split_once('/').expect("a port is `name:number/protocol`");
    Port {
        name: (!name.is_empty()).then(|| Name::from(name)),
        number: number.parse().expect("a number"),
        protocol: protocol.parse().expect("a protocol"),
    }
}

/// `prod/web -> prod/db:3306[/UDP] [ipv6] [service|nodeport]`
pub(crate) fn cell(text: &str) -> Cell {
    let (source, rest) = text.split_once(" -> ").expect("a cell is `source -> destination:port`");
    let mut words = rest.split(' ');
    let (destination, port) =
        words.next().and_then(|word| word.rsplit_once(':')).expect("a destination has a port");
    let (port, protocol) = port.split_once('/').unwrap_or((port, "TCP"));
    let mut cell = Cell {
        source: source.parse().expect("an endpoint"),
        destination: destination.parse().expect("an endpoint"),
        port: port.parse().expect("a number"),
        protocol: protocol.parse().expect("a protocol"),
        family: Family::Ipv4,
        via: Via::Pod,
    };
    for word in words {
        match word {
            "ipv6" => cell.family = Family::Ipv6,
            "service" => cell.via = Via::Service,
            "nodeport" => cell.via = Via::NodePort,
            other => panic!("expected ipv6, service or nodeport, found `{other}`"),
        }
    }
    cell
}
