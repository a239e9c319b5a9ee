//! The text of a file, from which excerpts are taken.

use std::sync::{Arc, OnceLock};

use super::Excerpt;
use super::yaml::Place;

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its name as the user gave it.
    pub(crate) file: Arc<str>,
    /// Its text.
    pub(crate) text: String,
    /// Where each line starts; filled when the first excerpt is taken.
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    pub(crate) fn new(file: &str, text: impl Into<String>) -> Self {
        Self { file: Arc::from(file), text: text.into(), lines: OnceLock::new() }
    }

    /// The line of a place, and how much of it is underlined.
    pub(crate) fn excerpt(&self, place: Place) -> Option<Excerpt> {
        let lines = self.lines.get_or_init(|| {
            let ends = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(ends).collect()
        });
        let start = *lines.get(place.line.checked_sub(1)? as usize)?;
        let line = self.text[start..].lines().next().unwrap_or_default();
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        let rest = u32::try_from(line.chars().count()).unwrap_or(u32::MAX);
        let rest = rest.saturating_sub(place.column.saturating_sub(1));
        Some(Excerpt { line: line.to_owned(), width: place.width.min(rest).max(1) })
    }
}
