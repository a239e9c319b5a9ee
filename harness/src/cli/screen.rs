//! Where output goes, and what it may look like there.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use super::args::When;
use crate::report::Look;

/// Settles `--color` for the whole process: help, errors and reports.
pub fn choose_colors(when: When) {
    let choice = match when {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::AlwaysAnsi,
        When::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// What standard output can show.
pub fn stdout() -> Look {
    let stdout = io::stdout();
    let color = AutoStream::choice(&stdout) != ColorChoice::Never;
    let width = stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout)).flatten();
    Look { width: width.map(|(width, _)| usize::from(width.0)), color }
}

/// Whether bars can be drawn on standard error.
pub fn draws_bars() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes to standard output. A reader that has gone away, such as `head`, is no error.
///
/// # Errors
/// Where the output cannot be written.
pub fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    quiet(out.write_all(text).and_then(|()| out.flush()))
}

/// Takes a reader that has gone away for success.
pub fn quiet(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
