//! What connections did while something changed: faults in full, and what was measured.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::difference;
use super::look::{BAD, DOUBTFUL, Look, count, duration};
use super::summary::{Run, StepRun};
use crate::model::Intent;
use crate::run::{Finding, Manner, WatchedCell};

/// How many cells of one finding are told in full.
const TOLD: usize = 5;

/// The findings that make a step fail or err, the gravest first.
const ORDER: [Finding; 3] =
    [Finding::EnforcementFault, Finding::PolicyFault, Finding::Inconclusive];

/// What was watched in a step and is not as it should be; empty where all is.
pub(crate) fn step(step: &StepRun, look: Look) -> String {
    let cells = step.watched.iter().flat_map(|watched| &watched.cells);
    let mut text = String::new();
    for finding in ORDER {
        let found: Vec<&WatchedCell> =
            cells.clone().filter(|cell| cell.finding == finding).collect();
        if found.is_empty() {
            continue;
        }
        let style = if finding == Finding::Inconclusive { DOUBTFUL } else { BAD };
        let line = format!(
            "while it changed, {}: {}",
            difference::name(&finding),
            count(found.len(), "cell")
        );
        text += &format!("\n{}", look.wrap("  ", "  ", &look.paint(style.bold(), &line)));
        for cell in found.iter().take(TOLD) {
            text += &full(cell, look);
        }
        let more = found.len().saturating_sub(TOLD);
        if more > 0 {
            text += &look.wrap("     ", "     ", &format!("… and {}", count(more, "more cell")));
        }
    }
    text
}

/// One cell with all that is to be said of it.
fn full(cell: &WatchedCell, look: Look) -> String {
    let manner = match cell.manner {
        Manner::Held => "held",
        Manner::Tried => "tried all the time",
    };
    let heading = look.heading(&cell.cell.to_string());
    let mut text = format!("\n{}", look.wrap("     ", "     ", &format!("{heading}, {manner}")));
    let mut field = |name: &str, value: &str| {
        text += &look.wrap(&format!("     {name:<11}"), &" ".repeat(16), value);
    };
    field("intended", &format!("{} all the time, by `{}`", cell.intended, cell.rule));
    field("specified", specified(cell));
    field("observed", &cell.told);
    if let Some(why) = &cell.why {
        field("why", why);
    }
    text
}

fn specified(cell: &WatchedCell) -> &'static str {
    match cell.specified {
        Some(Intent::Allow) => "allow all the time",
        Some(Intent::Deny) => "deny all the time",
        Some(Intent::Any) if cell.manner == Manner::Tried => "may turn while it changes",
        Some(Intent::Any) => "left open",
        None => "not known",
    }
}

/// What a measurement is about, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    /// Connections under a new deny.
    Connections,
    /// Pods that come under policies that were handled before.
    Start,
    /// What pods that come are allowed, or denied by what comes with them.
    Coming,
    /// What stays denied, or allowed.
    Throughout,
    /// What changes.
    Turning,
}

impl About {
    /// `None` where nothing was seen that says anything.
    fn of(cell: &WatchedCell) -> Option<Self> {
        cell.open.filter(|_| cell.finding != Finding::Inconclusive)?;
        Some(match (cell.manner, cell.specified?, cell.comes) {
            (Manner::Held, Intent::Any, _) => Self::Connections,
            (Manner::Tried, Intent::Deny, true) => Self::Start,
            (Manner::Tried, Intent::Any, true) => Self::Coming,
            (Manner::Tried, Intent::Any, false) => Self::Turning,
            _ => Self::Throughout,
        })
    }
}

