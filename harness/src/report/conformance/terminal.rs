//! The report for a terminal: brief, by profile and feature, then what is broken.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::model::{
    Broken, BrokenCase, Choice, ClusterReport, Conformance, FaultCell, KnownKind, Measured,
    Profile, Standing, Tally, Verdict,
};
use super::phrase;
use crate::report::look::{BAD, DOUBTFUL, FAINT, GOOD, KNOWN, Look, count, duration, tame};

/// How many cases of a sentence are told in full.
const TOLD: usize = 2;

/// How many more are named.
const NAMED: usize = 3;

/// How many cells of a case are told in full.
const CELLS: usize = 2;

/// How many features with failures are shown.
const FEATURES: usize = 24;

/// How many cases that could not be told, reasons and news are shown.
const SHOWN: usize = 8;

/// The whole report.
pub fn render(report: &Conformance, look: Look) -> String {
    let mut text = String::new();
    for cluster in &report.clusters {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &self::cluster(cluster, look);
    }
    if !report.incomplete.is_empty() {
        text.push('\n');
        for why in &report.incomplete {
            let line = format!("not the whole catalogue: {why}");
            text += &look.wrap("", "  ", &look.paint(DOUBTFUL, &line));
        }
    }
    let _ = write!(text, "\nringfence {}; seed {}", report.ringfence, report.seed);
    if let Some(partition) = &report.partition {
        let _ = write!(text, "; part {partition}");
    }
    text.push('\n');
    tame(&text, look.color)
}

/// `conformance of kube-router v2.1 on kubeconfig v1.36.2`.
fn title(cluster: &ClusterReport) -> String {
    let platform = cluster.platform.as_ref().unwrap_or(&cluster.cluster);
    match &cluster.cni {
        Some(cni) => format!("conformance of {cni} on {platform}"),
        None => format!("conformance of {platform}"),
    }
}

fn cluster(cluster: &ClusterReport, look: Look) -> String {
    let mut text = String::new();
    text += &broken(&cluster.broken, look);
    text += &choices(&cluster.choices, look);
    text += &known(cluster, look);
    text += &measured(&cluster.measured, look);
    text += &unjudged(cluster, look);
    text += &look.wrap("", "  ", &look.heading(&title(cluster)));
    if !cluster.enforces {
        let line = "a negative control, declared to enforce nothing: a case passes where its denies fail; none of this is conformance";
        text += &look.wrap("  ", "  ", &look.paint(DOUBTFUL, line));
    }
    for induced in &cluster.induced {
        let line = format!("faulty on purpose: {induced}");
        text += &look.wrap("  ", "    ", &look.paint(BAD, &line));
    }
    for sentence in &cluster.lacks {
        text += &look.wrap("  ", "    ", &look.paint(FAINT, &format!("has {sentence}")));
    }
    text.push('\n');
    text += &profiles(&cluster.profiles, look);
    text += &features(cluster, look);
    let cases = &cluster.cases;
    let line = format!(
        "{}: {}; {}",
        count(cases.all(), "case"),
        tally(cases, look),
        count(cluster.cells, "cell")
    );
    text + &look.wrap("", "  ", &line)
}

/// `900 passed, 2 failed`.
fn tally(cases: &Tally, look: Look) -> String {
    let parts = [
        (cases.passed, "passed", GOOD),
        (cases.failed, "failed", BAD),
        (cases.inconclusive, "inconclusive", DOUBTFUL),
        (cases.skipped, "skipped", DOUBTFUL),
        (cases.recorded, "recorded", FAINT),
    ];
    let told = parts.into_iter().filter(|(n, word, _)| *n > 0 || *word == "passed");
    let told: Vec<String> = told
        .map(|(n, word, style)| {
            look.paint(if n == 0 { FAINT } else { style }, &format!("{n} {word}"))
        })
        .collect();
    told.join(", ")
}

const HEADINGS: [&str; 4] = ["passed", "failed", "inconclusive", "skipped"];

