//! What people want of a cell.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The word that starts an `expect` rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// The connection should work.
    Allow,
    /// The connection should not work.
    Deny,
    /// Either, because the API leaves it open; what happens is recorded.
    Any,
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Any => "any",
        })
    }
}
