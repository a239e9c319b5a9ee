//! The section about what is known of dataplanes: what was met, and what is news.

use super::known::{Deviation, Lore, Report, Told, seen};
use super::look::{DOUBTFUL, FAINT, KNOWN, Look, count};
use super::summary::{Run, ScenarioRun};
use crate::cluster::{Known, Seen};
use crate::run::CellJudgement;

/// How many pieces of news there are.
pub(crate) fn news(run: &Run) -> usize {
    run.scenarios
        .values()
        .flat_map(|scenario| Lore::of(scenario).reports())
        .filter(Report::is_news)
        .count()
}

/// How many enforcement faults are known deviations.
pub(crate) fn known_faults(run: &Run) -> usize {
    run.scenarios.values().map(known_faults_of).sum()
}

fn known_faults_of(scenario: &ScenarioRun) -> usize {
    let lore = Lore::of(scenario);
    let cells = scenario.steps.values().flat_map(|step| &step.cells);
    cells
        .filter(|cell| {
            lore.deviations(cell).iter().any(|found| matches!(found, Deviation::Known(_)))
        })
        .count()
}

/// The line about a fault that is a known deviation, or may be.
pub(crate) fn deviation(deviation: Deviation<'_>) -> String {
    match deviation {
        Deviation::Known(known) => {
            format!("deviation `{}`: {} ({})", known.id, known.what, known.link)
        }
        Deviation::Possibly(known) => format!(
            "possibly deviation `{}` of {}: {} ({})",
            known.id, known.feature, known.what, known.link
        ),
    }
}

const fn word(seen: Seen) -> &'static str {
    match seen {
        Seen::Allow => "open",
        Seen::Deny => "shut",
    }
}

/// The section, where there is anything to say.
pub(crate) fn render(run: &Run, look: Look) -> Option<String> {
    let (mut met, mut news, mut unreadable) = (String::new(), String::new(), String::new());
    for ((id, cluster), scenario) in &run.scenarios {
        for report in Lore::of(scenario).reports() {
            let line = format!("{}, {id}: {}", named(cluster, &report), sentence(&report));
            match report.told {
                Told::Met(_) if report.choice => met += &look.wrap("  c  ", "     ", &line),
                Told::Met(_) => met += &look.wrap("  d  ", "     ", &line),
                Told::Gone(_) | Told::Changed(..) => {
                    let sign = look.paint(KNOWN, "!");
                    news += &look.wrap(&format!("  {sign}  "), "     ", &line);
                }
                Told::Unreadable(_) => {
                    let sign = look.paint(DOUBTFUL, "?");
                    unreadable += &look.wrap(&format!("  {sign}  "), "     ", &line);
                }
            }
        }
    }
    let mut text = String::new();
    for (title, about, lines) in [
        (
            "known of the clusters",
            "deviations (d) are faults all the same; choices (c) are none",
            met,
        ),
        ("news", "the description of the cluster says otherwise", news),
        ("descriptions that say nothing", "see `seen` of the deviation or choice", unreadable),
    ] {
        if !lines.is_empty() {
            let sep = if text.is_empty() { "" } else { "\n" };
            text += &format!(
                "{sep}{}\n{}{lines}",
                look.heading(title),
                look.wrap("  ", "  ", &look.paint(FAINT, about))
            );
        }
    }
    (!text.is_empty()).then_some(text)
}

fn named(cluster: &str, report: &Report<'_>) -> String {
    let kind = if report.choice { "choice" } else { "deviation" };
    format!("{cluster}: {kind} `{}`", report.known.id)
}

fn sentence(report: &Report<'_>) -> String {
    let Report { known: Known { what, link, .. }, sighting, told, .. } = report;
    let cells = &sighting.cells;
    match told {
        Told::Met(n) => format!("{} as described: {what} ({link})", count(*n, "cell")),
        Told::Gone(n) => format!(
            "no longer seen: of `{cells}`, said to be {}, {} as specified ({link})",
            word(sighting.outcome),
            count(*n, "cell") + if *n == 1 { " is" } else { " are" },
        ),
        Told::Changed(n, first) => format!(
            "changed: of `{cells}`, said to be {}, {} not, for example {} ({link})",
            word(sighting.outcome),
            count(*n, "cell") + if *n == 1 { " is" } else { " are" },
            example(first),
        ),
        Told::Unreadable(why) => format!("`{cells}`: {why}"),
    }
}

fn example(judgement: &CellJudgement) -> String {
    format!("{}, which is {}", judgement.cell, seen(judgement).map_or("neither", word))
}
