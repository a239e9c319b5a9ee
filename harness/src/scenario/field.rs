//! Typed reading of a document tree: every finding knows its field and place.

use std::fmt;
use std::sync::Arc;

use super::nearby::near_or_all;
use super::source::Source;
use super::yaml::{Entry, Node, Place, Value};
use super::{Diagnostic, Severity};
use crate::model::Origin;

/// A value and the path that leads to it.
#[derive(Clone)]
pub(crate) struct Field<'n> {
    pub(crate) node: &'n Node,
    /// The path within the object, for example `spec.ingress[0].from[1]`.
    pub(crate) path: String,
    /// Where its key is written, or the value itself for an item of a list.
    pub(crate) key_place: Place,
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl<'n> Field<'n> {
    /// The root of a document or object.
    pub(crate) fn root(node: &'n Node) -> Self {
        Self { node, path: String::new(), key_place: node.place }
    }

    pub(crate) fn child(&self, entry: &'n Entry) -> Self {
        Self { node: &entry.value, path: join(&self.path, &entry.key), key_place: entry.key_place }
    }

    pub(crate) fn item(&self, index: usize, node: &'n Node) -> Self {
        Self { node, path: format!("{}[{index}]", self.path), key_place: node.place }
    }
}

/// A path with one more key; keys that would not read as one are put in brackets.
pub(crate) fn join(path: &str, key: &str) -> String {
    if key.contains(['.', '/', '[', ' ']) {
        format!("{path}[{key}]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// A map whose type was checked.
pub(crate) struct Object<'n> {
    pub(crate) field: Field<'n>,
    pub(crate) entries: &'n [Entry],
}

impl<'n> Object<'n> {
    /// A key's value. A null is as good as none: Kubernetes decodes both to the zero value.
    pub(crate) fn get(&self, key: &str) -> Option<Field<'n>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.value.value != Value::Null).then(|| self.field.child(entry))
    }
}

/// Reads one document of a file and collects what is wrong with it.
pub(crate) struct Reader<'s> {
    pub(crate) source: &'s Source,
    pub(crate) document: u32,
    /// The path of the object within the document: empty, or `items[2]`.
    pub(crate) object: String,
    /// The template that Helm made the document from.
    pub(crate) template: Option<&'s str>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(source: &'s Source, document: u32) -> Self {
        Self { source, document, object: String::new(), template: None, diagnostics: Vec::new() }
    }

    /// The origin of a place.
    pub(crate) fn origin_at(&self, path: &str, place: Place) -> Origin {
        let path = match (self.object.as_str(), path) {
            (object, "") => object.to_owned(),
            ("", path) => path.to_owned(),
            (object, path) => format!("{object}.{path}"),
        };
        Origin {
            file: self.source.file.clone(),
            document: self.document,
            path: Arc::from(path),
            line: place.line,
            column: place.column,
        }
    }

    /// The origin of a field's value.
    pub(crate) fn origin(&self, field: &Field<'_>) -> Origin {
        self.origin_at(&field.path, field.node.place)
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &str,
        path: &str,
        place: Place,
        message: String,
    ) -> &mut Diagnostic {
        let origin = self.origin_at(path, place);
        let excerpt = self.source.excerpt(place);
        let help = self.template.map(|template| format!("rendered from `{template}`"));
        self.diagnostics.push(Diagnostic {
            severity,
            code: code.to_owned(),
            message,
            origin,
            excerpt,
            help,
        });
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// An error at a field's value.
    pub(crate) fn error(
        &mut self,
        code: &str,
        field: &Field<'_>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Severity::Error, code, &field.path, field.node.place, message.into())
    }

    /// An error at a place of its own.
    pub(crate) fn error_at(
        &mut self,
        code: &str,
        path: &str,
        place: Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Severity::Error, code, path, place, message.into())
    }

    /// A warning at a field's value.
    pub(crate) fn warn(
        &mut self,
        code: &str,
        field: &Field<'_>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Severity::Warning, code, &field.path, field.node.place, message.into())
    }

    /// A warning at a place of its own.
    pub(crate) fn warn_at(
        &mut self,
        code: &str,
        path: &str,
        place: Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Severity::Warning, code, path, place, message.into())
    }

    /// A value of another type than the schema's.
    pub(crate) fn wrong_type(&mut self, field: &Field<'_>, expected: &str) -> &mut Diagnostic {
        let found = field.node.value.describe();
        let lead = if field.path.is_empty() { String::new() } else { format!("{field}: ") };
        let diagnostic =
            self.error("wrong-type", field, format!("{lead}expected {expected}, found {found}"));
        if expected == "a string"
            && matches!(field.node.value, Value::Bool(_) | Value::Int(_) | Value::Float(_))
        {
            diagnostic.hint("write it in quotes to make it a string");
        }
        diagnostic
    }

    /// A map, whatever its keys.
    pub(crate) fn map<'n>(&mut self, field: Field<'n>) -> Option<Object<'n>> {
        match &field.node.value {
            Value::Map(entries) => Some(Object { field, entries }),
            _ => {
                self.wrong_type(&field, "a map");
                None
            }
        }
    }

    /// An item of a list of structures: null is the empty one, as Kubernetes decodes it.
    pub(crate) fn structure<'n>(&mut self, field: Field<'n>, known: &[&str]) -> Option<Object<'n>> {
        if field.node.value == Value::Null {
            return Some(Object { field, entries: &[] });
        }
        self.object(field, known)
    }

    /// A map with no keys but these.
    pub(crate) fn object<'n>(&mut self, field: Field<'n>, known: &[&str]) -> Option<Object<'n>> {
        let object = self.map(field)?;
        for entry in object.entries {
            if !known.contains(&entry.key.as_str()) {
                self.unknown(&object, entry, known);
            }
        }
        Some(object)
    }

    /// Keys that differ from these in case alone, in a map that has others that
    /// we do not know: nobody means them otherwise.
    pub(crate) fn other_case(&mut self, object: &Object<'_>, known: &[&str]) {
        for entry in object.entries {
            let is = |name: &&str| name.eq_ignore_ascii_case(&entry.key);
            if !known.contains(&entry.key.as_str()) && known.iter().any(is) {
                self.unknown(object, entry, known);
            }
        }
    }

    fn unknown(&mut self, object: &Object<'_>, entry: &Entry, known: &[&str]) {
        let parent = &object.field.path;
        let dot = if parent.is_empty() { "" } else { "." };
        let message = format!("unknown field `{parent}{dot}{}`", entry.key);
        let path = join(parent, &entry.key);
        let diagnostic = self.error_at("unknown-field", &path, entry.key_place, message);
        if let Some(help) = near_or_all(&entry.key, known.iter().copied()) {
            diagnostic.hint(&help);
        }
    }

    /// The items of a list.
    pub(crate) fn list<'n>(&mut self, field: &Field<'n>) -> Option<Vec<Field<'n>>> {
        match &field.node.value {
            Value::List(items) => {
                Some(items.iter().enumerate().map(|(i, node)| field.item(i, node)).collect())
            }
            _ => {
                self.wrong_type(field, "a list");
                None
            }
        }
    }

    /// A string; null is the empty one, as Kubernetes decodes it.
    pub(crate) fn string<'n>(&mut self, field: &Field<'n>) -> Option<&'n str> {
        match &field.node.value {
            Value::String(text) => Some(text),
            Value::Null => Some(""),
            _ => {
                self.wrong_type(field, "a string");
                None
            }
        }
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self, field: &Field<'_>) -> Option<bool> {
        match field.node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong_type(field, "a boolean");
                None
            }
        }
    }

    /// A whole number of 64 bits.
    pub(crate) fn int64(&mut self, field: &Field<'_>) -> Option<i64> {
        let value = field.node.value.whole();
        if value.is_none() {
            self.wrong_type(field, "a whole number of 64 bits");
        }
        value
    }

    /// A whole number of 32 bits.
    pub(crate) fn int32(&mut self, field: &Field<'_>) -> Option<i32> {
        let value = field.node.value.whole().and_then(|value| i32::try_from(value).ok());
        if value.is_none() {
            self.wrong_type(field, "a whole number of 32 bits");
        }
        value
    }
}

impl Diagnostic {
    /// Says what to do, before what else is known.
    pub(crate) fn hint(&mut self, help: &str) {
        self.help = Some(match self.help.take() {
            Some(rest) => format!("{help} ({rest})"),
            None => help.to_owned(),
        });
    }
}
