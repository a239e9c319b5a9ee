//! The record's file: JSON lines, appended as things happen.
//!
//! A run that is killed leaves a file whose last line may be cut; the reader
//! says so and gives everything before it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::{Event, Line, SCHEMA};

/// Why a record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file could not be opened, written or read.
    #[error("cannot {doing} the record `{}`", path.display())]
    Io {
        /// `create`, `write` or `read`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// A line other than the last is no line of a record.
    #[error("expected a line of a record at `{}:{line}`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file does not start as a record does.
    #[error("expected `{}` to start with the line of a run's start; is it a record?", path.display())]
    NoStart {
        /// The file.
        path: PathBuf,
    },
    /// The record was written by a version with another schema.
    #[error(
        "expected schema {SCHEMA} in the record `{}`, found {found}; read it with the version that wrote it (`{version}`)",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// The record's schema.
        found: u64,
        /// The version of Ringfence that wrote it.
        version: String,
    },
}

/// Appends lines to a record.
#[derive(Debug)]
pub struct RecordWriter {
    file: File,
    path: PathBuf,
}

impl RecordWriter {
    /// A new record; a file that is there already is replaced.
    ///
    /// # Errors
    /// Where the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        let file = File::create(path).map_err(|source| RecordError::Io {
            doing: "create",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Appends one line, in one write: it is in the file when this returns,
    /// and nothing is lost if the process is killed afterwards.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn append(&mut self, line: &Line) -> Result<(), RecordError> {
        let mut text = serde_json::to_vec(line).map_err(|error| self.failed(error.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(|error| self.failed(error))
    }

    fn failed(&self, source: std::io::Error) -> RecordError {
        RecordError::Io { doing: "write", path: self.path.clone(), source }
    }
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// Its whole lines, in order.
    pub lines: Vec<Line>,
    /// Whether the last line was cut, as a killed run leaves it.
    pub cut: bool,
}

/// Reads a record.
///
/// # Errors
/// Where the file cannot be read, is no record, has another schema, or has a
/// broken line that is not its last.
pub fn read(path: &Path) -> Result<Lines, RecordError> {
    let failed = |source| RecordError::Io { doing: "read", path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut lines = Vec::new();
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        if reader.read_until(b'\n', &mut text).map_err(failed)? == 0 {
            break;
        }
        if number == 1 {
            check_schema(path, &text)?;
        }
        // Lines are written with their end in one go: a line without one was cut.
        if text.last() != Some(&b'\n') {
            return Ok(Lines { lines, cut: true });
        }
        let line = serde_json::from_slice(&text).map_err(|source| RecordError::Malformed {
            path: path.to_owned(),
            line: number,
            source,
        })?;
        lines.push(line);
    }
    match lines.first() {
        Some(Line { event: Event::RunStarted { .. }, .. }) => Ok(Lines { lines, cut: false }),
        _ => Err(RecordError::NoStart { path: path.to_owned() }),
    }
}

/// Looks at the schema before anything else: a line of another schema need not
/// have a shape that this version can read.
fn check_schema(path: &Path, first: &[u8]) -> Result<(), RecordError> {
    let no_start = || RecordError::NoStart { path: path.to_owned() };
    let start: serde_json::Value = serde_json::from_slice(first).map_err(|_| no_start())?;
    let event = &start["event"];
    let found = event["schema"].as_u64().ok_or_else(no_start)?;
    if event["kind"] != "run-started" {
        return Err(no_start());
    }
    if found != u64::from(SCHEMA) {
        let version = event["version"].as_str().unwrap_or("unknown").to_owned();
        return Err(RecordError::Schema { path: path.to_owned(), found, version });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(event: Event) -> Line {
        Line { at: Duration::from_micros(7), cluster: "c".into(), scenario: "s".into(), event }
    }

    fn started(schema: u32) -> Line {
        line(Event::RunStarted {
            schema,
            version: "0.0.9".into(),
            seed: 4,
            clusters: vec![],
            scenarios: vec![],
        })
    }

    fn written(lines: &[Line]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = RecordWriter::create(file.path()).unwrap();
        for line in lines {
            writer.append(line).unwrap();
        }
        file
    }

    #[test]
    fn a_record_round_trips() {
        let lines = vec![started(SCHEMA), line(Event::ScenarioStarted)];
        let file = written(&lines);
        assert_eq!(read(file.path()).unwrap(), Lines { lines, cut: false });
    }

    #[test]
    fn a_cut_last_line_is_told() {
        let lines = vec![started(SCHEMA), line(Event::ScenarioStarted)];
        let file = written(&lines);
        let text = std::fs::read(file.path()).unwrap();
        std::fs::write(file.path(), &text[..text.len() - 3]).unwrap();
        assert_eq!(read(file.path()).unwrap(), Lines { lines: lines[..1].into(), cut: true });
    }

    #[test]
    fn what_is_no_record_is_refused_in_words() {
        let path = |file: &tempfile::NamedTempFile| file.path().display().to_string();
        let other = written(&[started(SCHEMA + 1)]);
        assert_eq!(
            read(other.path()).unwrap_err().to_string(),
            format!(
                "expected schema 1 in the record `{}`, found 2; read it with the version that wrote it (`0.0.9`)",
                path(&other)
            )
        );
        let headless = written(&[line(Event::ScenarioStarted)]);
        assert!(matches!(read(headless.path()), Err(RecordError::NoStart { .. })));
        let empty = written(&[]);
        assert!(matches!(read(empty.path()), Err(RecordError::NoStart { .. })));

        let broken = written(&[started(SCHEMA)]);
        let mut text = std::fs::read(broken.path()).unwrap();
        text.extend(b"{}\n{}\n");
        std::fs::write(broken.path(), text).unwrap();
        assert!(matches!(read(broken.path()), Err(RecordError::Malformed { line: 2, .. })));
    }
}
