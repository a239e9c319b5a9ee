//! A policy as a cluster is given it: the manifest's own text, under the names that
//! the scenario's namespaces have there.
//!
//! `metadata.namespace` changes, and so does every value by which a
//! `namespaceSelector` asks for `kubernetes.io/metadata.name`, whose value on a
//! namespace is its name. Nothing else does: a `podSelector` with that key asks for
//! a label of pods, which the API server does not set.
//!
//! That keeps the meaning of the policy for the scenario's own pods, because the names
//! of the slot are given one to one ([`super::naming`]):
//!
//! - `matchLabels` and `In` select the namespace of the new name exactly where they
//!   selected the one of the old name. A name that the scenario never declares gets the
//!   prefix too and selects nothing, as in the scenario, where there is no such
//!   namespace; left as it is, it could select a namespace of someone else's, such as
//!   `kube-system`.
//! - `NotIn` leaves out exactly the namespaces that it left out.
//! - `Exists` holds for every namespace and `DoesNotExist` for none, under any name.
//!
//! An expression with `NotIn` or `Exists`, or by labels other than the name, also
//! selects the namespaces of other slots and of other people. They are peers that no
//! cell has an end in, since a run dials nothing but its own slot's pods.

//!
//! [`cluster`] does the same for policies of the cluster's scope.

pub mod cluster;

use serde_json::{Map, Value};

use super::naming::Naming;
use super::owner::{MANAGED_BY, MANAGER, Owner};
use crate::model::{NAMESPACE_NAME_LABEL, Name, NetworkPolicy};

/// The fields of `metadata` that a user writes, and that are for any cluster. What is
/// left out belongs to the object's life in the cluster that it was read from:
/// `ownerReferences` would have it collected, since the owner is not there, and
/// `finalizers` keep it from being deleted, since nobody there would remove them.
const METADATA: [&str; 4] = ["annotations", "labels", "name", "namespace"];

/// A policy's manifest as it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewritten {
    /// The object for server-side apply.
    pub manifest: Value,
    /// What differs from what was written because names differ, a sentence for each field.
    pub sentences: Vec<String>,
}

/// The manifest of a policy under a cluster's names, with the owner's labels.
pub fn policy(policy: &NetworkPolicy, naming: &Naming, owner: &Owner) -> Rewritten {
    let mut manifest = policy.manifest.clone();
    let mut changes = Changes { policy: policy.name.to_string(), naming, sentences: Vec::new() };
    if let Some(object) = manifest.as_object_mut() {
        if let Some(metadata) = cleaned(object, owner) {
            let namespace = naming.namespace(&policy.name.namespace);
            changes.tell("metadata.namespace", &policy.name.namespace, &namespace);
            metadata.insert("namespace".to_owned(), Value::String(namespace.to_string()));
        }
        if let Some(spec) = object.get_mut("spec") {
            changes.spec(spec);
        }
    }
    Rewritten { manifest, sentences: changes.sentences }
}

/// Leaves the user's own fields, and adds the owner's labels to the metadata, which is returned.
fn cleaned<'m>(
    object: &'m mut Map<String, Value>,
    owner: &Owner,
) -> Option<&'m mut Map<String, Value>> {
    object.remove("status");
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let metadata = metadata.as_object_mut()?;
    metadata.retain(|key, _| METADATA.contains(&key.as_str()));
    let labels = metadata.entry("labels").or_insert(Value::Null);
    if labels.is_null() {
        *labels = Value::Object(Map::new());
    }
    if let Some(labels) = labels.as_object_mut() {
        // What the user says of the policy is kept, but not that it is someone else's.
        labels.entry(MANAGED_BY).or_insert_with(|| Value::String(MANAGER.to_owned()));
        let own = owner.labels().into_iter();
        labels.extend(own.map(|(key, value)| (key, Value::String(value))));
    }
    Some(metadata)
}

/// What is rewritten in one manifest.
struct Changes<'a> {
    policy: String,
    naming: &'a Naming,
    sentences: Vec<String>,
}

