//! Which kind an object is, and whether it is one that we read.

use std::sync::Arc;

use super::cluster::{self, Form};
use super::policy::policy;
use super::workload::{namespace, pod, workload};
use super::{Manifest, Object};
use crate::scenario::KubernetesVersion;
use crate::scenario::field::{Field, Reader, join};
use crate::scenario::nearby::nearest;
use crate::scenario::yaml::{Entry, Node, Value};

/// How an object is read.
#[derive(Clone, Copy)]
enum Read {
    Namespace,
    Pod,
    Policy,
    /// A workload, and the way to its pod template.
    Workload(&'static [&'static str]),
}

const TEMPLATE: Read = Read::Workload(&["spec", "template"]);

/// The kinds that we read, with the version of the API that serves them.
const KINDS: [(&str, &str, Read); 10] = [
    ("NetworkPolicy", "networking.k8s.io/v1", Read::Policy),
    ("Namespace", "v1", Read::Namespace),
    ("Pod", "v1", Read::Pod),
    ("Deployment", "apps/v1", TEMPLATE),
    ("StatefulSet", "apps/v1", TEMPLATE),
    ("DaemonSet", "apps/v1", TEMPLATE),
    ("ReplicaSet", "apps/v1", TEMPLATE),
    ("ReplicationController", "v1", TEMPLATE),
    ("Job", "batch/v1", TEMPLATE),
    ("CronJob", "batch/v1", Read::Workload(&["spec", "jobTemplate", "spec", "template"])),
];

/// Versions that served one of these kinds once, and the release that removed them
/// (kubernetes.io/docs/reference/using-api/deprecation-guide).
const REMOVED: [(&str, &str, u32); 11] = [
    ("NetworkPolicy", "extensions/v1beta1", 16),
    ("Deployment", "extensions/v1beta1", 16),
    ("Deployment", "apps/v1beta1", 16),
    ("Deployment", "apps/v1beta2", 16),
    ("DaemonSet", "extensions/v1beta1", 16),
    ("DaemonSet", "apps/v1beta2", 16),
    ("ReplicaSet", "extensions/v1beta1", 16),
    ("ReplicaSet", "apps/v1beta2", 16),
    ("StatefulSet", "apps/v1beta1", 16),
    ("StatefulSet", "apps/v1beta2", 16),
    ("CronJob", "batch/v1beta1", 25),
];

