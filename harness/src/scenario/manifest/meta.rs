//! `meta/v1` ObjectMeta.

use std::sync::Arc;

use super::names;
use super::selector::labels;
use super::validate::{invalid, required, required_string};
use crate::model::{Labels, Name};
use crate::scenario::field::{Field, Object, Reader};

const FIELDS: [&str; 15] = [
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

/// Reads `metadata` with the API server's checks.
pub(super) fn meta(reader: &mut Reader<'_>, object: &Object<'_>, rule: NameRule) -> Option<Meta> {
    let why = "name or generateName is required";
    let Some(field) = object.get("metadata") else {
        required(reader, &object.field, "metadata.name", why);
        return None;
    };
    let meta = reader.object(field, &FIELDS)?;
    let labels = meta.get("labels").map(|field| labels(reader, field)).unwrap_or_default();
    if let Some(field) = meta.get("annotations") {
        annotations(reader, field);
    }
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
    let (field, name) = required_string(reader, &meta, "name", why)?;
    let errors = match rule {
        NameRule::Label => names::dns_label(name),
        NameRule::Subdomain => names::dns_subdomain(name),
    };
    for why in errors {
        invalid(reader, "invalid-name", &field, name, &why);
    }
    Some(Meta {
        name: Arc::from(name),
        namespace: Arc::from(namespace),
        labels,
        deleted: meta.get("deletionTimestamp").is_some(),
    })
}

fn annotations(reader: &mut Reader<'_>, field: Field<'_>) {
    let Some(object) = reader.map(field) else { return };
    for entry in object.entries {
        let child = object.field.child(entry);
        // Annotation keys are label keys, in any case (`ValidateAnnotations`).
        if let Some(why) = names::label_key(&entry.key.to_lowercase()).into_iter().next() {
            let path = &object.field.path;
            let message = format!("{path}: Invalid value: {:?}: {why}", entry.key);
            reader.error_at("label-key", path, entry.key_place, message);
        }
        reader.string(&child);
    }
}
