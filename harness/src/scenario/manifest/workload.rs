//! Namespaces, Pods and the workloads that make pods.
//!
//! Only the fields that matter to policies are read and checked; the rest of
//! a pod is the API server's business.

use std::net::IpAddr;

use super::meta::{NameRule, meta};
use super::port::container_port;
use super::selector::labels;
use super::validate::{required, unsupported};
use crate::model::{Family, Namespace, Phase, Pod, PodName, Port};
use crate::scenario::field::{Field, Object, Reader};

/// A Namespace.
pub(super) fn namespace(reader: &mut Reader<'_>, field: Field<'_>) -> Option<Namespace> {
    let object = reader.object(field, &["apiVersion", "kind", "metadata", "spec", "status"])?;
    let origin = reader.origin(&object.field);
    let meta = meta(reader, &object, NameRule::Label)?;
    Some(Namespace::new(&meta.name, meta.labels, origin))
}

/// A Pod.
pub(super) fn pod(reader: &mut Reader<'_>, field: Field<'_>) -> Option<Pod> {
    let object = reader.object(field, &["apiVersion", "kind", "metadata", "spec", "status"])?;
    let origin = reader.origin(&object.field);
    let meta = meta(reader, &object, NameRule::Subdomain);
    let mut pod = Pod {
        name: PodName::new("", ""),
        labels: Default::default(),
        ports: Vec::new(),
        node: None,
        addresses: Vec::new(),
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin,
    };
    match object.get("spec") {
        Some(field) => spec(reader, field, &mut pod),
        None => {
            required(reader, &object.field, "spec.containers", "");
        }
    }
    if let Some(status) = object.get("status").and_then(|field| reader.map(field)) {
        self::status(reader, &status, &mut pod);
    }
    let meta = meta?;
    pod.name = PodName { namespace: meta.namespace, name: meta.name };
    pod.labels = meta.labels;
    pod.terminating = meta.deleted;
    Some(pod)
}

/// A workload as one pod: its template's labels and ports under its own name.
/// `template` is the way to the pod template.
pub(super) fn workload(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    template: &[&str],
) -> Option<Pod> {
    let object = reader.object(field, &["apiVersion", "kind", "metadata", "spec", "status"])?;
    let origin = reader.origin(&object.field);
    let meta = meta(reader, &object, NameRule::Subdomain);
    let mut at = object;
    for key in template {
        let Some(field) = at.get(key) else {
            required(reader, &at.field, key, "");
            return None;
        };
        at = reader.map(field)?;
    }
    let meta = meta?;
    let mut pod = Pod {
        name: PodName { namespace: meta.namespace, name: meta.name },
        labels: Default::default(),
        ports: Vec::new(),
        node: None,
        addresses: Vec::new(),
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin,
    };
    if let Some(meta) = at.get("metadata").and_then(|field| reader.map(field))
        && let Some(field) = meta.get("labels")
    {
        pod.labels = labels(reader, field);
    }
    match at.get("spec") {
        Some(field) => spec(reader, field, &mut pod),
        None => {
            required(reader, &at.field, "spec.containers", "");
        }
    }
    Some(pod)
}

fn spec(reader: &mut Reader<'_>, field: Field<'_>, pod: &mut Pod) {
    let Some(spec) = reader.map(field) else { return };
    if let Some(field) = spec.get("hostNetwork") {
        pod.host_network = reader.boolean(&field).unwrap_or(false);
    }
    if let Some(field) = spec.get("nodeName") {
        let name = reader.string(&field).unwrap_or_default();
        pod.node = (!name.is_empty()).then(|| name.into());
    }
    if spec.get("containers").is_none() {
        required(reader, &spec.field, "containers", "");
    }
    containers(reader, &spec, "containers", &mut pod.ports);
    containers(reader, &spec, "initContainers", &mut pod.ports);
}

fn containers(reader: &mut Reader<'_>, spec: &Object<'_>, key: &str, ports: &mut Vec<Port>) {
    let Some(items) = spec.get(key).and_then(|field| reader.list(&field)) else { return };
    for item in items {
        let Some(container) = reader.map(item) else { continue };
        // An init container that restarts runs beside the others (KEP-753);
        // one that does not is gone before the pod is ready.
        let lasting = key == "containers"
            || container
                .get("restartPolicy")
                .is_some_and(|field| reader.string(&field) == Some("Always"));
        let Some(items) = container.get("ports").and_then(|field| reader.list(&field)) else {
            continue;
        };
        for item in items {
            if let Some(port) = container_port(reader, item)
                && lasting
                && !ports.contains(&port)
            {
                ports.push(port);
            }
        }
    }
}

fn status(reader: &mut Reader<'_>, status: &Object<'_>, pod: &mut Pod) {
    if let Some(field) = status.get("phase") {
        match reader.string(&field) {
            Some("Pending") => pod.phase = Phase::Pending,
            // A pod whose node is silent may still run.
            Some("Running" | "Unknown" | "") | None => {}
            Some("Succeeded") => pod.phase = Phase::Succeeded,
            Some("Failed") => pod.phase = Phase::Failed,
            Some(text) => {
                let known = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];
                unsupported(reader, "pod-phase", &field, text, &known);
            }
        }
    }
    let listed = status.get("podIPs").and_then(|field| reader.list(&field)).unwrap_or_default();
    let mut fields: Vec<Field<'_>> = Vec::new();
    for item in listed {
        fields.extend(reader.map(item).and_then(|object| object.get("ip")));
    }
    if fields.is_empty() {
        fields.extend(status.get("podIP"));
    }
    for field in fields {
        let Some(text) = reader.string(&field) else { continue };
        match text.parse::<IpAddr>() {
            Ok(address) => {
                let taken = pod.addresses.iter().any(|a| Family::of(*a) == Family::of(address));
                if !taken {
                    pod.addresses.push(address);
                }
            }
            Err(_) if text.is_empty() => {}
            Err(_) => {
                let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                super::validate::invalid(reader, "pod-address", &field, text, why);
            }
        }
    }
}
