//! A finding about an input file: what was expected, what was found, where, and what to do.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Origin;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The API server would refuse it, or the scenario cannot be judged.
    Error,
    /// It is accepted, and probably not what was meant.
    Warning,
}

/// The lines around the place, so that a reader need not open the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// The line's text, without its end.
    pub line: String,
    /// How many characters the caret underlines, at least 1.
    pub width: u32,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable identifier, in kebab case: `unknown-field`, `cidr-host-bits`.
    pub code: String,
    /// What was expected and what was found, in lower case.
    pub message: String,
    /// Where.
    pub origin: Origin,
    /// The line, where the file could be read.
    pub excerpt: Option<Excerpt>,
    /// What to do, or a name that is near.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error in a file as a whole.
    pub(crate) fn of_file(code: &str, path: &Path, message: String, help: &str) -> Self {
        Self {
            severity: Severity::Error,
            code: code.to_owned(),
            message,
            origin: Origin {
                file: Arc::from(path.display().to_string()),
                document: 0,
                path: Arc::from(""),
                line: 0,
                column: 0,
            },
            excerpt: None,
            help: (!help.is_empty()).then(|| help.to_owned()),
        }
    }

    /// Says what to do, before what else is known.
    pub(crate) fn hint(&mut self, help: &str) {
        self.help = Some(match self.help.take() {
            Some(rest) => format!("{help} ({rest})"),
            None => help.to_owned(),
        });
    }
}
