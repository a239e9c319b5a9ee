//! What a run with faults says of them.

use std::time::Duration;

use serde::Serialize;

use crate::model::{Cell, Intent, Verdict as Specified, micros};
use crate::report::{Run, ScenarioRun};
use crate::run::{Event, Finding, Line, Status};

/// A cell in which a fault was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// The case.
    pub case: String,
    /// The step.
    pub step: String,
    /// The cell.
    pub cell: Cell,
    /// What the policies specify and what was seen, in a phrase.
    pub seen: String,
    /// Since the start of the run.
    #[serde(with = "micros")]
    pub after: Duration,
}

/// What a run says of a faulty dataplane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// A fault was seen: a cell in which the network does not do what the policies specify.
    Caught(Sight),
    /// Cases were judged, and all of them passed.
    Survived {
        /// How many.
        cases: usize,
    },
    /// No fault was seen, and not every case could be judged.
    Untold {
        /// The first reason.
        reason: String,
    },
}

/// The first enforcement fault of a judged step. Nothing else counts: neither what was not
/// certain, nor a cell that kept changing, nor an error.
pub fn sight(line: &Line) -> Option<Sight> {
    let Event::StepJudged { name, cells, watched, .. } = &line.event else { return None };
    let of_rounds = cells.iter().find(|cell| cell.finding == Finding::EnforcementFault);
    let of_rounds = of_rounds.map(|cell| {
        let specified = match cell.specified.verdict {
            Specified::Allow => "allow",
            Specified::Deny => "deny",
            Specified::Undefined(_) | Specified::Unknown(_) => "nothing",
        };
        let observed = cell.observed.as_ref().map(|seen| seen.outcome.to_string());
        let observed = observed.unwrap_or_else(|| "nothing".to_owned());
        (&cell.cell, format!("specified {specified}, observed {observed}"))
    });
    let of_watch = watched.iter().flat_map(|watched| &watched.cells);
    let mut of_watch =
        of_watch.filter(|cell| cell.finding == Finding::EnforcementFault).map(|cell| {
            let specified = match cell.specified {
                Some(Intent::Allow) => "allow",
                Some(Intent::Deny) => "deny",
                Some(Intent::Any) | None => "nothing",
            };
            (&cell.cell, format!("specified {specified} throughout, {}", cell.told))
        });
    // What was watched says more: of a pod that was open at first, the rounds saw the end.
    let (cell, seen) = of_watch.next().or(of_rounds)?;
    Some(Sight {
        case: line.scenario.clone(),
        step: name.clone(),
        cell: cell.clone(),
        seen,
        after: line.at,
    })
}

/// What the run says. `seen` is the first [`sight`] among its lines.
///
/// A run that is ended at the first sight leaves cases that were not judged; they do not
/// weigh beside it. Cases that this machine cannot run do not weigh beside those that passed.
pub fn verdict(run: &Run, seen: Option<Sight>) -> Verdict {
    if let Some(seen) = seen {
        return Verdict::Caught(seen);
    }
    let cases = || run.scenarios.values();
    let passed = cases().filter(|case| case.status == Some(Status::Passed)).count();
    let untold = |case: &&ScenarioRun| match case.status {
        Some(Status::Passed) => false,
        Some(Status::Skipped) => passed == 0,
        Some(Status::Errored | Status::Failed) | None => true,
    };
    let Some(case) = cases().find(untold) else {
        return match passed {
            0 => Verdict::Untold { reason: "no case was run".to_owned() },
            cases => Verdict::Survived { cases },
        };
    };
    let reason = match (&case.reason, case.status) {
        (Some(reason), _) => reason.as_str(),
        (None, Some(Status::Failed)) => "it failed without an enforcement fault",
        (None, _) => "it was not judged to its end",
    };
    Verdict::Untold { reason: format!("{}: {reason}", case.info.id) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn of(lines: &[Line]) -> Verdict {
        verdict(&Run::of(lines).unwrap(), lines.iter().find_map(sight))
    }

    #[test]
    fn only_what_the_network_does_wrong_catches_a_fault() {
        let Verdict::Caught(seen) = of(&fixture::enforcement_fault()) else {
            panic!("an enforcement fault was judged")
        };
        assert_eq!(seen.case, "tiered-database");
        assert!(seen.seen.starts_with("specified "), "{}", seen.seen);
        // Neither an error, nor a cell that kept changing, nor a fault of the policies.
        for lines in [fixture::errored(), fixture::unstable(), fixture::policy_fault()] {
            assert!(lines.iter().all(|line| sight(line).is_none()));
            assert!(matches!(of(&lines), Verdict::Untold { .. }), "{:?}", of(&lines));
        }
    }

    #[test]
    fn a_fault_survives_where_cases_were_judged_and_passed() {
        assert_eq!(of(&fixture::passing()), Verdict::Survived { cases: 1 });
        assert!(matches!(of(&fixture::skipped()), Verdict::Untold { .. }));
        let none = verdict(&Run::default(), None);
        assert_eq!(none, Verdict::Untold { reason: "no case was run".to_owned() });
    }

    /// A run that is ended at the first sight leaves the rest untold.
    #[test]
    fn what_was_seen_stands_whatever_the_rest_says() {
        let seen = fixture::enforcement_fault().iter().find_map(sight);
        let rest = Run::of(&fixture::errored()).unwrap();
        assert!(matches!(verdict(&rest, seen), Verdict::Caught(_)));
    }
}
