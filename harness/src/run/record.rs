//! The record's file: JSON lines, appended as things happen.
//!
//! A run that is killed leaves a file whose last line may be cut; the reader
//! says so and gives everything before it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
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
    /// Another process writes to it.
    #[error(
        "expected the record `{}` for this run alone, found that another one writes to it: wait for its end, or name another file",
        path.display()
    )]
    Taken {
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
    /// A new record; a file that is there already is replaced, unless a run writes to it.
    ///
    /// # Errors
    /// Where the file cannot be created, or another process writes to it.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        let writer = Self::open(path, "create")?;
        let failed = |source| RecordError::Io { doing: "create", path: path.to_owned(), source };
        // Only a regular file has anything to be replaced: a pipe or a terminal has not.
        if writer.file.metadata().map_err(failed)?.is_file() {
            writer.file.set_len(0).map_err(failed)?;
        }
        Ok(writer)
    }

    /// A record that may be gone on with, and its lines so far, each handed to a function. It
    /// is left as it is until [`Resumable::go_on`].
    ///
    /// # Errors
    /// Where the file cannot be read or written, another process writes to it, or it is no
    /// record of this schema.
    pub fn resume(path: &Path, take: impl FnMut(Line)) -> Result<Resumable, RecordError> {
        let writer = Self::open(path, "write")?;
        let whole = if has_line(path)? { Some(each(path, take)?) } else { None };
        Ok(Resumable { writer, whole })
    }

    /// The file, for this process alone.
    fn open(path: &Path, doing: &'static str) -> Result<Self, RecordError> {
        let failed = |source| RecordError::Io { doing, path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(RecordError::Taken { path: path.to_owned() }),
            // A file system without locks is no reason not to write.
            Err(TryLockError::Error(_)) | Ok(()) => Ok(Self { file, path: path.to_owned() }),
        }
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

/// A record that a run may go on with, held for this process alone.
#[derive(Debug)]
pub struct Resumable {
    writer: RecordWriter,
    /// How its lines so far end; `None` says that there is none, or no file: the record begins.
    pub whole: Option<Whole>,
}

impl Resumable {
    /// Drops a last line that was cut: what is written now follows on whole lines.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn go_on(self) -> Result<RecordWriter, RecordError> {
        let Self { mut writer, whole } = self;
        let end = whole.map_or(0, |whole| whole.end);
        let cut = writer.file.set_len(end);
        let cut = cut.and_then(|()| writer.file.seek(SeekFrom::Start(end)));
        cut.map_err(|error| writer.failed(error))?;
        Ok(writer)
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

/// How a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// The bytes of its whole lines.
    pub end: u64,
    /// Whether a line after them was cut, as a killed run leaves it.
    pub cut: bool,
}

/// Reads a record.
///
/// # Errors
/// As [`each`].
pub fn read(path: &Path) -> Result<Lines, RecordError> {
    let mut lines = Vec::new();
    let Whole { cut, .. } = each(path, |line| lines.push(line))?;
    Ok(Lines { lines, cut })
}

/// Reads a record, and hands every whole line to a function: rounds of many cells need not
/// stay in memory.
///
/// # Errors
/// Where the file cannot be read, is no record, has another schema, or has a
/// broken line that is not its last.
pub fn each(path: &Path, mut take: impl FnMut(Line)) -> Result<Whole, RecordError> {
    let failed = |source| RecordError::Io { doing: "read", path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut text = Vec::new();
    let mut end = 0;
    for number in 1.. {
        text.clear();
        let length = reader.read_until(b'\n', &mut text).map_err(failed)?;
        if length == 0 {
            break;
        }
        if number == 1 {
            check_schema(path, &text)?;
        }
        // Lines are written with their end in one go: a line without one was cut.
        if text.last() != Some(&b'\n') {
            return Ok(Whole { end, cut: true });
        }
        let malformed =
            |source| RecordError::Malformed { path: path.to_owned(), line: number, source };
        let line: Line = serde_json::from_slice(&text).map_err(malformed)?;
        if number == 1 && !matches!(line.event, Event::RunStarted { .. }) {
            break;
        }
        take(line);
        end += length as u64;
    }
    if end == 0 {
        return Err(RecordError::NoStart { path: path.to_owned() });
    }
    Ok(Whole { end, cut: false })
}

/// The first line of a record; `None` where there is no file, or no whole line in it: a run that
/// goes on with it begins.
///
/// # Errors
/// As [`each`].
pub fn first(path: &Path) -> Result<Option<Line>, RecordError> {
    let failed = |source| RecordError::Io { doing: "read", path: path.to_owned(), source };
    if !path.try_exists().map_err(failed)? || !has_line(path)? {
        return Ok(None);
    }
    let mut text = Vec::new();
    BufReader::new(File::open(path).map_err(failed)?)
        .read_until(b'\n', &mut text)
        .map_err(failed)?;
    check_schema(path, &text)?;
    let malformed = |source| RecordError::Malformed { path: path.to_owned(), line: 1, source };
    serde_json::from_slice(&text).map(Some).map_err(malformed)
}

/// Whether a file has a whole line: a run that was killed at once has written none.
fn has_line(path: &Path) -> Result<bool, RecordError> {
    let failed = |source| RecordError::Io { doing: "read", path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut length = 0;
    // A line that begins as none of a record does is not one that was cut.
    let start = b"{\"at\":";
    loop {
        let part = reader.fill_buf().map_err(failed)?;
        let own = part.iter().zip(start.iter().skip(length));
        if part.contains(&b'\n') || own.clone().any(|(found, expected)| found != expected) {
            return Ok(true);
        }
        let read = part.len();
        if read == 0 {
            return Ok(false);
        }
        length += read;
        reader.consume(read);
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
            suite: None,
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
    fn the_first_line_is_read_alone() {
        let file = written(&[started(SCHEMA), line(Event::ScenarioStarted)]);
        assert_eq!(first(file.path()).unwrap(), Some(started(SCHEMA)));
        let text = std::fs::read(file.path()).unwrap();
        std::fs::write(file.path(), &text[..20]).unwrap();
        assert_eq!(first(file.path()).unwrap(), None);
        assert_eq!(first(&file.path().with_extension("nowhere")).unwrap(), None);
        std::fs::write(file.path(), "my notes\n").unwrap();
        assert!(matches!(first(file.path()), Err(RecordError::NoStart { .. })));
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
    fn a_record_goes_on_after_its_last_whole_line() {
        let lines = vec![started(SCHEMA), line(Event::ScenarioStarted)];
        let file = written(&lines);
        let text = std::fs::read(file.path()).unwrap();
        // Wherever the second line was cut, and before it has begun.
        let first = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for length in [first, first + 1, text.len() - 1, text.len()] {
            std::fs::write(file.path(), &text[..length]).unwrap();
            let mut found = Vec::new();
            let resumable = RecordWriter::resume(file.path(), |line| found.push(line)).unwrap();
            let cut = length != first && length != text.len();
            assert_eq!(resumable.whole.map(|whole| whole.cut), Some(cut));
            // Whose record it is, is for the caller to say.
            assert_eq!(std::fs::read(file.path()).unwrap(), text[..length]);
            let mut writer = resumable.go_on().unwrap();
            let own = if length == text.len() { 2 } else { 1 };
            assert_eq!(found, lines[..own]);
            writer.append(&lines[1]).unwrap();
            assert_eq!(read(file.path()).unwrap().lines.len(), own + 1);
        }
    }

    #[test]
    fn a_run_that_was_killed_at_once_begins() {
        let file = written(&[started(SCHEMA)]);
        let text = std::fs::read(file.path()).unwrap();
        for length in [0, 1, 4, 40, text.len() - 1] {
            std::fs::write(file.path(), &text[..length]).unwrap();
            let resumable = RecordWriter::resume(file.path(), |_| ()).unwrap();
            assert_eq!(resumable.whole, None, "{length}");
            assert_eq!(std::fs::read(file.path()).unwrap(), text[..length]);
            resumable.go_on().unwrap();
            assert_eq!(std::fs::read(file.path()).unwrap().len(), 0, "{length}");
        }
        // What is no record at all is left alone.
        std::fs::write(file.path(), "my notes").unwrap();
        let error = RecordWriter::resume(file.path(), |_| ()).unwrap_err();
        assert!(matches!(error, RecordError::NoStart { .. }));
        assert_eq!(std::fs::read(file.path()).unwrap(), b"my notes");
    }

    #[test]
    fn two_runs_do_not_write_to_one_record() {
        let file = written(&[started(SCHEMA)]);
        let first = RecordWriter::resume(file.path(), |_| ()).unwrap();
        for taken in [
            RecordWriter::create(file.path()).map(drop),
            RecordWriter::resume(file.path(), |_| ()).map(drop),
        ] {
            assert_eq!(
                taken.unwrap_err().to_string(),
                format!(
                    "expected the record `{}` for this run alone, found that another one writes to it: wait for its end, or name another file",
                    file.path().display()
                )
            );
        }
        assert_eq!(read(file.path()).unwrap().lines.len(), 1);
        drop(first);
        assert!(RecordWriter::create(file.path()).is_ok());
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
