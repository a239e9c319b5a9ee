//! The fold: lines of the record → what is known of the run so far.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::Capabilities;
use crate::run::{
    CellJudgement, Counts, Event, Finding, Line, NotJudged, Purpose, SCHEMA, ScenarioInfo, Status,
    StepTiming, SuiteInfo, Watched,
};
use crate::scenario::Diagnostic;

/// A line that cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The record was written by another version.
    #[error(
        "expected a record of schema {SCHEMA}, found schema {0}: read it with the version of ringfence that wrote it"
    )]
    Schema(u32),
    /// The first line is missing.
    #[error("expected `run-started` as the record's first line, found a line of scenario `{0}`")]
    NotStarted(String),
    /// Two records in one file.
    #[error("expected one run, found a second `run-started`")]
    StartedTwice,
}

/// A run, as far as its record says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// Ringfence's version, the seed and the clusters; `None` until the first line.
    pub started: Option<Started>,
    /// Findings about input files.
    pub diagnostics: Vec<Diagnostic>,
    /// The scenarios by id and cluster.
    pub scenarios: BTreeMap<(String, String), ScenarioRun>,
    /// What the clusters told of themselves, by name.
    pub clusters: BTreeMap<String, ClusterRun>,
    /// How it ended; `None` where the record breaks off.
    pub finished: Option<Finished>,
}

/// The run's first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Ringfence's version.
    pub version: String,
    /// The seed of everything random.
    pub seed: u64,
    /// The clusters, as given to `--on`.
    pub clusters: Vec<String>,
    /// What the scenarios were chosen from.
    pub suite: Option<SuiteInfo>,
    /// How often the run was gone on with.
    pub resumed: usize,
}

/// The run's last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How many scenarios ended in which way.
    pub counts: Counts,
    /// The exit code that follows from them.
    pub exit_code: u8,
    /// How long the run took.
    pub took: Duration,
}

/// What a cluster told of itself as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterRun {
    /// The slow parts of preparing it, in the order in which they began.
    pub preparations: Vec<Preparation>,
    /// What was found that holds for the cluster as a whole.
    pub noticed: Vec<String>,
    /// What could not be removed, a sentence each.
    pub left_behind: Vec<String>,
}

/// A slow part of preparing a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preparation {
    /// Its name: one word.
    pub name: String,
    /// What is done, in a phrase.
    pub what: String,
    /// How long it took; `None` while it is under way.
    pub took: Option<Duration>,
    /// Whether it failed.
    pub failed: bool,
}

/// A failure bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleRun {
    /// Its folder.
    pub folder: String,
    /// How many files it has.
    pub files: usize,
}

/// What a scenario is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It has not begun.
    Waiting,
    /// Its topology is being made.
    Deploying,
    /// The control before the first step.
    Control,
    /// A step, from 0.
    Step(usize),
    /// The policies are lifted, and pods that came late get their control.
    Lift,
    /// It is over.
    Over,
}

/// One scenario on one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioRun {
    /// What it is.
    pub info: ScenarioInfo,
    /// What it is at.
    pub stage: Stage,
    /// What its cluster can do, once that is known.
    pub capabilities: Option<Capabilities>,
    /// Its steps so far.
    pub steps: BTreeMap<usize, StepRun>,
    /// The result, once it is over.
    pub status: Option<Status>,
    /// Why it was skipped or errored.
    pub reason: Option<String>,
    /// How long it took, once it is over.
    pub took: Option<Duration>,
    /// Whether it ended because the run was to end.
    pub interrupted: bool,
    /// Where its failure bundle is.
    pub bundle: Option<BundleRun>,
}

/// One step of a scenario.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepRun {
    /// Its name.
    pub name: String,
    /// Its changes, a phrase each.
    pub changes: Vec<String>,
    /// The result, once it is judged.
    pub status: Option<Status>,
    /// Every cell, in order; empty until it is judged.
    pub cells: Vec<CellJudgement>,
    /// What was found in manifests that are rejected, as the scenario says.
    pub rejected: Vec<Diagnostic>,
    /// How long it took to be enforced.
    pub timing: StepTiming,
    /// What else is to be said of it.
    pub notes: Vec<String>,
    /// The cells that its cluster could not be asked, by reason.
    pub not_judged: Vec<NotJudged>,
    /// What connections did while its changes were made.
    pub watched: Option<Watched>,
}

impl StepRun {
    /// The cells of one finding.
    pub fn found(&self, finding: &Finding) -> impl Iterator<Item = &CellJudgement> {
        self.cells.iter().filter(move |cell| cell.finding == *finding)
    }
}

impl ScenarioRun {
    fn new(info: ScenarioInfo) -> Self {
        Self {
            info,
            stage: Stage::Waiting,
            capabilities: None,
            steps: BTreeMap::new(),
            status: None,
            reason: None,
            took: None,
            interrupted: false,
            bundle: None,
        }
    }

