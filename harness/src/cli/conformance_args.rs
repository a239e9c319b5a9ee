//! The command line of `ringfence conformance`, as clap reads it.

use std::path::PathBuf;

use clap::Args;

use super::run_args::RunOptions;

/// `ringfence conformance`.
#[derive(Debug, Args)]
pub(super) struct Conformance {
    /// Run N random cases, drawn from `--seed`, in place of the catalogue's. The first that fails
    /// is shrunk to the smallest policy and topology that still fails, which is printed.
    #[arg(long, value_name = "N", required_unless_present_any = ["list", "write"])]
    pub(super) sample: Option<u64>,
    /// Write each case to DIR as a scenario folder, which `ringfence run` takes. DIR is made, or
    /// is empty.
    #[arg(long, value_name = "DIR", conflicts_with = "list")]
    pub(super) write: Option<PathBuf>,
    /// Write each random case that failed to DIR as a scenario folder, and what is left of the one
    /// that was shrunk [default: a new folder, which is named]. DIR is made, or is empty.
    #[arg(long, value_name = "DIR", requires = "sample")]
    pub(super) failed: Option<PathBuf>,
    #[command(flatten)]
    pub(super) options: RunOptions,
}
