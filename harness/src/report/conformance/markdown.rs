//! The report as Markdown, all of it: for a pull request, a release, a wiki.

use std::fmt::Write as _;

use super::model::{
    Broken, ClusterReport, Conformance, FaultCell, KnownKind, Measured, Tally, Verdict,
};
use super::phrase;
use crate::report::look::{count, duration};

/// How many skipped or inconclusive cases are named for a reason.
const NAMED: usize = 20;

/// The whole report.
pub fn render(report: &Conformance) -> String {
    let mut text = String::from("# Conformance\n");
    for why in &report.incomplete {
        let _ = write!(text, "\n> Not the whole catalogue: {}\n", sentence(why));
    }
    for cluster in &report.clusters {
        text += &self::cluster(cluster);
    }
    let part = report.partition.as_ref().map(|part| format!(", part `{part}`")).unwrap_or_default();
    let _ = write!(text, "\nringfence {}, seed {}{part}\n", report.ringfence, report.seed);
    text
}

/// A text in which nothing is taken for Markdown or HTML but code between backticks.
fn prose(text: &str) -> String {
    let mut code = false;
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '`' => code = !code,
            '\n' => {
                escaped.push(' ');
                continue;
            }
            '*' | '_' | '[' | ']' | '<' | '>' | '|' | '\\' if !code => escaped.push('\\'),
            // A table's row is split before its code is read.
            '|' => escaped.push('\\'),
            c if c.is_control() => {
                escaped.push('\u{fffd}');
                continue;
            }
            _ => {}
        }
        escaped.push(c);
    }
    escaped
}

/// A text with one full stop at its end, whether it comes with one or not.
fn sentence(text: &str) -> String {
    prose(text.trim_end().trim_end_matches('.')) + "."
}

/// A name as code.
fn code(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("`{}`", text.replace('`', "'").replace('|', "\\|"))
}

fn cluster(cluster: &ClusterReport) -> String {
    let platform = cluster.platform.as_ref().unwrap_or(&cluster.cluster);
    let title = match &cluster.cni {
        Some(cni) => format!("{} on {}", prose(cni), prose(platform)),
        None => prose(platform),
    };
    let mut text = format!("\n## {title}\n\n");
    let _ = writeln!(
        text,
        "Run on `{}`: {}, {}.\n",
        cluster.cluster,
        count(cluster.cases.all(), "case"),
        count(cluster.cells, "cell")
    );
    if !cluster.enforces {
        text += "A negative control, declared to enforce nothing: none of this is conformance.\n\n";
    }
    for induced in &cluster.induced {
        let _ = writeln!(text, "- **Faulty on purpose**, {}", sentence(induced));
    }
    for sentence in &cluster.lacks {
        let _ = writeln!(text, "- It has {}", self::sentence(sentence));
    }
    if !cluster.lacks.is_empty() || !cluster.induced.is_empty() {
        text.push('\n');
    }
    text += &profiles(cluster);
    if !cluster.broken.is_empty() {
        text += "\n### Broken\n";
        for (place, broken) in cluster.broken.iter().enumerate() {
            text += &self::broken(place + 1, broken);
        }
    }
    text += &choices(cluster);
    text += &known(cluster);
    text += &measured(&cluster.measured);
    text += &unjudged(cluster);
    text + &features(cluster)
}

fn numbers(cases: &Tally) -> String {
    let Tally { passed, failed, inconclusive, skipped, .. } = cases;
    format!("{passed} | {failed} | {inconclusive} | {skipped}")
}

fn profiles(cluster: &ClusterReport) -> String {
    let mut text = String::from(
        "| profile | result | passed | failed | inconclusive | skipped |\n|---|---|--:|--:|--:|--:|\n",
    );
    for profile in &cluster.profiles {
        let result = phrase::standing(profile.result);
        let _ = writeln!(
            text,
            "| {}, core | **{result}** | {} |",
            prose(&profile.name),
            numbers(&profile.core)
        );
        for extended in &profile.extended {
            let judged = if extended.judged { "" } else { "not judged" };
            let _ = writeln!(
                text,
                "| … with {} | {judged} | {} |",
                prose(&extended.part),
                numbers(&extended.cases)
            );
        }
    }
    text
}