    /// Whether nothing more is to be had from it: one that the run's end has ended was not
    /// run to its own, and what failed by then stays a failure.
    pub const fn is_over(&self) -> bool {
        match self.status {
            Some(Status::Failed) => true,
            Some(_) => !self.interrupted,
            None => false,
        }
    }

    /// Whether a run that goes on leaves it as it is: it is over, and could be told. What could
    /// not may be told next time.
    pub const fn is_told(&self) -> bool {
        self.is_over() && !matches!(self.status, Some(Status::Errored))
    }

    /// Whether it failed, or could not be told.
    pub const fn is_bad(&self) -> bool {
        matches!(self.status, Some(Status::Failed | Status::Errored))
    }

    /// How many cells were judged, over all steps.
    pub fn cells(&self) -> usize {
        self.steps.values().map(|step| step.cells.len()).sum()
    }

    /// How many cells have one of these findings, over all steps.
    pub fn count(&self, findings: &[Finding]) -> usize {
        self.steps
            .values()
            .flat_map(|step| &step.cells)
            .filter(|cell| findings.contains(&cell.finding))
            .count()
    }

    /// How many findings there are in manifests that are rejected, over all steps.
    pub fn rejected(&self) -> usize {
        self.steps.values().map(|step| step.rejected.len()).sum()
    }

    /// How many cells its cluster could not be asked, over all steps.
    pub fn not_judged(&self) -> usize {
        self.steps.values().flat_map(|step| &step.not_judged).map(|some| some.cells).sum()
    }

    /// How many steps there are, judged or not.
    pub fn step_count(&self) -> usize {
        self.info.steps.len().max(self.steps.len())
    }

    /// The longest of a timing over all steps.
    pub fn longest(&self, timing: impl Fn(&StepTiming) -> Option<Duration>) -> Option<Duration> {
        self.steps.values().filter_map(|step| timing(&step.timing)).max()
    }

    /// What it is at, as a phrase.
    pub fn phrase(&self) -> String {
        match self.stage {
            Stage::Waiting => "waiting".to_owned(),
            Stage::Deploying => "deploying".to_owned(),
            Stage::Control => "control: everything open?".to_owned(),
            Stage::Step(index) => {
                let name = self.steps.get(&index).map_or("", |step| step.name.as_str());
                format!("step {} of {}: {name}", index + 1, self.step_count())
            }
            Stage::Lift => "lifting the policies".to_owned(),
            Stage::Over => "over".to_owned(),
        }
    }
}

impl Run {
    /// Folds a whole record.
    ///
    /// # Errors
    /// The first line that cannot be folded.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Result<Self, FoldError> {
        let mut run = Self::default();
        for line in lines {
            run.fold(line)?;
        }
        Ok(run)
    }

    /// Takes in one line.
    ///
    /// # Errors
    /// Where the line belongs to another schema or another run; the run is then as it was.
    pub fn fold(&mut self, line: &Line) -> Result<(), FoldError> {
        if let Event::RunStarted { schema, version, seed, clusters, scenarios, suite } = &line.event
        {
            if *schema != SCHEMA {
                return Err(FoldError::Schema(*schema));
            }
            if self.started.is_some() {
                return Err(FoldError::StartedTwice);
            }
            for cluster in clusters {
                for info in scenarios {
                    self.scenarios
                        .insert((info.id.clone(), cluster.clone()), ScenarioRun::new(info.clone()));
                }
            }
            self.started = Some(Started {
                version: version.clone(),
                seed: *seed,
                clusters: clusters.clone(),
                suite: suite.clone(),
                resumed: 0,
            });
            return Ok(());
        }
        if self.started.is_none() {
            return Err(FoldError::NotStarted(line.scenario.clone()));
        }
        match &line.event {
            Event::Resumed { .. } => self.resume(),
            Event::Diagnosed { diagnostics } => self.diagnostics.extend(diagnostics.clone()),
            Event::RunFinished { counts, exit_code, took } => {
                self.finished =
                    Some(Finished { counts: *counts, exit_code: *exit_code, took: *took });
            }
            Event::Stage { .. } | Event::Noticed { .. } | Event::LeftBehind { .. } => {
                self.clusters.entry(line.cluster.clone()).or_default().fold(&line.event);
            }
            Event::ScenarioStarted => {
                let scenario = self.scenario(line);
                *scenario = ScenarioRun::new(scenario.info.clone());
                scenario.stage = Stage::Deploying;
            }
            event => self.scenario(line).fold(event),
        }
        Ok(())
    }

    /// What is not over begins again: nothing that was seen of it counts. What could not be told
    /// stays so until it begins again.
    fn resume(&mut self) {
        for scenario in self.scenarios.values_mut().filter(|scenario| !scenario.is_over()) {
            *scenario = ScenarioRun::new(scenario.info.clone());
        }
        for cluster in self.clusters.values_mut() {
            cluster.preparations.retain(|preparation| preparation.took.is_some());
        }
        // The files were read again, and what was found in them is told again.
        self.diagnostics.clear();
        self.finished = None;
        self.started.iter_mut().for_each(|started| started.resumed += 1);
    }

    fn scenario(&mut self, line: &Line) -> &mut ScenarioRun {
        let key = (line.scenario.clone(), line.cluster.clone());
        self.scenarios
            .entry(key)
            .or_insert_with(|| ScenarioRun::new(ScenarioInfo::unknown(&line.scenario)))
    }

    /// Whether it is on more than one cluster.
    pub fn is_on_several(&self) -> bool {
        self.started.as_ref().is_some_and(|started| started.clusters.len() > 1)
    }

    /// How many scenarios have ended in which way so far.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for scenario in self.scenarios.values() {
            match scenario.status {
                Some(Status::Passed) => counts.passed += 1,
                Some(Status::Failed) => counts.failed += 1,
                Some(Status::Errored) => counts.errored += 1,
                Some(Status::Skipped) => counts.skipped += 1,
                None => {}
            }
        }
        counts
    }
}

