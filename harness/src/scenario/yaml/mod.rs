//! YAML and JSON as a tree whose every value knows its line and column.

mod events;
mod json;
mod node;
mod resolve;

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

pub(crate) use node::{Document, Entry, Node, Place, SyntaxError, Value, whole};

/// The documents of a file, and what is wrong with its text.
///
/// The documents before a syntax error are still returned, so that all that
/// can be said of a file is said at once.
pub(crate) fn parse(file: &str, text: &str) -> (Vec<Document>, Vec<SyntaxError>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_json = std::path::Path::new(file).extension().is_some_and(|e| e == "json");
    if is_json {
        return json::parse(text);
    }
    // As kubectl does: a text that starts as JSON is JSON if it can be.
    if text.trim_start().starts_with(['{', '[']) {
        let (documents, errors) = json::parse(text);
        if !errors.iter().any(|error| error.code == "json-syntax") {
            return (documents, errors);
        }
    }
    events::parse(text)
}

/// A map that is being read: it knows which keys it has, and where.
#[derive(Default)]
struct Entries {
    entries: Vec<Entry>,
    lines: HashMap<String, u32>,
}

impl Entries {
    /// Adds an entry, unless its key is there already.
    fn insert(&mut self, entry: Entry, document: u32, errors: &mut Vec<SyntaxError>) {
        let line = entry.key_place.line;
        match self.lines.entry(entry.key.clone()) {
            Vacant(vacant) => {
                vacant.insert(line);
                self.entries.push(entry);
            }
            Occupied(first) => errors.push(SyntaxError {
                code: "duplicate-key",
                document,
                place: entry.key_place,
                message: format!("duplicate field `{}`", entry.key),
                help: Some(format!("it is set first on line {}; keep one of the two", first.get())),
            }),
        }
    }

    /// Adds an entry of a merged map, which gives way to one that is there.
    fn merge(&mut self, entry: Entry) {
        if let Vacant(vacant) = self.lines.entry(entry.key.clone()) {
            vacant.insert(entry.key_place.line);
            self.entries.push(entry);
        }
    }
}
