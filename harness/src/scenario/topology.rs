//! `topology` of a scenario: namespaces with pods, external hosts, nodes.

use super::applied::Applied;
use super::building::Building;
use super::external::externals;
use super::field::{Field, Reader};
use super::folder::{Manifests, unreadable};
use super::listener::ports;
use super::manifest::{self, names};
use super::nearby::near_or_all;
use super::yaml::Value;
use crate::model::{Labels, Name, Namespace, Node, Pod, PodName, Topology};

/// Names that an endpoint's text form keeps for itself.
const RESERVED: [&str; 2] = ["node", "namespace"];

/// Reads the topology before the first step.
pub(super) fn topology<'n>(
    reader: &mut Reader<'_>,
    field: Option<Field<'n>>,
    nodes: usize,
    manifests: &mut Manifests<'_>,
) -> (Topology, Vec<Waiting<'n>>) {
    let mut topology = Topology::default();
    for number in 1..=nodes {
        let name = Name::from(format!("node-{number}"));
        topology.nodes.insert(name.clone(), Node::of_scenario(name));
    }
    let Some(field) = field else { return (topology, Vec::new()) };
    let known = ["manifests", "namespaces", "external", "nodes"];
    let Some(object) = reader.object(field, &known) else { return (topology, Vec::new()) };
    if let Some(field) = object.get("nodes") {
        self::nodes(reader, field, &mut topology);
    }
    let mut building = Building::over(topology);
    let mut policies = Vec::new();
    for item in object.get("manifests").and_then(|f| reader.list(&f)).unwrap_or_default() {
        from_manifest(reader, item, &mut building, &mut policies, manifests);
    }
    building.complete();
    manifests.diagnostics.append(&mut building.diagnostics);
    let mut topology = building.topology;
    if let Some(field) = object.get("namespaces") {
        for added in namespaces(reader, field, &topology) {
            added.insert(reader, &mut topology);
        }
    }
    if let Some(field) = object.get("external") {
        externals(reader, field, &mut topology);
    }
    (topology, policies)
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

/// A policy in a manifest of the topology: a step has to apply it.
pub(super) struct Waiting<'n> {
    /// Its name, as [`Applied::name`] has it.
    pub(super) policy: String,
    /// Where the manifest is named.
    pub(super) field: Field<'n>,
}

/// A manifest's namespaces and pods; its policies are for the steps to apply.
fn from_manifest<'n>(
    reader: &mut Reader<'_>,
    field: Field<'n>,
    building: &mut Building,
    policies: &mut Vec<Waiting<'n>>,
    manifests: &mut Manifests<'_>,
) {
    let Some(name) = reader.string(&field) else { return };
    let accepted = match manifests.accepted(name) {
        Ok(accepted) => accepted,
        Err(error) => return unreadable(reader, &field, name, &error, manifests),
    };
    let (waiting, others): (Vec<_>, Vec<_>) =
        accepted.manifest.objects.iter().cloned().partition(|object| Applied::of(object).is_some());
    building.objects(&accepted.source, others);
    for policy in waiting.iter().filter_map(Applied::of) {
        policies.push(Waiting { policy: policy.name(), field: field.clone() });
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
    let mut pod = Pod::new(PodName::new(namespace, name), origin);
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
