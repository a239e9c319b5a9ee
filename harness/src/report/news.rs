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

/// What became of a sighting.
pub(crate) fn sentence(report: &Report<'_>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// The scenario's run on a cluster, of a record on several.
    fn scenario(change: impl Fn(&mut ScenarioRun)) -> ScenarioRun {
        let mut run = Run::of(&fixture::clusters()).unwrap();
        let key = ("tiered-database".to_owned(), "kind:calico".to_owned());
        let mut scenario = run.scenarios.remove(&key).unwrap();
        change(&mut scenario);
        scenario
    }

    fn told(scenario: &ScenarioRun) -> Vec<String> {
        let lore = Lore::of(scenario);
        let cells = scenario.steps.values().flat_map(|step| &step.cells);
        cells.flat_map(|cell| lore.deviations(cell)).map(deviation).collect()
    }

    fn forget(scenario: &mut ScenarioRun, id: &str) {
        let can = scenario.capabilities.as_mut().unwrap();
        can.dataplane.deviations.retain(|known| known.id != id);
    }

    #[test]
    fn a_fault_is_a_known_deviation_or_possibly_one_of_its_feature() {
        let known = "deviation `one-family`: policies are enforced for one family alone (https://example.org/one-family)";
        assert_eq!(told(&scenario(|_| ())), [known]);
        // Without a sighting of the cell, what names no cells may be it.
        let vague = "possibly deviation `vague` of dual-stack: policies are enforced for one family alone (https://example.org/vague)";
        assert_eq!(told(&scenario(|scenario| forget(scenario, "one-family"))), [vague]);
        let untagged = scenario(|scenario| {
            forget(scenario, "one-family");
            scenario.info.tags.clear();
        });
        assert!(told(&untagged).is_empty());
    }

    #[test]
    fn nothing_known_changes_how_a_scenario_ended() {
        let run = Run::of(&fixture::clusters()).unwrap();
        assert_eq!((known_faults(&run), super::news(&run)), (1, 2));
        assert_eq!(run.counts().failed, 1);
        assert_eq!(run.finished.unwrap().exit_code, 1);
    }
}
