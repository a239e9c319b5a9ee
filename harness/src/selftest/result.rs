//! What a selftest has found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::plan::Trial;
use super::verdict::{Sight, Verdict};
use crate::catalogue::Level;
use crate::cluster::embedded::Fault;
use crate::exit::ExitCode;
use crate::model::micros;
use crate::report::Run;
use crate::run::{Finding, Status};

/// The version of what `--json` writes.
pub const SCHEMA: u32 = 1;

/// The result, which `--json` writes. Durations are whole microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Selftest {
    /// [`SCHEMA`]; fields may be added under the same one.
    pub schema: u32,
    /// Ringfence's version.
    pub version: String,
    /// What the delays, and the cases and pairs that are drawn, follow from.
    pub seed: u64,
    /// The faults, each by itself.
    pub faults: Vec<Judged>,
    /// What was found without a fault.
    pub fault_free: Option<FaultFree>,
    /// Two faults at once.
    pub pairs: Vec<Pair>,
    /// Every fault against every case, where that was asked for.
    pub sweep: Option<Sweep>,
    /// How long all of it took.
    #[serde(with = "micros")]
    pub took: Duration,
}

/// A fault, and whether it was caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The fault.
    pub fault: Fault,
    /// What the dataplane does wrong.
    pub about: &'static str,
    /// The level of the cases that are meant to catch it.
    pub level: Level,
    /// By when a step had to be enforced.
    #[serde(with = "micros")]
    pub bound: Duration,
    /// Whether it was caught.
    pub verdict: Verdict,
}

/// A run without a fault, enforced at random delays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultFree {
    /// The longest delay.
    #[serde(with = "micros")]
    pub longest: Duration,
    /// How many cases ran.
    pub cases: usize,
    /// How many of them this machine could not run.
    pub skipped: usize,
    /// How many cells were judged.
    pub cells: usize,
    /// What was reported: nothing, if the harness is right.
    pub reports: Vec<Report>,
    /// How long it took.
    #[serde(with = "micros")]
    pub took: Duration,
}

/// A case that did not pass without a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The case.
    pub case: String,
    /// Failed or errored.
    pub status: Status,
    /// The first cell that did not agree, with its reason, or the case's own reason.
    pub why: String,
}

/// Two faults at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Each of them, and whether the case that caught it alone shows a fault.
    pub of: [Caught; 2],
}

/// One fault of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caught {
    /// The fault.
    pub fault: Fault,
    /// The case that caught it alone.
    pub case: String,
    /// Whether the case shows a fault with both; `None` where that could not be told.
    pub seen: Option<bool>,
}

/// Every fault against every case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// How many cases there are.
    pub cases: usize,
    /// For each fault the cases that catch it.
    pub caught: BTreeMap<Fault, BTreeSet<String>>,
    /// For each fault how many cases could not be told.
    pub untold: BTreeMap<Fault, usize>,
    /// The cases that catch none of the faults.
    pub idle: BTreeSet<String>,
}

impl Judged {
    /// What caught it, if anything did.
    pub fn sight(&self) -> Option<&Sight> {
        match &self.verdict {
            Verdict::Caught(sight) => Some(sight),
            Verdict::Survived { .. } | Verdict::Untold { .. } => None,
        }
    }
}

impl FaultFree {
    /// What a run says that had no fault.
    pub fn of(run: &Run, longest: Duration) -> Self {
        let cases = || run.scenarios.values();
        let reports = cases().filter_map(|case| {
            let status = match case.status {
                Some(Status::Passed | Status::Skipped) => return None,
                Some(status) => status,
                None => Status::Errored,
            };
            let cells = case.steps.values().flat_map(|step| &step.cells);
            let cells = cells.filter(|cell| cell.finding != Finding::Agrees);
            let mut cells =
                cells.filter_map(|cell| Some(format!("{}: {}", cell.cell, cell.why.as_ref()?)));
            let watched = case.steps.values().filter_map(|step| step.watched.as_ref());
            let watched = watched.flat_map(|watched| &watched.cells);
            let watched = watched.filter(|cell| cell.finding != Finding::Agrees);
            let mut watched = watched.filter_map(|cell| {
                Some(format!("{} (watched): {}", cell.cell, cell.why.as_ref()?))
            });
            let why = cells.next().or_else(|| watched.next()).or_else(|| case.reason.clone());
            let why = why.unwrap_or_else(|| "it was not judged to its end".to_owned());
            Some(Report { case: case.info.id.clone(), status, why })
        });
        Self {
            longest,
            cases: run.scenarios.len(),
            skipped: cases().filter(|case| case.status == Some(Status::Skipped)).count(),
            cells: cases().map(|case| case.cells()).sum(),
            reports: reports.collect(),
            took: run.finished.as_ref().map_or(Duration::ZERO, |finished| finished.took),
        }
    }
}

