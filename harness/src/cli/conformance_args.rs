//! The command line of `ringfence conformance`, as clap reads it.

use std::path::PathBuf;

use clap::Args;

/// `ringfence conformance`.
#[derive(Debug, Args)]
pub(super) struct Conformance {
    /// List the cases, with a sentence each.
    #[arg(long, required_unless_present = "write", conflicts_with = "write")]
    pub(super) list: bool,
    /// Write each case to DIR as a scenario folder, which `ringfence run` takes. DIR is made, or
    /// is empty.
    #[arg(long, value_name = "DIR")]
    pub(super) write: Option<PathBuf>,
    /// Take only the cases whose identifier contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// Take only the cases with this tag, such as `peer-except`. Given more than once, with any
    /// of them.
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Vec<String>,
}
