//! The command line of `ringfence selftest`, as clap reads it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::cluster::embedded::Fault;

/// `ringfence selftest`.
#[derive(Debug, Args)]
pub(super) struct Selftest {
    /// Take only this fault. Given more than once, each of them.
    #[arg(long, value_name = "NAME")]
    pub(super) fault: Vec<Fault>,
    /// List the faults: what each does wrong, what is meant to catch it, and which plugins were seen to do it.
    #[arg(long, conflicts_with_all = ["full", "jobs", "json", "seed"])]
    pub(super) list: bool,
    /// Run every fault against every case as well, and tell which cases catch which fault. This
    /// takes hours.
    #[arg(long)]
    pub(super) full: bool,
    /// How many clusters run at the same time [default: four for each core].
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Write the result to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// The seed of everything random: the delays without a fault, and which cases and pairs are
    /// drawn [default: a new one, which is printed].
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}