/// Rows of a name and what is said of its cases, in columns.
fn table(title: &str, rows: &[(String, &Tally, String)], look: Look) -> String {
    let widest = rows.iter().map(|(name, ..)| name.width()).max().unwrap_or(0).max(title.width());
    let mut text = String::new();
    let headings: Vec<String> = HEADINGS.iter().map(|word| format!("  {word}")).collect();
    let line = format!("  {title:<widest$}{}", headings.concat());
    let _ = writeln!(text, "{}", look.paint(FAINT, &line));
    for (name, cases, note) in rows {
        let numbers = [
            (cases.passed, GOOD),
            (cases.failed, BAD),
            (cases.inconclusive, DOUBTFUL),
            (cases.skipped, DOUBTFUL),
        ];
        let mut line = format!("  {name}{:1$}", "", widest - name.width());
        for ((n, style), heading) in numbers.into_iter().zip(HEADINGS) {
            let number = if n == 0 { "-".to_owned() } else { n.to_string() };
            let style = if n == 0 { FAINT } else { style };
            let padding = heading.len().saturating_sub(number.len());
            let _ = write!(line, "  {:padding$}{}", "", look.paint(style, &number));
        }
        if !note.is_empty() {
            let _ = write!(line, "  {note}");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push('\n');
    text
}

fn profiles(profiles: &[Profile], look: Look) -> String {
    let mut rows = Vec::new();
    for profile in profiles {
        let style = match profile.result {
            Standing::Success => GOOD,
            Standing::Partial => DOUBTFUL,
            Standing::Failure => BAD,
        };
        let result = look.paint(style, phrase::standing(profile.result));
        rows.push((format!("{}, core", profile.name), &profile.core, result));
        for extended in &profile.extended {
            let note = if extended.judged { "" } else { "not judged" };
            rows.push((format!("  with {}", extended.part), &extended.cases, note.to_owned()));
        }
    }
    if rows.is_empty() { String::new() } else { table("profile", &rows, look) }
}

/// The features of which a case failed or could not be told; the others are counted.
fn features(cluster: &ClusterReport, look: Look) -> String {
    let is_bad = |cases: &Tally| cases.failed + cases.inconclusive > 0;
    let (bad, good): (Vec<_>, Vec<_>) = cluster.features.iter().partition(|row| is_bad(&row.cases));
    let mut text = String::new();
    if !bad.is_empty() {
        let row = |row: &&super::FeatureRow| {
            let all = row.cases.failed == row.cases.judged() && row.cases.failed > 0;
            let every = all.then(|| "every judged case".to_owned());
            let note: Vec<String> = causes(&row.broken).into_iter().chain(every).collect();
            (row.feature.clone(), note.join("; "))
        };
        let named: Vec<(String, String)> = bad.iter().map(row).collect();
        let rows: Vec<_> = named
            .into_iter()
            .zip(&bad)
            .take(FEATURES)
            .map(|((name, note), row)| (name, &row.cases, note))
            .collect();
        text += &table("feature", &rows, look);
        let more = bad.len().saturating_sub(FEATURES);
        if more > 0 {
            text.pop();
            let line = format!("… and {} with failures", count(more, "more feature"));
            let _ = writeln!(text, "  {}\n", look.paint(FAINT, &line));
        }
    }
    let passed = good.iter().filter(|row| row.cases.passed > 0).count();
    if passed > 0 {
        let other = if bad.is_empty() { "feature" } else { "other feature" };
        let line = format!("every judged case passed of {}", count(passed, other));
        text += &look.wrap("  ", "  ", &line);
        text.push('\n');
    }
    text
}

/// `broken 1, 3, …`: the numbers of what is told above.
fn causes(broken: &[usize]) -> Option<String> {
    let named: Vec<String> = broken.iter().take(NAMED).map(usize::to_string).collect();
    let more = if broken.len() > NAMED { ", …" } else { "" };
    (!named.is_empty()).then(|| format!("broken {}{more}", named.join(", ")))
}

/// Lines of a shell, which are not wrapped: they are copied.
fn command(text: &str) -> String {
    format!("       {text}\n")
}

fn broken(all: &[Broken], look: Look) -> String {
    let mut text = String::new();
    for (place, broken) in all.iter().enumerate() {
        let title = format!("broken {}: {}", place + 1, count(broken.cases.len(), "case"));
        let _ = writeln!(text, "{}", look.paint(BAD, &title));
        text += &look.wrap("  ", "  ", &look.heading(&format!("“{}”", broken.sentence.text)));
        text += &look.wrap("  ", "  ", &look.paint(FAINT, &broken.sentence.source));
        for case in broken.cases.iter().take(TOLD) {
            text.push('\n');
            text += &self::case(case, look);
        }
        let rest: Vec<&str> =
            broken.cases.iter().skip(TOLD).map(|case| case.case.as_str()).collect();
        if !rest.is_empty() {
            let named: Vec<&str> = rest.iter().copied().take(NAMED).collect();
            let more = if rest.len() > NAMED { ", …" } else { "" };
            let line = format!(
                "… and {}: {}{more}; `--json` and `--markdown` tell all of them",
                count(rest.len(), "more case"),
                named.join(", ")
            );
            text.push('\n');
            text += &look.wrap("  ", "    ", &look.paint(FAINT, &line));
        }
        text.push('\n');
    }
    text
}

fn case(case: &BrokenCase, look: Look) -> String {
    let mut text = look.wrap("  ", "    ", &look.heading(&case.case));
    text += &look.wrap("    ", "    ", &case.about);
    for cell in case.cells.iter().take(CELLS) {
        text += &self::cell(cell, look);
    }
    let more = case.cells.len().saturating_sub(CELLS);
    if more > 0 {
        let line = format!("… and {} of this case", count(more, "more connection"));
        text += &look.wrap("     ", "       ", &look.paint(FAINT, &line));
    }
    text += &look.wrap("     ", "       ", "again:");
    text += &command(&case.rerun);
    if let Some(bundle) = &case.bundle {
        text += &look.wrap("     ", "       ", &format!("more of it: {bundle}"));
    }
    text
}

fn cell(cell: &FaultCell, look: Look) -> String {
    let sign = look.paint(BAD, "X");
    let mut text = look.wrap(&format!("  {sign}  "), "     ", &look.heading(&cell.connection));
    let mut field = |name: &str, value: &str| {
        text += &look.wrap(&format!("     {name:<11}"), &" ".repeat(16), value);
    };
    field("step", &format!("{}: {}", cell.step, cell.step_name));
    if cell.finding != "enforcement fault" {
        field("finding", &cell.finding);
    }
    field("specified", &format!("{}: {}", cell.specified, cell.because));
    field("observed", &cell.observed);
    if let Some(by) = &cell.decided_by {
        field("decided by", by);
    }
    for known in &cell.known {
        field("known", known);
    }
    text
}

fn choices(choices: &[Choice], look: Look) -> String {
    if choices.is_empty() {
        return String::new();
    }
    let mut text = format!("{}\n", look.heading("choices: the API leaves it open"));
    for choice in choices {
        let of = |word: &str, connections: &[String]| match connections {
            [] => None,
            [one] => Some(format!("{word} {one}")),
            [first, rest @ ..] => Some(format!("{word} {first} and {} more", rest.len())),
        };
        let told = [of("allowed", &choice.allowed), of("denied", &choice.denied)];
        let told: Vec<String> = told.into_iter().flatten().collect();
        let told =
            if told.is_empty() { "nothing was seen of it".to_owned() } else { told.join("; ") };
        text += &look.wrap("  ", "    ", &format!("{}: {told}", choice.case));
        for known in &choice.known {
            text += &look.wrap("    ", "      ", &look.paint(FAINT, known));
        }
    }
    text.push('\n');
    text
}

fn known(cluster: &ClusterReport, look: Look) -> String {
    let mut text = String::new();
    for (title, wanted, style) in [
        ("known of the CNI, and met", &[Verdict::Met][..], FAINT),
        ("news: the CNI's description says otherwise", &[Verdict::Gone, Verdict::Changed], KNOWN),
        ("descriptions that say nothing", &[Verdict::Unreadable], DOUBTFUL),
    ] {
        let some: Vec<_> =
            cluster.known.iter().filter(|known| wanted.contains(&known.verdict)).collect();
        if some.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{}", look.paint(style.bold(), title));
        for known in some.iter().take(SHOWN) {
            let kind = match known.kind {
                KnownKind::Deviation => "deviation",
                KnownKind::Choice => "choice",
            };
            let line = format!("{kind} `{}`, {}: {}", known.id, known.case, known.told);
            text += &look.wrap("  ", "    ", &line);
        }
        text += &more(some.len(), "behaviour", look);
        text.push('\n');
    }
    text
}

fn measured(measured: &[Measured], look: Look) -> String {
    if measured.is_empty() {
        return String::new();
    }
    let mut text = format!("{}\n", look.heading("measured: no matter of conformance"));
    for case in measured {
        let time = |word: &str, micros: Option<u64>| {
            let time = duration(std::time::Duration::from_micros(micros?));
            Some(format!("{word} after {time} at most"))
        };
        let times = [time("enforced", case.to_enforce), time("allowed", case.to_allow)];
        let told: Vec<String> = times.into_iter().flatten().chain(case.notes.clone()).collect();
        text += &look.wrap("  ", "    ", &format!("{}: {}", case.case, told.join("; ")));
    }
    text.push('\n');
    text
}

fn unjudged(cluster: &ClusterReport, look: Look) -> String {
    let mut text = String::new();
    if !cluster.inconclusive.is_empty() {
        let _ = writeln!(text, "{}", look.paint(DOUBTFUL.bold(), "could not be told"));
        for case in cluster.inconclusive.iter().take(SHOWN) {
            text += &look.wrap("  ", "    ", &format!("{}: {}", case.case, case.reason));
        }
        text += &more(cluster.inconclusive.len(), "case", look);
        text.push('\n');
    }
    if !cluster.skipped.is_empty() {
        let _ = writeln!(text, "{}", look.paint(DOUBTFUL.bold(), "skipped"));
        for some in cluster.skipped.iter().take(SHOWN) {
            let line = format!("{}: {}", count(some.cases.len(), "case"), some.reason);
            text += &look.wrap("  ", "    ", &line);
        }
        text += &more(cluster.skipped.len(), "reason", look);
        text.push('\n');
    }
    text
}

/// That there are more than are shown.
fn more(all: usize, noun: &str, look: Look) -> String {
    match all.saturating_sub(SHOWN) {
        0 => String::new(),
        more => {
            let line = format!("… and {}", count(more, &format!("more {noun}")));
            look.wrap("  ", "    ", &look.paint(FAINT, &line))
        }
    }
}
