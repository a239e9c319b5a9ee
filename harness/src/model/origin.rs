//! Where a thing was written.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The place in a file that an object, a rule or a field was read from.
///
/// Lines and columns count from 1, columns in characters; `document` counts
/// from 0 within a file of several YAML documents. `path` is the field's path
/// within its document, for example `spec.ingress[0].from[1]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Which document of the file, from 0.
    pub document: u32,
    /// Path of the field within the document.
    pub path: Arc<str>,
    /// Line, from 1; 0 where the thing was made by the program.
    pub line: u32,
    /// Column, from 1; 0 where the thing was made by the program.
    pub column: u32,
}

impl Origin {
    /// The origin of a thing that no file holds, such as a policy made by a generator.
    pub fn synthetic(what: &str) -> Self {
        Self {
            file: Arc::from(format!("<{what}>")),
            document: 0,
            path: Arc::from(""),
            line: 0,
            column: 0,
        }
    }

    /// Compares by file, then line, then column: the order in which a reader meets things.
    pub fn cmp_place(&self, other: &Self) -> std::cmp::Ordering {
        let key = |origin: &Self| (origin.file.clone(), origin.line, origin.column);
        key(self).cmp(&key(other))
    }
}

impl fmt::Display for Origin {
    /// `file:line:column`, which terminals and editors make clickable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
