//! The command line of `ringfence conformance`, as clap reads it.

use std::path::PathBuf;

use clap::Args;

use super::report_args::ConformanceFiles;
use super::run_args::RunOptions;

/// `ringfence conformance`.
#[derive(Debug, Args)]
pub(super) struct Conformance {
    /// Run only the case of this identifier. Given more than once, those of all of them.
    #[arg(long, value_name = "ID")]
    pub(super) case: Vec<String>,
    /// Run N random cases, drawn from `--seed`, in place of the catalogue's. The first that fails
    /// is shrunk to the smallest policy and topology that still fails there, which is printed.
    #[arg(long, value_name = "N", conflicts_with_all = ["case", "markdown", "json", "report_output"])]
    pub(super) sample: Option<u64>,
    /// Write each case to DIR as a scenario folder, which `ringfence run` takes, and run none. DIR
    /// is made, or is empty.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["list", "failed"])]
    pub(super) write: Option<PathBuf>,
    /// Write each case that failed or could not be told to DIR as a scenario folder, which
    /// `ringfence run` takes. DIR is made, or is empty. With `--sample`, only those with a fault,
    /// and what is left of the one that was shrunk [default: a new folder, which is named].
    #[arg(long, value_name = "DIR", conflicts_with = "list")]
    pub(super) failed: Option<PathBuf>,
    /// Print the schema of `--json`, and do no more.
    #[arg(long)]
    pub(super) schema: bool,
    #[command(flatten)]
    pub(super) files: ConformanceFiles,
    #[command(flatten)]
    pub(super) options: RunOptions,
}
