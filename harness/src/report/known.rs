//! What is known of dataplanes in advance, held against what was seen: known deviations
//! and choices, and news of both. None of it changes a result.
//!
//! A *sighting* says that cells of a scenario come out one way. For a deviation that
//! concerns the cells of which the policies specify the other way: where one of them did
//! come out so, the deviation is met, and where all of them are as specified it is news. For
//! a choice it concerns the cells that the API leaves open, or the connections that were
//! held while a change came of which it leaves open whether it cuts them: each that came
//! out otherwise makes news. A sighting names no step, so it holds for all of them.

use crate::cluster::{Dataplane, Known, Seen, Sighting};
use crate::model::{Cell, Intent, Verdict};
use crate::run::{CellJudgement, Finding, Manner, Status, WatchedCell};
use crate::scenario::CellPattern;

use super::summary::ScenarioRun;

/// What is known of the dataplane on which a scenario ran.
pub(crate) struct Lore<'a> {
    scenario: &'a ScenarioRun,
    dataplane: Option<&'a Dataplane>,
}

/// A deviation that an enforcement fault may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deviation<'a> {
    /// A sighting covers the cell, with what was seen of it.
    Known(&'a Known),
    /// It names no cells anywhere, and the scenario is about its feature.
    Possibly(&'a Known),
}

/// What a sighting may be of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shown<'a> {
    /// A cell of a step that has settled.
    Cell(&'a CellJudgement),
    /// A connection that was held while the step's changes were made.
    Connection(&'a WatchedCell),
}

impl<'a> Shown<'a> {
    /// Between which ends it is.
    pub(crate) const fn cell(self) -> &'a Cell {
        match self {
            Self::Cell(judgement) => &judgement.cell,
            Self::Connection(held) => &held.cell,
        }
    }

    /// What became of it; `None` where that could not be told.
    pub(crate) fn seen(self) -> Option<Seen> {
        match self {
            Self::Cell(judgement) => seen(judgement),
            Self::Connection(held) if held.finding == Finding::Inconclusive => None,
            Self::Connection(held) => {
                held.open.map(|open| if open { Seen::Survive } else { Seen::Cut })
            }
        }
    }

    /// Whether the API leaves open what becomes of it.
    const fn is_left_open(self) -> bool {
        match self {
            Self::Cell(judgement) => matches!(judgement.specified.verdict, Verdict::Undefined(_)),
            Self::Connection(held) => matches!(held.specified, Some(Intent::Any)),
        }
    }
}

/// What is to be said of one sighting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told<'a> {
    /// It was met, in so many cells.
    Met(usize),
    /// Its cells are as specified now, so many of them.
    Gone(usize),
    /// So many of its cells came out otherwise, for example this one.
    Changed(usize, Shown<'a>),
    /// It says nothing here, for this reason.
    Unreadable(String),
}

/// A sighting of a scenario, and whose it is.
pub(crate) struct Report<'a> {
    pub(crate) known: &'a Known,
    pub(crate) sighting: &'a Sighting,
    /// Whether it is of a choice, rather than a deviation.
    pub(crate) choice: bool,
    pub(crate) told: Told<'a>,
}

impl Report<'_> {
    /// Whether it is news.
    pub(crate) const fn is_news(&self) -> bool {
        matches!(self.told, Told::Gone(_) | Told::Changed(..))
    }
}

impl<'a> Lore<'a> {
    /// What is known where this scenario ran. Of a negative control nothing is: it has one
    /// deviation, which is all of it.
    pub(crate) fn of(scenario: &'a ScenarioRun) -> Self {
        let dataplane = scenario.capabilities.as_ref().map(|can| &*can.dataplane);
        Self { scenario, dataplane: dataplane.filter(|dataplane| dataplane.enforces) }
    }

