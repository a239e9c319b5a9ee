//! `networking.k8s.io/v1` NetworkPolicy, decoded strictly and validated as
//! `pkg/apis/networking/validation` of Kubernetes does.

use super::meta::{NameRule, meta};
use super::peer::peer;
use super::port::policy_port;
use super::selector::selector;
use super::validate::unsupported;
use crate::model::{LabelSelector, NetworkPolicy, PolicyName, PolicyType, Rule};
use crate::scenario::KubernetesVersion;
use crate::scenario::field::{Field, Object, Reader};
use crate::scenario::yaml::Value;

/// A policy, where its metadata can be read. What is wrong goes to the reader.
pub(super) fn policy(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    version: KubernetesVersion,
) -> Option<NetworkPolicy> {
    let mut known = vec!["apiVersion", "kind", "metadata", "spec"];
    // There was a `status` from 1.24 to 1.27 (KEP-2943).
    if (KubernetesVersion::v1(24)..KubernetesVersion::v1(28)).contains(&version) {
        known.push("status");
    }
    let object = reader.object(field, &known)?;
    let meta = meta(reader, &object, NameRule::Subdomain);
    let mut policy = NetworkPolicy {
        name: PolicyName::new("", ""),
        pod_selector: LabelSelector::everything(),
        policy_types: None,
        ingress: None,
        egress: None,
        origin: reader.origin(&object.field),
        manifest: object.field.node.to_json(),
    };
    if let Some(field) = object.get("spec") {
        spec(reader, field, version, &mut policy);
    }
    let meta = meta?;
    policy.name = PolicyName { namespace: meta.namespace, name: meta.name };
    Some(policy)
}

fn spec(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    version: KubernetesVersion,
    policy: &mut NetworkPolicy,
) {
    let known = ["podSelector", "policyTypes", "ingress", "egress"];
    let Some(spec) = reader.object(field, &known) else { return };
    // "This field is optional. If it is not specified, it defaults to an empty selector."
    if let Some(field) = spec.get("podSelector") {
        policy.pod_selector = selector(reader, field);
    }
    let mut rules = |key: &str, peers: &str| {
        let field = spec.get(key)?;
        let items = reader.list(&field)?;
        Some(items.into_iter().map(|item| rule(reader, item, peers, version)).collect())
    };
    policy.ingress = rules("ingress", "from");
    policy.egress = rules("egress", "to");
    if let Some(field) = spec.get("policyTypes") {
        policy.policy_types = policy_types(reader, &field);
    }
    lint(reader, &spec, policy);
}

fn rule(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    peers: &str,
    version: KubernetesVersion,
) -> Rule {
    let origin = reader.origin(&field);
    let mut rule = Rule { peers: None, ports: None, origin };
    // A null entry decodes to the empty rule, which allows everything.
    if field.node.value == Value::Null {
        return rule;
    }
    let Some(object) = reader.object(field, &["ports", peers]) else { return rule };
    if let Some(items) = object.get("ports").and_then(|field| reader.list(&field)) {
        rule.ports = Some(items.into_iter().filter_map(|i| policy_port(reader, i)).collect());
    }
    if let Some(items) = object.get(peers).and_then(|field| reader.list(&field)) {
        rule.peers = Some(items.into_iter().filter_map(|i| peer(reader, i, version)).collect());
    }
    rule
}

fn policy_types(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Vec<PolicyType>> {
    let items = reader.list(field)?;
    if items.len() > 2 {
        let mut json = field.node.to_json();
        for item in json.as_array_mut().into_iter().flatten().filter(|item| item.is_null()) {
            *item = "".into();
        }
        let why = "may not specify more than two policyTypes";
        reader.error("policy-types", field, format!("{field}: Invalid value: {json}: {why}"));
        return None;
    }
    let mut types = Vec::new();
    for item in items {
        match reader.string(&item) {
            Some("Ingress") => types.push(PolicyType::Ingress),
            Some("Egress") => types.push(PolicyType::Egress),
            Some(text) => {
                unsupported(reader, "policy-types", &item, text, &["Ingress", "Egress"]);
            }
            None => {}
        }
    }
    Some(types)
}

/// What the API server accepts, and what is seldom meant.
fn lint(reader: &mut Reader<'_>, spec: &Object<'_>, policy: &NetworkPolicy) {
    let types = policy.policy_types.as_deref().unwrap_or_default();
    let has = |rules: &Option<Vec<Rule>>| rules.as_ref().is_some_and(|rules| !rules.is_empty());
    let entry = |key: &str| spec.entries.iter().find(|entry| entry.key == key);
    if types.is_empty() {
        let Some(egress) = entry("egress") else { return };
        if has(&policy.egress) && spec.get("ingress").is_none() {
            let path = format!("{}.egress", spec.field);
            let message = format!(
                "{path}: without `policyTypes` this policy also denies all ingress of its pods"
            );
            reader
                .warn_at("ingress-denied-too", &path, egress.key_place, message)
                .hint("write `policyTypes: [Egress]` if only egress is meant");
        }
        return;
    }
    for (key, kind, rules) in [
        ("ingress", PolicyType::Ingress, &policy.ingress),
        ("egress", PolicyType::Egress, &policy.egress),
    ] {
        let Some(entry) = entry(key).filter(|_| has(rules) && !types.contains(&kind)) else {
            continue;
        };
        let path = format!("{}.{key}", spec.field);
        let message =
            format!("{path}: has no effect, since `policyTypes` does not contain `{kind:?}`");
        reader
            .warn_at("rules-without-type", &path, entry.key_place, message)
            .hint(&format!("add `{kind:?}` to `policyTypes`, or remove the rules"));
    }
}