impl ClusterRun {
    fn fold(&mut self, event: &Event) {
        match event {
            Event::Stage { name, what, took, failed } => {
                let under_way = |known: &&mut Preparation| {
                    known.took.is_none() && known.name == *name && known.what == *what
                };
                match self.preparations.iter_mut().find(under_way) {
                    Some(known) if took.is_some() => {
                        (known.took, known.failed) = (*took, *failed);
                    }
                    _ => self.preparations.push(Preparation {
                        name: name.clone(),
                        what: what.clone(),
                        took: *took,
                        failed: *failed,
                    }),
                }
            }
            Event::Noticed { what } => self.noticed.push(what.clone()),
            Event::LeftBehind { what } => self.left_behind.clone_from(what),
            _ => {}
        }
    }
}

impl ScenarioRun {
    fn fold(&mut self, event: &Event) {
        match event {
            Event::Deployed { capabilities, .. } => {
                self.capabilities = Some(capabilities.clone());
                self.stage = Stage::Control;
            }
            Event::StepStarted { step, name, changes, .. } => {
                self.stage = Stage::Step(*step);
                let entry = self.steps.entry(*step).or_default();
                entry.name.clone_from(name);
                entry.changes.clone_from(changes);
            }
            Event::Round { purpose: Purpose::Lift, .. } => self.stage = Stage::Lift,
            Event::StepJudged {
                step,
                name,
                status,
                cells,
                rejected,
                timing,
                notes,
                not_judged,
                watched,
            } => {
                let entry = self.steps.entry(*step).or_default();
                entry.name.clone_from(name);
                entry.status = Some(*status);
                entry.cells.clone_from(cells);
                entry.rejected.clone_from(rejected);
                entry.timing = timing.clone();
                entry.notes.clone_from(notes);
                entry.not_judged.clone_from(not_judged);
                entry.watched.clone_from(watched);
            }
            Event::ScenarioFinished { status, reason, took, interrupted } => {
                self.stage = Stage::Over;
                self.interrupted = *interrupted;
                self.status = Some(*status);
                self.reason.clone_from(reason);
                self.took = Some(*took);
            }
            Event::Bundled { folder, files } => {
                self.bundle = Some(BundleRun { folder: folder.clone(), files: files.len() });
            }
            Event::Round { .. }
            | Event::Stage { .. }
            | Event::Noticed { .. }
            | Event::LeftBehind { .. }
            | Event::RunStarted { .. }
            | Event::ScenarioStarted
            | Event::Resumed { .. }
            | Event::Diagnosed { .. }
            | Event::RunFinished { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_run_is_folded_line_by_line() {
        let lines = fixture::policy_fault();
        let run = Run::of(&lines).unwrap();
        let scenario = &run.scenarios[&("tiered-database".to_owned(), "embedded".to_owned())];
        assert_eq!(scenario.status, Some(Status::Failed));
        assert_eq!(scenario.stage, Stage::Over);
        assert_eq!(scenario.steps[&0].cells.len(), scenario.cells());
        assert_eq!(run.finished.as_ref().map(|f| f.counts), Some(run.counts()));
    }

    #[test]
    fn a_record_that_breaks_off_says_so() {
        let mut lines = fixture::policy_fault();
        lines.truncate(4);
        let run = Run::of(&lines).unwrap();
        assert_eq!(run.finished, None);
        assert_eq!(run.counts(), Counts::default());
    }

    #[test]
    fn another_schema_is_refused() {
        let mut lines = fixture::policy_fault();
        let Event::RunStarted { schema, .. } = &mut lines[0].event else { panic!("first line") };
        *schema = SCHEMA + 1;
        assert_eq!(Run::of(&lines), Err(FoldError::Schema(SCHEMA + 1)));
    }

    #[test]
    fn a_record_has_one_beginning() {
        let lines = fixture::policy_fault();
        assert_eq!(Run::of(&lines[1..]), Err(FoldError::NotStarted("tiered-database".into())));
        assert_eq!(Run::of(lines.iter().chain(&lines[..1])), Err(FoldError::StartedTwice));
    }
}
