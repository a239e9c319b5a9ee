//! `policy.networking.k8s.io`: policies of the cluster, decoded strictly and validated as
//! their CRDs are (kubernetes-sigs/network-policy-api, `config/crd`, `v0.1.7` and `v0.2.0`;
//! of `v1beta1` its types). Where the types' own text says more than a CRD enforces, that
//! is an error too: no implementation could tell what it means.

mod form;
mod peer;
mod port;
mod rule;

use std::sync::Arc;

use super::meta::meta;
use super::names::NameRule;
use super::selector::selector;
use super::validate::{invalid_number, required, unsupported};
use crate::model::{
    ClusterPolicy, ClusterPolicyKind, ClusterPolicyName, ClusterPolicyVersion, ClusterSubject, Tier,
};
use crate::scenario::field::{Field, Object, Reader};
use crate::scenario::yaml::Value;
pub(super) use form::Form;
use form::one_of;

/// What was read of a policy.
pub(super) struct Read {
    pub(super) policy: ClusterPolicy,
    /// What of it is understood and cannot be judged, a sentence each.
    pub(super) unsupported: Vec<String>,
}

/// The kinds, with the versions that serve them.
pub(super) const KINDS: [(ClusterPolicyKind, ClusterPolicyVersion, &str); 4] = [
    (
        ClusterPolicyKind::AdminNetworkPolicy,
        ClusterPolicyVersion::V1alpha1,
        "policy.networking.k8s.io/v1alpha1",
    ),
    (
        ClusterPolicyKind::BaselineAdminNetworkPolicy,
        ClusterPolicyVersion::V1alpha1,
        "policy.networking.k8s.io/v1alpha1",
    ),
    (
        ClusterPolicyKind::ClusterNetworkPolicy,
        ClusterPolicyVersion::V1alpha2,
        "policy.networking.k8s.io/v1alpha2",
    ),
    (
        ClusterPolicyKind::ClusterNetworkPolicy,
        ClusterPolicyVersion::V1beta1,
        "policy.networking.k8s.io/v1beta1",
    ),
];

/// A policy, where its metadata and subject can be read. What is wrong goes to the reader.
pub(super) fn policy(reader: &mut Reader<'_>, field: Field<'_>, form: Form) -> Option<Read> {
    let object = reader.object(field, &["apiVersion", "kind", "metadata", "spec", "status"])?;
    let name = name(reader, &object, form);
    let origin = reader.origin(&object.field);
    let manifest = object.field.node.to_json();
    let Some(field) = object.get("spec") else {
        required(reader, &object.field, "spec", "");
        return None;
    };
    let known: &[&str] = match form.kind {
        ClusterPolicyKind::AdminNetworkPolicy => &["priority", "subject", "ingress", "egress"],
        ClusterPolicyKind::BaselineAdminNetworkPolicy => &["subject", "ingress", "egress"],
        ClusterPolicyKind::ClusterNetworkPolicy => {
            &["tier", "priority", "subject", "ingress", "egress"]
        }
    };
    let spec = reader.object(field, known)?;
    let tier = tier(reader, &spec, form);
    let priority = priority(reader, &spec, form);
    let subject = match spec.get("subject") {
        Some(field) => subject(reader, field, form),
        None => {
            required(reader, &spec.field, "subject", "")
                .hint("`subject: {namespaces: {}}` is every pod of the cluster");
            None
        }
    };
    let mut unsupported = Vec::new();
    let ingress = rule::rules(reader, &spec, "ingress", form, &mut unsupported);
    let egress = rule::rules(reader, &spec, "egress", form, &mut unsupported);
    // A rule that is refused was written nevertheless.
    if [spec.get("ingress"), spec.get("egress")].into_iter().flatten().all(|rules| is_empty(&rules))
    {
        let message = format!("{}: has no rules, and so no effect", spec.field);
        reader.warn("policy-without-effect", &spec.field, message).hint(
            "a policy of the cluster isolates nothing by itself: deny with a rule of `action: Deny`",
        );
    }
    let policy = ClusterPolicy {
        name: ClusterPolicyName { kind: form.kind, name: name? },
        version: form.version,
        tier: tier?,
        priority: match form.kind {
            ClusterPolicyKind::BaselineAdminNetworkPolicy => None,
            _ => Some(priority?),
        },
        subject: subject?,
        ingress,
        egress,
        origin,
        manifest,
    };
    Some(Read { policy, unsupported })
}

