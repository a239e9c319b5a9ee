//! The lines of the record: what a run did and saw. [`Line`] documents the schema.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::Capabilities;
use crate::model::micros;
use crate::model::{Cell, Decision, Intent, Matrix, Name, Observation, Outcome, Topology};
use crate::scenario::Diagnostic;

use super::case::CaseInfo;
use super::suite_info::SuiteInfo;

/// The version of the record's schema. A field, a kind of line or a finding may be added
/// under the same version; none of them ever changes its meaning.
pub const SCHEMA: u32 = 1;

/// One line of the record, an append-only file of JSON lines.
///
/// The live display and every report fold the same lines, so a line says everything
/// that a reader of it needs. The schema is that of these types, and [`SCHEMA`] is its
/// version.
///
/// ```json
/// {"at":1840,"cluster":"embedded","scenario":"tiered-database","event":{"kind":"…", …}}
/// ```
///
/// `at` and every other duration are whole microseconds. A cell is its text,
/// `prod/web -> prod/db:3306/TCP over ipv4`, and a matrix a list of pairs
/// `[cell, value]` in the cells' order. In the order of the lines:
///
/// | `kind` | how often | about |
/// |---|---|---|
/// | `run-started` | once, the first line | schema, version, seed, clusters, scenarios, and what they were chosen from |
/// | `resumed` | whenever a run that was killed or interrupted goes on | what of it was over and could be told; all other scenarios begin again |
/// | `stage` | two for each slow part of preparing a cluster | what it is, and how long it took |
/// | `diagnosed` | at most once | warnings about the input |
/// | `scenario-started` | once for each scenario, and again where a run that goes on begins it again | what was said of it before counts no more |
/// | `deployed` | at most once for each | capabilities, topology with addresses |
/// | `round` | many | purpose, deadline, observations; the sentinel's cells and the witness's have a line of their own with the same `number` |
/// | `step-started` | once for each step reached | its changes; later rounds of the step carry its number |
/// | `step-judged` | once for each step started | a judgement for every cell, times, notes, what was not judged, what was watched; a step that needs the control of late pods is judged after the `lift` rounds, and so are all that follow it |
/// | `bundled` | at most once for each scenario that failed or errored | where the failure bundle is |
/// | `scenario-finished` | once for each `scenario-started`, unless the run was killed | status, reason |
/// | `noticed` | seldom; about a cluster as a whole | what was found on the way, such as that it enforces nothing |
/// | `left-behind` | at most once for each cluster | what could not be removed |
/// | `run-finished` | once, the last line | counts, exit code |
///
/// Lines of scenarios that run at the same time are mixed; those of one scenario
/// are in order. A run that was killed has no `run-finished`, and its last line
/// may be cut (see [`record`](super::record)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Since the run's start.
    #[serde(with = "micros")]
    pub at: Duration,
    /// The cluster, by the name given to `--on`; empty for lines about the run as a whole.
    pub cluster: String,
    /// The scenario's id; empty for lines about the run as a whole.
    pub scenario: String,
    /// What happened.
    pub event: Event,
}

/// What a scenario is, for readers who do not have its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioInfo {
    /// The stable identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The names of its steps.
    pub steps: Vec<String>,
    /// The digest of its files ([`Scenario::digest`](crate::scenario::Scenario::digest)); empty
    /// where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// What it tests, where it is a case of the conformance catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Box<CaseInfo>>,
}

impl ScenarioInfo {
    /// Of a scenario of which nothing is known but its identifier.
    pub fn unknown(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            about: String::new(),
            tags: Vec::new(),
            steps: Vec::new(),
            digest: String::new(),
            case: None,
        }
    }
}

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Before any policy: every path that should be open is shown open.
    Control,
    /// Has the cluster looked at the step's changes yet, and does its network
    /// answer where no policy is?
    Sentinel,
    /// The step's own cells.
    Settle,
    /// After the policies are lifted: pods that came late get their control.
    Lift,
}

/// The result of a step, a scenario or a run. Ordered by how much it weighs:
/// the worst part is the result of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything that was judged is as it should be.
    Passed,
    /// Nothing was judged, for a reason that is told.
    Skipped,
    /// It could not be told.
    Errored,
    /// A policy fault or an enforcement fault.
    Failed,
}

/// What is to be said of one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// Intended, specified and observed agree.
    Agrees,
    /// Intended and specified part as the scenario says they do, and observed
    /// agrees with specified.
    KnownPolicyFault,
    /// Intended and specified part.
    PolicyFault,
    /// The scenario says that intended and specified part here, and they do not.
    MissingPolicyFault,
    /// Specified and observed part.
    EnforcementFault,
    /// The cluster is declared to enforce nothing, and the deny was seen to fail: what a
    /// negative control is for.
    Unenforced,
    /// The cluster is declared to enforce nothing, and the deny held.
    Enforced,
    /// The API leaves it open; what happened is the cluster's choice.
    Choice,
    /// As [`Finding::Choice`], though the intent rests on it: a warning, a
    /// policy fault under `--strict`.
    NotPortable,
    /// The cell kept changing.
    Unstable,
    /// It could not be told.
    Inconclusive,
}

