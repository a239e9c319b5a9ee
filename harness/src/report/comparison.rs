//! Several clusters beside each other: how each scenario ended on each of them, and in
//! which cells they differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tabled::builder::Builder;
use tabled::settings::Padding;
use tabled::settings::style::Style;
use unicode_width::UnicodeWidthStr;

use super::difference::Difference;
use super::known::{Deviation, Lore, Shown, seen};
use super::live;
use super::look::{FAINT, Look, count};
use super::summary::{Run, ScenarioRun};
use crate::cluster::Seen;
use crate::model::Cell;
use crate::run::CellJudgement;

/// A scenario's name keeps at least this many columns.
const LEAST_NAME: usize = 16;

/// How many ways to differ are told.
const WAYS: usize = 12;

/// How many connections are told of each.
const CONNECTIONS: usize = 4;

/// The clusters, in the order in which they were given.
fn clusters(run: &Run) -> Vec<&str> {
    let started = run.started.iter();
    started.flat_map(|started| started.clusters.iter().map(String::as_str)).collect()
}

/// The table: a row for each scenario, a column for each cluster. Columns that do not fit
/// go into further tables beneath.
pub(crate) fn table(run: &Run, look: Look) -> String {
    let ids: BTreeSet<&str> = run.scenarios.keys().map(|(id, _)| id.as_str()).collect();
    let clusters = clusters(run);
    if ids.is_empty() {
        return String::new();
    }
    let longest = ids.iter().map(|id| id.width()).max().unwrap_or(0).max("scenario".len());
    let widths: Vec<usize> = clusters.iter().map(|name| name.width().max(11) + 2).collect();
    let room = look.width.unwrap_or(usize::MAX);
    let name_room = room.saturating_sub(widths.iter().sum()).max(LEAST_NAME).min(longest + 2);
    let mut text = String::new();
    let mut from = 0;
    while from < clusters.len() {
        let mut used = name_room + widths[from];
        let mut to = from + 1;
        while to < clusters.len() && used + widths[to] <= room {
            used += widths[to];
            to += 1;
        }
        if from > 0 {
            text.push('\n');
        }
        text += &part(run, &ids, &clusters[from..to], name_room, look);
        from = to;
    }
    text
}

fn part(run: &Run, ids: &BTreeSet<&str>, clusters: &[&str], room: usize, look: Look) -> String {
    let mut builder = Builder::default();
    builder.push_record(std::iter::once("scenario").chain(clusters.iter().copied()));
    for id in ids {
        let name = look.shorten(id, room.saturating_sub(2));
        let each = clusters.iter().map(|cluster| {
            let key = ((*id).to_owned(), (*cluster).to_owned());
            run.scenarios.get(&key).map_or_else(String::new, |scenario| result(scenario, look))
        });
        builder.push_record(std::iter::once(name).chain(each));
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    let mut out = String::new();
    for (n, line) in table.to_string().lines().map(str::trim_end).enumerate() {
        let line = if n == 0 { look.paint(FAINT, line) } else { line.to_owned() };
        let _ = writeln!(out, "{line}");
    }
    out
}

/// `PASS   412`: how it ended, and how many cells were judged.
fn result(scenario: &ScenarioRun, look: Look) -> String {
    let word = live::word(scenario.status, look);
    match scenario.cells() {
        0 => word,
        cells => format!("{word} {cells:>5}"),
    }
}

/// Who allowed and who denied the cells of one connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Way<'a> {
    allowed: Vec<&'a str>,
    denied: Vec<&'a str>,
    specified: String,
    /// What is known of it, by cluster.
    known: BTreeSet<String>,
}

/// A step of a scenario, with its name.
type At<'a> = (&'a str, usize, &'a str);

/// The cells in which clusters differ: by step, those in which the same clusters part
/// together. `None` where there are none.
pub(crate) fn differences(run: &Run, look: Look) -> Option<String> {
    // On a negative control every deny is open: that it differs is what it is for.
    let (controls, clusters): (Vec<&str>, Vec<&str>) =
        clusters(run).into_iter().partition(|cluster| is_negative_control(run, cluster));
    let mut ways = Vec::new();
    let ids: BTreeSet<&str> = run.scenarios.keys().map(|(id, _)| id.as_str()).collect();
    for id in ids {
        let runs: Vec<(&str, &ScenarioRun)> = clusters
            .iter()
            .filter_map(|cluster| {
                let key = (id.to_owned(), (*cluster).to_owned());
                Some((*cluster, run.scenarios.get(&key)?))
            })
            .collect();
        let steps: BTreeSet<usize> =
            runs.iter().flat_map(|(_, scenario)| scenario.steps.keys().copied()).collect();
        for step in steps {
            for (way, cells) in of_step(&runs, step) {
                let name =
                    runs.iter().find_map(|(_, scenario)| Some(&*scenario.steps.get(&step)?.name));
                ways.push(((id, step, name.unwrap_or_default()), way, cells));
            }
        }
    }
    if ways.is_empty() {
        return None;
    }
    let mut text = format!("{}\n", look.heading("where clusters differ"));
    if !controls.is_empty() {
        let line = format!("without negative controls: {}", controls.join(", "));
        text += &look.wrap("  ", "  ", &look.paint(FAINT, &line));
    }
    let mut last = None;
    for (at, way, cells) in ways.iter().take(WAYS) {
        if last != Some(*at) {
            text += &heading(*at, look);
            last = Some(*at);
        }
        text += &told(way, cells, look);
    }
    let rest = ways.get(WAYS..).unwrap_or_default();
    if !rest.is_empty() {
        let cells: usize = rest.iter().map(|(_, _, cells)| cells.len()).sum();
        let line = format!(
            "… and {}, of {}; `--record PATH` keeps them all",
            count(rest.len(), "more such group"),
            count(cells, "cell")
        );
        let _ = writeln!(text, "\n  {}", look.paint(FAINT, &line));
    }
    Some(text)
}

