//! From the parser's events to the tree: anchors, aliases and merge keys are
//! expanded within bounds, and depth is limited.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::Entries;
use super::node::{ALIASED, DEPTH, Document, Entry, Node, Place, SyntaxError, Value};
use super::resolve;

/// What the tags of YAML itself begin with.
const CORE: &str = "tag:yaml.org,2002:";

/// A list or map that is not closed yet.
enum Open {
    List { items: Vec<Node>, place: Place, anchor: usize },
    Map { map: Map, place: Place, anchor: usize },
}

#[derive(Default)]
struct Map {
    entries: Entries,
    /// Maps that `<<` puts beneath the entries, and how many entries come before it.
    merged: Vec<(Node, usize)>,
    key: Option<Key>,
}

enum Key {
    Merge,
    Field {
        key: String,
        place: Place,
    },
    /// A key that JSON cannot have: its value is read and dropped.
    Bad,
}

struct Builder<'t> {
    lines: Vec<&'t str>,
    documents: Vec<Document>,
    errors: Vec<SyntaxError>,
    document: u32,
    /// Where the last document ended: comments before the next are from here on.
    document_line: u32,
    root: Option<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

/// The documents of a YAML text.
pub(super) fn parse(text: &str) -> (Vec<Document>, Vec<SyntaxError>) {
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    let mut builder = Builder {
        lines: text.lines().collect(),
        documents: Vec::new(),
        errors: Vec::new(),
        document: 0,
        document_line: 1,
        root: None,
        open: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
    };
    while let Some(event) = parser.next_event() {
        let taken = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(builder.scan_error(&error)),
        };
        if let Err(error) = taken {
            builder.errors.push(error);
            break;
        }
    }
    (builder.documents, builder.errors)
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl Builder<'_> {
    fn place(&self, span: &Span) -> Place {
        let width = if span.end.line() == span.start.line() { span.len() } else { 1 };
        Place {
            line: count(span.start.line()).max(1),
            column: count(span.start.col()) + 1,
            width: count(width).max(1),
        }
    }

    fn error(&self, place: Place, message: impl Into<String>) -> SyntaxError {
        let message = message.into();
        SyntaxError { code: "yaml-syntax", document: self.document, place, message, help: None }
    }

    fn scan_error(&self, error: &ScanError) -> SyntaxError {
        let marker = error.marker();
        let place = Place {
            line: count(marker.line()).clamp(1, count(self.lines.len()).max(1)),
            column: count(marker.col()) + 1,
            width: 1,
        };
        let line = self.lines.get(place.line as usize - 1).copied().unwrap_or_default();
        let help = if line.contains("{{") {
            Some("this looks like a template: render it first, for example with `helm template`")
        } else if line.starts_with('\t') {
            Some("YAML takes no tab as indentation: use spaces")
        } else {
            None
        };
        SyntaxError {
            help: help.map(str::to_owned),
            ..self.error(place, format!("not valid YAML: {}", error.info()))
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let place = self.place(&span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                self.directive(place)
            }
            Event::DocumentEnd => {
                self.characters(place);
                let root = self.root.take();
                let root = root.unwrap_or_else(|| Node::new(Value::Null, place));
                let template = self.template(root.place.line);
                self.documents.push(Document { index: self.document, root, template });
                self.document += 1;
                self.document_line = place.line;
                Ok(())
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.error(place, "an alias within its own anchor"));
                };
                self.aliased = self.aliased.saturating_add(node.size());
                if self.aliased > ALIASED {
                    return Err(
                        self.error(place, format!("aliases expand to more than {ALIASED} values"))
                    );
                }
                if self.open.len() + node.depth() > DEPTH {
                    return Err(self.too_deep(place));
                }
                self.add(node, place)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
                let tag = tag.as_deref().map(|tag| tag.strip_prefix(CORE).unwrap_or("other"));
                let merge = style == ScalarStyle::Plain && text == "<<" && tag.is_none();
                let value = match (style, tag) {
                    (_, Some("binary")) => {
                        let message = "`!!binary` is not supported: write the text itself";
                        return Err(self.error(place, message));
                    }
                    (_, Some(tag @ ("int" | "float" | "bool" | "null"))) => {
                        resolve::tagged(tag, &text).map_err(|message| self.error(place, message))?
                    }
                    (ScalarStyle::Plain, None) => resolve::plain(&text),
                    // Tags that go-yaml does not know, and `!` alone, make a text.
                    _ => Value::String(text.to_string()),
                };
                let text_offset = self.text_offset(place, style, &text);
                let node = Node { value, place, text_offset };
                self.keep(anchor, &node);
                if merge && self.expects_key() {
                    return self.set_key(Key::Merge);
                }
                self.add(node, place)
            }
            Event::SequenceStart(anchor, _) => {
                self.enter(Open::List { items: Vec::new(), place, anchor }, place)
            }
            Event::MappingStart(anchor, _) => {
                self.enter(Open::Map { map: Map::default(), place, anchor }, place)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let (node, anchor) = match open {
                    Open::List { items, place, anchor } => {
                        (Node::new(Value::List(items), place), anchor)
                    }
                    Open::Map { map, place, anchor } => {
                        (Node::new(Value::Map(self.merge(map)?), place), anchor)
                    }
                };
                self.keep(anchor, &node);
                let place = node.place;
                self.add(node, place)
            }
        }
    }

    /// Where a scalar's text begins, if its columns are the file's.
    fn text_offset(&self, place: Place, style: ScalarStyle, text: &str) -> Option<u32> {
        let offset = match style {
            ScalarStyle::Plain => 0,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 1,
            ScalarStyle::Literal | ScalarStyle::Folded => return None,
        };
        let line = self.lines.get(place.line as usize - 1)?;
        let rest = line.char_indices().nth((place.column - 1 + offset) as usize)?.0;
        line[rest..].starts_with(text).then_some(offset)
    }

    fn too_deep(&self, place: Place) -> SyntaxError {
        self.error(place, format!("nested more than {DEPTH} levels deep"))
    }

    fn enter(&mut self, open: Open, place: Place) -> Result<(), SyntaxError> {
        if self.open.len() >= DEPTH {
            return Err(self.too_deep(place));
        }
        self.open.push(open);
        Ok(())
    }

    fn keep(&mut self, anchor: usize, node: &Node) {
        // The parser gives anchors the identifiers from 1.
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { map, .. }) if map.key.is_none())
    }

    fn set_key(&mut self, key: Key) -> Result<(), SyntaxError> {
        if let Some(Open::Map { map, .. }) = self.open.last_mut() {
            map.key = Some(key);
        }
        Ok(())
    }

    fn add(&mut self, node: Node, place: Place) -> Result<(), SyntaxError> {
        let document = self.document;
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { map, .. }) => match map.key.take() {
                None => {
                    map.key = Some(match resolve::key(&node.value) {
                        Some(key) => Key::Field { key, place },
                        None => {
                            self.errors.push(SyntaxError {
                                code: "yaml-syntax",
                                document,
                                place,
                                message: format!(
                                    "expected a string as a key, found {}",
                                    node.value.describe()
                                ),
                                help: None,
                            });
                            Key::Bad
                        }
                    });
                }
                Some(Key::Merge) => map.merged.push((node, map.entries.entries.len())),
                Some(Key::Bad) => {}
                Some(Key::Field { key, place: key_place }) => map.entries.insert(
                    Entry { key, key_place, value: node },
                    document,
                    &mut self.errors,
                ),
            },
        }
        Ok(())
    }

    /// The entries of a map with those that `<<` adds: its own come first, then
    /// the merged maps in their order (YAML 1.1 "merge key").
    ///
    /// go-yaml merges where `<<` stands, so kubectl lets a merged entry replace
    /// one that is written before it. The API server refuses that, and so do we.
    fn merge(&mut self, map: Map) -> Result<Vec<Entry>, SyntaxError> {
        let mut entries = map.entries;
        let own = entries.entries.len();
        for (node, before) in map.merged {
            let place = node.place;
            let (own, merged) = entries.entries.split_at(own);
            let earlier: Vec<String> =
                own[..before].iter().chain(merged).map(|entry| entry.key.clone()).collect();
            let maps = match node.value {
                Value::List(items) => items,
                _ => vec![node],
            };
            for node in maps {
                let Value::Map(more) = node.value else {
                    let expected = "expected a map, or a list of maps, after `<<`";
                    return Err(self.error(node.place, expected));
                };
                for entry in more {
                    if earlier.contains(&entry.key) {
                        let message = format!("duplicate field `{}`", entry.key);
                        let help = "`<<` would replace what is written before it; put it first";
                        self.errors.push(SyntaxError {
                            code: "duplicate-key",
                            help: Some(help.to_owned()),
                            ..self.error(place, message)
                        });
                    }
                    entries.merge(entry);
                }
            }
        }
        Ok(entries.entries)
    }

    /// go-yaml takes no control character but tab and line ends, not even in a comment.
    fn characters(&mut self, end: Place) {
        let start = self.document_line.saturating_sub(1) as usize;
        let end = self.lines.len().min(end.line as usize);
        let lines = self.lines.get(start..end).unwrap_or_default();
        let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
        let found = lines
            .iter()
            .zip(start + 1..)
            .find_map(|(line, number)| Some((number, line.chars().position(bad)?)));
        if let Some((line, column)) = found {
            let place = Place { line: count(line), column: count(column) + 1, width: 1 };
            self.errors.push(self.error(place, "control characters are not allowed"));
        }
    }

    /// go-yaml knows YAML 1.1 alone and refuses a `%YAML` directive that asks for another.
    fn directive(&self, place: Place) -> Result<(), SyntaxError> {
        let start = self.document_line.saturating_sub(1) as usize;
        let lines = self.lines.get(start..place.line as usize).unwrap_or_default();
        for (index, line) in lines.iter().enumerate() {
            if line.strip_prefix("%YAML").is_some_and(|version| version.trim() != "1.1") {
                let place = Place { line: count(start + index + 1), column: 1, width: 1 };
                let message = format!("found incompatible YAML document: `{}`", line.trim());
                return Err(self.error(place, message));
            }
        }
        Ok(())
    }

    /// Helm writes `# Source: chart/templates/file.yaml` before each document.
    fn template(&self, root_line: u32) -> Option<String> {
        let start = self.document_line.saturating_sub(1) as usize;
        let lines = self.lines.get(start..root_line as usize)?;
        lines.iter().find_map(|line| line.strip_prefix("# Source: ")).map(|s| s.trim().to_owned())
    }
}
