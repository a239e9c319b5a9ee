//! `topology` of a scenario: namespaces with pods, external hosts, nodes.

use std::net::IpAddr;

use super::field::{Field, Object, Reader};
use super::folder::Manifests;
use super::manifest::{self, names};
use super::nearby::{did_you_mean, near_or_all};
use super::yaml::Value;
use crate::model::{
    External, Family, Labels, Name, Namespace, Node, Phase, Pod, PodName, Port, Protocol, Topology,
};

/// Names that an endpoint's text form keeps for itself.
const RESERVED: [&str; 2] = ["node", "namespace"];

/// Reads the topology before the first step.
pub(super) fn topology(
    reader: &mut Reader<'_>,
    field: Option<Field<'_>>,
    nodes: usize,
    manifests: &mut Manifests<'_>,
) -> Topology {
    let mut topology = Topology::default();
    for number in 1..=nodes {
        let name = Name::from(format!("node-{number}"));
        let node = Node { name: name.clone(), addresses: Vec::new(), ports: Vec::new() };
        topology.nodes.insert(name, node);
    }
    let Some(field) = field else { return topology };
    let known = ["manifests", "namespaces", "external", "nodes"];
    let Some(object) = reader.object(field, &known) else { return topology };
    if let Some(field) = object.get("nodes") {
        self::nodes(reader, field, &mut topology);
    }
    for item in object.get("manifests").and_then(|f| reader.list(&f)).unwrap_or_default() {
        from_manifest(reader, &item, &mut topology, manifests);
    }
    if let Some(field) = object.get("namespaces") {
        for added in namespaces(reader, field, &topology) {
            added.insert(reader, &mut topology);
        }
    }
    if let Some(field) = object.get("external") {
        externals(reader, field, &mut topology);
    }
    topology
}

/// A namespace or pod that a scenario declares, and where.
pub(super) enum Added<'n> {
    Namespace(Namespace, Field<'n>),
    Pod(Pod, Field<'n>),
}

impl Added<'_> {
    fn insert(self, reader: &mut Reader<'_>, topology: &mut Topology) {
        match self {
            Self::Namespace(namespace, _) => {
                topology.namespaces.insert(namespace.name.clone(), namespace);
            }
            Self::Pod(pod, field) => {
                if let Some(first) = topology.pods.get(&pod.name) {
                    let message = format!("`{}` is declared already", pod.name);
                    let help = format!("first at {}", first.origin);
                    let place = field.key_place;
                    reader.error_at("already-there", &field.path, place, message).hint(&help);
                } else {
                    topology.pods.insert(pod.name.clone(), pod);
                }
            }
        }
    }
}

/// A manifest's namespaces and pods; its policies are for the steps to apply.
fn from_manifest(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    topology: &mut Topology,
    manifests: &mut Manifests<'_>,
) {
    let Some(name) = reader.string(field) else { return };
    let manifest = match manifests.accepted(name) {
        Ok(manifest) => manifest,
        Err(error) => return unreadable(reader, field, name, &error, manifests),
    };
    for object in &manifest.objects {
        match object {
            manifest::Object::Namespace(namespace) => {
                topology.namespaces.insert(namespace.name.clone(), namespace.clone());
            }
            manifest::Object::Pod(pod, _) => {
                let key = &pod.name.namespace;
                if !topology.namespaces.contains_key(key) {
                    let implied = Namespace::new(key, Labels::new(), pod.origin.clone());
                    topology.namespaces.insert(key.clone(), implied);
                }
                topology.pods.insert(pod.name.clone(), pod.clone());
            }
            manifest::Object::Policy(_) => {}
        }
    }
}

/// A file that cannot be read.
pub(super) fn unreadable(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    name: &str,
    error: &str,
    manifests: &Manifests<'_>,
) {
    let names = manifests.names();
    let near = did_you_mean(name, names.iter().map(String::as_str));
    let diagnostic =
        reader.error("unreadable-file", field, format!("cannot read `{name}`: {error}"));
    if let Some(near) = near {
        diagnostic.hint(&near);
    }
}

