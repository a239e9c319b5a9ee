//! Steps that are over: judged when their paths are known, and added up.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{Cell, Observation, Verdict};
use crate::scenario::Diagnostic;
use crate::semantics::why;

use super::judge::{Control, Question, Sight, judge};
use super::paths::{Path, Paths};
use super::settle::Course;
use super::watched::Watching;
use super::watched::judge::watched;
use super::{CellJudgement, Event, EventSink, Finding, NotJudged, Status, StepTiming};

/// At most so many steps that share a reason are named.
const NAMED: usize = 3;

/// A step whose rounds are over.
pub(super) struct Held {
    /// Which step, from 0.
    pub(super) step: usize,
    /// Its name.
    pub(super) name: String,
    /// What is expected and specified, cell by cell.
    pub(super) questions: Vec<(Question, Path)>,
    /// What was seen.
    pub(super) seen: BTreeMap<Cell, (Course, Option<Observation>)>,
    /// What was found in manifests that are rejected, as they should be.
    pub(super) rejected: Vec<Diagnostic>,
    /// How long it took.
    pub(super) timing: StepTiming,
    /// What else is to be said.
    pub(super) notes: Vec<String>,
    /// What was not asked, and why.
    pub(super) not_judged: Vec<NotJudged>,
    /// What was watched while the changes were made.
    pub(super) watching: Option<Watching>,
}

impl Held {
    /// Whether what is said of the cell needs to know that its path works.
    fn needs_control(question: &Question) -> bool {
        matches!(question.specified.verdict, Verdict::Allow | Verdict::Deny)
    }
}

/// Steps of which the same is said.
struct Reasoned {
    /// Their names, in backticks.
    steps: Vec<String>,
    /// Why.
    why: String,
    /// Where cells could not be told: the first, how many, and of how many.
    untold: Option<(String, usize, usize)>,
}

impl fmt::Display for Reasoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.steps.as_slice() {
            [only] => write!(f, "step {only}: ")?,
            [first, .., last] if self.steps.len() > NAMED => {
                write!(f, "{} steps, {first} to {last}: ", self.steps.len())?;
            }
            steps => write!(f, "steps {}: ", steps.join(", "))?,
        }
        if let Some((first, cells, of)) = &self.untold {
            write!(f, "{cells} of {of} cells could not be told; the first is {first}")?;
        }
        f.write_str(&self.why)
    }
}

/// The steps of a scenario so far.
///
/// A step is judged, and its event emitted, as soon as every path that it
/// needs is known; a step with pods that came late, and every step after it,
/// waits for the policies to be lifted, so that events keep the steps' order.
#[derive(Default)]
pub(super) struct Tally {
    held: Vec<Held>,
    worst: Option<Status>,
    judged: usize,
    /// What befell the scenario as a whole, a sentence each.
    reasons: Vec<String>,
    /// Steps that could not be told or in which nothing was judged, by what is said of them.
    reasoned: Vec<Reasoned>,
}

impl Tally {
    /// Takes in a step whose rounds are over.
    pub(super) fn hold(&mut self, held: Held) {
        self.held.push(held);
    }

    /// The paths that held steps need and that had no control yet.
    pub(super) fn needed(&self, paths: &Paths) -> Vec<Path> {
        let mut needed: Vec<Path> = self
            .held
            .iter()
            .flat_map(|held| &held.questions)
            .filter(|(question, path)| {
                Held::needs_control(question)
                    && paths.control(path).is_none()
                    && paths.is_current(path)
            })
            .map(|(_, path)| path.clone())
            .collect();
        needed.sort();
        needed.dedup();
        needed
    }

    /// Judges every held step, if no path is missing.
    pub(super) fn judge_known(&mut self, paths: &Paths, strict: bool, sink: &EventSink) {
        if self.needed(paths).is_empty() {
            self.judge_all(paths, "its pods are gone", strict, sink);
        }
    }

    /// Judges every held step; a path without control stays untried for this reason.
    pub(super) fn judge_all(
        &mut self,
        paths: &Paths,
        untried: &str,
        strict: bool,
        sink: &EventSink,
    ) {
        for held in std::mem::take(&mut self.held) {
            self.judge(held, paths, untried, strict, sink);
        }
    }