fn is_negative_control(run: &Run, cluster: &str) -> bool {
    let mut on = run.scenarios.iter().filter(|((_, name), _)| name == cluster);
    on.any(|(_, scenario)| {
        scenario.capabilities.as_ref().is_some_and(|can| !can.dataplane.enforces)
    })
}

fn heading((id, step, name): At<'_>, look: Look) -> String {
    let title = format!("{id}, step {}: {name}", step + 1);
    format!("\n{}", look.wrap("  ", "    ", &title))
}

/// The ways in which clusters differ in a step, in the order of their first cells.
fn of_step<'a>(
    runs: &[(&'a str, &'a ScenarioRun)],
    step: usize,
) -> Vec<(Way<'a>, Vec<&'a CellJudgement>)> {
    let mut seen_by = BTreeMap::<&Cell, Vec<(&'a str, &'a ScenarioRun, &'a CellJudgement)>>::new();
    for (cluster, scenario) in runs {
        for judgement in scenario.steps.get(&step).iter().flat_map(|step| &step.cells) {
            seen_by.entry(&judgement.cell).or_default().push((cluster, scenario, judgement));
        }
    }
    let mut ways: Vec<(Way<'a>, Vec<&'a CellJudgement>)> = Vec::new();
    for told in seen_by.into_values() {
        let who = |wanted| {
            let of = told.iter().filter(move |(_, _, judgement)| seen(judgement) == Some(wanted));
            of.map(|(cluster, ..)| *cluster).collect::<Vec<_>>()
        };
        let (allowed, denied) = (who(Seen::Allow), who(Seen::Deny));
        if allowed.is_empty() || denied.is_empty() {
            continue;
        }
        let first = told[0].2;
        let specified = first.specified.verdict.to_string();
        let known = told.iter().flat_map(|(cluster, scenario, judgement)| {
            known(scenario, judgement).into_iter().map(move |id| format!("{id} of {cluster}"))
        });
        let way = Way { allowed, denied, specified, known: known.collect() };
        match ways.iter_mut().find(|(known, _)| *known == way) {
            Some((_, cells)) => cells.push(first),
            None => ways.push((way, vec![first])),
        }
    }
    ways
}

/// The deviations and choices that a cell is known for where a scenario ran.
fn known(scenario: &ScenarioRun, judgement: &CellJudgement) -> Vec<String> {
    let lore = Lore::of(scenario);
    let deviations = lore.deviations(judgement).into_iter().map(|deviation| match deviation {
        Deviation::Known(known) => format!("deviation `{}`", known.id),
        Deviation::Possibly(known) => format!("possibly deviation `{}`", known.id),
    });
    let choices = lore.choices(Shown::Cell(judgement)).into_iter();
    deviations.chain(choices.map(|known| format!("choice `{}`", known.id))).collect()
}

fn told(way: &Way<'_>, cells: &[&CellJudgement], look: Look) -> String {
    let mut line = format!(
        "allowed by {}; denied by {}; specified {}",
        way.allowed.join(", "),
        way.denied.join(", "),
        way.specified
    );
    if !way.known.is_empty() {
        let known: Vec<&str> = way.known.iter().map(String::as_str).collect();
        let _ = write!(line, "; known: {}", known.join(", "));
    }
    let mut text = look.wrap("    ", "      ", &line);
    let connections = Difference::connections(cells);
    for connection in connections.iter().take(CONNECTIONS) {
        text += &look.wrap("      ", "        ", connection);
    }
    let more = connections.len().saturating_sub(CONNECTIONS);
    if more > 0 {
        let line = format!("… and {}", count(more, "more such connection"));
        text += &look.wrap("      ", "        ", &look.paint(FAINT, &line));
    }
    text
}