/// One cell of a judged step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellJudgement {
    /// The cell.
    pub cell: Cell,
    /// What people want.
    pub intended: Intent,
    /// The text of the `expect` rule that says so.
    pub expect: String,
    /// What the policies mean, with the rules that make it so.
    pub specified: Decision,
    /// What was seen last; `None` where it was never attempted.
    pub observed: Option<Observation>,
    /// What is to be said of it.
    pub finding: Finding,
    /// One sentence of why, with the manifest's line, for every finding but `agrees`.
    pub why: Option<String>,
}

/// What was watched while a step's changes were made. Moments count from the start of the
/// watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// When the changes were asked for.
    #[serde(with = "micros")]
    pub asked: Duration,
    /// When the cluster had accepted them.
    #[serde(with = "micros")]
    pub accepted: Duration,
    /// How much later than said an attempt may have begun, where clocks are compared.
    #[serde(default, with = "micros")]
    pub blur: Duration,
    /// From one turn to the next, at least.
    #[serde(with = "micros")]
    pub interval: Duration,
    /// How long silence had to last to count as a drop.
    #[serde(with = "micros")]
    pub deadline: Duration,
    /// What became of each, held connections first.
    pub cells: Vec<WatchedCell>,
}

/// How a cell is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// A connection is opened before the changes and used ever since.
    Held,
    /// It is attempted anew all the time.
    Tried,
}

/// Attempts of one kind since [`WatchedCell::since`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How many.
    pub attempts: usize,
    /// When the first of them began, from then.
    #[serde(with = "micros::maybe")]
    pub first: Option<Duration>,
    /// When the last of them began, from then.
    #[serde(with = "micros::maybe")]
    pub last: Option<Duration>,
}

/// Attempts in a row that saw the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// When the first of them began.
    #[serde(with = "micros")]
    pub from: Duration,
    /// When the last of them began.
    #[serde(with = "micros")]
    pub until: Duration,
    /// How many.
    pub attempts: usize,
    /// What they saw.
    pub outcome: Outcome,
}

/// A connection that was held, or a cell that was tried, while something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedCell {
    /// The cell.
    pub cell: Cell,
    /// How it was watched.
    pub manner: Manner,
    /// What people want of it all the time.
    pub intended: Intent,
    /// The text of the `watch` rule that says so.
    pub rule: String,
    /// What the policies mean all the time: `any` where they change it, or the API leaves
    /// open when it comes or what becomes of it; `None` where that is not known.
    pub specified: Option<Intent>,
    /// Whether an end of it came with the changes.
    pub comes: bool,
    /// From when on it counts: when the changes were asked for, or, for a pod that comes
    /// with them, its first attempt.
    #[serde(with = "micros")]
    pub since: Duration,
    /// What got through since then.
    pub through: Window,
    /// What was stopped since then. Silence in which the witness was not heard either is in
    /// neither.
    pub stopped: Window,
    /// Whether it was open at last; `None` where nothing counts.
    pub open: Option<bool>,
    /// Since when it had been as it was at last, from [`WatchedCell::since`].
    #[serde(with = "micros::maybe")]
    pub turned: Option<Duration>,
    /// What is to be said of it: a choice of a held cell is whether it survives, of a tried
    /// one how long it took.
    pub finding: Finding,
    /// What became of it, in a phrase with its numbers.
    pub told: String,
    /// One sentence of why, for every finding but `agrees`.
    pub why: Option<String>,
    /// Everything that was seen, also before the changes.
    pub stretches: Vec<Stretch>,
}

/// Cells of a step that were not judged, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotJudged {
    /// Why: what the cluster lacks, as a sentence without its full stop.
    pub reason: String,
    /// How many cells, at least one.
    pub cells: usize,
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cells {
            1 => f.write_str("1 cell is")?,
            cells => write!(f, "{cells} cells are")?,
        }
        write!(f, " not judged: {}", self.reason)
    }
}

/// How long a step took to be enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTiming {
    /// From the change's acceptance until a round began in which every node had shown
    /// the sentinel's flip: the cluster's own latency.
    #[serde(with = "micros::maybe", default)]
    pub to_look: Option<Duration>,
    /// From the change's acceptance until the last cell that became a deny was one.
    #[serde(with = "micros::maybe")]
    pub to_enforce: Option<Duration>,
    /// From the change's acceptance until the last cell that became an allow was one.
    #[serde(with = "micros::maybe")]
    pub to_allow: Option<Duration>,
    /// From the step's start to its judgement.
    #[serde(with = "micros::maybe")]
    pub total: Option<Duration>,
    /// How many rounds of the step's cells were made.
    pub rounds: u32,
}