/// The section, where anything was watched.
pub(crate) fn render(run: &Run, look: Look) -> Option<String> {
    let mut found = BTreeMap::<(&str, About), Vec<(&str, &WatchedCell)>>::new();
    for ((id, cluster), scenario) in &run.scenarios {
        let watched = scenario.steps.values().filter_map(|step| step.watched.as_ref());
        for cell in watched.flat_map(|watched| &watched.cells) {
            if let Some(about) = About::of(cell) {
                found.entry((cluster, about)).or_default().push((id, cell));
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    let mut text = look.heading("while something changed");
    text.push('\n');
    for ((cluster, about), cells) in found {
        let on = if run.is_on_several() { format!("{cluster}: ") } else { String::new() };
        let scenarios: BTreeSet<&str> = cells.iter().map(|(id, _)| *id).collect();
        let cells: Vec<&WatchedCell> = cells.into_iter().map(|(_, cell)| cell).collect();
        let line =
            format!("{on}{} ({})", sentence(about, &cells), count(scenarios.len(), "scenario"));
        text += &look.wrap("  ", "     ", &line);
    }
    Some(text)
}

/// The latest of the moments at which cells turned, of those that did.
fn latest<'c>(cells: impl Iterator<Item = &'c &'c WatchedCell>) -> Option<Duration> {
    cells.filter_map(|cell| cell.turned).max()
}

fn sentence(about: About, cells: &[&WatchedCell]) -> String {
    let open = |open| cells.iter().filter(move |cell| cell.open == Some(open));
    let attempts: usize =
        cells.iter().map(|cell| cell.through.attempts + cell.stopped.attempts).sum();
    let through: usize = cells.iter().map(|cell| cell.through.attempts).sum();
    match about {
        About::Connections => {
            let (survive, cut) = (open(true).count(), open(false).count());
            let mut text = format!(
                "{} under a new deny: {survive} survived, {cut} cut",
                count(cells.len(), "connection")
            );
            if let Some(last) = latest(open(false)) {
                text += &format!(", the last after {}", duration(last));
            }
            if let Some(why) = cells.iter().find_map(|cell| cell.why.as_deref()) {
                text += &format!("; {why}");
            }
            text
        }
        About::Start => format!(
            "{} of pods that came under their policies: {through} of {} got through{}",
            count(cells.len(), "denied cell"),
            count(attempts, "attempt"),
            within(cells.iter().filter_map(|cell| cell.through.last).max()),
        ),
        About::Coming | About::Turning => {
            let what = if about == About::Coming { "of pods that came" } else { "that changed" };
            let parts = [true, false].map(|end| {
                let (of, kept): (Vec<_>, Vec<_>) = open(end).partition(|cell| turned(cell));
                let (word, state) = if end { ("opened", "open") } else { ("closed", "shut") };
                let last = duration(latest(of.iter().copied()).unwrap_or_default());
                let of = format!("{} {word}, the last after {last}", of.len());
                [of, format!("{} {state} from the first attempt on", kept.len())]
            });
            let parts: Vec<String> = parts.concat();
            let told = parts.into_iter().filter(|part| !part.starts_with("0 "));
            let told = told.collect::<Vec<_>>().join("; ");
            format!("{} {what}: {told}", count(cells.len(), "cell"))
        }
        About::Throughout => {
            let wrong = |cell: &&&WatchedCell| cell.finding == Finding::EnforcementFault;
            format!(
                "{} that changes leave as they are: {} did not stay so, in {}",
                count(cells.len(), "cell"),
                cells.iter().filter(wrong).count(),
                count(attempts, "attempt")
            )
        }
    }
}

/// Whether it was seen both open and shut.
fn turned(cell: &WatchedCell) -> bool {
    cell.through.attempts > 0 && cell.stopped.attempts > 0
}

/// `, the last after 3.2 ms`.
fn within(last: Option<Duration>) -> String {
    last.map(|last| format!(", the last after {}", duration(last))).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod fixture;

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::super::terminal;
    use super::*;

    const WIDE: Look = Look { width: Some(80), color: false };

    #[test]
    fn faults_and_measurements_are_told() {
        for (lines, golden) in [
            (fixture::watched(), expect_file!["../../tests/golden/report/watched.txt"]),
            (
                fixture::watched_faults(),
                expect_file!["../../tests/golden/report/watched-faults.txt"],
            ),
        ] {
            golden.assert_eq(&terminal::render(&Run::of(&lines).unwrap(), WIDE));
        }
    }
}
