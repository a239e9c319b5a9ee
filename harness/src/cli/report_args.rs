//! The command line of reports, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `ringfence report`.
#[derive(Debug, Subcommand)]
pub(super) enum Report {
    /// Print the conformance report of a run, or of several that ran parts of it.
    Conformance(ConformanceReport),
    /// Put the records of parts, or of several clusters, together, and print the report. It ends
    /// as the one run would have; where a part is missing, it could not be told.
    Merge(Merge),
}

/// `ringfence report conformance`.
#[derive(Debug, Args)]
pub(super) struct ConformanceReport {
    /// Records of `ringfence conformance --record`.
    #[arg(value_name = "RECORD", required = true)]
    pub(super) records: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) files: ConformanceFiles,
}

/// `ringfence report merge`.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Records of `ringfence run --record` or `ringfence conformance --record`.
    #[arg(value_name = "RECORD", required = true)]
    pub(super) records: Vec<PathBuf>,
    /// Write them to this file as one record.
    #[arg(long, value_name = "OUT")]
    pub(super) record: Option<PathBuf>,
    #[command(flatten)]
    pub(super) files: ConformanceFiles,
}

/// Files that a conformance report goes to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Conformance reports")]
pub(super) struct ConformanceFiles {
    /// Write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Write the report as JSON; `ringfence conformance --schema` prints its schema.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the ConformanceReport of the network-policy-api project as YAML. It is about that
    /// project's API, so it has the cases of ClusterNetworkPolicy alone.
    #[arg(long, value_name = "FILE", requires_all = ["organization", "project", "url", "version", "contact", "additional_info"])]
    pub(super) report_output: Option<PathBuf>,
    /// Of that report: the organization that maintains the implementation.
    #[arg(long, value_name = "NAME", requires = "report_output")]
    pub(super) organization: Option<String>,
    /// Of that report: the implementation's project.
    #[arg(long, value_name = "NAME", requires = "report_output")]
    pub(super) project: Option<String>,
    /// Of that report: where more is said of the implementation.
    #[arg(long, value_name = "URL", requires = "report_output")]
    pub(super) url: Option<String>,
    /// Of that report: the implementation's version.
    #[arg(long, value_name = "VERSION", requires = "report_output")]
    pub(super) version: Option<String>,
    /// Of that report: its maintainers, as `@user` or `@team/name`, separated by commas.
    #[arg(long, value_name = "NAMES", requires = "report_output", value_delimiter = ',')]
    pub(super) contact: Vec<String>,
    /// Of that report: how it was made, such as a link to the run that did. The project takes any
    /// text but an empty one.
    #[arg(long, value_name = "TEXT", requires = "report_output")]
    pub(super) additional_info: Option<String>,
}