    /// The deviations that an enforcement fault is known to be, or may be.
    pub(crate) fn deviations(&self, judgement: &CellJudgement) -> Vec<Deviation<'a>> {
        if judgement.finding != Finding::EnforcementFault {
            return Vec::new();
        }
        let all = || self.dataplane.into_iter().flat_map(|dataplane| &dataplane.deviations);
        let known: Vec<_> = all()
            .filter(|known| self.is_known_by(known, Shown::Cell(judgement)))
            .map(Deviation::Known)
            .collect();
        if !known.is_empty() {
            return known;
        }
        let about = |known: &&Known| self.scenario.info.tags.contains(&known.feature);
        all().filter(|known| known.seen.is_empty()).filter(about).map(Deviation::Possibly).collect()
    }

    /// The choices that what the API leaves open is known for, and came out as.
    pub(crate) fn choices(&self, shown: Shown<'_>) -> Vec<&'a Known> {
        if !shown.is_left_open() {
            return Vec::new();
        }
        let choices = self.dataplane.into_iter().flat_map(|dataplane| &dataplane.choices);
        choices.filter(|known| self.is_known_by(known, shown)).collect()
    }

    fn is_known_by(&self, known: &Known, shown: Shown<'_>) -> bool {
        known.seen.iter().any(|sighting| self.covers(sighting, shown))
    }

    fn is_of(&self, sighting: &Sighting) -> bool {
        is_named(&sighting.scenario, &self.scenario.info.id)
    }

    /// Whether a sighting covers a cell, with what was seen of it.
    fn covers(&self, sighting: &Sighting, shown: Shown<'_>) -> bool {
        self.is_of(sighting)
            && shown.seen() == Some(sighting.outcome)
            && CellPattern::parse(&sighting.cells).is_ok_and(|cells| cells.matches(shown.cell()))
    }

    /// What is to be said of every sighting of this scenario.
    pub(crate) fn reports(&self) -> Vec<Report<'a>> {
        let Some(dataplane) = self.dataplane else { return Vec::new() };
        let mut reports = Vec::new();
        for (choice, all) in [(false, &dataplane.deviations), (true, &dataplane.choices)] {
            for known in all {
                for sighting in known.seen.iter().filter(|sighting| self.is_of(sighting)) {
                    let told = match CellPattern::parse(&sighting.cells) {
                        Ok(cells) if choice => self.choice(&cells, sighting.outcome),
                        Ok(cells) => self.deviation(&cells, sighting.outcome),
                        Err(error) => Some(Told::Unreadable(error.to_string())),
                    };
                    reports.extend(told.map(|told| Report { known, sighting, choice, told }));
                }
            }
        }
        reports
    }

    fn cells(&self, pattern: &CellPattern) -> Vec<&'a CellJudgement> {
        let cells = self.scenario.steps.values().flat_map(|step| &step.cells);
        cells.filter(|judgement| pattern.matches(&judgement.cell)).collect()
    }

    fn deviation(&self, pattern: &CellPattern, outcome: Seen) -> Option<Told<'a>> {
        let parts = |judgement: &&CellJudgement| match judgement.specified.verdict {
            Verdict::Allow => outcome == Seen::Deny,
            Verdict::Deny => outcome == Seen::Allow,
            Verdict::Undefined(_) | Verdict::Unknown(_) => false,
        };
        let cells: Vec<_> = self.cells(pattern).into_iter().filter(parts).collect();
        let is = |finding: Finding| cells.iter().filter(move |c| c.finding == finding);
        let met = is(Finding::EnforcementFault).filter(|c| seen(c) == Some(outcome)).count();
        let agree = is(Finding::Agrees).chain(is(Finding::KnownPolicyFault)).count();
        match (met, agree) {
            (1.., _) => Some(Told::Met(met)),
            (0, 1..) => Some(Told::Gone(agree)),
            (0, 0) => self.nothing(cells.is_empty(), "the policies specify otherwise"),
        }
    }

    fn choice(&self, pattern: &CellPattern, outcome: Seen) -> Option<Told<'a>> {
        let mut shown: Vec<Shown<'a>> = if outcome.is_of_established() {
            self.connections(pattern)
        } else {
            self.cells(pattern).into_iter().map(Shown::Cell).collect()
        };
        shown.retain(|shown| shown.is_left_open());
        let other = |shown: &&Shown<'a>| shown.seen().is_some_and(|seen| seen != outcome);
        let changed = shown.iter().filter(other).count();
        let met = shown.iter().filter(|shown| shown.seen() == Some(outcome)).count();
        match (shown.iter().find(other), met) {
            (Some(first), _) => Some(Told::Changed(changed, *first)),
            (None, 1..) => Some(Told::Met(met)),
            (None, 0) if outcome.is_of_established() && !self.is_watched() => None,
            (None, 0) => self.nothing(shown.is_empty(), "the API leaves it open"),
        }
    }

    /// The connections that were held.
    fn connections(&self, pattern: &CellPattern) -> Vec<Shown<'a>> {
        let watched = self.scenario.steps.values().filter_map(|step| step.watched.as_ref());
        let held = watched.flat_map(|watched| &watched.cells);
        let held = held.filter(|held| held.manner == Manner::Held && pattern.matches(&held.cell));
        held.map(Shown::Connection).collect()
    }

    /// Whether anything was watched: a cluster that cannot says nothing of connections.
    fn is_watched(&self) -> bool {
        self.scenario.steps.values().any(|step| step.watched.is_some())
    }

    /// A sighting without a cell is a mistake in it, if the scenario was played to its end.
    fn nothing(&self, no_cell: bool, what: &str) -> Option<Told<'a>> {
        let over = matches!(self.scenario.status, Some(Status::Passed | Status::Failed));
        (no_cell && over).then(|| Told::Unreadable(format!("it names no cell in which {what}")))
    }
}

