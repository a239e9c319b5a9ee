//! What a cluster did where the API leaves it open.

use super::model::Choice;
use crate::cluster::Seen;
use crate::model::Verdict;
use crate::report::ScenarioRun;
use crate::report::difference::Difference;
use crate::report::known::{Lore, Shown, seen};
use crate::run::{CaseInfo, CellJudgement, Level, Manner, Reason, WatchedCell};

/// The choices that a case was made to show: of a case about something else, none.
pub(super) fn choice(case: &CaseInfo, scenario: &ScenarioRun) -> Option<Choice> {
    if case.level != Level::Undefined {
        return None;
    }
    let mut cells: Vec<&CellJudgement> = Vec::new();
    let mut left_open_by = None;
    for (index, step) in &scenario.steps {
        for judged in &step.cells {
            let Verdict::Undefined(clause) = judged.specified.verdict else { continue };
            if case.decides(*index, &judged.cell).is_some_and(|cell| cell.by == Reason::Open) {
                cells.push(judged);
                left_open_by.get_or_insert(clause.sentence());
            }
        }
    }
    let of = |wanted: Seen| {
        let some = cells.iter().copied().filter(|cell| seen(cell) == Some(wanted));
        Difference::connections(&some.collect::<Vec<_>>())
    };
    let lore = Lore::of(scenario);
    let mut known: Vec<String> = Vec::new();
    let shown = cells.iter().copied().map(Shown::Cell).chain(held(scenario).map(Shown::Connection));
    for choice in shown.flat_map(|shown| lore.choices(shown)) {
        let told = format!("choice `{}`: {} ({})", choice.id, choice.what, choice.link);
        if !known.contains(&told) {
            known.push(told);
        }
    }
    let watched = watched(scenario);
    if left_open_by.is_none() && watched.is_empty() {
        return None;
    }
    Some(Choice {
        case: scenario.info.id.clone(),
        about: scenario.info.about.clone(),
        sentence: (&case.api).into(),
        left_open_by: left_open_by.unwrap_or(&case.api.text).to_owned(),
        allowed: of(Seen::Allow),
        denied: of(Seen::Deny),
        watched,
        known,
    })
}

fn watched_cells(scenario: &ScenarioRun) -> impl Iterator<Item = &WatchedCell> {
    let watched = scenario.steps.values().filter_map(|step| step.watched.as_ref());
    watched.flat_map(|watched| &watched.cells)
}

/// The connections that were held.
fn held(scenario: &ScenarioRun) -> impl Iterator<Item = &WatchedCell> {
    watched_cells(scenario).filter(|cell| cell.manner == Manner::Held)
}

/// What became of the connections that were watched.
pub(super) fn watched(scenario: &ScenarioRun) -> Vec<String> {
    let word = |manner: Manner| match manner {
        Manner::Held => "held",
        Manner::Tried => "tried",
    };
    watched_cells(scenario)
        .map(|cell| format!("{} {}: {}", word(cell.manner), cell.cell, cell.told))
        .collect()
}
