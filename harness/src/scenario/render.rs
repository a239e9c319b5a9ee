//! A diagnostic as text, with its line and a caret.

use anstyle::{AnsiColor, Style};

use super::{Diagnostic, Excerpt, Severity};

/// Renders a diagnostic in the manner of rustc:
///
/// ```text
/// error[unknown-field]: unknown field `spec.ingress[0].form`
///  --> policies/db.yaml:8:7
///   |
/// 8 |     - form:
///   |       ^^^^
///   = help: did you mean `from`?
/// ```
///
/// A line longer than `width` columns is shown around the caret. Text from
/// files is shown with control characters replaced, so that no file can steer
/// the terminal.
pub fn render(diagnostic: &Diagnostic, color: bool, width: usize) -> String {
    let paint = |style: Style, text: &str| {
        if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    };
    let (word, tone) = match diagnostic.severity {
        Severity::Error => ("error", AnsiColor::BrightRed),
        Severity::Warning => ("warning", AnsiColor::BrightYellow),
    };
    let tone = tone.on_default().bold();
    let gutter = AnsiColor::BrightBlue.on_default().bold();
    let origin = &diagnostic.origin;
    let number = if origin.line == 0 { String::new() } else { origin.line.to_string() };
    let margin = " ".repeat(number.len().max(1));
    let mut text = format!(
        "{}{}\n",
        paint(tone, &format!("{word}[{}]", diagnostic.code)),
        paint(Style::new().bold(), &format!(": {}", visible(&diagnostic.message))),
    );
    let place = visible(&origin.to_string());
    text.push_str(&format!("{margin}{} {place}\n", paint(gutter, "-->")));
    if let Some(Excerpt { line, width: marked }) = &diagnostic.excerpt {
        let room = width.saturating_sub(number.len() + 3);
        let (line, start, marked) = window(line, origin.column, *marked, room);
        let caret = paint(tone, &"^".repeat(marked));
        let bar = paint(gutter, "|");
        text.push_str(&format!("{margin} {bar}\n"));
        text.push_str(&format!("{} {bar} {line}\n", paint(gutter, &number)));
        text.push_str(&format!("{margin} {bar} {}{caret}\n", " ".repeat(start)));
    }
    if let Some(help) = &diagnostic.help {
        let help = visible(help);
        text.push_str(&format!("{margin} {} help: {help}\n", paint(gutter, "=")));
    }
    text
}

/// The text with a tab as a space and every other control character replaced.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            // Marks that turn the direction of text could show a line as another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The part of a line to show, where the caret starts in it and how long it is.
fn window(line: &str, column: u32, marked: u32, room: usize) -> (String, usize, usize) {
    // Less than this shows nothing useful on any terminal.
    const LEAST: usize = 24;
    let room = room.max(LEAST);
    let chars: Vec<char> = visible(line).trim_end().chars().collect();
    let start = (column.saturating_sub(1) as usize).min(chars.len());
    let marked = (marked as usize).max(1);
    if chars.len() <= room {
        return (chars.iter().collect(), start, marked.min((chars.len() - start).max(1)));
    }
    // Some of what is before the caret, then as much of the line as there is room for.
    let from = if start + marked <= room { 0 } else { start.saturating_sub(room / 3) };
    let (lead, from) = if from == 0 { ("", 0) } else { ("…", from + 1) };
    let lead_width = lead.chars().count();
    let mut until = (from + room - lead_width).min(chars.len());
    let tail = if until < chars.len() { "…" } else { "" };
    if !tail.is_empty() {
        until -= 1;
    }
    let shown: String = chars[from..until].iter().collect();
    let start = start - from + lead_width;
    let marked = marked.min((until - from + lead_width).saturating_sub(start)).max(1);
    (format!("{lead}{shown}{tail}"), start, marked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;

    fn diagnostic(line: &str, column: u32, width: u32) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: "unknown-field".into(),
            message: "unknown field `form`".into(),
            origin: Origin {
                file: "a.yaml".into(),
                document: 0,
                path: "".into(),
                line: 12,
                column,
            },
            excerpt: Some(Excerpt { line: line.into(), width }),
            help: Some("did you mean `from`?".into()),
        }
    }

    #[test]
    fn a_diagnostic_reads_like_a_compilers() {
        expect_test::expect![[r"
            error[unknown-field]: unknown field `form`
              --> a.yaml:12:5
               |
            12 |   - form: []
               |     ^^^^
               = help: did you mean `from`?
        "]]
        .assert_eq(&render(&diagnostic("  - form: []", 5, 4), false, 80));
    }

    #[test]
    fn colours_are_taken_only_where_asked() {
        let diagnostic = diagnostic("  - form: []", 5, 4);
        assert!(!render(&diagnostic, false, 80).contains('\u{1b}'));
        assert!(render(&diagnostic, true, 80).contains('\u{1b}'));
    }

    #[test]
    fn long_lines_are_shown_around_the_caret() {
        for length in [0_usize, 10, 30, 79, 80, 200, 5000] {
            for column in [1_u32, 5, 60, 199, 4999, 6000] {
                for width in [0_usize, 20, 40, 80] {
                    let line = "x".repeat(length);
                    let text = render(&diagnostic(&line, column, 7), false, width);
                    let longest = text.lines().skip(2).map(|l| l.chars().count()).max().unwrap();
                    assert!(longest <= width.max(40) + 2, "{length} {column} {width}:\n{text}");
                    assert!(text.contains('^'));
                }
            }
        }
    }

    #[test]
    fn no_file_steers_the_terminal() {
        let text = render(&diagnostic("a\u{1b}[2Jb\u{202e}c\td", 1, 1), false, 80);
        assert!(text.contains("a\u{fffd}[2Jb\u{fffd}c d"), "{text}");
    }
}
