//! The section about what is known of dataplanes: what was met, and what is news.

use super::known::{Deviation, Lore, Report, Shown, Told};
use super::look::{DOUBTFUL, FAINT, KNOWN, Look, count};
use super::summary::{Run, ScenarioRun};
use crate::cluster::{Known, Seen};

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

/// What they are called of which this is said.
const fn noun(outcome: Seen) -> &'static str {
    if outcome.is_of_established() { "connection" } else { "cell" }
}

/// What they are said to do.
const fn said(outcome: Seen) -> &'static str {
    match outcome {
        Seen::Allow => "be open",
        Seen::Deny => "be shut",
        Seen::Survive => "survive",
        Seen::Cut => "be cut",
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
        Told::Met(n) => {
            format!("{} as described: {what} ({link})", count(*n, noun(sighting.outcome)))
        }
        Told::Gone(n) => format!(
            "no longer seen: of `{cells}`, said to {}, {} as specified ({link})",
            said(sighting.outcome),
            count(*n, "cell") + if *n == 1 { " is" } else { " are" },
        ),
        Told::Changed(n, first) => {
            let verb = match (sighting.outcome, n) {
                (Seen::Survive, 1) => "does",
                (Seen::Survive, _) => "do",
                (_, 1) => "is",
                _ => "are",
            };
            format!(
                "changed: of `{cells}`, said to {}, {} {verb} not, for example {} ({link})",
                said(sighting.outcome),
                count(*n, noun(sighting.outcome)),
                example(*first),
            )
        }
        Told::Unreadable(why) => format!("`{cells}`: {why}"),
    }
}

fn example(shown: Shown<'_>) -> String {
    let does = match shown.seen() {
        Some(Seen::Allow) => "is open",
        Some(Seen::Deny) => "is shut",
        Some(Seen::Survive) => "survives",
        Some(Seen::Cut) => "is cut",
        None => "is neither",
    };
    format!("{}, which {does}", shown.cell())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Sighting;
    use crate::report::{fixture, watched};

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

    /// What is told of one choice about the connections that a run held.
    fn told_of_connections(
        cells: &str,
        outcome: Seen,
        change: fn(&mut ScenarioRun),
    ) -> Vec<String> {
        let mut run = Run::of(&watched::fixture::watched()).unwrap();
        let (_, scenario) = run.scenarios.iter_mut().next().unwrap();
        let known = Known {
            id: "established".to_owned(),
            feature: "established".to_owned(),
            what: "what becomes of them".to_owned(),
            seen: vec![Sighting {
                scenario: "tiered-*".to_owned(),
                cells: cells.to_owned(),
                outcome,
            }],
            link: "https://example.org".to_owned(),
        };
        scenario.capabilities.as_mut().unwrap().dataplane.choices = vec![known];
        change(scenario);
        Lore::of(scenario).reports().iter().map(sentence).collect()
    }

    #[test]
    fn connections_that_come_out_otherwise_than_declared_are_news() {
        let told = |cells, outcome| told_of_connections(cells, outcome, |_| ());
        let tcp = "prod/web -> prod/db:3306/TCP";
        assert_eq!(
            told(tcp, Seen::Survive),
            ["1 connection as described: what becomes of them (https://example.org)"]
        );
        assert_eq!(
            told(tcp, Seen::Cut),
            [
                "changed: of `prod/web -> prod/db:3306/TCP`, said to be cut, 1 connection is not, for example prod/web -> prod/db:3306/TCP over ipv4, which survives (https://example.org)"
            ]
        );
        assert_eq!(
            told("prod/web -> prod/db", Seen::Survive),
            [
                "changed: of `prod/web -> prod/db`, said to survive, 1 connection does not, for example prod/web -> prod/db:53/UDP over ipv4, which is cut (https://example.org)"
            ]
        );
        // What is tried anew is no connection that was there before.
        assert_eq!(
            told("prod/dev -> prod/db", Seen::Survive),
            ["`prod/dev -> prod/db`: it names no cell in which the API leaves it open"]
        );
    }

    #[test]
    fn what_was_not_watched_says_nothing_of_connections() {
        let of = |change| told_of_connections("prod/web -> prod/db", Seen::Cut, change);
        assert!(
            of(|scenario| scenario.steps.values_mut().for_each(|step| step.watched = None))
                .is_empty()
        );
        let untold = of(|scenario| {
            let steps = scenario.steps.values_mut().filter_map(|step| step.watched.as_mut());
            let cells = steps.flat_map(|watched| &mut watched.cells);
            cells.for_each(|cell| cell.finding = crate::run::Finding::Inconclusive);
        });
        assert!(untold.is_empty(), "{untold:?}");
    }
}
