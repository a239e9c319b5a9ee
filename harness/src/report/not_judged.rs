//! What the clusters could not be asked: cells of scenarios that may have passed all the same.

use std::collections::{BTreeMap, BTreeSet};

use super::look::{Look, count};
use super::summary::{Run, ScenarioRun};

/// At most so many reasons are told.
const TOLD: usize = 8;

/// How many cells no cluster could be asked.
pub(crate) fn cells(run: &Run) -> usize {
    run.scenarios.values().map(ScenarioRun::not_judged).sum()
}

/// Whether why a cluster lacks something, as in `no SCTP: …`, is told as a reason: then it
/// need not be told again.
pub(crate) fn tells(run: &Run, cluster: &str, sentence: &str) -> bool {
    let why = sentence.split_once(": ").map_or(sentence, |(_, why)| why);
    told(run).iter().any(|told| told.cluster == cluster && told.reason.contains(why))
}

/// Cells of one cluster that share a reason.
struct Told<'a> {
    cluster: &'a str,
    reason: &'a str,
    cells: usize,
    scenarios: usize,
}

/// By reason, the one of most cells first.
fn told(run: &Run) -> Vec<Told<'_>> {
    let mut reasons = BTreeMap::<(&str, &str), (usize, BTreeSet<&str>)>::new();
    for ((id, cluster), scenario) in &run.scenarios {
        for some in scenario.steps.values().flat_map(|step| &step.not_judged) {
            let (cells, scenarios) = reasons.entry((cluster, &some.reason)).or_default();
            *cells += some.cells;
            scenarios.insert(id);
        }
    }
    let mut told: Vec<Told<'_>> = reasons
        .into_iter()
        .map(|((cluster, reason), (cells, scenarios))| Told {
            cluster,
            reason,
            cells,
            scenarios: scenarios.len(),
        })
        .collect();
    told.sort_by_key(|told| std::cmp::Reverse(told.cells));
    told
}

/// A line for each reason, and one for those that are left out.
pub(crate) fn render(run: &Run, look: Look) -> String {
    let several = run.is_on_several();
    let all = told(run);
    let mut text = String::new();
    for Told { cluster, reason, cells, scenarios } in all.iter().take(TOLD) {
        let on = if several { format!(" on {cluster}") } else { String::new() };
        let line = format!(
            "not judged: {} of {}{on}: {reason}",
            count(*cells, "cell"),
            count(*scenarios, "scenario"),
        );
        text += &look.wrap("", "      ", &line);
    }
    if let Some(rest) = all.get(TOLD..).filter(|rest| !rest.is_empty()) {
        let cells = rest.iter().map(|told| told.cells).sum();
        let line = format!(
            "not judged: {} for {}: `--record` keeps them",
            count(cells, "cell"),
            count(rest.len(), "more reason"),
        );
        text += &look.wrap("", "      ", &line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::run::{Event, NotJudged};

    /// A run in which step after step leaves cells out, for as many reasons as asked for.
    fn run(reasons: usize) -> Run {
        let mut lines = fixture::passing();
        for line in &mut lines {
            if let Event::StepJudged { not_judged, .. } = &mut line.event {
                *not_judged = (1..=reasons)
                    .map(|n| NotJudged { reason: format!("`embedded` lacks {n}"), cells: n })
                    .collect();
            }
        }
        Run::of(&lines).unwrap()
    }

    #[test]
    fn the_reason_of_most_cells_is_told_first() {
        let text = render(&run(2), Look::PLAIN);
        assert_eq!(
            text,
            "not judged: 2 cells of 1 scenario: `embedded` lacks 2\n\
             not judged: 1 cell of 1 scenario: `embedded` lacks 1\n"
        );
    }

    #[test]
    fn reasons_beyond_a_bound_are_counted() {
        let run = run(TOLD + 2);
        let text = render(&run, Look::PLAIN);
        assert_eq!(text.lines().count(), TOLD + 1, "{text}");
        assert!(text.ends_with("not judged: 3 cells for 2 more reasons: `--record` keeps them\n"));
        assert_eq!(cells(&run), 55);
    }

    #[test]
    fn nothing_is_told_where_everything_was_judged() {
        assert_eq!(render(&run(0), Look::PLAIN), "");
    }
}
