//! The fields of ObjectMeta that are the API server's business: nothing is
//! read from them, but a wrong type or name is refused all the same.

use super::meta::NameRule;
use super::names;
use super::validate::{invalid, quoted};
use crate::scenario::field::{Field, Object, Reader};

const OWNER: [&str; 6] = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
const MANAGED: [&str; 7] =
    ["manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"];

/// Finalizers without a domain (`standardFinalizers` of `pkg/apis/core/helper`).
const FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

const UNQUALIFIED: &str = "name is neither a standard finalizer name nor is it fully qualified";

/// `TotalAnnotationSizeLimitB`.
const ANNOTATIONS: usize = 256 * 1024;

/// Checks what nothing is read from.
pub(super) fn check(reader: &mut Reader<'_>, meta: &Object<'_>, rule: NameRule) {
    for key in ["selfLink", "uid", "resourceVersion"] {
        if let Some(field) = meta.get(key) {
            reader.string(&field);
        }
    }
    for key in ["generation", "deletionGracePeriodSeconds"] {
        if let Some(field) = meta.get(key) {
            reader.int64(&field);
        }
    }
    for key in ["creationTimestamp", "deletionTimestamp"] {
        if let Some(field) = meta.get(key) {
            time(reader, &field);
        }
    }
    if let Some(field) = meta.get("generateName")
        && let Some(text) = reader.string(&field)
        && !text.is_empty()
    {
        // The prefix may end in a hyphen: a suffix follows (`maskTrailingDash`).
        let masked = match text.strip_suffix('-') {
            Some(rest) if !rest.is_empty() => {
                format!("{}a", rest.chars().take(rest.chars().count() - 1).collect::<String>())
            }
            _ => text.to_owned(),
        };
        for why in rule.errors(&masked) {
            invalid(reader, "invalid-name", &field, text, &why);
        }
    }
    if let Some(field) = meta.get("annotations") {
        annotations(reader, field);
    }
    if let Some(field) = meta.get("finalizers") {
        finalizers(reader, &field);
    }
    for (key, known) in [("ownerReferences", &OWNER[..]), ("managedFields", &MANAGED[..])] {
        let items = meta.get(key).and_then(|field| reader.list(&field)).unwrap_or_default();
        for item in items {
            let object = reader.structure(item, known);
            if let Some(object) = object.filter(|_| key == "ownerReferences") {
                owner(reader, &object, &meta.field.path);
            }
        }
    }
}

fn annotations(reader: &mut Reader<'_>, field: Field<'_>) {
    let Some(object) = reader.map(field) else { return };
    let path = object.field.path.clone();
    let mut size = 0;
    for entry in object.entries {
        // Annotation keys are label keys, in any case (`ValidateAnnotations`).
        for why in names::label_key(&entry.key.to_lowercase()) {
            let message = format!("{path}: Invalid value: {}: {why}", quoted(&entry.key));
            reader.error_at("label-key", &path, entry.key_place, message);
        }
        let value = reader.string(&object.field.child(entry)).unwrap_or_default();
        size += entry.key.len() + value.len();
    }
    if size > ANNOTATIONS {
        let message = format!("{path}: Too long: may not be more than {ANNOTATIONS} bytes");
        reader.error("annotations-size", &object.field, message);
    }
}

/// `ValidateFinalizers`, then `ValidateFinalizerName` of the core group.
fn finalizers(reader: &mut Reader<'_>, field: &Field<'_>) {
    let mut all = Vec::new();
    for item in reader.list(field).unwrap_or_default() {
        let Some(text) = reader.string(&item) else { continue };
        for why in names::label_key(text) {
            let message = format!("{field}: Invalid value: {}: {why}", quoted(text));
            reader.error("finalizer", &item, message);
        }
        if !text.contains('/') && !FINALIZERS.contains(&text) {
            invalid(reader, "finalizer", &item, text, UNQUALIFIED);
        }
        all.push(text);
    }
    if all.contains(&"orphan") && all.contains(&"foregroundDeletion") {
        let json = field.node.to_json();
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        reader.error("finalizer", field, format!("{field}: Invalid value: {json}: {why}"));
    }
}

/// `spec.finalizers` of a Namespace, where the API server names the list alone.
pub(super) fn namespace_finalizers(reader: &mut Reader<'_>, field: &Field<'_>) {
    for item in reader.list(field).unwrap_or_default() {
        let Some(text) = reader.string(&item) else { continue };
        let mut errors = names::label_key(text);
        if !text.contains('/') && !FINALIZERS.contains(&text) {
            errors.push(UNQUALIFIED.to_owned());
        }
        for why in errors {
            let message = format!("{field}: Invalid value: {}: {why}", quoted(text));
            reader.error("finalizer", &item, message);
        }
    }
}

/// `validateOwnerReference`; the API server does not say which reference it is.
fn owner(reader: &mut Reader<'_>, object: &Object<'_>, meta: &str) {
    for (key, why) in [
        ("apiVersion", "version must not be empty"),
        ("kind", "must not be empty"),
        ("name", "must not be empty"),
        ("uid", "must not be empty"),
    ] {
        let field = object.get(key);
        let text = field.as_ref().map_or(Some(""), |field| reader.string(field));
        if text == Some("") {
            let path = format!("{meta}.ownerReferences.{key}");
            let message = format!("{path}: Invalid value: \"\": {why}");
            let place = field.as_ref().map_or(object.field.node.place, |f| f.node.place);
            reader.error_at("owner", &path, place, message);
        }
    }
    for key in ["controller", "blockOwnerDeletion"] {
        if let Some(field) = object.get(key) {
            reader.boolean(&field);
        }
    }
}

/// `metav1.Time`: a text of RFC 3339.
fn time(reader: &mut Reader<'_>, field: &Field<'_>) {
    if let Some(text) = reader.string(field)
        && !is_rfc3339(text)
    {
        let message =
            format!("{field}: parsing time {} as \"2006-01-02T15:04:05Z07:00\"", quoted(text));
        reader.error("time", field, message).hint("write it like `2006-01-02T15:04:05Z`");
    }
}

fn is_rfc3339(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>, least: u32, most: u32| {
        text.get(range)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .is_some_and(|value: u32| (least..=most).contains(&value))
    };
    let bytes = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !marks.iter().all(|(at, mark)| bytes.get(*at) == Some(mark))
        || !number(0..4, 0, 9999)
        || !number(5..7, 1, 12)
        || !number(8..10, 1, 31)
        || !number(11..13, 0, 23)
        || !number(14..16, 0, 59)
        || !number(17..19, 0, 59)
    {
        return false;
    }
    let rest = &text[19..];
    let zone = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    let at = text.len() - zone.len();
    zone == "Z"
        || (zone.len() == 6
            && zone.starts_with(['+', '-'])
            && bytes[at + 3] == b':'
            && number(at + 1..at + 3, 0, 24)
            && number(at + 4..at + 6, 0, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_rfc_3339() {
        for text in [
            "2020-01-01T00:00:00Z",
            "2020-12-31T23:59:59.123456789Z",
            "2020-01-01T00:00:00+02:00",
            "2020-01-01T00:00:00.5-07:30",
        ] {
            assert!(is_rfc3339(text), "{text}");
        }
        for text in [
            "",
            "x",
            "2020-01-01",
            "2020-01-01 00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:00:00",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00+0200",
            "2020-01-01T00:00:00é",
            "2020-01-01T00:00:00Zé",
        ] {
            assert!(!is_rfc3339(text), "{text}");
        }
    }
}