/// Whether a run calls the library's scenario so. One whose folder was given, and not the
/// library that holds it, has an identifier without the library's folders.
fn is_named(scenario: &str, id: &str) -> bool {
    if let Some(beginning) = scenario.strip_suffix('*') {
        let inner = beginning.match_indices('/').map(|(at, _)| &beginning[at + 1..]);
        let mut names = [beginning].into_iter().chain(inner).filter(|name| !name.is_empty());
        return names.any(|name| id.starts_with(name));
    }
    let folders = scenario.strip_suffix(id);
    folders.is_some_and(|folders| folders.is_empty() || folders.ends_with('/'))
}

/// What was seen of a cell, in the words of a policy; `None` where it says neither. A
/// request that arrived without its answer was not denied, and did not connect either.
pub(crate) fn seen(judgement: &CellJudgement) -> Option<Seen> {
    let outcome = &judgement.observed.as_ref()?.outcome;
    let denied = judgement.specified.verdict == Verdict::Deny;
    if outcome.is_connected() || denied && outcome.arrived() {
        Some(Seen::Allow)
    } else {
        (outcome.arrived() || outcome.is_stopped()).then_some(Seen::Deny)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_known_by_the_folder_that_was_given() {
        for id in ["api/named-ports", "named-ports"] {
            assert!(is_named("api/named-ports", id), "{id}");
        }
        for id in ["ports", "other/named-ports", "api"] {
            assert!(!is_named("api/named-ports", id), "{id}");
        }
    }

    #[test]
    fn scenarios_are_known_by_how_they_begin() {
        for id in ["established/new-deny,ingress,tcp", "new-deny,ingress,tcp"] {
            assert!(is_named("established/new-deny,ingress,*", id), "{id}");
        }
        for id in ["established/new-deny,egress,tcp", "established/policy-lifted,ingress,tcp"] {
            assert!(!is_named("established/new-deny,ingress,*", id), "{id}");
        }
        assert!(!is_named("established/*", "api/named-ports"));
    }
}