fn broken(number: usize, broken: &Broken) -> String {
    let mut text = format!(
        "\n#### Broken {number}: {}\n\n> {}\n>\n> {}\n",
        count(broken.cases.len(), "case"),
        prose(&broken.sentence.text),
        prose(&broken.sentence.source)
    );
    for case in &broken.cases {
        let _ = write!(
            text,
            "\n<details><summary><code>{}</code></summary>\n\n{} ({})\n\n",
            html(&case.case),
            prose(&case.about),
            case.level
        );
        case.cells.iter().for_each(|cell| text += &self::cell(cell));
        let _ = write!(text, "\n```sh\n{}\n```\n", case.rerun);
        if let Some(bundle) = &case.bundle {
            let _ = write!(text, "\nMore of it: {}\n", code(bundle));
        }
        text += "\n</details>\n";
    }
    text
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cell(cell: &FaultCell) -> String {
    let mut text = format!("- {}, step {}: ", code(&cell.connection), cell.step);
    if cell.finding != "enforcement fault" {
        let _ = write!(text, "{}; ", cell.finding);
    }
    let _ = write!(
        text,
        "specified **{}** ({}); observed **{}**",
        prose(&cell.specified),
        prose(&cell.because),
        prose(&cell.observed)
    );
    if let Some(by) = &cell.decided_by {
        let _ = write!(text, "; decided by {by}");
    }
    for known in &cell.known {
        let _ = write!(text, "; {}", prose(known));
    }
    text.push('\n');
    text
}

fn choices(cluster: &ClusterReport) -> String {
    if cluster.choices.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n### Choices\n\nThe API leaves these open.\n\n| case | allowed | denied | left open by |\n|---|---|---|---|\n",
    );
    let cells = |all: &[String]| all.iter().map(|one| code(one)).collect::<Vec<_>>().join(" ");
    for choice in &cluster.choices {
        let watched: String =
            choice.watched.iter().map(|one| format!("; {}", prose(one))).collect();
        let known: String = choice.known.iter().map(|one| format!("; {}", prose(one))).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {}{watched}{known} |",
            code(&choice.case),
            cells(&choice.allowed),
            cells(&choice.denied),
            prose(&choice.left_open_by)
        );
    }
    text
}

fn known(cluster: &ClusterReport) -> String {
    if cluster.known.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n### Known of the CNI\n\n| behaviour | kind | became of it | case | |\n|---|---|---|---|---|\n",
    );
    for known in &cluster.known {
        let kind = match known.kind {
            KnownKind::Deviation => "deviation",
            KnownKind::Choice => "choice",
        };
        let verdict = match known.verdict {
            Verdict::Met => "met",
            Verdict::Gone => "**no longer met**",
            Verdict::Changed => "**changed**",
            Verdict::Unreadable => "its description says nothing",
        };
        let _ = writeln!(
            text,
            "| {} | {kind} | {verdict} | {} | {} |",
            code(&known.id),
            code(&known.case),
            prose(&known.told)
        );
    }
    text
}

fn measured(measured: &[Measured]) -> String {
    if measured.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n### Measured\n\nNo matter of conformance.\n\n| case | enforced after | allowed after | noted |\n|---|--:|--:|---|\n",
    );
    let time = |micros: Option<u64>| {
        micros.map_or("–".to_owned(), |us| duration(std::time::Duration::from_micros(us)))
    };
    for case in measured {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            code(&case.case),
            time(case.to_enforce),
            time(case.to_allow),
            prose(&case.notes.join("; "))
        );
    }
    text
}

fn named(cases: &[String]) -> String {
    let shown: Vec<String> = cases.iter().take(NAMED).map(|case| code(case)).collect();
    let more = cases.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

fn unjudged(cluster: &ClusterReport) -> String {
    let mut text = String::new();
    if !cluster.inconclusive.is_empty() {
        text += "\n### Could not be told\n\n";
        for case in &cluster.inconclusive {
            let _ = writeln!(text, "- {}: {}", code(&case.case), prose(&case.reason));
        }
    }
    if !cluster.skipped.is_empty() {
        text += "\n### Skipped\n\n";
        for some in &cluster.skipped {
            let _ = writeln!(
                text,
                "- {} ({}): {}",
                prose(&some.reason),
                count(some.cases.len(), "case"),
                named(&some.cases)
            );
        }
    }
    text
}

fn features(cluster: &ClusterReport) -> String {
    let mut text = String::from(
        "\n### Features\n\n| feature | passed | failed | inconclusive | skipped | broken | for example |\n|---|--:|--:|--:|--:|---|---|\n",
    );
    for row in &cluster.features {
        let places: Vec<String> = row.broken.iter().map(usize::to_string).collect();
        let example = row.first_failed.as_deref().map(code).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {example} |",
            code(&row.feature),
            numbers(&row.cases),
            places.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_once() {
        for text in ["it has `no *SCTP*`", "it has `no *SCTP*`.", "it has `no *SCTP*`. "] {
            assert_eq!(sentence(text), "it has `no *SCTP*`.");
        }
    }
}
