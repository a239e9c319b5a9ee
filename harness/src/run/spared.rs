//! Policies of the cluster, as they are given to one: without the run's own pods.
//!
//! The sentinel shows by a NetworkPolicy that the cluster has looked, and the witness by open
//! paths that it is there. A policy whose subject is `namespaces: {}`, say, would select both,
//! and in the Admin tier it would decide about them before any NetworkPolicy. So a subject that
//! would select the namespace of one leaves it out by its name. Nothing that a scenario speaks
//! of changes by that.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::model::{
    ClusterPolicy, ClusterSubject, Labels, NAMESPACE_NAME_LABEL, Name, Operator, Requirement,
};

/// A policy without the run's namespaces among its subjects; `None` where there are none.
pub(super) fn spared(policy: &ClusterPolicy, own: &[&Name]) -> Option<Arc<ClusterPolicy>> {
    let mut spared = policy.clone();
    let (selector, path) = match &mut spared.subject {
        ClusterSubject::Namespaces { selector, .. } => (selector, "/spec/subject"),
        ClusterSubject::Pods { namespace_selector, .. } => {
            (namespace_selector, "/spec/subject/pods")
        }
    };
    let field = if path == "/spec/subject" { "namespaces" } else { "namespaceSelector" };
    let labels = |name: &Name| Labels::from([(NAMESPACE_NAME_LABEL.to_owned(), name.to_string())]);
    let among: Vec<String> = own
        .iter()
        .filter(|name| selector.matches(&labels(name)))
        .map(|name| name.to_string())
        .collect();
    if among.is_empty() {
        return None;
    }
    let written = json!({ "key": NAMESPACE_NAME_LABEL, "operator": "NotIn", "values": among });
    selector.match_expressions.push(Requirement {
        key: NAMESPACE_NAME_LABEL.to_owned(),
        operator: Operator::NotIn,
        values: among,
    });
    if let Some(parent) = spared.manifest.pointer_mut(path).and_then(Value::as_object_mut) {
        let expressions = object(parent, field).entry("matchExpressions").or_insert(Value::Null);
        match expressions {
            Value::Array(expressions) => expressions.push(written),
            other => *other = json!([written]),
        }
    }
    Some(Arc::new(spared))
}

/// The object in a field, which is made where there is none.
fn object<'v>(parent: &'v mut Map<String, Value>, field: &str) -> &'v mut Map<String, Value> {
    let value = parent.entry(field).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("it was just made an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{LoadOptions, parse_manifests};

    fn policy(subject: &str) -> ClusterPolicy {
        let text = format!(
            "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{ name: p }}\nspec:\n  tier: Admin\n  priority: 1\n  subject: {subject}\n  ingress: [{{ action: Deny, from: [{{ namespaces: {{}} }}] }}]\n"
        );
        let bundle = parse_manifests("policy.yaml", &text, &LoadOptions::default());
        assert!(!bundle.has_errors(), "{:?}", bundle.diagnostics);
        (*bundle.cluster_policies[0]).clone()
    }

    #[test]
    fn subjects_that_hold_the_runs_own_namespaces_leave_them_out() {
        let own = [Name::from("sentinel"), Name::from("witness")];
        let own: Vec<&Name> = own.iter().collect();
        let expression = json!({ "key": NAMESPACE_NAME_LABEL, "operator": "NotIn", "values": own });
        for (subject, place) in [
            ("{ namespaces: {} }", "/spec/subject/namespaces"),
            (
                "{ namespaces: { matchExpressions: [{ key: a, operator: DoesNotExist }] } }",
                "/spec/subject/namespaces",
            ),
            ("{ pods: { podSelector: {} } }", "/spec/subject/pods/namespaceSelector"),
        ] {
            let spared = spared(&policy(subject), &own).unwrap();
            let written = spared.manifest.pointer(place).unwrap()["matchExpressions"].clone();
            assert_eq!(written.as_array().unwrap().last(), Some(&expression), "{subject}");
            let text = serde_json::to_string(&spared.manifest).unwrap();
            let bundle = parse_manifests("policy.yaml", &text, &LoadOptions::default());
            let read = &bundle.cluster_policies[0].subject;
            let selector = |subject: &ClusterSubject| match subject {
                ClusterSubject::Namespaces { selector, .. } => selector.clone(),
                ClusterSubject::Pods { namespace_selector, .. } => namespace_selector.clone(),
            };
            assert_eq!(
                selector(read),
                selector(&spared.subject),
                "what is written is what is meant"
            );
        }
        for subject in [
            "{ namespaces: { matchLabels: { team: red } } }",
            "{ namespaces: { matchLabels: { kubernetes.io/metadata.name: prod } } }",
        ] {
            assert_eq!(spared(&policy(subject), &own), None, "{subject}");
        }
    }
}
