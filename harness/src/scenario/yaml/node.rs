//! The document tree: values with the place at which each was written.

use serde_json::{Map, Number, Value as Json};

/// A place in a text: where something starts, and how many characters it underlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    /// Line, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
    /// How many characters a caret underlines, at least 1.
    pub(crate) width: u32,
}

impl Place {
    /// The start of a text.
    pub(crate) const START: Self = Self { line: 1, column: 1, width: 1 };
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
    /// How many columns after the place the text of a scalar begins (1 for a
    /// quote), or `None` where columns of the text are not those of the file.
    pub(crate) text_offset: Option<u32>,
}

/// A value as `sigs.k8s.io/yaml` resolves it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// An entry of a map. Keys are unique: a second one of the same name is an
/// error of the document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn new(value: Value, place: Place) -> Self {
        Self { value, place, text_offset: None }
    }

    /// The value of a map's key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
            _ => None,
        }
    }

    /// How many nodes there are in it, itself included.
    pub(super) fn size(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|e| 1 + e.value.size()).sum::<usize>(),
            _ => 1,
        }
    }

    /// How many levels there are in it, itself included.
    pub(super) fn depth(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|e| e.value.depth()).max().unwrap_or(0),
            _ => 1,
        }
    }

    /// The value as JSON, as it would be sent to an API server.
    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            // JSON has no NaN and no infinity.
            Value::Float(value) => whole(*value)
                .map(Json::from)
                .or_else(|| Number::from_f64(*value).map(Json::Number))
                .unwrap_or(Json::Null),
            Value::String(value) => Json::String(value.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => {
                let entries = entries.iter().map(|e| (e.key.clone(), e.value.to_json()));
                Json::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

/// A float that is a whole number: on its way to JSON `80.0` becomes `80`.
fn whole(value: f64) -> Option<i64> {
    // 2^53: beyond it a float no longer holds every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

impl Value {
    /// The whole number that it is.
    pub(crate) fn whole(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Float(value) => whole(*value),
            _ => None,
        }
    }

    /// What it is, for a sentence of what was found.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("the boolean `{value}`"),
            Self::Int(value) => format!("the number `{value}`"),
            Self::Float(value) => format!("the number `{value}`"),
            Self::String(value) => format!("the string {value:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// Which, from 0.
    pub(crate) index: u32,
    /// Its value; null where it is empty.
    pub(crate) root: Node,
    /// The template that Helm rendered it from (`# Source: chart/templates/x.yaml`).
    pub(crate) template: Option<String>,
}

/// What is wrong with the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// `yaml-syntax`, `json-syntax`, `duplicate-key`, …
    pub(crate) code: &'static str,
    pub(crate) document: u32,
    pub(crate) place: Place,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// How deep a document may be; the API server's own limit is far beyond what a manifest needs.
pub(super) const DEPTH: usize = 100;

/// How many nodes aliases may add to a file, so that a small file cannot
/// become a large one ("billion laughs").
pub(super) const ALIASED: usize = 100_000;
