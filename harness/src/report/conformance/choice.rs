//! What a cluster did where the API leaves it open.

use super::model::Choice;
use crate::cluster::Seen;
use crate::model::Verdict;
use crate::report::ScenarioRun;
use crate::report::difference::Difference;
use crate::report::known::{Lore, seen};
use crate::run::{CaseInfo, CellJudgement, Level, Reason};

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
    for choice in cells.iter().flat_map(|cell| lore.choices(cell)) {
        let told = format!("choice `{}`: {} ({})", choice.id, choice.what, choice.link);
        if !known.contains(&told) {
            known.push(told);
        }
    }
    Some(Choice {
        case: scenario.info.id.clone(),
        about: scenario.info.about.clone(),
        sentence: (&case.api).into(),
        left_open_by: left_open_by?.to_owned(),
        allowed: of(Seen::Allow),
        denied: of(Seen::Deny),
        known,
    })
}
