//! The API server's sentences (`k8s.io/apimachinery/pkg/util/validation/field`).

use crate::scenario::Diagnostic;
use crate::scenario::field::{Field, Object, Reader};
use crate::scenario::nearby::did_you_mean;

/// A text in quotes as Go's `%q` writes it, which is what the API server prints.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            c if c < ' ' || c == '\u{7f}' => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            // What Rust would not print, Go does not print either.
            c if !c.is_ascii() && c.escape_debug().len() > 1 => match u32::from(c) {
                code @ 0..=0xffff => quoted.push_str(&format!("\\u{code:04x}")),
                code => quoted.push_str(&format!("\\U{code:08x}")),
            },
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `field: Invalid value: "text": why`.
pub(super) fn invalid<'r>(
    reader: &'r mut Reader<'_>,
    code: &str,
    field: &Field<'_>,
    text: &str,
    why: &str,
) -> &'r mut Diagnostic {
    reader.error(code, field, format!("{field}: Invalid value: {}: {why}", quoted(text)))
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
    let list: Vec<String> = supported.iter().map(|value| quoted(value)).collect();
    let diagnostic = reader.error(
        code,
        field,
        format!(
            "{field}: Unsupported value: {}: supported values: {}",
            quoted(text),
            list.join(", ")
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_go_quotes_them() {
        for (text, expected) in [
            ("a'b", r#""a'b""#),
            ("a\"b\\", r#""a\"b\\""#),
            ("\0\u{1b}\u{7f}", r#""\x00\x1b\x7f""#),
            ("\n\t", r#""\n\t""#),
            ("é😀", "\"é😀\""),
            ("\u{85}\u{200b}", r#""\u0085\u200b""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
