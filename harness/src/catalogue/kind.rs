//! How cases are run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a case is run: the others than [`Kind::Matrix`] have steps that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Step by step, every cell of each.
    Matrix,
    /// A connection is kept open while a policy changes.
    Established,
    /// Attempts from a pod's first instant until its policy holds.
    StartWindow,
    /// Attempts while one policy replaces another.
    SwapWindow,
}

impl Kind {
    /// The family of its cases' identifiers, where they stand outside the axes.
    pub(super) const fn family(self) -> &'static str {
        match self {
            Self::Matrix => "special",
            Self::Established => "established",
            Self::StartWindow => "start-window",
            Self::SwapWindow => "swap-window",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Matrix => "matrix",
            other => other.family(),
        })
    }
}