/// Every kind of the versions that serve ours, as Kubernetes 1.36 lists them.
const SERVED: [(&str, &[&str]); 4] = [
    (
        "v1",
        &[
            "Binding",
            "ComponentStatus",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apps/v1", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("batch/v1", &["CronJob", "Job"]),
    (
        "networking.k8s.io/v1",
        &["IPAddress", "Ingress", "IngressClass", "NetworkPolicy", "ServiceCIDR"],
    ),
];
const SERVED_AT: KubernetesVersion = KubernetesVersion::v1(36);

/// The group of policies of the cluster.
const CLUSTER_POLICIES: &str = "policy.networking.k8s.io";

/// Groups whose policies change what the network lets through.
const POLICY_GROUPS: [(&str, &str); 9] = [
    ("policy.networking.x-k8s.io", "Policy"),
    ("cilium.io", "NetworkPolicy"),
    ("cilium.io", "ClusterwideNetworkPolicy"),
    ("crd.projectcalico.org", "Policy"),
    ("projectcalico.org", "Policy"),
    ("crd.antrea.io", "NetworkPolicy"),
    ("k8s.ovn.org", "EgressFirewall"),
    ("k8s.cni.cncf.io", "NetworkPolicy"),
    ("security.istio.io", "AuthorizationPolicy"),
];

/// Reads an object, or the items of a list of objects.
pub(super) fn object(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    version: KubernetesVersion,
    manifest: &mut Manifest,
    depth: usize,
) {
    let Some(object) = reader.map(field.clone()) else { return };
    let mut text = |key: &str| {
        let Some(field) = object.get(key) else {
            let message = format!("`{key}` not set");
            reader
                .error_at("missing-field", key, object.field.node.place, message)
                .hint("every manifest starts with `apiVersion` and `kind`");
            return None;
        };
        Some((reader.string(&field)?, field))
    };
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let (Some((api_version, api_field)), Some((kind, kind_field))) = (api_version, kind) else {
        return;
    };
    if kind.ends_with("List") && object.get("items").is_some() {
        // A list of lists is no Kubernetes object, but it costs nothing to bound it.
        if depth < 8 {
            list(reader, &object, version, manifest, depth);
        }
        return;
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if group == CLUSTER_POLICIES {
        cluster_policy(reader, field, (kind, &kind_field), (api_version, &api_field), manifest);
        return;
    }
    let near = |text: &str| nearest(text, KINDS.iter().map(|(kind, ..)| *kind));
    let known = KINDS.iter().find(|(name, ..)| *name == kind);
    let removed = REMOVED.iter().find(|(name, api, _)| *name == kind && *api == api_version);
    if let Some((_, served, read)) = known {
        if *served == api_version
            || removed.is_some_and(|(_, _, gone)| version < KubernetesVersion::v1(*gone))
        {
            take(reader, field, *read, version, manifest);
            return;
        }
        if is_policy_of_another_group(group, kind) {
            not_understood(reader, &kind_field, kind, api_version, manifest);
            return;
        }
        // A kind of the same name in a group that we do not know is another kind.
        let ours = served.split_once('/').map_or("", |(group, _)| group);
        let foreign =
            group != ours && group.contains('.') && !SERVED.iter().any(|(v, _)| is_group(v, group));
        if foreign && removed.is_none() && group != "extensions" {
            return;
        }
        let message = format!("no matches for kind {kind:?} in version {api_version:?}");
        let help = match removed {
            Some((_, _, gone)) => {
                format!("`{api_version}` was removed in Kubernetes 1.{gone}: use `{served}`")
            }
            None => format!("use `apiVersion: {served}`"),
        };
        reader.error("api-version", &api_field, message).hint(&help);
        return;
    }
    if is_policy_of_another_group(group, kind) {
        not_understood(reader, &kind_field, kind, api_version, manifest);
        return;
    }
    // Services, ConfigMaps and the like are no business of a policy; a kind that
    // such a version does not serve is one of them misspelt. Later versions of
    // Kubernetes may serve more.
    let Some((_, kinds)) = SERVED.iter().find(|(served, _)| *served == api_version) else { return };
    if kinds.contains(&kind) {
        return;
    }
    let ours = near(kind).filter(|name| kinds.contains(name));
    if ours.is_some() || version <= SERVED_AT {
        let message = format!("no matches for kind {kind:?} in version {api_version:?}");
        let diagnostic = reader.error("unknown-kind", &kind_field, message);
        if let Some(name) = ours {
            diagnostic.hint(&format!("did you mean `{name}`?"));
        }
    }
}

/// Reads a policy of the cluster, of a version that is known.
fn cluster_policy(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    (kind, kind_field): (&str, &Field<'_>),
    (api_version, api_field): (&str, &Field<'_>),
    manifest: &mut Manifest,
) {
    let kinds = cluster::KINDS.iter();
    let exact = kinds.clone().find(|(k, _, v)| k.as_str() == kind && *v == api_version);
    if let Some((kind, version, _)) = exact {
        let form = Form { kind: *kind, version: *version };
        if let Some(read) = cluster::policy(reader, field, form) {
            manifest.unsupported.extend(read.unsupported);
            manifest.objects.push(Object::ClusterPolicy(Arc::new(read.policy)));
        }
        return;
    }
    let message = format!("no matches for kind {kind:?} in version {api_version:?}");
    let served = kinds.clone().any(|(_, _, version)| *version == api_version);
    let of_kind: Vec<&str> =
        kinds.clone().filter(|(k, ..)| k.as_str() == kind).map(|(_, _, v)| *v).collect();
    let near = nearest(kind, kinds.map(|(kind, ..)| kind.as_str()));
    if !of_kind.is_empty() && served {
        let list = of_kind.iter().map(|version| format!("`apiVersion: {version}`"));
        let list = list.collect::<Vec<_>>().join(" or ");
        reader.error("api-version", api_field, message).hint(&format!("use {list}"));
    } else if let Some(near) = near.filter(|_| served) {
        let diagnostic = reader.error("unknown-kind", kind_field, message);
        diagnostic.hint(&format!("did you mean `{near}`?"));
    } else if kind.ends_with("Policy") {
        not_understood(reader, kind_field, kind, api_version, manifest);
    }
}

/// Whether a version, such as `apps/v1`, is one of a group.
fn is_group(version: &str, group: &str) -> bool {
    version.split_once('/').is_some_and(|(name, _)| name.eq_ignore_ascii_case(group))
}

fn is_policy_of_another_group(group: &str, kind: &str) -> bool {
    POLICY_GROUPS.iter().any(|(known, suffix)| *known == group && kind.ends_with(suffix))
}

fn not_understood(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    kind: &str,
    api_version: &str,
    manifest: &mut Manifest,
) {
    let message = format!("`{kind}` of `{api_version}` is not understood");
    let origin = reader.origin(field);
    reader
        .warn("policy-not-understood", field, message.clone())
        .hint("it changes what is allowed, so nothing is judged that it is a part of");
    manifest.unsupported.push(format!("{message} ({origin})"));
}

fn list(
    reader: &mut Reader<'_>,
    object: &crate::scenario::field::Object<'_>,
    version: KubernetesVersion,
    manifest: &mut Manifest,
    depth: usize,
) {
    let Some(items) = object.get("items").and_then(|field| reader.list(&field)) else { return };
    let outer = reader.object.clone();
    for (index, item) in items.into_iter().enumerate() {
        if item.node.value == Value::Null {
            continue;
        }
        reader.object = format!("{}[{index}]", join(&outer, "items"));
        let typed = typed_item(object, item.node);
        let node = typed.as_ref().unwrap_or(item.node);
        self::object(reader, Field::root(node), version, manifest, depth + 1);
    }
    reader.object = outer;
}

/// An item of a typed list with the list's own type, where it has none: raw
/// lists of the API carry it once, and kubectl fills it in the same way.
fn typed_item(list: &crate::scenario::field::Object<'_>, item: &Node) -> Option<Node> {
    let Value::Map(entries) = &item.value else { return None };
    let Value::String(list_kind) = &list.get("kind")?.node.value else { return None };
    let kind = list_kind.strip_suffix("List").filter(|kind| !kind.is_empty())?;
    if item.get("kind").is_some() {
        return None;
    }
    let entry = |key: &str, value: Value| Entry {
        key: key.to_owned(),
        key_place: item.place,
        value: Node::new(value, item.place),
    };
    let mut entries = entries.clone();
    entries.retain(|entry| entry.key != "apiVersion");
    let api_version = list.get("apiVersion")?.node.value.clone();
    entries.insert(0, entry("apiVersion", api_version));
    entries.insert(1, entry("kind", Value::String(kind.to_owned())));
    Some(Node { value: Value::Map(entries), ..item.clone() })
}

fn take(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    read: Read,
    version: KubernetesVersion,
    manifest: &mut Manifest,
) {
    let kind = field.node.get("kind").map(|node| &node.value);
    let kind = KINDS
        .iter()
        .map(|(name, ..)| *name)
        .find(|name| matches!(kind, Some(Value::String(text)) if text == name))
        .unwrap_or("Pod");
    let object = match read {
        Read::Namespace => namespace(reader, field).map(Object::Namespace),
        Read::Pod => pod(reader, field, version).map(|pod| Object::Pod(pod, kind)),
        Read::Policy => policy(reader, field, version).map(|p| Object::Policy(Arc::new(p))),
        Read::Workload(template) => {
            workload(reader, field, kind, template, version).map(|pod| Object::Pod(pod, kind))
        }
    };
    manifest.objects.extend(object);
}
