//! The command line, as clap reads it. What it means is settled in [`super::settings`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cluster::docker::Architecture;

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
    Run(Box<super::run_args::Run>),
    /// Test a dataplane on the whole of the specification: run, show or write the cases of the
    /// conformance catalogue.
    Conformance(Box<super::conformance_args::Conformance>),
    /// Print reports of records, and put records together.
    #[command(subcommand)]
    Report(super::report_args::Report),
    /// Show that faulty dataplanes are noticed: run each fault against the cases meant for it.
    Selftest(super::selftest_args::Selftest),
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
    /// Let the run make policies of the cluster, for `run --allow-cluster-scoped`.
    #[arg(long)]
    pub(super) allow_cluster_scoped: bool,
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
