//! The report: its types are the schema of its JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the schema. Fields may be added under the same version; none of them ever
/// changes its meaning.
pub const SCHEMA: u32 = 1;

/// What a run of the conformance catalogue says of each cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conformance {
    /// The version of this schema.
    pub schema: u32,
    /// Ringfence's version.
    pub ringfence: String,
    /// The seed of everything random.
    pub seed: u64,
    /// Which part of the cases was run, as `hash:K/N`; absent: all that were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Why this is not about the whole catalogue, a sentence each; empty where it is.
    pub incomplete: Vec<String>,
    /// One for each cluster.
    pub clusters: Vec<ClusterReport>,
}

/// What is to be said of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// As given to `--on`.
    pub cluster: String,
    /// Its kind and version, such as `kubeconfig v1.36.2`; absent where it was never reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its CNI and the CNI's version, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cni: Option<String>,
    /// Whether it is said to enforce policies; where not, it is a negative control, and nothing
    /// here is about conformance.
    pub enforces: bool,
    /// The mistakes that its dataplane was told to make, each with its name: what fails then says
    /// nothing of any other dataplane.
    pub induced: Vec<String>,
    /// What it lacks, and why, in sentences.
    pub lacks: Vec<String>,
    /// All cases.
    pub cases: Tally,
    /// How many cells were judged.
    pub cells: usize,
    /// By the API that cases are about.
    pub profiles: Vec<Profile>,
    /// By feature, those with the largest share of failures first.
    pub features: Vec<FeatureRow>,
    /// What is broken, by the sentence of the API, that with the most cases first.
    pub broken: Vec<Broken>,
    /// What the cluster did where the API leaves it open.
    pub choices: Vec<Choice>,
    /// What was known of its CNI in advance, and what became of it.
    pub known: Vec<Known>,
    /// What was measured, and is no matter of conformance.
    pub measured: Vec<Measured>,
    /// Cases that could not be told.
    pub inconclusive: Vec<Unjudged>,
    /// Cases that were skipped, by reason.
    pub skipped: Vec<Skipped>,
}

/// How many cases ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// As specified.
    pub passed: usize,
    /// Otherwise than specified.
    pub failed: usize,
    /// It could not be told.
    pub inconclusive: usize,
    /// Not judged, because the cluster lacks what the case needs.
    pub skipped: usize,
    /// The API leaves it open, or it is measured: neither passes nor fails.
    pub recorded: usize,
}

/// What is to be said of a profile. The words are those of the network-policy-api project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Every core case of the catalogue was judged and passed.
    Success,
    /// None failed, and some core cases were not judged.
    Partial,
    /// A case failed.
    Failure,
}

/// Cases of one API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The kind of its policies, such as `NetworkPolicy`.
    pub name: String,
    /// What is to be said of it.
    pub result: Standing,
    /// Cases that every implementation must pass.
    pub core: Tally,
    /// Cases that an implementation must pass where it claims the part of the API.
    pub extended: Vec<Extended>,
    /// Cases about what the API leaves open, and about times.
    pub recorded: usize,
}

/// Cases that need one part of an API, which implementations may lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Extended {
    /// The part, such as `sctp`.
    pub part: String,
    /// Its cases.
    pub cases: Tally,
    /// Whether any of them was judged.
    pub judged: bool,
}

/// Cases of one feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeatureRow {
    /// The feature, as `axis=value`.
    pub feature: String,
    /// Its cases.
    pub cases: Tally,
    /// What is broken in those that failed: places in `broken`, from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<usize>,
    /// The plainest of its cases that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failed: Option<String>,
}

/// A sentence of the API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sentence {
    /// The sentence, word for word.
    pub text: String,
    /// Where it stands: a type and field of the API reference, or a page of the documentation.
    pub source: String,
}

/// What is broken: one sentence of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// The sentence.
    pub sentence: Sentence,
    /// The cases that show it, the plainest first.
    pub cases: Vec<BrokenCase>,
}

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokenCase {
    /// Its identifier.
    pub case: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// What a difference means: `must` or `must-if-declared`, or `undefined` or `timing` where
    /// it is beside the case's point.
    pub level: String,
    /// The cells that differ, those that one thing alone decides first.
    pub cells: Vec<FaultCell>,
    /// The command that runs it again.
    pub rerun: String,
    /// Its scenario folder, where it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The folder with what its cluster said, where it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
}

/// Cells of one connection that differ alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FaultCell {
    /// The step, from 1.
    pub step: usize,
    /// The step's name.
    pub step_name: String,
    /// The connection: `x/b -> x/a:80/TCP over ipv4`.
    pub connection: String,
    /// What it is: `enforcement fault` as a rule.
    pub finding: String,
    /// What the policies mean.
    pub specified: String,
    /// The rules that make it so.
    pub because: String,
    /// What was seen.
    pub observed: String,
    /// What alone decides the cell, where the case says that something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// Deviations of the CNI that this is known to be, or may be.
    pub known: Vec<String>,
}

/// What the cluster did where the API leaves it open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The case.
    pub case: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// The sentence of the API that it is about.
    pub sentence: Sentence,
    /// The sentences that leave it open, with their sources.
    pub left_open_by: String,
    /// Connections that were allowed.
    pub allowed: Vec<String>,
    /// Connections that were denied.
    pub denied: Vec<String>,
    /// What became of connections that were watched, in phrases.
    pub watched: Vec<String>,
    /// Choices of the CNI that this is known to be.
    pub known: Vec<String>,
}

/// A behaviour that was known of a CNI in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// Its identifier in the CNI's file.
    pub id: String,
    /// Whether it breaks the specification.
    pub kind: KnownKind,
    /// What became of it.
    pub verdict: Verdict,
    /// The case.
    pub case: String,
    /// What is to be said of it.
    pub told: String,
}

/// Whether a known behaviour breaks the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KnownKind {
    /// It does.
    Deviation,
    /// The API leaves it open.
    Choice,
}

/// What became of a known behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was met.
    Met,
    /// It was tried, and not met: news.
    Gone,
    /// It came out otherwise: news.
    Changed,
    /// What is said of it says nothing.
    Unreadable,
}

/// A measured case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The case.
    pub case: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// What was noted of its steps.
    pub notes: Vec<String>,
    /// The longest time to enforce, in microseconds, where one was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_enforce: Option<u64>,
    /// The longest time to allow, in microseconds, where one was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_allow: Option<u64>,
}

/// A case that could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unjudged {
    /// The case.
    pub case: String,
    /// Why.
    pub reason: String,
}

/// Cases that were skipped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Why.
    pub reason: String,
    /// The cases.
    pub cases: Vec<String>,
}

/// The part of a profile that a case belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Every implementation must pass it.
    Core,
    /// Implementations that claim these must.
    Extended(Vec<String>),
    /// It is recorded or measured.
    Recorded,
}

/// The JSON Schema of [`Conformance`].
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Conformance)
}
