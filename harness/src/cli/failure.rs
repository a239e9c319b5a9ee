//! A command that could not be carried out: what is printed, and how the process ends.

use std::fmt;
use std::io;

use super::screen;
use crate::exit::ExitCode;

/// Why a command ended before its work was done.
#[derive(Debug)]
pub(super) struct Failure {
    code: ExitCode,
    error: anyhow::Error,
}

impl Failure {
    /// The command line asks for what cannot be.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: ExitCode::Usage, error: error.into() }
    }

    /// It could not be told.
    pub(super) fn untold(error: impl Into<anyhow::Error>) -> Self {
        Self { code: ExitCode::CouldNotTell, error: error.into() }
    }

    /// Prints it to standard error, and says how the process ends.
    pub(super) fn report(&self) -> ExitCode {
        screen::complain(&self.to_string());
        self.code
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::untold(anyhow::Error::new(error).context("the output cannot be written"))
    }
}

impl fmt::Display for Failure {
    /// The error, and its causes beneath it, each once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut above = self.error.to_string();
        f.write_str(&above)?;
        for cause in self.error.chain().skip(1) {
            let text = cause.to_string();
            if !above.contains(&text) {
                write!(f, "\n  because: {text}")?;
            }
            above = text;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let cause = anyhow::anyhow!("no such folder");
        let once = Failure::usage(cause.context("cannot create `a/b`"));
        assert_eq!(once.to_string(), "cannot create `a/b`\n  because: no such folder");
        let twice = anyhow::anyhow!("no such folder").context("cannot open it: no such folder");
        assert_eq!(Failure::untold(twice).to_string(), "cannot open it: no such folder");
    }
}