/// Namespaces with their pods, as `topology` and `add` write them. Those that
/// are there already get only the pods.
pub(super) fn namespaces<'n>(
    reader: &mut Reader<'_>,
    field: Field<'n>,
    topology: &Topology,
) -> Vec<Added<'n>> {
    let mut added = Vec::new();
    let Some(object) = reader.map(field) else { return added };
    for entry in object.entries {
        let child = object.field.child(entry);
        let name = entry.key.as_str();
        if RESERVED.contains(&name) {
            let message = format!("`{name}` is no name for a namespace in a scenario");
            let help = format!("`{name}/…` means something else in rules and changes");
            reader.error_at("reserved-name", &child.path, child.key_place, message).hint(&help);
        }
        for why in names::dns_label(name) {
            let message = format!("{child}: Invalid value: {name:?}: {why}");
            reader.error_at("invalid-name", &child.path, child.key_place, message);
        }
        let mut origin = reader.origin(&child);
        (origin.line, origin.column) = (child.key_place.line, child.key_place.column);
        if child.node.value == Value::Null {
            if !topology.namespaces.contains_key(name) {
                let namespace = Namespace::new(name, Labels::new(), origin);
                added.push(Added::Namespace(namespace, child));
            }
            continue;
        }
        let Some(body) = reader.object(child.clone(), &["labels", "pods"]) else { continue };
        let labels_field = body.get("labels");
        if topology.namespaces.contains_key(name) {
            if let Some(field) = labels_field {
                let message = format!("the namespace `{name}` is there already");
                reader
                    .error("already-there", &field, message)
                    .hint("change its labels with `label`");
            }
        } else {
            let labels = labels_field.map(|field| manifest::labels(reader, field));
            let namespace = Namespace::new(name, labels.unwrap_or_default(), origin);
            added.push(Added::Namespace(namespace, child));
        }
        let Some(pods) = body.get("pods").and_then(|field| reader.map(field)) else { continue };
        for entry in pods.entries {
            let field = pods.field.child(entry);
            if let Some(pod) = pod(reader, field.clone(), name, &entry.key, topology) {
                added.push(Added::Pod(pod, field));
            }
        }
    }
    added
}

fn pod(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    namespace: &str,
    name: &str,
    topology: &Topology,
) -> Option<Pod> {
    for why in names::dns_subdomain(name) {
        let message = format!("{field}: Invalid value: {name:?}: {why}");
        reader.error_at("invalid-name", &field.path, field.key_place, message);
    }
    let mut origin = reader.origin(&field);
    (origin.line, origin.column) = (field.key_place.line, field.key_place.column);
    let mut pod = Pod {
        name: PodName::new(namespace, name),
        labels: Labels::new(),
        ports: Vec::new(),
        node: None,
        addresses: Vec::new(),
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin,
    };
    if field.node.value == Value::Null {
        return Some(pod);
    }
    let object = reader.object(field, &["labels", "ports", "hostNetwork", "node"])?;
    if let Some(field) = object.get("labels") {
        pod.labels = manifest::labels(reader, field);
    }
    pod.ports = ports(reader, &object);
    if let Some(field) = object.get("hostNetwork") {
        pod.host_network = reader.boolean(&field)?;
    }
    if let Some(field) = object.get("node") {
        let name = reader.string(&field)?;
        if !topology.nodes.contains_key(name) {
            let help = near_or_all(name, topology.nodes.keys().map(|name| &**name));
            let diagnostic =
                reader.error("unknown-node", &field, format!("there is no node `{name}`"));
            diagnostic.hint(&help.unwrap_or_default());
        }
        pod.node = Some(Name::from(name));
    }
    Some(pod)
}

/// `ports` of a pod, an external host or a node.
fn ports(reader: &mut Reader<'_>, object: &Object<'_>) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    let items = object.get("ports").and_then(|field| reader.list(&field)).unwrap_or_default();
    for item in items {
        let Some(port) = port(reader, &item) else { continue };
        if ports.contains(&port) {
            let message = format!("`{}/{}` is declared twice", port.number, port.protocol);
            reader.error("duplicate-port", &item, message);
        } else {
            ports.push(port);
        }
    }
    ports
}

