//! JSON with places. YAML 1.2 takes most JSON, but neither tabs as indentation
//! nor surrogate pairs, and kubectl takes both.

use super::Entries;
use super::node::{DEPTH, Document, Entry, Node, Place, SyntaxError, Value};

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    column: u32,
    document: u32,
}

/// The documents of a text of JSON values one after the other.
pub(super) fn parse(text: &str) -> (Vec<Document>, Vec<SyntaxError>) {
    let mut reader = Reader { text, at: 0, line: 1, column: 1, document: 0 };
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    loop {
        reader.skip_space();
        if reader.at == text.len() {
            return (documents, errors);
        }
        match reader.value(0, &mut errors) {
            Ok(root) => {
                documents.push(Document { index: reader.document, root, template: None });
                reader.document += 1;
            }
            Err(error) => {
                errors.push(error);
                return (documents, errors);
            }
        }
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.next();
        }
    }

    fn place(&self) -> Place {
        Place { line: self.line, column: self.column, width: 1 }
    }

    fn error(&self, place: Place, message: String) -> SyntaxError {
        SyntaxError { code: "json-syntax", document: self.document, place, message, help: None }
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        let found = self.peek().map_or("the end of the file".to_owned(), |c| format!("`{c}`"));
        self.error(self.place(), format!("expected {expected}, found {found}"))
    }

    fn value(&mut self, depth: usize, errors: &mut Vec<SyntaxError>) -> Result<Node, SyntaxError> {
        if depth > DEPTH {
            return Err(self.error(self.place(), format!("nested more than {DEPTH} levels deep")));
        }
        self.skip_space();
        let mut place = self.place();
        let value = match self.peek() {
            Some('{') => self.map(depth, errors)?,
            Some('[') => self.list(depth, errors)?,
            Some('"') => {
                let (text, width) = self.string()?;
                place.width = width;
                // A string without escapes has the columns of its text.
                let offset = (text.chars().count() + 2 == width as usize).then_some(1);
                return Ok(Node { value: Value::String(text), place, text_offset: offset });
            }
            Some(c) if c == '-' || c.is_ascii_alphanumeric() => {
                let word = self.word().to_owned();
                place.width = u32::try_from(word.len()).unwrap_or(1).max(1);
                match word.as_str() {
                    "null" => Value::Null,
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    word => self.number(word, place)?,
                }
            }
            _ => return Err(self.unexpected("a JSON value")),
        };
        Ok(Node::new(value, place))
    }

    fn word(&mut self) -> &str {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || "+-._".contains(c)) {
            self.next();
        }
        &self.text[start..self.at]
    }

    fn number(&self, word: &str, place: Place) -> Result<Value, SyntaxError> {
        match serde_json::from_str::<serde_json::Number>(word) {
            Ok(number) => Ok(match number.as_i64() {
                Some(value) => Value::Int(value),
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            }),
            Err(_) => Err(self.error(place, format!("expected a JSON value, found `{word}`"))),
        }
    }

    /// A string and how many characters it takes in the file, quotes included.
    fn string(&mut self) -> Result<(String, u32), SyntaxError> {
        let (start, place) = (self.at, self.place());
        self.next();
        loop {
            match self.next() {
                Some('\\') => {
                    self.next();
                }
                Some('"') => break,
                Some('\n') | None => {
                    return Err(self.error(place, "expected `\"` at the end of a string".into()));
                }
                Some(_) => {}
            }
        }
        let raw = &self.text[start..self.at];
        let width = u32::try_from(raw.chars().count()).unwrap_or(u32::MAX);
        match serde_json::from_str(raw) {
            Ok(text) => Ok((text, width)),
            Err(_) => Err(self.error(
                Place { width, ..place },
                "expected a JSON string, found a bad escape or a control character".into(),
            )),
        }
    }

    fn list(&mut self, depth: usize, errors: &mut Vec<SyntaxError>) -> Result<Value, SyntaxError> {
        self.next();
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(']') {
            self.next();
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1, errors)?);
            self.skip_space();
            match self.peek() {
                Some(',') => self.next(),
                Some(']') => {
                    self.next();
                    return Ok(Value::List(items));
                }
                _ => return Err(self.unexpected("`,` or `]`")),
            };
        }
    }

    fn map(&mut self, depth: usize, errors: &mut Vec<SyntaxError>) -> Result<Value, SyntaxError> {
        self.next();
        let mut map = Entries::default();
        self.skip_space();
        if self.peek() == Some('}') {
            self.next();
            return Ok(Value::Map(map.entries));
        }
        loop {
            self.skip_space();
            let mut key_place = self.place();
            if self.peek() != Some('"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let (key, width) = self.string()?;
            key_place.width = width;
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.unexpected("`:`"));
            }
            self.next();
            let value = self.value(depth + 1, errors)?;
            map.insert(Entry { key, key_place, value }, self.document, errors);
            self.skip_space();
            match self.peek() {
                Some(',') => self.next(),
                Some('}') => {
                    self.next();
                    return Ok(Value::Map(map.entries));
                }
                _ => return Err(self.unexpected("`,` or `}`")),
            };
        }
    }
}
