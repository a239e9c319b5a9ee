//! YAML and JSON as a tree whose every value knows its line and column.

mod events;
mod json;
mod node;
mod resolve;

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

pub(crate) use node::{Document, Entry, Node, Place, SyntaxError, Value};

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every scalar and key with its place, one a line.
    fn places(node: &Node, out: &mut Vec<String>) {
        let Place { line, column, width } = node.place;
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| places(item, out)),
            Value::Map(entries) => {
                for entry in entries {
                    let Place { line, column, width } = entry.key_place;
                    out.push(format!("{line}:{column}+{width} {}:", entry.key));
                    places(&entry.value, out);
                }
            }
            value => out.push(format!("{line}:{column}+{width} {value:?}")),
        }
    }

    fn all_places(file: &str, text: &str) -> String {
        let (documents, errors) = parse(file, text);
        assert_eq!(errors, []);
        let mut out = Vec::new();
        for document in &documents {
            out.push(format!("document {}", document.index));
            places(&document.root, &mut out);
        }
        out.join("\n")
    }

    #[test]
    fn places_are_those_of_the_text_in_characters() {
        let text = "é: \"ü\"\nlist:\n- a\n-   {k: 'v'}\n--- # second\nyes: |\n  text\n";
        expect_test::expect![[r#"
            document 0
            1:1+1 é:
            1:4+3 String("ü")
            2:1+4 list:
            3:3+1 String("a")
            4:6+1 k:
            4:9+3 String("v")
            document 1
            6:1+3 true:
            7:3+1 String("text\n")"#]]
        .assert_eq(&all_places("a.yaml", text));
    }

    #[test]
    fn json_has_places_too() {
        let text =
            "{\n\t\"a\": [1, -2.5e3, null],\n\t\"\\ud83d\\ude00\": \"x\\n\"\n}\n{\"b\": true}";
        let expected = expect_test::expect![[r#"
            document 0
            2:2+3 a:
            2:8+1 Int(1)
            2:11+6 Float(-2500.0)
            2:19+4 Null
            3:2+14 😀:
            3:18+5 String("x\n")
            document 1
            5:2+3 b:
            5:7+4 Bool(true)"#]];
        expected.assert_eq(&all_places("a.json", text));
        expected.assert_eq(&all_places("a.yaml", text));
    }

    #[test]
    fn anchors_and_merges_are_expanded() {
        let text = "base: &b { a: 1, b: 2 }\nuse: { <<: *b, b: 3 }\nmany: { <<: [*b, { c: 4 }] }\n";
        let (documents, errors) = parse("a.yaml", text);
        assert_eq!(errors, []);
        let json = serde_json::json!({
            "base": { "a": 1, "b": 2 },
            "use": { "a": 1, "b": 3 },
            "many": { "a": 1, "b": 2, "c": 4 },
        });
        assert_eq!(documents[0].root.to_json(), json);
    }

    #[test]
    fn a_quoted_merge_key_is_a_key() {
        let (documents, _) = parse("a.yaml", "'<<': { a: 1 }\n");
        assert_eq!(documents[0].root.to_json(), serde_json::json!({ "<<": { "a": 1 } }));
    }

    #[test]
    fn documents_before_an_error_are_kept() {
        let (documents, errors) = parse("a.yaml", "a: 1\n---\nb: [\n");
        assert_eq!((documents.len(), errors.len()), (1, 1));
        assert_eq!((errors[0].code, errors[0].document), ("yaml-syntax", 1));
    }

    #[test]
    fn templates_are_told_apart() {
        let text =
            "---\n# Source: chart/a.yaml\na: 1\n---\n# Source: chart/b.yaml\nb: 1\n---\nc: 1\n";
        let (documents, _) = parse("a.yaml", text);
        let templates: Vec<_> = documents.iter().map(|d| d.template.as_deref()).collect();
        assert_eq!(templates, [Some("chart/a.yaml"), Some("chart/b.yaml"), None]);
    }
}
