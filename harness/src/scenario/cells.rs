//! Cells named by a text, as a rule of `expect` names them.

use super::{ExpectRule, PortPattern, expect, pattern};
use crate::model::{Cell, Origin, Topology};

/// Which cells are meant: a rule of `expect` without its intent, such as
/// `a/b -> c/d:80 over ipv6`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellPattern(ExpectRule);

/// A text that names no cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParsePatternError(String);

/// An intent, since the grammar wants one; it means nothing here.
const INTENT: &str = "any ";

impl CellPattern {
    /// Reads a pattern. Ports are numbers: what a name stands for only a topology knows.
    ///
    /// # Errors
    /// Says which word the grammar does not take.
    pub fn parse(text: &str) -> Result<Self, ParsePatternError> {
        let text = format!("{INTENT}{text}");
        let rule = expect::parse(&text).map_err(|bad| {
            let help = bad.help.map(|help| format!(" ({help})")).unwrap_or_default();
            ParsePatternError(bad.message + &help)
        })?;
        if let Some(PortPattern::Name { name }) = &rule.port {
            return Err(ParsePatternError(format!(
                "expected the number of a port, found the name `{name}`"
            )));
        }
        Ok(Self(rule.written(text, Origin::synthetic("pattern"))))
    }

    /// Whether a cell is among those that are meant.
    pub fn matches(&self, cell: &Cell) -> bool {
        pattern::matches(&self.0, cell, &Topology::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_matched_as_by_a_rule() {
        let cell: Cell = "a/b -> c/d:80/TCP over ipv6".parse().unwrap();
        for (text, matches) in [
            ("a/b -> c/d:80", true),
            ("* -> *", true),
            ("a/* -> */d over ipv6", true),
            ("a/b -> c/d:80-90", true),
            ("a/b -> c/d:*/TCP via pod", true),
            ("a/b -> c/d:81", false),
            ("a/b -> c/d:80/UDP", false),
            ("a/b -> c/d over ipv4", false),
            ("a/b -> c/d via service", false),
            ("c/d -> a/b", false),
            ("host -> c/d", false),
        ] {
            assert_eq!(CellPattern::parse(text).unwrap().matches(&cell), matches, "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for (text, told) in [
            ("a/b => c/d", "expected `->`, found `=>` (did you mean `->`?)"),
            ("a/b -> c/d:http", "expected the number of a port, found the name `http`"),
            ("", "expected `*`, `NAMESPACE/NAME`, `node/NAME` or an external host, found the end"),
        ] {
            assert_eq!(CellPattern::parse(text).unwrap_err().to_string(), told, "{text}");
        }
    }
}
