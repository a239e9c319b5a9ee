//! The report after a run: what failed and why, what is known to be wrong,
//! what the API leaves open, and the summary.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::known::Lore;
use super::look::{DOUBTFUL, FAINT, KNOWN, Look, count, tame};
use super::mark::Mark;
use super::open;
use super::summary::{BundleRun, Run, ScenarioRun, StepRun};
use super::{comparison, difference, grid, induced, live, news, totals, watched};
use crate::run::{CellJudgement, Finding, Status};

/// The whole report.
pub fn render(run: &Run, look: Look) -> String {
    let mut sections = String::new();
    for ((_, cluster), scenario) in &run.scenarios {
        if totals::has_section(run, scenario) {
            let _ = writeln!(sections, "{}", self::scenario(scenario, cluster, look));
        }
    }
    report(run, &sections, look)
}

/// As [`render`], with one of the scenarios that failed or erred in full: this one, by id and
/// cluster, or else the first. The others have a line each, since most of them show the same.
pub fn brief(run: &Run, full: Option<(&str, &str)>, look: Look) -> String {
    let told = run.scenarios.iter().filter(|(_, scenario)| totals::has_section(run, scenario));
    let told: Vec<_> = told.collect();
    let is_full = |key: &(String, String)| full == Some((key.0.as_str(), key.1.as_str()));
    let full = told.iter().find(|(key, _)| is_full(key)).or(told.first()).copied();
    let mut sections = String::new();
    if let Some(((_, cluster), scenario)) = full {
        let _ = writeln!(sections, "{}", self::scenario(scenario, cluster, look));
    }
    let others = told.into_iter().filter(|(key, _)| full.is_none_or(|(own, _)| own != *key));
    let lines: Vec<String> =
        others.map(|((_, cluster), scenario)| line(run, scenario, cluster, look)).collect();
    if !lines.is_empty() {
        let more = count(lines.len(), "more scenario");
        let title = format!("{more} failed or could not be told");
        let _ = writeln!(sections, "{}\n{}", look.heading(&title), lines.concat());
    }
    report(run, &sections, look)
}

/// One line for a scenario that failed or erred: what is worst of it, with an example.
fn line(run: &Run, scenario: &ScenarioRun, cluster: &str, look: Look) -> String {
    let cells = scenario.steps.values().flat_map(|step| &step.cells);
    let worst = cells.filter_map(|cell| Some((difference::rank(&cell.finding)?, cell)));
    let worst = worst.min_by_key(|(rank, _)| *rank).map(|(_, cell)| cell);
    let told = match (worst, &scenario.reason) {
        (Some(cell), _) if scenario.status == Some(Status::Failed) => {
            let number = scenario.count(std::slice::from_ref(&cell.finding));
            let of = difference::name(&cell.finding);
            format!("{of}: {}, for example {}", count(number, "cell"), cell.cell)
        }
        (_, Some(reason)) => reason.clone(),
        (Some(cell), None) => format!("{}: {}", difference::name(&cell.finding), cell.cell),
        (None, None) => "no reason given".to_owned(),
    };
    let on = if run.is_on_several() { format!(" on {cluster}") } else { String::new() };
    let text = format!("{} {}{on}  {told}", live::word(scenario.status, look), scenario.info.id);
    look.wrap("  ", "        ", &text)
}

fn report(run: &Run, scenarios: &str, look: Look) -> String {
    let mut text = String::new();
    if let Some(section) = induced::render(run, look) {
        let _ = writeln!(text, "{section}");
    }
    text += scenarios;
    let several = run.is_on_several();
    let sections = [
        broken_claims(run, look),
        watched::render(run, look),
        open::render(run, look),
        news::render(run, look),
        several.then(|| comparison::differences(run, look)).flatten(),
    ];
    for section in sections.into_iter().flatten() {
        let _ = writeln!(text, "{section}");
    }
    text += &totals::render(run, look);
    tame(&text, look.color)
}

