//! Lists of rules, as steps have them.

use super::field::{Field, Object, Reader};
use super::yaml::Place;
use super::{ExpectRule, Watching, expect};

/// The items of a list; none where there is no list.
pub(super) fn list<'n>(reader: &mut Reader<'_>, object: &Object<'n>, key: &str) -> Vec<Field<'n>> {
    object.get(key).and_then(|field| reader.list(&field)).unwrap_or_default()
}

/// Reads `watch`.
pub(super) fn watching(reader: &mut Reader<'_>, object: &Object<'_>) -> Watching {
    let Some(field) = object.get("watch") else { return Watching::default() };
    let Some(body) = reader.object(field, &["hold", "try"]) else { return Watching::default() };
    let watch =
        Watching { hold: rules(reader, &body, "hold"), attempt: rules(reader, &body, "try") };
    if body.get("hold").is_none() && body.get("try").is_none() {
        reader
            .error("missing-field", &body.field, format!("{}: nothing is watched", body.field))
            .hint("`hold` names connections that are used all the time, `try` what is attempted anew all the time");
    }
    watch
}

/// Reads a list of rules.
pub(super) fn rules(reader: &mut Reader<'_>, object: &Object<'_>, key: &str) -> Vec<ExpectRule> {
    let mut rules = Vec::new();
    for item in list(reader, object, key) {
        let Some(text) = reader.string(&item) else { continue };
        let place = item.node.place;
        // Where the text is not on one line as written, only its start can be shown.
        let offset = item.node.text_offset;
        let start = Place { column: place.column + offset.unwrap_or(0), ..place };
        match expect::parse(text) {
            Ok(rule) => {
                let origin = reader.origin_at(&item.path, start);
                rules.push(rule.written(text.to_owned(), origin));
            }
            Err(bad) => {
                let at = match offset {
                    Some(_) => Place { column: start.column + bad.at, width: bad.width, ..start },
                    None => place,
                };
                let diagnostic = reader.error_at("expect-syntax", &item.path, at, bad.message);
                if let Some(help) = bad.help {
                    diagnostic.hint(&help);
                }
            }
        }
    }
    rules
}
