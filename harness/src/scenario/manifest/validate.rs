//! The API server's sentences (`k8s.io/apimachinery/pkg/util/validation/field`).

use crate::scenario::Diagnostic;
use crate::scenario::field::{Field, Object, Reader};
use crate::scenario::nearby::did_you_mean;

/// `field: Invalid value: "text": why`.
pub(super) fn invalid<'r>(
    reader: &'r mut Reader<'_>,
    code: &str,
    field: &Field<'_>,
    text: &str,
    why: &str,
) -> &'r mut Diagnostic {
    reader.error(code, field, format!("{field}: Invalid value: {text:?}: {why}"))
}

/// `field: Invalid value: 70000: why`.
pub(super) fn invalid_number<'r>(
    reader: &'r mut Reader<'_>,
    code: &str,
    field: &Field<'_>,
    number: i32,
    why: &str,
) -> &'r mut Diagnostic {
    reader.error(code, field, format!("{field}: Invalid value: {number}: {why}"))
}

/// `field: Unsupported value: "text": supported values: "A", "B"`.
pub(super) fn unsupported<'r>(
    reader: &'r mut Reader<'_>,
    code: &str,
    field: &Field<'_>,
    text: &str,
    supported: &[&str],
) -> &'r mut Diagnostic {
    let list: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
    let diagnostic = reader.error(
        code,
        field,
        format!("{field}: Unsupported value: {text:?}: supported values: {}", list.join(", ")),
    );
    if let Some(help) = did_you_mean(text, supported.iter().copied()) {
        diagnostic.hint(&help);
    }
    diagnostic
}

/// `field.key: Required value: why`, at the field that lacks it.
pub(super) fn required<'r>(
    reader: &'r mut Reader<'_>,
    field: &Field<'_>,
    key: &str,
    why: &str,
) -> &'r mut Diagnostic {
    let path = match field.path.as_str() {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    let message = format!("{path}: Required value{why}");
    reader.error_at("missing-field", &path, field.node.place, message)
}

/// A string that must be there and not be empty.
pub(super) fn required_string<'n>(
    reader: &mut Reader<'_>,
    object: &Object<'n>,
    key: &str,
    why: &str,
) -> Option<(Field<'n>, &'n str)> {
    let Some(field) = object.get(key) else {
        required(reader, &object.field, key, why);
        return None;
    };
    let text = reader.string(&field)?;
    if text.is_empty() {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        reader.error("missing-field", &field, format!("{field}: Required value{why}"));
        return None;
    }
    Some((field, text))
}