/// `80`, `"53/UDP"`, `"http:8080/TCP"` or `{ name: http, port: 8080, protocol: TCP }`.
fn port(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Port> {
    let bad = |reader: &mut Reader<'_>, why: String| {
        reader.error("bad-port", field, why).hint(
            "write `80`, `53/UDP`, `http:8080/TCP` or `{ name: http, port: 8080, protocol: TCP }`",
        );
    };
    match &field.node.value {
        Value::Int(_) | Value::Float(_) => {
            let number = reader.int32(field)?;
            match names::port_number(number) {
                Ok(number) => Some(Port { name: None, number, protocol: Protocol::Tcp }),
                Err(why) => {
                    bad(reader, format!("{field}: Invalid value: {number}: {why}"));
                    None
                }
            }
        }
        Value::String(text) => match port_text(text) {
            Ok(port) => Some(port),
            Err(why) => {
                bad(reader, why);
                None
            }
        },
        Value::Map(_) => {
            let object = reader.object(field.clone(), &["name", "port", "protocol"])?;
            let Some(number) = object.get("port") else {
                bad(reader, format!("{field}.port: Required value"));
                return None;
            };
            let mut text = reader.int32(&number)?.to_string();
            if let Some(field) = object.get("protocol") {
                text = format!("{text}/{}", reader.string(&field)?);
            }
            if let Some(field) = object.get("name") {
                text = format!("{}:{text}", reader.string(&field)?);
            }
            match port_text(&text) {
                Ok(port) => Some(port),
                Err(why) => {
                    bad(reader, why);
                    None
                }
            }
        }
        _ => {
            reader.wrong_type(field, "a port");
            None
        }
    }
}

fn port_text(text: &str) -> Result<Port, String> {
    let (name, rest) = match text.split_once(':') {
        Some((name, rest)) => (Some(name), rest),
        None => (None, text),
    };
    let (number, protocol) = rest.split_once('/').unwrap_or((rest, "TCP"));
    let number = number
        .parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("expected a port from 1 to 65535, found `{number}`"))?;
    let protocol = protocol.parse().map_err(|error| format!("{error}"))?;
    if let Some(why) = name.and_then(|name| names::port_name(name).into_iter().next()) {
        return Err(format!("`{}` is no port name: {why}", name.unwrap_or_default()));
    }
    Ok(Port { name: name.map(Name::from), number, protocol })
}

fn nodes(reader: &mut Reader<'_>, field: Field<'_>, topology: &mut Topology) {
    let Some(object) = reader.map(field) else { return };
    for entry in object.entries {
        let child = object.field.child(entry);
        let names: Vec<Name> = topology.nodes.keys().cloned().collect();
        let Some(node) = topology.nodes.get_mut(entry.key.as_str()) else {
            let help = near_or_all(&entry.key, names.iter().map(|name| &**name));
            let message = format!("there is no node `{}`", entry.key);
            reader
                .error_at("unknown-node", &child.path, child.key_place, message)
                .hint(&help.unwrap_or_default());
            continue;
        };
        if let Some(body) = reader.object(child, &["ports"]) {
            node.ports = ports(reader, &body);
        }
    }
}

fn externals(reader: &mut Reader<'_>, field: Field<'_>, topology: &mut Topology) {
    let Some(object) = reader.map(field) else { return };
    for entry in object.entries {
        let child = object.field.child(entry);
        for why in names::dns_label(&entry.key) {
            let message = format!("{child}: Invalid value: {:?}: {why}", entry.key);
            reader.error_at("invalid-name", &child.path, child.key_place, message);
        }
        let mut origin = reader.origin(&child);
        (origin.line, origin.column) = (child.key_place.line, child.key_place.column);
        let Some(body) = reader.object(child, &["address", "addresses", "ports"]) else { continue };
        let mut fields: Vec<Field<'_>> = body.get("address").into_iter().collect();
        if let Some(field) = body.get("addresses") {
            fields.extend(reader.list(&field).unwrap_or_default());
        }
        if fields.is_empty() {
            let message = format!("{}: expected `address` or `addresses`", body.field);
            let place = body.field.key_place;
            reader.error_at("missing-field", &body.field.path, place, message);
        }
        let mut addresses: Vec<IpAddr> = Vec::new();
        for field in fields {
            let Some(address) = address(reader, &field, topology, &addresses) else { continue };
            addresses.push(address);
        }
        let ports = ports(reader, &body);
        let name = Name::from(entry.key.as_str());
        let external = External { name: name.clone(), addresses, ports, origin };
        topology.externals.insert(name, external);
    }
}

