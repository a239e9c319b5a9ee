//! What clusters take on the command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cluster::kubernetes::owner::RunId;

/// How kind clusters are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Kind clusters")]
pub(super) struct Kind {
    /// Print every action that would make and remove the clusters, and make nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Keep the cluster, and use the one that was kept under the CNI's name before.
    #[arg(long)]
    pub(super) keep: bool,
    /// Where files come from.
    #[command(flatten)]
    pub(super) files: Files,
}

/// Where a cluster's files come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(super) struct Files {
    /// A CNI file of your own, in the form of those under `ci/cni`, beside those that come with
    /// Ringfence.
    #[arg(long, value_name = "FILE")]
    pub(super) cni_file: Option<PathBuf>,
    /// Take manifests and charts from this folder, which `ringfence cni fetch` fills.
    #[arg(long, value_name = "DIR")]
    pub(super) manifests: Option<PathBuf>,
    /// Load images from this folder, which `ringfence cni fetch` fills.
    #[arg(long, value_name = "DIR")]
    pub(super) images: Option<PathBuf>,
}

/// `ringfence cni`.
#[derive(Debug, Args)]
pub(super) struct Cni {
    #[command(subcommand)]
    pub(super) command: CniCommand,
}

/// What to do with CNIs.
#[derive(Debug, Subcommand)]
pub(super) enum CniCommand {
    /// List the CNIs and their versions.
    List {
        /// A CNI file of your own, beside those that come with Ringfence.
        #[arg(long, value_name = "FILE")]
        cni_file: Option<PathBuf>,
    },
    /// Show what is known of a CNI: its features, deviations and choices.
    Show {
        /// Which, as CNI or CNI@VERSION.
        #[arg(value_name = "CNI")]
        cni: String,
        /// A CNI file of your own, beside those that come with Ringfence.
        #[arg(long, value_name = "FILE")]
        cni_file: Option<PathBuf>,
    },
    /// Fetch manifests, charts and images into folders, for machines without a way out, and
    /// compute checksums.
    Fetch {
        /// Which, as CNI or CNI@VERSION.
        #[arg(value_name = "CNI", required = true)]
        cnis: Vec<String>,
        #[command(flatten)]
        files: Files,
    },
}

/// `ringfence clusters`.
#[derive(Debug, Args)]
pub(super) struct Clusters {
    #[command(subcommand)]
    pub(super) command: ClustersCommand,
}

/// What to do with clusters.
#[derive(Debug, Subcommand)]
pub(super) enum ClustersCommand {
    /// Make a cluster and keep it. `ringfence run --on kind:CNI` uses it if it has the CNI's name.
    Up {
        /// The cluster, as kind:CNI[@VERSION].
        #[arg(value_name = "CLUSTER")]
        cluster: String,
        /// Its name [default: the CNI's].
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        files: Files,
    },
    /// Remove a cluster.
    Down {
        /// Its name.
        name: String,
    },
    /// List the clusters that there are.
    List,
    /// Remove what runs left that were killed. What belongs to a run that is under way stays.
    Prune {
        /// Remove what is left on a cluster that exists already, `kubeconfig[:CONTEXT]`. A run that
        /// has given no sign of life there for a minute has ended.
        #[arg(long, value_name = "CLUSTER")]
        on: Option<String>,
        /// Remove what this run has made, in Docker or with `--on` on that cluster, and nothing
        /// else: also if it is under way.
        #[arg(long, value_name = "RUN")]
        run: Option<RunId>,
        /// Remove kind clusters as well that have Ringfence's names, and containers and networks that
        /// have its labels, of which nothing is noted here. They may be those of another user.
        #[arg(long, conflicts_with_all = ["on", "run"])]
        unknown: bool,
    },
}