impl Changes<'_> {
    fn tell(&mut self, path: &str, written: &str, name: &str) {
        if written != name {
            let policy = &self.policy;
            self.sentences
                .push(format!("`{path}` of `{policy}` has `{name}` in place of `{written}`"));
        }
    }

    fn spec(&mut self, spec: &mut Value) {
        for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
            for (rule_index, rule) in items(spec, rules) {
                for (peer_index, peer) in items(rule, peers) {
                    if let Some(selector) = peer.get_mut("namespaceSelector") {
                        let peer = format!("spec.{rules}[{rule_index}].{peers}[{peer_index}]");
                        self.selector(selector, &format!("{peer}.namespaceSelector"));
                    }
                }
            }
        }
    }

    /// Names the cluster's namespaces in a selector of namespaces.
    fn selector(&mut self, selector: &mut Value, path: &str) {
        let naming = self.naming;
        self.values(selector, path, NAMESPACE_NAME_LABEL, &|name| naming.namespace(name));
    }

    /// Names the cluster's in place of the values that a selector asks a label to have.
    fn values(
        &mut self,
        selector: &mut Value,
        path: &str,
        label: &str,
        name: &dyn Fn(&str) -> Name,
    ) {
        let labels = selector.get_mut("matchLabels");
        if let Some(value) = labels.and_then(|labels| labels.get_mut(label)) {
            self.value(value, &format!("{path}.matchLabels[{label}]"), name);
        }
        for (index, expression) in items(selector, "matchExpressions") {
            if expression.get("key").and_then(Value::as_str) == Some(label) {
                for (position, value) in items(expression, "values") {
                    let list = format!("{path}.matchExpressions[{index}].values");
                    self.value(value, &format!("{list}[{position}]"), name);
                }
            }
        }
    }

    fn value(&mut self, value: &mut Value, path: &str, name: &dyn Fn(&str) -> Name) {
        // The empty value is one that a selector may have and no object does.
        let Some(written) = value.as_str().filter(|written| !written.is_empty()) else { return };
        let name = name(written);
        self.tell(path, written, &name);
        *value = Value::String(name.to_string());
    }
}

/// The items of a list in a field, with their indices; none where there is no list.
fn items<'v>(
    object: &'v mut Value,
    field: &str,
) -> impl Iterator<Item = (usize, &'v mut Value)> + use<'v> {
    let list = object.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten().enumerate()
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;
    use serde_json::json;

    use super::*;
    use crate::scenario::{LoadOptions, parse_manifests};

    fn owner() -> Owner {
        Owner { run: "k3x9q".parse().unwrap(), slot: 4 }
    }

    fn read(text: &str) -> NetworkPolicy {
        let bundle = parse_manifests("policy.yaml", text, &LoadOptions::default());
        assert!(!bundle.has_errors(), "{:?}", bundle.diagnostics);
        (*bundle.policies[0]).clone()
    }

    const WRITTEN: &str = include_str!("golden/policy.yaml");

    #[test]
    fn names_of_namespaces_change_and_nothing_else() {
        let Rewritten { manifest, sentences } =
            policy(&read(WRITTEN), &Naming::Prefixed(owner()), &owner());
        let yaml = serde_saphyr::to_string(&manifest).unwrap();
        expect_file!["golden/policy-applied.yaml"].assert_eq(&yaml);
        let text = sentences.iter().flat_map(|sentence| [sentence, "\n"]).collect::<String>();
        expect_file!["golden/policy-sentences.txt"].assert_eq(&text);
    }

    #[test]
    fn nothing_is_told_where_names_are_exact() {
        let written = read(WRITTEN);
        let Rewritten { manifest, sentences } = policy(&written, &Naming::Exact, &owner());
        assert_eq!(sentences, [""; 0]);
        assert_eq!(manifest["spec"], written.manifest["spec"]);
        assert_eq!(manifest["metadata"]["namespace"], "prod");
    }

    /// A manifest may leave its namespace to whoever applies it, and its labels empty.
    #[test]
    fn a_namespace_that_is_not_written_is_filled_in() {
        let mut written = read(WRITTEN);
        written.manifest = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": { "name": "db", "labels": null },
            "spec": { "podSelector": {}, "ingress": null },
        });
        let Rewritten { manifest, .. } = policy(&written, &Naming::Prefixed(owner()), &owner());
        assert_eq!(manifest["metadata"]["namespace"], "rf-k3x9q-4-prod");
        assert_eq!(manifest["metadata"]["labels"]["ringfence.dev/run"], "k3x9q");
        assert_eq!(manifest["spec"], written.manifest["spec"]);
    }
}