fn address(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    topology: &Topology,
    own: &[IpAddr],
) -> Option<IpAddr> {
    let text = reader.string(field)?;
    let Ok(address) = text.parse::<IpAddr>() else {
        let message = format!("expected an IP address, found `{text}`");
        reader.error("bad-address", field, message);
        return None;
    };
    if let Some(why) = reserved(address) {
        let message = format!("`{address}` cannot be an external host's: it is {why}");
        reader
            .error("address-reserved", field, message)
            .hint("the documentation ranges are free: 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32");
        return None;
    }
    let taken = topology.externals.values().find(|host| host.addresses.contains(&address));
    if let Some(host) = taken {
        let message = format!("`{address}` belongs to `{}` already", host.name);
        let help = format!("declared at {}", host.origin);
        reader.error("address-taken", field, message).hint(&help);
        return None;
    }
    if own.iter().any(|other| Family::of(*other) == Family::of(address)) {
        let message = format!("a second {} address, expected at most one", Family::of(address));
        reader.error("address-taken", field, message).hint("declare another external host");
        return None;
    }
    Some(address)
}

/// Why no host beyond a router can have an address (IANA special-purpose registries).
fn reserved(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => match v4.octets() {
            [0, ..] => Some("in 0.0.0.0/8, \"this network\" (RFC 791)"),
            [127, ..] => Some("a loopback address (RFC 1122)"),
            [169, 254, ..] => Some("a link-local address (RFC 3927)"),
            [224..=239, ..] => Some("a multicast address (RFC 5771)"),
            [255, 255, 255, 255] => Some("the broadcast address (RFC 919)"),
            [240..=255, ..] => Some("in class E, reserved (RFC 1112)"),
            _ => None,
        },
        IpAddr::V6(v6) => {
            if v6.is_unspecified() {
                Some("the unspecified address (RFC 4291)")
            } else if v6.is_loopback() {
                Some("the loopback address (RFC 4291)")
            } else if v6.is_multicast() {
                Some("a multicast address (RFC 4291)")
            } else if v6.is_unicast_link_local() {
                Some("a link-local address (RFC 4291)")
            } else if v6.to_ipv4_mapped().is_some() {
                Some("an IPv4-mapped address (RFC 4291): write the IPv4 address")
            } else if v6.segments()[..6] == [0; 6] {
                Some("an IPv4-compatible address, deprecated (RFC 4291)")
            } else {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_three_texts() {
        let port = |name: Option<&str>, number, protocol| Port {
            name: name.map(Name::from),
            number,
            protocol,
        };
        for (text, expected) in [
            ("80", port(None, 80, Protocol::Tcp)),
            ("53/UDP", port(None, 53, Protocol::Udp)),
            ("http:8080", port(Some("http"), 8080, Protocol::Tcp)),
            ("m3ua:2905/SCTP", port(Some("m3ua"), 2905, Protocol::Sctp)),
        ] {
            assert_eq!(port_text(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "65536", "80/tcp", "80:http", ":80", "http:", "a--b:80", "80-90"] {
            assert!(port_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reserved_addresses_are_known() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "::ffff:1.2.3.4",
            "::1.2.3.4",
        ] {
            assert!(reserved(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in ["203.0.113.7", "192.168.5.10", "10.0.0.1", "2001:db8::10", "fd00::1"] {
            assert_eq!(reserved(text.parse().unwrap()), None, "{text}");
        }
    }
}
