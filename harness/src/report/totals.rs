//! The summary table, and the lines beneath it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::style::Style;
use tabled::settings::{Alignment, Modify, Padding};
use unicode_width::UnicodeWidthStr;

use super::look::{BAD, DOUBTFUL, FAINT, GOOD, Look, count, duration};
use super::summary::{Preparation, Run, ScenarioRun, StepRun};
use super::{comparison, live, news, not_judged};
use crate::run::{Counts, Finding, Status};

/// A scenario's name keeps at least this many columns.
const LEAST_NAME: usize = 16;

/// At most so many scenarios that share a reason are named.
pub(crate) const NAMED: usize = 3;

/// Whether a scenario has a section of its own, which then tells its reason. Where there is
/// nothing but a reason, or many share one and broke off before their first step, the summary
/// tells it, once.
pub(crate) fn has_section(run: &Run, scenario: &ScenarioRun) -> bool {
    let alike =
        |other: &&ScenarioRun| other.status == scenario.status && other.reason == scenario.reason;
    let shared = || run.scenarios.values().filter(alike).count();
    let told = match scenario.status {
        Some(Status::Failed) => true,
        Some(Status::Errored) => !scenario.steps.is_empty() || scenario.bundle.is_some(),
        _ => false,
    };
    told && !(scenario.steps.is_empty() && shared() > NAMED)
}

/// The columns of numbers.
const HEADINGS: [&str; 5] = ["steps", "cells", "enforce", "allow", "wall"];

/// Which of them go first where the width does not suffice.
const DISPENSABLE: [&[usize]; 4] = [&[2, 3], &[0], &[1], &[4]];

/// The summary of a run.
pub(crate) fn render(run: &Run, look: Look) -> String {
    let several = run.is_on_several();
    let mut text = if several { comparison::table(run, look) } else { table(run, look) };
    if !text.is_empty() {
        text.push('\n');
    }
    text += &reasons(run, look);
    text += &clusters(run, look);
    text += &warnings(run, look);
    text += &counts(run, look);
    if run.finished.is_none() {
        let told = "the record breaks off before the run's end: what is above is not the whole";
        text += &look.wrap("", "", &look.paint(DOUBTFUL, told));
    }
    text
}

struct Row {
    name: String,
    result: String,
    /// In the order of [`HEADINGS`].
    numbers: [String; 5],
}

fn rows(run: &Run, look: Look) -> Vec<Row> {
    let time = |d: Option<std::time::Duration>| d.map_or_else(|| "-".to_owned(), duration);
    run.scenarios
        .iter()
        .map(|((id, _), scenario)| Row {
            name: id.clone(),
            result: live::word(scenario.status, look),
            numbers: [
                scenario.step_count().to_string(),
                scenario.cells().to_string(),
                time(scenario.longest(|timing| timing.to_enforce)),
                time(scenario.longest(|timing| timing.to_allow)),
                time(scenario.took),
            ],
        })
        .collect()
}