/// How many scenarios ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// As they should.
    pub passed: usize,
    /// With a fault.
    pub failed: usize,
    /// Could not tell.
    pub errored: usize,
    /// Not judged.
    pub skipped: usize,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// The first line.
    RunStarted {
        /// [`SCHEMA`].
        schema: u32,
        /// Ringfence's version.
        version: String,
        /// The seed of everything random.
        seed: u64,
        /// The clusters, as given to `--on`.
        clusters: Vec<String>,
        /// The scenarios that will run, in order.
        scenarios: Vec<ScenarioInfo>,
        /// What they were chosen from, and by which options.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suite: Option<SuiteInfo>,
    },
    /// A run that was killed or interrupted goes on: scenarios that are not over begin again, and
    /// so do those that could not be told.
    Resumed {
        /// Ringfence's version.
        version: String,
        /// How many scenarios were over and could be told, those of each cluster by themselves.
        over: usize,
        /// Whether the record's last line was cut; it was dropped.
        cut: bool,
    },
    /// Findings about input files, warnings as a rule: errors end a run before it starts.
    Diagnosed {
        /// The findings.
        diagnostics: Vec<Diagnostic>,
    },
    /// A slow part of preparing a cluster begins or ends; of a cluster, and of no scenario.
    Stage {
        /// Its name: one word, such as `image`, `nodes`, `cni` or `agents`.
        name: String,
        /// What is done, in a phrase.
        what: String,
        /// How long it took; `None` where it begins.
        #[serde(with = "micros::maybe")]
        took: Option<Duration>,
        /// Whether it failed; why is the reason of the scenarios that follow.
        failed: bool,
    },
    /// A scenario begins.
    ScenarioStarted,
    /// The topology stands.
    Deployed {
        /// What the cluster can do.
        capabilities: Capabilities,
        /// With nodes and addresses.
        topology: Topology,
        /// The namespaces whose names in the cluster differ, by those in the topology.
        #[serde(default)]
        names: BTreeMap<Name, Name>,
        /// How long it took.
        #[serde(with = "micros")]
        took: Duration,
    },
    /// A step's changes were accepted.
    StepStarted {
        /// Which step, from 0.
        step: usize,
        /// Its name.
        name: String,
        /// Its changes, a phrase each.
        changes: Vec<String>,
        /// Where they were made other than they were written, because names
        /// differ: a sentence for each field.
        #[serde(default)]
        rewritten: Vec<String>,
    },
    /// A round was made.
    Round {
        /// Which step, from 0; `None` before the first and after the last.
        step: Option<usize>,
        /// What it was for.
        purpose: Purpose,
        /// Which round of the scenario, from 1.
        number: u32,
        /// How long silence had to last to count as a drop.
        #[serde(with = "micros")]
        deadline: Duration,
        /// What was seen, for every cell of the round.
        observations: Matrix<Observation>,
    },
    /// A step was judged.
    StepJudged {
        /// Which step, from 0.
        step: usize,
        /// Its name.
        name: String,
        /// The result.
        status: Status,
        /// Every cell, in order.
        cells: Vec<CellJudgement>,
        /// What the loader found in manifests that the scenario says are
        /// rejected: judged before the run, and as much a result as a cell.
        #[serde(default)]
        rejected: Vec<Diagnostic>,
        /// How long it took to be enforced.
        timing: StepTiming,
        /// What else is to be said of the step, in sentences; among them one for each
        /// of `not_judged`.
        notes: Vec<String>,
        /// The cells that this cluster could not be asked, by reason: they are not in
        /// `cells`.
        #[serde(default)]
        not_judged: Vec<NotJudged>,
        /// What connections did while the changes were made, where the step watches any and
        /// the cluster can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        watched: Option<Watched>,
    },
    /// What helps to find out why the scenario failed was written down.
    Bundled {
        /// The bundle's folder.
        folder: String,
        /// Its files, relative to the folder, in order.
        files: Vec<String>,
    },
    /// A scenario is over.
    ScenarioFinished {
        /// The result.
        status: Status,
        /// Why it was skipped or errored.
        reason: Option<String>,
        /// How long it took.
        #[serde(with = "micros")]
        took: Duration,
        /// Whether it ended because the run was to end: a run that goes on runs it again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        interrupted: bool,
    },
    /// Something that holds for a cluster as a whole was found on the way.
    Noticed {
        /// What it is and what to do about it, in sentences.
        what: String,
    },
    /// A cluster was closed, and not all of it could be removed.
    LeftBehind {
        /// What remains and why, a sentence each.
        what: Vec<String>,
    },
    /// The last line.
    RunFinished {
        /// How many scenarios ended in which way.
        counts: Counts,
        /// The exit code that follows from them.
        exit_code: u8,
        /// How long it took.
        #[serde(with = "micros")]
        took: Duration,
    },
}
