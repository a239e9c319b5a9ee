//! What is said of one prerequisite.

use serde::{Deserialize, Serialize};

/// How a prerequisite stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// It is there.
    Ok,
    /// It is not there, and nothing works without it.
    Missing,
    /// It is not there, and something is skipped for want of it.
    Warn,
}

/// One prerequisite of an embedded cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What it is, such as `user namespaces`.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// What to do where it is not there; `None` where nothing has to be done.
    pub remedy: Option<String>,
}

impl Check {
    /// A prerequisite that is there.
    pub(super) fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: CheckState::Ok, found: found.into(), remedy: None }
    }

    /// One that is not, and what to do.
    pub(super) fn not(
        name: &str,
        state: CheckState,
        found: impl Into<String>,
        remedy: &str,
    ) -> Self {
        let remedy = Some(remedy.to_owned());
        Self { name: name.to_owned(), state, found: found.into(), remedy }
    }
}
