//! What policies need to know of a pod's containers: their ports, and whether
//! they last (`validateContainerPorts` and its neighbours in
//! `pkg/apis/core/validation`).

use super::names;
use super::port::port_name;
use super::validate::{invalid_number, quoted, required, unsupported};
use crate::model::{Name, Port, Protocol};
use crate::scenario::KubernetesVersion;
use crate::scenario::field::{Field, Object, Reader};
use crate::scenario::yaml::Value;

const PORT: [&str; 5] = ["name", "hostPort", "containerPort", "protocol", "hostIP"];

/// The version from which every container may have a restart policy of its own
/// (KEP-5307, feature `ContainerRestartRules`, on by default).
const RESTART_RULES: KubernetesVersion = KubernetesVersion::v1(35);

/// The ports of a pod's lasting containers.
pub(super) fn ports(
    reader: &mut Reader<'_>,
    spec: &Object<'_>,
    host_network: bool,
    version: KubernetesVersion,
) -> Vec<Port> {
    let mut ports = Vec::new();
    for key in ["containers", "initContainers"] {
        let Some(items) = spec.get(key).and_then(|field| reader.list(&field)) else { continue };
        if items.is_empty() && key == "containers" {
            required(reader, &spec.field, key, "");
        }
        let mut host_ports = Vec::new();
        for item in items {
            let empty = item.node.value == Value::Null;
            let container = if empty { None } else { reader.map(item) };
            let Some(container) = container else { continue };
            reader.other_case(&container, &["ports", "restartPolicy"]);
            // An init container that restarts runs beside the others (KEP-753);
            // one that does not is gone before the pod is ready.
            let always = restart_policy(reader, &container, key, version);
            let lasting = key == "containers" || always;
            let items = container.get("ports").and_then(|field| reader.list(&field));
            let mut names = Vec::new();
            for item in items.unwrap_or_default() {
                let port = port(reader, item, host_network, &mut names, &mut host_ports);
                if let Some(port) = port.filter(|port| lasting && !ports.contains(port)) {
                    ports.push(port);
                }
            }
        }
    }
    ports
}

/// Whether a container of its own accord restarts always.
fn restart_policy(
    reader: &mut Reader<'_>,
    container: &Object<'_>,
    key: &str,
    version: KubernetesVersion,
) -> bool {
    let Some(field) = container.get("restartPolicy") else { return false };
    let Some(text) = reader.string(&field) else { return false };
    if version >= RESTART_RULES {
        let known = ["Always", "Never", "OnFailure"];
        if !known.contains(&text) {
            unsupported(reader, "restart-policy", &field, text, &known);
        }
    } else if key == "containers" {
        let why = "may not be set for non-init containers";
        reader.error("restart-policy", &field, format!("{field}: Forbidden: {why}"));
    } else if text != "Always" {
        unsupported(reader, "restart-policy", &field, text, &["Always"]);
    }
    text == "Always"
}

/// One entry of a container's `ports`.
fn port(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    host_network: bool,
    names: &mut Vec<String>,
    host_ports: &mut Vec<String>,
) -> Option<Port> {
    let object = reader.structure(field, &PORT)?;
    let protocol = protocol(reader, &object);
    let name = object.get("name").and_then(|field| {
        let text = reader.string(&field).filter(|text| !text.is_empty())?;
        if names.iter().any(|name| name == text) {
            reader.error(
                "duplicate",
                &field,
                format!("{field}: Duplicate value: {}", quoted(text)),
            );
        } else if port_name(reader, &field, text) {
            names.push(text.to_owned());
        }
        Some(Name::from(text))
    });
    let number = match object.get("containerPort") {
        None => Some(0),
        Some(field) => reader.int32(&field),
    };
    let port = match number.map(|number| (number, names::port_number(number))) {
        Some((0, _)) => {
            required(reader, &object.field, "containerPort", "");
            None
        }
        Some((_, Ok(port))) => Some(port),
        Some((number, Err(why))) => {
            if let Some(field) = object.get("containerPort") {
                invalid_number(reader, "port-number", &field, number, why);
            }
            None
        }
        None => None,
    };
    host_port(reader, &object, port, protocol, host_network, host_ports);
    Some(Port { name, number: port?, protocol: protocol? })
}

fn protocol(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<Protocol> {
    let Some(field) = object.get("protocol") else { return Some(Protocol::Tcp) };
    match reader.string(&field)? {
        // An empty one is none, and that is TCP (`SetDefaults_PodSpec`).
        "" => Some(Protocol::Tcp),
        text => match text.parse() {
            Ok(protocol) => Some(protocol),
            Err(_) => {
                unsupported(reader, "protocol", &field, text, &["SCTP", "TCP", "UDP"]);
                None
            }
        },
    }
}

fn host_port(
    reader: &mut Reader<'_>,
    object: &Object<'_>,
    port: Option<u16>,
    protocol: Option<Protocol>,
    host_network: bool,
    taken: &mut Vec<String>,
) {
    let address = object.get("hostIP").map_or(Some(""), |field| reader.string(&field));
    let Some(field) = object.get("hostPort") else { return };
    let Some(number) = reader.int32(&field).filter(|number| *number != 0) else { return };
    if let Err(why) = names::port_number(number) {
        invalid_number(reader, "port-number", &field, number, why);
    }
    if host_network && port.is_some_and(|port| i32::from(port) != number) {
        let why = "must match `containerPort` when `hostNetwork` is true";
        invalid_number(reader, "host-port", &field, number, why);
    }
    let (Some(address), Some(protocol)) = (address, protocol) else { return };
    let key = format!("{protocol}/{address}/{number}");
    if taken.contains(&key) {
        reader.error("duplicate", &field, format!("{field}: Duplicate value: {}", quoted(&key)));
    } else {
        taken.push(key);
    }
}
