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

use serde_json::{Map, Value};

use super::naming::Naming;
use super::owner::Owner;
use crate::model::{NAMESPACE_NAME_LABEL, NetworkPolicy};

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
        object.remove("status");
        let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            clean(metadata, owner);
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

/// Leaves the user's own fields, and adds the owner's labels.
fn clean(metadata: &mut Map<String, Value>, owner: &Owner) {
    metadata.retain(|key, _| METADATA.contains(&key.as_str()));
    let labels = metadata.entry("labels").or_insert(Value::Null);
    if labels.is_null() {
        *labels = Value::Object(Map::new());
    }
    if let Some(labels) = labels.as_object_mut() {
        for (key, value) in owner.managed_labels() {
            // What the user says of the policy is kept where both say something.
            labels.entry(key).or_insert(Value::String(value));
        }
    }
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
            self.sentences.push(format!("`{path}` of `{policy}` is `{name}` for `{written}`"));
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

    fn selector(&mut self, selector: &mut Value, path: &str) {
        let labels = selector.get_mut("matchLabels");
        if let Some(value) = labels.and_then(|labels| labels.get_mut(NAMESPACE_NAME_LABEL)) {
            self.value(value, &format!("{path}.matchLabels[{NAMESPACE_NAME_LABEL}]"));
        }
        for (index, expression) in items(selector, "matchExpressions") {
            if expression.get("key").and_then(Value::as_str) == Some(NAMESPACE_NAME_LABEL) {
                for (position, value) in items(expression, "values") {
                    let list = format!("{path}.matchExpressions[{index}].values");
                    self.value(value, &format!("{list}[{position}]"));
                }
            }
        }
    }

    fn value(&mut self, value: &mut Value, path: &str) {
        // The empty value is one that a selector may have and no namespace does.
        let Some(written) = value.as_str().filter(|written| !written.is_empty()) else { return };
        let name = self.naming.namespace(written);
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