fn name(reader: &mut Reader<'_>, object: &Object<'_>, form: Form) -> Option<Arc<str>> {
    let meta = meta(reader, object, NameRule::Subdomain)?;
    let field = object.get("metadata")?;
    if let Some(metadata) = reader.map(field) {
        if let Some(field) = metadata.get("namespace") {
            let message = format!("{field}: Forbidden: not allowed on this type");
            reader
                .error("cluster-scoped", &field, message)
                .hint("it is about the whole cluster: `subject` chooses the pods");
        }
        // "self.metadata.name == 'default'" (the CRD's rule).
        if form.kind == ClusterPolicyKind::BaselineAdminNetworkPolicy
            && &*meta.name != "default"
            && let Some(field) = metadata.get("name")
        {
            let message = format!(
                "{field}: Invalid value: {:?}: Only one baseline admin network policy with \
                 metadata.name=\"default\" can be created in the cluster",
                &*meta.name
            );
            reader.error("baseline-name", &field, message).hint("name it `default`");
        }
    }
    Some(meta.name)
}

fn tier(reader: &mut Reader<'_>, spec: &Object<'_>, form: Form) -> Option<Tier> {
    match form.kind {
        ClusterPolicyKind::AdminNetworkPolicy => return Some(Tier::Admin),
        ClusterPolicyKind::BaselineAdminNetworkPolicy => return Some(Tier::Baseline),
        ClusterPolicyKind::ClusterNetworkPolicy => {}
    }
    let Some(field) = spec.get("tier") else {
        required(reader, &spec.field, "tier", "").hint("add `tier: Admin` or `tier: Baseline`");
        return None;
    };
    match reader.string(&field)? {
        "Admin" => Some(Tier::Admin),
        "Baseline" => Some(Tier::Baseline),
        text => {
            unsupported(reader, "tier", &field, text, &["Admin", "Baseline"]);
            None
        }
    }
}

/// "Priority is a value from 0 to 1000" (`ClusterNetworkPolicySpec.priority`).
fn priority(reader: &mut Reader<'_>, spec: &Object<'_>, form: Form) -> Option<u16> {
    if form.kind == ClusterPolicyKind::BaselineAdminNetworkPolicy {
        return None;
    }
    let Some(field) = spec.get("priority") else {
        required(reader, &spec.field, "priority", "")
            .hint("a number from 0, which is asked first, to 1000");
        return None;
    };
    let number = reader.int32(&field)?;
    let why = match number {
        0..=1000 => return u16::try_from(number).ok(),
        1001.. => format!("{field} in body should be less than or equal to 1000"),
        _ => format!("{field} in body should be greater than or equal to 0"),
    };
    invalid_number(reader, "priority", &field, number, &why);
    None
}

/// "Exactly one field must be set." (`ClusterNetworkPolicySubject`)
fn subject(reader: &mut Reader<'_>, field: Field<'_>, form: Form) -> Option<ClusterSubject> {
    let origin = reader.origin(&field);
    let object = reader.structure(field, &["namespaces", "pods"])?;
    let (key, field) = one_of(reader, &object, &["namespaces", "pods"])?;
    Some(if key == "namespaces" {
        ClusterSubject::Namespaces { selector: selector(reader, field), origin }
    } else {
        let (namespace_selector, pod_selector) = peer::namespaced_pod(reader, field, form)?;
        ClusterSubject::Pods { namespace_selector, pod_selector, origin }
    })
}

/// Whether a list is one that holds nothing.
fn is_empty(list: &Field<'_>) -> bool {
    match &list.node.value {
        Value::List(entries) => entries.is_empty(),
        value => *value == Value::Null,
    }
}
