//! The command line, as clap reads it. What it means is settled in [`super::settings`].

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::declared::Declared;
use crate::cluster::docker::Architecture;
use crate::cluster::embedded::Fault;
use crate::run::Partition;

/// Proves with real connections that Kubernetes network policies hold.
///
/// Ringfence makes a cluster, deploys probe pods, makes real connections from
/// every pod to every port, and compares what was intended, what the policies
/// specify, and what was observed.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    /// When to use colours. NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM=dumb are respected.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    pub(super) color: When,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  something was judged, and all of it is as it should be
  1  a policy fault or an enforcement fault
  2  the command line or an input file is not valid; nothing was run
  3  it could not be told, or nothing was judged";

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// Where the output is a terminal that shows them.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenarios: make a cluster for each, and judge every cell.
    Run(Box<Run>),
    /// Test a dataplane on the whole of the specification: run, show or write the cases of the
    /// conformance catalogue.
    Conformance(Box<super::conformance_args::Conformance>),
    /// Show that faulty dataplanes are noticed: run each fault against the cases meant for it.
    Selftest(super::selftest_args::Selftest),
    /// Print reports of records, and put records together.
    #[command(subcommand)]
    Report(super::report_args::Report),
    /// Show what manifests specify for every connection, without a cluster.
    Matrix(Matrix),
    /// Say what manifests specify for one connection, and every rule on the way.
    Explain(Explain),
    /// Check manifests and scenario folders.
    Lint(Lint),
    /// Make the agent's image, for clusters that pull it.
    #[command(subcommand)]
    Image(Image),
    /// Show what clusters need, and whether it is there.
    Doctor,
    /// Print the least role with which a run can work on a cluster that exists already.
    Rbac(Rbac),
    /// Show and fetch the CNIs that kind clusters can have.
    Cni(super::cluster_args::Cni),
    /// Make, show and remove kind clusters that outlive a run.
    Clusters(super::cluster_args::Clusters),
}

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
    pub(super) kind: super::cluster_args::Kind,
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
    /// Allow objects that are in no namespace. This version makes none but namespaces.
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

/// `ringfence matrix`.
#[derive(Debug, Args)]
pub(super) struct Matrix {
    /// Manifests, or folders of them: pods and workloads, namespaces, policies. `-` is standard
    /// input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(super) files: Vec<PathBuf>,
    /// The form. In a table both families share a sign where they agree; JSON and CSV have an
    /// entry for each family.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    pub(super) output: Form,
    /// The version of Kubernetes by whose rules manifests are checked.
    #[arg(long, value_name = "VERSION", default_value = "1.36")]
    pub(super) kubernetes: String,
}

/// The form of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// A grid.
    Table,
    /// One JSON object.
    Json,
    /// Comma-separated values.
    Csv,
}

/// `ringfence explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Manifests, or folders of them: pods and workloads, namespaces, policies. `-` is standard
    /// input.
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(super) files: Vec<PathBuf>,
    /// Who connects: NAMESPACE/POD, or an address outside the cluster.
    #[arg(long, value_name = "SOURCE")]
    pub(super) from: String,
    /// Who is connected to: NAMESPACE/POD:PORT[/PROTOCOL] or ADDRESS:PORT[/PROTOCOL]; the port a
    /// number or a name, the protocol TCP, UDP or SCTP. An IPv6 address stands in brackets.
    #[arg(long, value_name = "DESTINATION")]
    pub(super) to: String,
    /// The form.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Explanation::Text)]
    pub(super) output: Explanation,
    /// The version of Kubernetes by whose rules manifests are checked.
    #[arg(long, value_name = "VERSION", default_value = "1.36")]
    pub(super) kubernetes: String,
}

/// The form of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Explanation {
    /// Sentences.
    Text,
    /// A JSON list, with an entry for each address family.
    Json,
}

/// `ringfence lint`.
#[derive(Debug, Args)]
pub(super) struct Lint {
    /// Manifests, scenario folders, or folders of either.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// The version of Kubernetes by whose rules manifests are checked.
    #[arg(long, value_name = "VERSION", default_value = "1.36")]
    pub(super) kubernetes: String,
}

/// `ringfence rbac`.
#[derive(Debug, Args)]
pub(super) struct Rbac {
    /// What the role is called, and the account.
    #[arg(long, value_name = "NAME", default_value = "ringfence")]
    pub(super) name: String,
    /// Print a service account in this namespace too, and what gives it the role.
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// Let the run read this secret, for `run --agent-pull-secret`.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(super) agent_pull_secret: Option<String>,
}

/// `ringfence image`.
#[derive(Debug, Subcommand)]
pub(super) enum Image {
    /// Build the agent, and load its image into Docker or write it to a file.
    Build(ImageBuild),
    /// Build the agent, and push its image to a registry through Docker.
    Push(ImagePush),
}

/// `ringfence image build`.
#[derive(Debug, Args)]
pub(super) struct ImageBuild {
    #[command(flatten)]
    pub(super) source: ImageSource,
    /// Write the image to this file, which `kind load image-archive` and `ctr images import` take,
    /// instead of loading it into Docker.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// The image's name [default: `ringfence-agent:` with the first 12 digits of the agent's
    /// SHA-256].
    #[arg(long, value_name = "REF")]
    pub(super) tag: Option<String>,
}

/// `ringfence image push`.
#[derive(Debug, Args)]
pub(super) struct ImagePush {
    /// Where to push it, such as `registry.example/team/ringfence-agent:1`. Credentials are those
    /// of `docker login`.
    #[arg(value_name = "REF")]
    pub(super) reference: String,
    #[command(flatten)]
    pub(super) source: ImageSource,
}

/// Where an image's agent comes from.
#[derive(Debug, Args)]
pub(super) struct ImageSource {
    /// What the nodes run on, `amd64` or `arm64` [default: what Docker or this machine runs on].
    #[arg(long, value_name = "ARCH")]
    pub(super) arch: Option<Architecture>,
    /// A static `ringfence-agent` [default: it is built by cargo from the workspace that this
    /// program was built from].
    #[arg(long, value_name = "PATH")]
    pub(super) agent_binary: Option<PathBuf>,
}
