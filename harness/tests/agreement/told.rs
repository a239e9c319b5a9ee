//! A world as text that a person can read.

use std::fmt::Write;
use std::net::IpAddr;

use ringfence::model::{Labels, Namespace, Pod, Port, World};

fn labels(labels: &Labels) -> String {
    let each: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{{{}}}", each.join(","))
}

fn ports(ports: &[Port]) -> String {
    let each = ports.iter().map(|port| {
        let name = port.name.as_ref().map(|name| format!("{name}:")).unwrap_or_default();
        format!("{name}{}/{}", port.number, port.protocol)
    });
    each.collect::<Vec<_>>().join(" ")
}

fn addresses(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
}

/// A namespace with its labels.
pub(crate) fn namespace(namespace: &Namespace) -> String {
    format!("{} {}", namespace.name, labels(&namespace.labels))
}

/// A pod with all that rules can ask about.
pub(crate) fn pod(pod: &Pod) -> String {
    let network = if pod.host_network { " hostNetwork" } else { "" };
    let node = pod.node.as_deref().unwrap_or("no node");
    format!(
        "{} {} [{}] on {node}{network} {}",
        pod.name,
        labels(&pod.labels),
        ports(&pod.ports),
        addresses(&pod.addresses)
    )
}

/// The whole world: a line for each thing, and its manifest for each policy.
pub(crate) fn world(world: &World) -> String {
    let mut text = String::new();
    let topology = &world.topology;
    for each in topology.namespaces.values() {
        let _ = writeln!(text, "  namespace {}", namespace(each));
    }
    for node in topology.nodes.values() {
        let (ports, addresses) = (ports(&node.ports), addresses(&node.addresses));
        let labels = node.labels.as_ref().map(labels).unwrap_or_default();
        let _ = writeln!(text, "  node {} {labels} [{ports}] {addresses}", node.name);
    }
    for each in topology.pods.values() {
        let _ = writeln!(text, "  pod {}", pod(each));
    }
    for host in topology.externals.values() {
        let (ports, addresses) = (ports(&host.ports), addresses(&host.addresses));
        let _ = writeln!(text, "  external {} [{ports}] {addresses}", host.name);
    }
    for policy in world.policies.values() {
        let _ = writeln!(text, "  policy {}: {}", policy.name, policy.manifest["spec"]);
    }
    for policy in world.cluster_policies.values() {
        let _ = writeln!(text, "  policy {}: {}", policy.name, policy.manifest["spec"]);
    }
    text
}