impl Sweep {
    /// Before any run.
    pub fn new(cases: impl IntoIterator<Item = String>) -> Self {
        let idle: BTreeSet<String> = cases.into_iter().collect();
        let (caught, untold) = (BTreeMap::new(), BTreeMap::new());
        Self { cases: idle.len(), caught, untold, idle }
    }

    /// Takes in the run of a fault against every case. `seen` are the cases that show it.
    pub fn add(&mut self, fault: Fault, run: &Run, seen: BTreeSet<String>) {
        self.idle.retain(|case| !seen.contains(case));
        let untold = run.scenarios.values().filter(|case| {
            !seen.contains(&case.info.id)
                && !matches!(case.status, Some(Status::Passed | Status::Skipped))
        });
        self.untold.insert(fault, untold.count());
        self.caught.insert(fault, seen);
    }
}

impl Pair {
    /// What a run with both faults says; `None` where the trial is not of two. `seen` are the
    /// cases that show a fault.
    pub fn of(trial: &Trial, run: &Run, seen: &BTreeSet<String>) -> Option<Self> {
        let passed = |case: &String| {
            let mut runs = run.scenarios.values();
            runs.any(|run| run.info.id == *case && run.status == Some(Status::Passed))
        };
        let caught = |(fault, case): (&Fault, &String)| Caught {
            fault: *fault,
            case: case.clone(),
            seen: if seen.contains(case) { Some(true) } else { passed(case).then_some(false) },
        };
        let of: Vec<Caught> = trial.faults.iter().zip(&trial.cases).map(caught).collect();
        Some(Self { of: of.try_into().ok()? })
    }

    /// Whether at least one of its faults shows; `None` where that could not be told.
    pub fn is_seen(&self) -> Option<bool> {
        match self.of.each_ref().map(|caught| caught.seen) {
            [Some(true), _] | [_, Some(true)] => Some(true),
            [Some(false), Some(false)] => Some(false),
            _ => None,
        }
    }

    /// The fault that hides the other one, and the one that is hidden: its case passes.
    pub fn hides(&self) -> Option<(Fault, &Caught)> {
        match &self.of {
            [shown, hidden] | [hidden, shown]
                if shown.seen == Some(true) && hidden.seen == Some(false) =>
            {
                Some((shown.fault, hidden))
            }
            _ => None,
        }
    }
}

impl Selftest {
    /// A fault that survived, a report without a fault, and a pair that does not show weigh
    /// most; whatever could not be told outranks success.
    pub fn exit_code(&self) -> ExitCode {
        let survived = |judged: &Judged| matches!(judged.verdict, Verdict::Survived { .. });
        let untold = |judged: &Judged| matches!(judged.verdict, Verdict::Untold { .. });
        let reports = || self.fault_free.iter().flat_map(|found| &found.reports);
        if self.faults.iter().any(survived)
            || reports().any(|report| report.status == Status::Failed)
            || self.pairs.iter().any(|pair| pair.is_seen() == Some(false))
        {
            return ExitCode::Fault;
        }
        let nothing = self.fault_free.as_ref().is_none_or(|found| found.cells == 0);
        if self.faults.iter().any(untold)
            || reports().next().is_some()
            || nothing
            || self.pairs.iter().any(|pair| pair.is_seen().is_none())
        {
            return ExitCode::CouldNotTell;
        }
        ExitCode::Passed
    }
}