/// The table, within the width: first the timings go, then names are shortened.
fn table(run: &Run, look: Look) -> String {
    let rows = rows(run, look);
    if rows.is_empty() {
        return String::new();
    }
    let longest = rows.iter().map(|row| row.name.width()).max().unwrap_or(0);
    let width = |n: usize| {
        let column = rows.iter().map(|row| row.numbers[n].width()).max().unwrap_or(0);
        column.max(HEADINGS[n].width()) + 2
    };
    let room = look.width.unwrap_or(usize::MAX).saturating_sub("result".len() + 2 + 2);
    let mut shown: Vec<usize> = (0..HEADINGS.len()).collect();
    let needed = |shown: &[usize]| shown.iter().copied().map(width).sum::<usize>();
    for dispensable in DISPENSABLE {
        if needed(&shown) + longest.min(LEAST_NAME) > room {
            shown.retain(|n| !dispensable.contains(n));
        }
    }
    let name_room = room.saturating_sub(needed(&shown)).max(LEAST_NAME);

    let mut builder = Builder::default();
    let heading = |n: &usize| HEADINGS[*n].to_owned();
    let headings = ["result".to_owned(), "scenario".to_owned()];
    builder.push_record(headings.into_iter().chain(shown.iter().map(heading)));
    for row in &rows {
        let start = [row.result.clone(), look.shorten(&row.name, name_room)];
        builder.push_record(start.into_iter().chain(shown.iter().map(|n| row.numbers[*n].clone())));
    }
    let mut table = builder.build();
    table
        .with(Style::empty())
        .with(Padding::new(0, 2, 0, 0))
        .with(Modify::new(Columns::new(2..)).with(Alignment::right()));
    let text = table.to_string();
    let mut lines = text.lines().map(str::trim_end);
    let mut out = String::new();
    if let Some(first) = lines.next() {
        let _ = writeln!(out, "{}", look.paint(FAINT, first));
    }
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// Why scenarios and steps were skipped or could not be told, and what the
/// clusters cannot do.
fn reasons(run: &Run, look: Look) -> String {
    let mut text = String::new();
    let mut said = BTreeMap::<(Status, &str, String), Vec<String>>::new();
    let several = run.is_on_several();
    for ((id, cluster), scenario) in &run.scenarios {
        let id = if several { format!("{id} on {cluster}") } else { id.clone() };
        match (scenario.status, &scenario.reason) {
            (Some(status @ (Status::Skipped | Status::Errored)), Some(reason)) => {
                if !has_section(run, scenario) {
                    said.entry((status, "scenario", reason.clone())).or_default().push(id);
                }
                continue;
            }
            (Some(Status::Skipped), None) => continue,
            _ => {}
        }
        let skipped = |step: &&StepRun| step.status == Some(Status::Skipped);
        for step in scenario.steps.values().filter(skipped) {
            let about = format!("{id}, step `{}`", step.name);
            // What the cluster lacks is told below, with all the cells that it holds for.
            let told_below: Vec<String> = step.not_judged.iter().map(ToString::to_string).collect();
            let mut notes: Vec<&str> = step.notes.iter().map(String::as_str).collect();
            notes.retain(|note| !told_below.iter().any(|told| told == note));
            said.entry((Status::Skipped, "step", notes.join("; "))).or_default().push(about);
        }
    }
    for ((status, noun, reason), about) in said {
        let word = live::word(Some(status), look);
        let line = match about.as_slice() {
            [first, .., last] if about.len() > NAMED => {
                format!("{}, {first} to {last}: {reason}", count(about.len(), noun))
            }
            _ => format!("{}: {reason}", about.join(", ")),
        };
        text += &look.wrap(&format!("{word} "), "      ", &line);
    }
    let missing: BTreeSet<(&str, &str)> = run
        .scenarios
        .iter()
        .filter_map(|((_, cluster), scenario)| Some((cluster, scenario.capabilities.as_ref()?)))
        .flat_map(|(cluster, can)| can.missing.iter().map(move |m| (cluster.as_str(), m.as_str())))
        .collect();
    for (cluster, sentence) in missing {
        if not_judged::tells(run, cluster, sentence) {
            continue;
        }
        text += &look.wrap("", "      ", &format!("{cluster} has {sentence}"));
    }
    text += &not_judged::render(run, look);
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// What the clusters told of themselves: how long their preparation took, whether their
/// denies failed where they had to, what remains of them, and where more is to be found.
fn clusters(run: &Run, look: Look) -> String {
    let mut text = String::new();
    for (cluster, told) in &run.clusters {
        let stages: Vec<String> = told.preparations.iter().map(stage).collect();
        if !stages.is_empty() {
            text += &look.wrap("", "  ", &format!("{cluster}: {}", stages.join(", ")));
        }
    }
    let mut controls = BTreeMap::<&str, [usize; 2]>::new();
    for ((_, cluster), scenario) in &run.scenarios {
        let control = scenario.capabilities.as_ref().is_some_and(|can| !can.dataplane.enforces);
        if control {
            let [failed, held] = controls.entry(cluster).or_default();
            *failed += scenario.count(&[Finding::Unenforced]);
            *held += scenario.count(&[Finding::Enforced]);
        }
    }
    for (cluster, [failed, held]) in controls {
        let line = format!(
            "{cluster} is a negative control, declared to enforce nothing: {} seen to fail, {held} held",
            if failed == 1 { "1 deny was".to_owned() } else { format!("{failed} denies were") },
        );
        text += &look.wrap("", "  ", &line);
    }
    for (cluster, told) in &run.clusters {
        for what in &told.noticed {
            let line = format!("{cluster}: {what}");
            text += &look.wrap("", "  ", &look.paint(BAD, &line));
        }
        for what in &told.left_behind {
            let line = format!("left behind on {cluster}: {what}");
            text += &look.wrap("", "  ", &look.paint(BAD, &line));
        }
    }
    let broke = |scenario: &&ScenarioRun| {
        matches!(scenario.status, Some(Status::Failed | Status::Errored))
            && scenario.capabilities.is_some()
    };
    if run.scenarios.values().any(|scenario| broke(&scenario))
        && run.scenarios.values().all(|scenario| scenario.bundle.is_none())
    {
        let hint = "`--bundles DIR` keeps every round of what fails, and what its cluster says";
        text += &look.wrap("", "  ", &look.paint(FAINT, hint));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// `nodes 41.2 s`.
fn stage(preparation: &Preparation) -> String {
    let Preparation { name, took, failed, .. } = preparation;
    match (took, failed) {
        (Some(took), false) => format!("{name} {}", duration(*took)),
        (Some(took), true) => format!("{name} failed after {}", duration(*took)),
        (None, _) => format!("{name} not done"),
    }
}

/// How many findings there are about the input: `ringfence lint` shows them.
fn warnings(run: &Run, look: Look) -> String {
    let mut codes = BTreeMap::<&str, usize>::new();
    for diagnostic in &run.diagnostics {
        *codes.entry(&diagnostic.code).or_default() += 1;
    }
    if codes.is_empty() {
        return String::new();
    }
    let each: Vec<String> = codes.iter().map(|(code, n)| format!("{code} {n}")).collect();
    let line = format!(
        "{} about the input ({}): `ringfence lint PATH` shows {}",
        count(run.diagnostics.len(), "warning"),
        each.join(", "),
        if run.diagnostics.len() == 1 { "it" } else { "them" },
    );
    look.wrap("", "  ", &look.paint(DOUBTFUL, &line)) + "\n"
}

fn counts(run: &Run, look: Look) -> String {
    let Counts { passed, failed, errored, skipped } =
        run.finished.as_ref().map_or_else(|| run.counts(), |finished| finished.counts);
    let parts: Vec<String> = [
        (passed, "passed", GOOD),
        (failed, "failed", BAD),
        (errored, "errored", DOUBTFUL),
        (skipped, "skipped", DOUBTFUL),
    ]
    .into_iter()
    .filter(|(n, word, _)| *n > 0 || *word == "passed")
    .map(|(n, word, style)| {
        let style = if n == 0 { FAINT } else { style };
        look.paint(style, &format!("{n} {word}"))
    })
    .collect();
    let mut ended = format!("{}: {}", count(run.scenarios.len(), "scenario"), parts.join(", "));
    if passed + failed + errored == 0 {
        ended += "; nothing was judged";
    }
    let cells: usize = run.scenarios.values().map(ScenarioRun::cells).sum();
    let mut seen = count(cells, "cell");
    let left_out = not_judged::cells(run);
    if left_out > 0 {
        let _ = write!(seen, "; {} not judged", count(left_out, "cell"));
    }
    let known: usize = run.scenarios.values().map(|s| s.count(&[Finding::KnownPolicyFault])).sum();
    let rejected: usize = run.scenarios.values().map(ScenarioRun::rejected).sum();
    let known: Vec<String> = [(known, "known policy fault"), (rejected, "known rejection")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| count(n, what))
        .collect();
    if !known.is_empty() {
        let _ = write!(seen, "; {}", known.join(", "));
    }
    let deviations = news::known_faults(run);
    if deviations > 0 {
        let _ = write!(seen, "; {} known as a deviation", count(deviations, "fault"));
    }
    let news = news::news(run);
    if news > 0 {
        let _ = write!(seen, "; news: {news}");
    }
    let mut spent = String::new();
    if let Some(finished) = &run.finished {
        let _ = write!(spent, "in {}", duration(finished.took));
    }
    if let Some(started) = &run.started {
        let _ = write!(spent, "{}seed {}", if spent.is_empty() { "" } else { "; " }, started.seed);
    }
    [ended, seen, spent]
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| look.wrap("", "  ", line))
        .collect()
}