    fn judge(&mut self, held: Held, paths: &Paths, untried: &str, strict: bool, sink: &EventSink) {
        let Held { step, name, questions, mut seen, rejected, timing, .. } = held;
        let (mut notes, not_judged) = (held.notes, held.not_judged);
        let watched = held.watching.map(|watching| watched(&watching, paths, untried, strict, why));
        let of_watch = watched.iter().flat_map(|watched| &watched.cells);
        let cells: Vec<CellJudgement> = questions
            .iter()
            .map(|(question, path)| {
                let (course, observed) = seen
                    .remove(&question.cell)
                    .unwrap_or_else(|| (Course::Untold("it was never attempted".to_owned()), None));
                let control = match paths.control(path) {
                    Some(control) => control.clone(),
                    None => Control::Untried(untried.to_owned()),
                };
                judge(question, &Sight { course, observed, control }, strict, why)
            })
            .collect();
        let findings: Vec<&Finding> = cells
            .iter()
            .map(|cell| &cell.finding)
            .chain(of_watch.map(|cell| &cell.finding))
            .collect();
        let status = status(&findings, rejected.len());
        let count = |finding: Finding| findings.iter().filter(|one| ***one == finding).count();
        self.judged += findings.len() + rejected.len()
            - count(Finding::Choice)
            - count(Finding::NotPortable)
            - count(Finding::Inconclusive);
        match status {
            Status::Errored => {
                let of_cells = cells.iter().map(|c| (&c.cell, &c.finding, &c.why));
                let of_watch = watched.iter().flat_map(|watched| &watched.cells);
                let of_watch = of_watch.map(|c| (&c.cell, &c.finding, &c.why));
                let untold = of_cells.chain(of_watch).filter(|(_, finding, _)| {
                    matches!(finding, Finding::Inconclusive | Finding::Unstable)
                });
                let first = untold
                    .clone()
                    .find_map(|(cell, _, why)| Some((format!("`{cell}`: "), why.clone()?)));
                let (first, why) = first.unwrap_or_default();
                self.reason(&name, why, Some((first, untold.count(), findings.len())));
            }
            Status::Skipped => {
                let choices = count(Finding::Choice) + count(Finding::NotPortable);
                notes.push(match choices {
                    0 => "nothing was judged: no cell is left".to_owned(),
                    _ => format!("nothing was judged: the API leaves {choices} cells open"),
                });
                // A step's cells are counted; what a reason says is the same for several steps.
                let counted: Vec<String> = not_judged.iter().map(ToString::to_string).collect();
                let mut why: Vec<&str> = notes.iter().map(String::as_str).collect();
                why.retain(|note| !counted.iter().any(|told| told == note));
                why.extend(not_judged.iter().map(|some| some.reason.as_str()));
                self.reason(&name, why.join("; "), None);
            }
            Status::Passed | Status::Failed => {}
        }
        self.add(status);
        sink.emit(Event::StepJudged {
            step,
            name,
            status,
            cells,
            rejected,
            timing,
            notes,
            not_judged,
            watched,
        });
    }

    /// Adds why a step could not be told, or why nothing was judged in it.
    fn reason(&mut self, step: &str, why: String, untold: Option<(String, usize, usize)>) {
        let step = format!("`{step}`");
        let alike =
            |known: &&mut Reasoned| known.why == why && known.untold.is_some() == untold.is_some();
        match self.reasoned.iter_mut().find(alike) {
            Some(known) => {
                known.steps.push(step);
                if let (Some((_, cells, of)), Some((_, more, of_more))) =
                    (&mut known.untold, untold)
                {
                    (*cells, *of) = (*cells + more, *of + of_more);
                }
            }
            None => self.reasoned.push(Reasoned { steps: vec![step], why, untold }),
        }
    }

    /// Adds a result. A step in which nothing was judged does not weigh
    /// beside one that passed.
    fn add(&mut self, status: Status) {
        self.worst = match (self.worst, status) {
            (None | Some(Status::Skipped), status) => Some(status),
            (worst, Status::Skipped) => worst,
            (worst, status) => worst.max(Some(status)),
        };
    }

    /// Adds something that befell the scenario as a whole.
    pub(super) fn befall(&mut self, status: Status, reason: String) {
        self.worst = self.worst.max(Some(status));
        self.reasons.insert(0, reason);
    }

    /// The result so far.
    pub(super) const fn status(&self) -> Option<Status> {
        self.worst
    }

    /// Adds a sentence that changes no result.
    pub(super) fn tell(&mut self, reason: String) {
        self.reasons.push(reason);
    }

    /// The scenario's result, and why where it neither passed nor failed.
    pub(super) fn result(mut self) -> (Status, Option<String>) {
        let status = match self.worst {
            Some(Status::Passed) if self.judged == 0 => Status::Skipped,
            Some(status) => status,
            None => Status::Skipped,
        };
        self.reasons.extend(self.reasoned.iter().map(ToString::to_string));
        if status == Status::Skipped && self.reasons.is_empty() {
            self.reasons.push("nothing was judged: it has no step".to_owned());
        }
        let tells = status != Status::Passed && !self.reasons.is_empty();
        (status, tells.then(|| self.reasons.join("; ")))
    }
}

/// A step's result: the worst of its cells.
fn status(findings: &[&Finding], rejected: usize) -> Status {
    let of = |finding: &Finding| match finding {
        Finding::Agrees | Finding::KnownPolicyFault | Finding::Unenforced => Some(Status::Passed),
        Finding::PolicyFault
        | Finding::MissingPolicyFault
        | Finding::EnforcementFault
        | Finding::Enforced => Some(Status::Failed),
        Finding::Unstable | Finding::Inconclusive => Some(Status::Errored),
        Finding::Choice | Finding::NotPortable => None,
    };
    let rejected = (rejected > 0).then_some(Status::Passed);
    findings
        .iter()
        .filter_map(|finding| of(finding))
        .chain(rejected)
        .max()
        .unwrap_or(Status::Skipped)
}