/// What is to be said of one scenario that failed or erred.
pub fn scenario(scenario: &ScenarioRun, cluster: &str, look: Look) -> String {
    let mut text = format!(
        "{} {}{}\n",
        live::word(scenario.status, look),
        look.heading(&scenario.info.id),
        look.paint(FAINT, &format!(" on {cluster}")),
    );
    if !scenario.info.about.is_empty() {
        text += &look.wrap("  ", "  ", &scenario.info.about);
    }
    if let Some(reason) = &scenario.reason {
        text += &look.wrap("  ", "  ", &look.paint(DOUBTFUL, reason));
    }
    for (index, step) in &scenario.steps {
        if matches!(step.status, Some(Status::Failed | Status::Errored)) {
            text += &self::step(*index, step, scenario, look);
        }
    }
    if let Some(BundleRun { folder, files }) = &scenario.bundle {
        let line = format!("more of it: {} in {folder}", count(*files, "file"));
        text += &format!("\n{}", look.wrap("  ", "    ", &line));
    }
    tame(&text, look.color)
}

fn step(index: usize, step: &StepRun, of: &ScenarioRun, look: Look) -> String {
    let title = format!("step {} of {}: {}", index + 1, of.step_count(), step.name);
    let mut text = format!("\n{}", look.wrap("  ", "    ", &look.heading(&title)));
    for change in &step.changes {
        text += &look.wrap("  + ", "    ", &look.paint(FAINT, change));
    }
    if !step.cells.is_empty() {
        text.push('\n');
        let marks = step.cells.iter().map(|cell| (cell.cell.clone(), Mark::judged(cell)));
        text += &grid::render(marks, look);
        text += &difference::render(&step.cells, &Lore::of(of), look);
    }
    text += &watched::step(step, look);
    if !step.notes.is_empty() {
        text.push('\n');
    }
    for note in &step.notes {
        text += &look.wrap("  note: ", "        ", note);
    }
    text
}

/// How many findings of a rejected manifest are told.
const TOLD: usize = 3;

/// Published policies that break their claim, as their scenarios say they do: cells that
/// part, and manifests that the API server refuses.
fn broken_claims(run: &Run, look: Look) -> Option<String> {
    let mut text = String::new();
    let mut told = BTreeSet::new();
    for ((id, _), scenario) in &run.scenarios {
        let steps: Vec<(&StepRun, Vec<&CellJudgement>)> = scenario
            .steps
            .values()
            .map(|step| (step, step.found(&Finding::KnownPolicyFault).collect::<Vec<_>>()))
            .filter(|(step, cells)| !cells.is_empty() || !step.rejected.is_empty())
            .collect();
        // What policies say is the same on every cluster.
        if steps.is_empty() || !told.insert(id) {
            continue;
        }
        let _ = write!(text, "\n{}", look.wrap("  ", "  ", &look.heading(id)));
        if !scenario.info.about.is_empty() {
            text += &look.wrap("    ", "    ", &scenario.info.about);
        }
        for (step, cells) in steps {
            if !step.rejected.is_empty() {
                text += &refused(step, look);
            }
            if !cells.is_empty() {
                let line = format!("{}: {}, for example", step.name, count(cells.len(), "cell"));
                text += &look.wrap("    ", "    ", &line);
                text += &difference::example(&cells, look);
            }
        }
    }
    if text.is_empty() {
        return None;
    }
    let title = look.paint(KNOWN.bold(), "policies that break their claim");
    let told =
        "meant one thing, say another or are refused; each scenario lists where, and holds it";
    Some(format!("{title}\n{}{text}", look.wrap("  ", "  ", &look.paint(FAINT, told))))
}

