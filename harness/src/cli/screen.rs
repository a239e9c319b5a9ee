//! Where output goes, and what it may look like there.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};

use super::args::When;
use crate::report::{self, Look};
use crate::scenario::Diagnostic;

/// Settles `--color` for the whole process: help, errors and reports.
pub(super) fn choose_colors(when: When) {
    let choice = match when {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::AlwaysAnsi,
        When::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// What standard output can show.
pub(super) fn stdout() -> Look {
    look(&io::stdout())
}

fn look(stream: &(impl anstream::stream::RawStream + AsFd)) -> Look {
    let color = AutoStream::choice(stream) != ColorChoice::Never;
    let width = stream.is_terminal().then(|| terminal_size::terminal_size_of(stream)).flatten();
    Look { width: width.map(|(width, _)| usize::from(width.0)), color }
}

/// Whether bars can be drawn on standard error.
pub(super) fn draws_bars() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes to standard output. A reader that has gone away, such as `head`, is no error.
///
/// # Errors
/// Where the output cannot be written.
pub(super) fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    quiet(out.write_all(text).and_then(|()| out.flush()))
}

/// Takes a reader that has gone away for success.
pub(super) fn quiet(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Says on standard error why a command could not be carried out.
pub(super) fn complain(message: &str) {
    let word = anstyle::AnsiColor::Red.on_default().bold();
    // Nothing is left to be done where even standard error is gone.
    let _ = writeln!(anstream::stderr(), "{word}error:{word:#} {message}");
}

/// Says on standard error what a reader should know beside the result.
pub(super) fn warn(message: &str) {
    let word = anstyle::AnsiColor::Yellow.on_default().bold();
    // As in `complain`.
    let _ = writeln!(anstream::stderr(), "{word}warning:{word:#} {message}");
}

/// Says on standard error what is going on.
pub(super) fn note(message: &str) {
    // As in `complain`.
    let _ = writeln!(anstream::stderr(), "{message}");
}

/// Prints findings about input files to standard error, and how many there are.
pub(super) fn diagnose(diagnostics: &[Diagnostic]) {
    if diagnostics.is_empty() {
        return;
    }
    let stderr = io::stderr();
    let text = report::findings(diagnostics, look(&stderr));
    // As in `complain`.
    let _ = stderr.lock().write_all(text.as_bytes());
}
