//! How a case ended: stricter than how its scenario ended, since a case whose deciding cell
//! was not judged has shown nothing.

use super::model::{Part, Tally};
use crate::report::ScenarioRun;
use crate::run::{CaseInfo, Finding, Level, Status};

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    Inconclusive,
    Skipped,
    Recorded,
}

impl Outcome {
    /// Of a scenario that is a case.
    pub(super) fn of(case: &CaseInfo, scenario: &ScenarioRun) -> Self {
        match scenario.status {
            Some(Status::Failed) => Self::Failed,
            Some(Status::Errored) | None => Self::Inconclusive,
            Some(_) if matches!(case.level, Level::Undefined | Level::Timing) => {
                if scenario.cells() > 0 { Self::Recorded } else { Self::Skipped }
            }
            Some(Status::Skipped) => Self::Skipped,
            Some(Status::Passed) if is_shown(case, scenario) => Self::Passed,
            Some(Status::Passed) => Self::Skipped,
        }
    }

    /// Adds it.
    pub(super) const fn count(self, tally: &mut Tally) {
        match self {
            Self::Passed => tally.passed += 1,
            Self::Failed => tally.failed += 1,
            Self::Inconclusive => tally.inconclusive += 1,
            Self::Skipped => tally.skipped += 1,
            Self::Recorded => tally.recorded += 1,
        }
    }
}

/// Whether the cell was judged that shows what the case is about, the first of those that one
/// thing alone decides.
fn is_shown(case: &CaseInfo, scenario: &ScenarioRun) -> bool {
    let Some(first) = case.deciding.first() else { return scenario.cells() > 0 };
    let cells = scenario.steps.get(&first.step).map_or(&[][..], |step| &step.cells);
    cells.iter().any(|judged| {
        judged.cell == first.cell && matches!(judged.finding, Finding::Agrees | Finding::Unenforced)
    })
}

impl Part {
    /// Of a case.
    pub(super) fn of(case: &CaseInfo) -> Self {
        match case.level {
            Level::Undefined | Level::Timing => Self::Recorded,
            Level::Must | Level::MustIfDeclared if case.needs.is_empty() => Self::Core,
            Level::Must | Level::MustIfDeclared => Self::Extended(case.needs.clone()),
        }
    }
}

impl Tally {
    /// How many cases there are.
    pub const fn all(&self) -> usize {
        self.passed + self.failed + self.inconclusive + self.skipped + self.recorded
    }

    /// Whether every case passed, or is recorded alone.
    pub const fn is_clean(&self) -> bool {
        self.failed + self.inconclusive + self.skipped == 0
    }

    /// How many were judged.
    pub const fn judged(&self) -> usize {
        self.passed + self.failed
    }
}