/// What the API server says of a step's rejected manifests.
fn refused(step: &StepRun, look: Look) -> String {
    let line = format!("{}: the API server refuses it", step.name);
    let mut text = look.wrap("    ", "    ", &line);
    let sign = look.paint(KNOWN, "k");
    for found in step.rejected.iter().take(TOLD) {
        let line = format!("{}: {}", found.origin, found.message);
        text += &look.wrap(&format!("    {sign} "), "      ", &line);
    }
    let more = step.rejected.len().saturating_sub(TOLD);
    if more > 0 {
        let line = format!("… and {}", count(more, "more such finding"));
        text += &look.wrap("      ", "      ", &look.paint(FAINT, &line));
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{ExpectFile, expect_file};
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::report::fixture;
    use crate::run::{Event, Line};

    const WIDE: Look = Look { width: Some(80), color: false };
    const NARROW: Look = Look { width: Some(60), color: false };

    fn check(lines: &[Line], look: Look, golden: ExpectFile) {
        golden.assert_eq(&render(&Run::of(lines).unwrap(), look));
    }

    #[test]
    fn golden_reports() {
        let all = [
            (fixture::passing(), expect_file!["../../tests/golden/report/passing.txt"]),
            (fixture::policy_fault(), expect_file!["../../tests/golden/report/policy-fault.txt"]),
            (
                fixture::enforcement_fault(),
                expect_file!["../../tests/golden/report/enforcement-fault.txt"],
            ),
            (fixture::known_faults(), expect_file!["../../tests/golden/report/known-faults.txt"]),
            (fixture::errored(), expect_file!["../../tests/golden/report/errored.txt"]),
            (fixture::undecided(), expect_file!["../../tests/golden/report/undecided.txt"]),
            (
                fixture::without_rights(),
                expect_file!["../../tests/golden/report/without-rights.txt"],
            ),
            (fixture::skipped(), expect_file!["../../tests/golden/report/skipped.txt"]),
            (fixture::unstable(), expect_file!["../../tests/golden/report/unstable.txt"]),
        ];
        for (lines, golden) in all {
            check(&lines, WIDE, golden);
        }
    }

    #[test]
    fn several_clusters_are_compared() {
        let lines = fixture::clusters();
        check(&lines, WIDE, expect_file!["../../tests/golden/report/clusters.txt"]);
        check(&lines, NARROW, expect_file!["../../tests/golden/report/clusters-narrow.txt"]);
        let lines = fixture::disagreement();
        check(&lines, Look::PLAIN, expect_file!["../../tests/golden/report/disagreement.txt"]);
    }

    #[test]
    fn what_was_noticed_of_a_cluster_is_told_once() {
        let mut lines = fixture::passing();
        let event = Event::Noticed { what: "nothing is enforced here".to_owned() };
        let cluster = "embedded".to_owned();
        lines.insert(2, Line { at: lines[1].at, cluster, scenario: String::new(), event });
        let text = render(&Run::of(&lines).unwrap(), WIDE);
        assert_eq!(text.matches("embedded: nothing is enforced here\n").count(), 1, "{text}");
    }

    #[test]
    fn of_many_that_failed_one_is_told_in_full() {
        let run = Run::of(&fixture::many()).unwrap();
        let text = brief(&run, None, WIDE);
        expect_file!["../../tests/golden/report/many-brief.txt"].assert_eq(&text);
        let bad = |text: &str| {
            let is_bad = |line: &&str| line.starts_with("FAIL ") && line.contains(" on embedded");
            text.lines().filter(is_bad).count()
        };
        assert!(bad(&render(&run, WIDE)) > 1 && bad(&text) == 1, "{text}");
        let other = run.scenarios.iter().rfind(|(_, one)| totals::has_section(&run, one));
        let (id, cluster) = other.unwrap().0;
        let text = brief(&run, Some((id, cluster)), WIDE);
        assert!(text.contains(&format!("{id} on {cluster}\n")), "{text}");
    }

    #[test]
    fn narrow_plain_and_coloured() {
        let lines = fixture::many();
        check(&lines, NARROW, expect_file!["../../tests/golden/report/many-narrow.txt"]);
        check(&lines, Look::PLAIN, expect_file!["../../tests/golden/report/many-plain.txt"]);
        check(
            &fixture::enforcement_fault(),
            Look { color: true, ..WIDE },
            expect_file!["../../tests/golden/report/enforcement-fault-colour.txt"],
        );
    }

    #[test]
    fn colour_adds_nothing_but_escapes() {
        for lines in fixture::all() {
            let run = Run::of(&lines).unwrap();
            let coloured = render(&run, Look { color: true, ..WIDE });
            let stripped = anstream::adapter::strip_str(&coloured).to_string();
            assert_eq!(stripped, render(&run, WIDE));
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_unless_a_place_is() {
        let run = Run::of(&fixture::many()).unwrap();
        for line in render(&run, NARROW).lines() {
            let longest = line.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
            assert!(line.width() <= 60 || longest > 40, "{line}");
        }
    }

    #[test]
    fn a_record_that_breaks_off_is_no_pass() {
        let mut lines = fixture::passing();
        lines.pop();
        let text = render(&Run::of(&lines).unwrap(), WIDE);
        assert!(text.contains("the record breaks off"), "{text}");
    }
}
