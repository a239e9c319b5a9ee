//! `meta/v1` ObjectMeta.

use std::sync::Arc;

use super::bookkeeping;
use super::names;
use super::selector::labels;
use super::validate::{invalid, required, required_string};
use crate::model::{Labels, Name};
use crate::scenario::field::{Object, Reader};
use crate::scenario::yaml::Value;

pub(super) const FIELDS: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// What we read of an object's metadata.
pub(super) struct Meta {
    pub(super) name: Name,
    /// `default` where none is written.
    pub(super) namespace: Name,
    pub(super) labels: Labels,
    /// Whether it has a deletion timestamp.
    pub(super) deleted: bool,
}

/// Which rule an object's own name follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NameRule {
    Label,
    Subdomain,
}

impl NameRule {
    /// What the API server says of a name.
    pub(super) fn errors(self, name: &str) -> Vec<String> {
        match self {
            Self::Label => names::dns_label(name),
            Self::Subdomain => names::dns_subdomain(name),
        }
    }
}

fn empty() -> Value {
    Value::String(String::new())
}

/// Reads `metadata` with the API server's checks.
pub(super) fn meta(reader: &mut Reader<'_>, object: &Object<'_>, rule: NameRule) -> Option<Meta> {
    let why = "name or generateName is required";
    let Some(field) = object.get("metadata") else {
        required(reader, &object.field, "metadata.name", why);
        return None;
    };
    let meta = reader.object(field, &FIELDS)?;
    let labels = meta.get("labels").map(|field| labels(reader, field)).unwrap_or_default();
    bookkeeping::check(reader, &meta, rule);
    let namespace = match meta.get("namespace") {
        None => "default",
        Some(field) => match reader.string(&field)? {
            "" => "default",
            text => {
                for why in names::dns_label(text) {
                    invalid(reader, "invalid-name", &field, text, &why);
                }
                text
            }
        },
    };
    let named = meta.get("name").is_some_and(|field| field.node.value != empty());
    if let Some(field) =
        meta.get("generateName").filter(|field| !named && field.node.value != empty())
    {
        // `kubectl apply` has no way to find the object again.
        let prefix = reader.string(&field).unwrap_or_default();
        let message = format!("{field}: from {prefix}: cannot use generate name with apply");
        reader.error("generate-name", &field, message).hint("give it a `name`");
        return None;
    }
    let (field, name) = required_string(reader, &meta, "name", why)?;
    for why in rule.errors(name) {
        invalid(reader, "invalid-name", &field, name, &why);
    }
    Some(Meta {
        name: Arc::from(name),
        namespace: Arc::from(namespace),
        labels,
        deleted: meta.get("deletionTimestamp").is_some(),
    })
}
