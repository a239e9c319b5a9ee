//! The command line of `ringfence run`, and of whatever else runs scenarios, as clap reads it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::cluster_args::Kind;
use super::declared::Declared;
use crate::cluster::embedded::Fault;
use crate::run::Partition;

/// `ringfence run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Scenario folders, or folders of them [default: the nearest `scenarios` folder, from the
    /// current directory upwards].
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) options: RunOptions,
}

/// How scenarios run, whatever they are.
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The cluster to run on: `embedded`, `kind:CNI[@VERSION]` for one that is made for the run, or
    /// `kubeconfig[:CONTEXT]` for one that exists already. Given more than once, every scenario runs on each of them.
    #[arg(long, value_name = "CLUSTER", default_value = "embedded")]
    pub(super) on: Vec<String>,
    /// Run only the scenarios whose identifier contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// Run only the scenarios with this tag. Given more than once, with any of them.
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Vec<String>,
    /// Run only one part of what was chosen, the K-th of N, from 1. Which part a scenario belongs
    /// to follows from its identifier alone. `ringfence report merge` puts the records together.
    #[arg(long, value_name = "hash:K/N")]
    pub(super) partition: Option<Partition>,
    /// List the scenarios that would run, and make nothing.
    #[arg(long)]
    pub(super) list: bool,
    /// How many scenarios run at the same time, each in a cluster of its own [default: four for
    /// each core, and twelve with `--evidence none`, which mostly waits; at most four on a cluster
    /// that exists already].
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Write the record, everything that was done and seen as JSON lines, to this file.
    #[arg(long, value_name = "PATH")]
    pub(super) record: Option<PathBuf>,
    /// Go on with the run of this record, which was killed or interrupted, and write on in it: what
    /// is over is not repeated. The command line is otherwise that of the run. Where there is no such
    /// file, the run begins.
    #[arg(long, value_name = "RECORD", conflicts_with = "record")]
    pub(super) resume: Option<PathBuf>,
    /// Write a bundle for each scenario that failed or could not be told, with its rounds,
    /// judgements and policies and what its cluster says, to DIR/CLUSTER/SCENARIO.
    #[arg(long, value_name = "DIR")]
    pub(super) bundles: Option<PathBuf>,
    /// Take an intent that rests on what the API leaves open for a policy fault.
    #[arg(long)]
    pub(super) strict: bool,
    /// What proves a drop: the embedded cluster's own log, or silence alone.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Evidence::Nflog)]
    pub(super) evidence: Evidence,
    /// Have the embedded cluster's dataplane make a mistake, to see what notices it; `ringfence
    /// selftest --list` lists them. Given more than once, it makes all of them.
    #[arg(long, value_name = "NAME")]
    pub(super) fault: Vec<Fault>,
    /// The version of Kubernetes by whose rules manifests are checked.
    #[arg(long, value_name = "VERSION", default_value = "1.36")]
    pub(super) kubernetes: String,
    /// The seed of everything random [default: a new one, which is printed].
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    // Last: a heading goes on for whatever follows it.
    /// How scenarios run on Kubernetes.
    #[command(flatten)]
    pub(super) kubernetes_cluster: KubernetesCluster,
    /// How kind clusters are made.
    #[command(flatten)]
    pub(super) kind: Kind,
}

/// How scenarios run on Kubernetes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kubernetes clusters")]
pub(super) struct KubernetesCluster {
    /// The agent's image, as the nodes of the cluster pull it. `ringfence image push` puts it into
    /// a registry.
    #[arg(long, value_name = "REF")]
    pub(super) agent_image: Option<String>,
    /// When nodes pull the agent's image.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Pull::IfNotPresent)]
    pub(super) agent_pull_policy: Pull,
    /// The secret that nodes pull the agent's image with, by default from the context's namespace.
    /// It is copied into the run's namespaces.
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pub(super) agent_pull_secret: Option<String>,
    /// Say which CNI the cluster has, one of `ringfence cni list` or of `--cni-file`: what it
    /// lacks is left out of the run (address families are the nodes' own), and its deviations and
    /// choices are known to the report. Nothing is installed, and VERSION chooses nothing. With
    /// several such clusters, once for each.
    #[arg(long, value_name = "[CONTEXT=]CNI[@VERSION]")]
    pub(super) cni: Vec<Declared>,
    /// Allow pods in the networks of nodes, in namespaces of the Pod Security level `privileged`.
    /// Scenarios that need them are skipped otherwise.
    #[arg(long)]
    pub(super) allow_host_network: bool,
    /// Allow policies of the cluster (AdminNetworkPolicy, BaselineAdminNetworkPolicy,
    /// ClusterNetworkPolicy), which are in no namespace. Their subjects are the pods of the run's
    /// own namespaces. Scenarios with such policies are skipped otherwise, and where policies of
    /// others stand.
    #[arg(long)]
    pub(super) allow_cluster_scoped: bool,
}

/// When nodes pull an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(super) enum Pull {
    /// Before every start.
    Always,
    /// Where the node does not have it.
    IfNotPresent,
    /// Never.
    Never,
}

/// What proves a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Evidence {
    /// The dataplane reports each drop at once, through the kernel's NFLOG.
    Nflog,
    /// Nothing but silence until the deadline.
    None,
}
