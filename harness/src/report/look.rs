//! How text may look where it is shown: its width, its colours, and how numbers are written.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width at which prose is wrapped where nothing else limits it.
const PROSE: usize = 100;

/// What the place where a report is shown can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The terminal's width in columns; `None` where the text goes to a file
    /// or a pipe, in which case no name is ever shortened.
    pub width: Option<usize>,
    /// Whether ANSI colours may be used. Nothing is said by colour alone.
    pub color: bool,
}

impl Look {
    /// A file or a pipe: no colour, nothing shortened.
    pub const PLAIN: Self = Self { width: None, color: false };

    /// The width at which prose and grids are broken.
    pub(crate) fn prose(&self) -> usize {
        self.width.map_or(PROSE, |width| width.clamp(20, PROSE))
    }

    /// The width at which tables are broken.
    pub(crate) fn table(&self) -> usize {
        self.width.map_or(PROSE, |width| width.max(20))
    }

    /// The text in a style, or as it is where colours are not wanted.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.color && style != Style::new() && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A heading.
    pub(crate) fn heading(&self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// Prose, wrapped and indented; the first line's indent may differ.
    ///
    /// A word is never broken, so that `file:line:column` stays clickable. Of a text of
    /// several lines, what is wrapped hangs below an indented line.
    pub(crate) fn wrap(&self, first: &str, rest: &str, text: &str) -> String {
        let mut wrapped = String::new();
        for (number, line) in text.split('\n').enumerate() {
            let own = line.len() - line.trim_start_matches(' ').len();
            let hanging = match own {
                0 => rest.to_owned(),
                own => format!("{rest}{:1$}", "", own + 2),
            };
            let options = textwrap::Options::new(self.prose())
                .initial_indent(if number == 0 { first } else { rest })
                .subsequent_indent(&hanging)
                .break_words(false)
                .word_separator(textwrap::WordSeparator::AsciiSpace)
                .word_splitter(textwrap::WordSplitter::NoHyphenation);
            wrapped += &textwrap::fill(line, options);
            wrapped.push('\n');
        }
        wrapped
    }

    /// A name that takes at most `columns` where the width is limited: its
    /// middle gives way to `…`, since names of one family differ at their ends.
    pub(crate) fn shorten(&self, name: &str, columns: usize) -> String {
        if self.width.is_none() || name.width() <= columns {
            return name.to_owned();
        }
        let room = columns.saturating_sub(1);
        let (head, tail) = (room - room / 2, room / 2);
        let start = take_columns(name.chars(), head);
        let end: String = take_columns(name.chars().rev(), tail).chars().rev().collect();
        format!("{start}…{end}")
    }
}

/// The text with everything that could steer a terminal replaced, but for line
/// ends and, where colours are wanted, colours: names and sentences come from
/// files and from the network.
pub fn tame(text: &str, color: bool) -> String {
    let mut tamed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = rest.strip_prefix("\x1b[").map_or(0, |sequence| {
            let number = |c: char| c.is_ascii_digit() || c == ';';
            let after = sequence.trim_start_matches(number);
            if after.starts_with('m') { rest.len() - after.len() + 1 } else { 0 }
        });
        if color && end > 0 {
            tamed.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        tamed.push(if c.is_control() && c != '\n' { '\u{fffd}' } else { c });
        rest = &rest[c.len_utf8()..];
    }
    tamed
}

fn take_columns(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= columns
        })
        .collect()
}

/// What is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// A fault.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What could not be told, and warnings.
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// A fault that the scenario names, and other news that is none.
pub(crate) const KNOWN: Style = AnsiColor::Magenta.on_default();
/// What matters least.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// A duration as a person says it: `0.4 ms`, `12 ms`, `1.31 s`.
pub(crate) fn duration(d: Duration) -> String {
    let ms = d.as_secs_f64() * 1e3;
    if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.2} s", ms / 1e3)
    }
}

/// `1 cell`, `2 cells`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        for (us, text) in [
            (400, "0.4 ms"),
            (9_960, "10 ms"),
            (12_300, "12 ms"),
            (999_400, "999 ms"),
            (999_600, "1.00 s"),
            (1_310_000, "1.31 s"),
        ] {
            assert_eq!(duration(Duration::from_micros(us)), text);
        }
    }

    #[test]
    fn a_name_is_shortened_in_its_middle_and_only_where_the_width_is_limited() {
        let narrow = Look { width: Some(40), color: false };
        assert_eq!(narrow.shorten("production/payments-api", 11), "produ…s-api");
        assert_eq!(narrow.shorten("prod/api", 11), "prod/api");
        assert_eq!(narrow.shorten("数据库/数据库", 6), "数…库");
        assert_eq!(Look::PLAIN.shorten("production/payments-api", 11), "production/payments-api");
    }

    #[test]
    fn no_name_can_steer_the_terminal() {
        let text = "\x1b[1mbold\x1b[0m \x1b[2J\x1b]0;title\x07\r\u{9b}31m\n";
        assert_eq!(
            tame(text, true),
            "\x1b[1mbold\x1b[0m \u{fffd}[2J\u{fffd}]0;title\u{fffd}\u{fffd}\u{fffd}31m\n"
        );
        assert_eq!(tame("\x1b[1ma", false), "\u{fffd}[1ma");
    }

    #[test]
    fn an_indented_line_hangs_together() {
        let narrow = Look { width: Some(24), color: false };
        let text =
            narrow.wrap("note: ", "  ", "found that:\n  create `pods`: they carry the probes");
        assert_eq!(text, "note: found that:\n    create `pods`: they\n      carry the probes\n");
    }

    #[test]
    fn a_place_is_never_broken() {
        let narrow = Look { width: Some(20), color: false };
        let text =
            narrow.wrap("  ", "    ", "see scenarios/tiered-database/db-policy.yaml:12:7 for it");
        assert!(text.contains("scenarios/tiered-database/db-policy.yaml:12:7"));
    }
}
