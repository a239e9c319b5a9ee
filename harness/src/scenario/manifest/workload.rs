//! Namespaces, Pods and the workloads that make pods.
//!
//! Only the fields that matter to policies are read and checked; the rest of
//! a pod is the API server's business.

use std::net::IpAddr;

use super::meta::{self, NameRule, meta};
use super::selector::labels;
use super::validate::{invalid, quoted, required, unsupported};
use super::{bookkeeping, container, names};
use crate::model::{Family, Namespace, Phase, Pod, PodName};
use crate::scenario::field::{Field, Object, Reader};
use crate::scenario::yaml::Value;
use crate::scenario::{KubernetesVersion, Severity};

/// The workloads whose selector must be given and match their template; that of
/// a ReplicationController defaults to its labels, that of a Job is made for it.
const SELECTING: [&str; 4] = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"];

/// A Namespace.
pub(super) fn namespace(reader: &mut Reader<'_>, field: Field<'_>) -> Option<Namespace> {
    let object = reader.object(field, &["apiVersion", "kind", "metadata", "spec", "status"])?;
    let origin = reader.origin(&object.field);
    if let Some(field) = object.get("spec")
        && let Some(spec) = reader.object(field, &["finalizers"])
        && let Some(field) = spec.get("finalizers")
    {
        bookkeeping::namespace_finalizers(reader, &field);
    }
    if let Some(field) = object.get("status")
        && let Some(status) = reader.object(field, &["phase", "conditions"])
    {
        status.get("phase").map(|field| reader.string(&field).is_some());
        status.get("conditions").map(|field| reader.list(&field).is_some());
    }
    let meta = meta(reader, &object, NameRule::Label)?;
    Some(Namespace::new(&meta.name, meta.labels, origin))
}

/// A Pod.
pub(super) fn pod(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    version: KubernetesVersion,
) -> Option<Pod> {
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
        Some(field) => spec(reader, field, version, &mut pod),
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
    kind: &str,
    template: &[&str],
    version: KubernetesVersion,
) -> Option<Pod> {
    let object = reader.object(field, &["apiVersion", "kind", "metadata", "spec", "status"])?;
    let origin = reader.origin(&object.field);
    // The pods' names come from a StatefulSet's, and are host names (since 1.27).
    let rule = match kind {
        "StatefulSet" if version >= KubernetesVersion::v1(27) => NameRule::Label,
        _ => NameRule::Subdomain,
    };
    let meta = meta(reader, &object, rule);
    let selector = object.get("spec").filter(|_| SELECTING.contains(&kind)).and_then(|field| {
        // A `spec` of another type is said below.
        matches!(field.node.value, Value::Map(_)).then(|| reader.map(field)).flatten()
    });
    if kind == "CronJob"
        && let Some(name) = meta.as_ref().map(|meta| &meta.name).filter(|name| name.len() > 52)
        && let Some(field) = object.get("metadata")
    {
        // A Job's name has 11 characters more (`ValidateCronJobCreate`).
        let path = format!("{field}.name");
        let why = "must be no more than 52 characters";
        let message = format!("{path}: Invalid value: {}: {why}", quoted(name));
        reader.error_at("invalid-name", &path, field.node.place, message);
    }
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
    let mut labels_field = None;
    if let Some(meta) = at.get("metadata").and_then(|field| reader.object(field, &meta::FIELDS)) {
        labels_field = meta.get("labels");
        if let Some(field) = labels_field.clone() {
            pod.labels = labels(reader, field);
        }
    }
    if let Some(spec) = selector {
        self::selector(reader, &spec, kind, &at, labels_field.as_ref(), &pod);
    }
    match at.get("spec") {
        Some(field) => spec(reader, field, version, &mut pod),
        None => {
            required(reader, &at.field, "spec.containers", "");
        }
    }
    Some(pod)
}

/// `spec.selector` against the template's labels (`ValidateDeploymentSpec` and its like).
fn selector(
    reader: &mut Reader<'_>,
    spec: &Object<'_>,
    kind: &str,
    template: &Object<'_>,
    labels: Option<&Field<'_>>,
    pod: &Pod,
) {
    let Some(field) = spec.get("selector") else {
        required(reader, &spec.field, "selector", "");
        return;
    };
    let before = reader.diagnostics.len();
    let selector = super::selector::selector(reader, field.clone());
    // What is wrong with it is said; whether it matches is then no question.
    if reader.diagnostics.len() > before {
        return;
    }
    if selector.is_empty() {
        let kind = match kind {
            // ReplicaSets are validated by the code of Deployments.
            "ReplicaSet" => "deployment".to_owned(),
            kind => kind.to_lowercase(),
        };
        let why = format!("empty selector is invalid for {kind}");
        reader.error("selector", &field, format!("{field}: Invalid value: {{}}: {why}"));
    } else if !selector.matches(&pod.labels) {
        let path = format!("{}.metadata.labels", template.field);
        let (json, place) = match labels {
            Some(field) => (field.node.to_json().to_string(), field.node.place),
            None => ("null".to_owned(), template.field.node.place),
        };
        let why = "`selector` does not match template `labels`";
        let message = format!("{path}: Invalid value: {json}: {why}");
        reader.error_at("selector", &path, place, message);
    }
}

fn spec(reader: &mut Reader<'_>, field: Field<'_>, version: KubernetesVersion, pod: &mut Pod) {
    let Some(spec) = reader.map(field) else { return };
    reader.other_case(&spec, &["hostNetwork", "nodeName", "containers", "initContainers"]);
    if let Some(field) = spec.get("hostNetwork") {
        pod.host_network = reader.boolean(&field).unwrap_or(false);
    }
    if let Some(field) = spec.get("nodeName") {
        let name = reader.string(&field).unwrap_or_default();
        if !name.is_empty() {
            for why in names::dns_subdomain(name) {
                invalid(reader, "invalid-name", &field, name, &why);
            }
        }
        pod.node = (!name.is_empty()).then(|| name.into());
    }
    if spec.get("containers").is_none() {
        required(reader, &spec.field, "containers", "");
    }
    pod.ports = container::ports(reader, &spec, pod.host_network, version);
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
                // The API server takes no status from a manifest, so it refuses none.
                unsupported(reader, "pod-phase", &field, text, &known).severity = Severity::Warning;
            }
        }
    }
    let listed = status.get("podIPs").and_then(|field| reader.list(&field)).unwrap_or_default();
    let mut fields: Vec<Field<'_>> = Vec::new();
    for item in listed {
        fields.extend(reader.structure(item, &["ip"]).and_then(|object| object.get("ip")));
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
                invalid(reader, "pod-address", &field, text, why).severity = Severity::Warning;
            }
        }
    }
}
