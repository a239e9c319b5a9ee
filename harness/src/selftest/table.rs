//! How a selftest is shown.

use std::fmt::Write as _;

use super::detector::detector;
use super::result::{FaultFree, Judged, Pair, Selftest, Sweep};
use super::verdict::Verdict;
use crate::catalogue::Case;
use crate::cluster::embedded::Fault;
use crate::report::{BAD, DOUBTFUL, FAINT, GOOD, Look, count, duration, tame};
use crate::run::Status;

/// Beneath the first line of a fault.
const INDENT: &str = "          ";

/// At most so many cases that catch nothing are named where a person reads.
const NAMED: usize = 20;

/// Faults, with what each does wrong, what is meant to catch it, and where it was seen.
pub fn list(faults: &[Fault], cases: &[Case], look: Look) -> String {
    let mut text = String::new();
    for fault in faults {
        let detector = detector(*fault);
        let _ = writeln!(text, "{}", look.heading(fault.name()));
        let mut told = vec![fault.sentence().to_owned()];
        if let Some(first) = detector.choose(cases).first() {
            let bound = duration(detector.bound);
            told.push(format!("caught by {} ({}, within {bound})", first.id, detector.level));
        }
        let seen =
            fault.seen().iter().map(|seen| format!("seen in {}: {}", seen.plugin, seen.link));
        told.extend(seen);
        told.iter().for_each(|line| text += &look.wrap("    ", "    ", line));
    }
    tame(&text, look.color)
}

/// The whole result.
pub fn render(selftest: &Selftest, look: Look) -> String {
    let mut text = String::new();
    let heading = format!("{:<10}{:<18}{:>8}  fault", "result", "level", "time");
    let _ = writeln!(text, "{}", look.paint(FAINT, &heading));
    selftest.faults.iter().for_each(|judged| text += &row(judged, look));
    text.push('\n');
    if let Some(sweep) = &selftest.sweep {
        text += &swept(sweep);
    }
    text += &pairs(&selftest.pairs, look);
    if let Some(found) = &selftest.fault_free {
        text += &fault_free(found, look);
    }
    text += &counts(&selftest.faults, look);
    let _ = writeln!(text, "in {}; seed {}", duration(selftest.took), selftest.seed);
    tame(&text, look.color)
}

fn row(judged: &Judged, look: Look) -> String {
    let (style, word) = match &judged.verdict {
        Verdict::Caught(_) => (GOOD, "caught"),
        Verdict::Survived { .. } => (BAD, "SURVIVED"),
        Verdict::Untold { .. } => (DOUBTFUL, "untold"),
    };
    let time = judged.sight().map_or_else(|| "-".to_owned(), |sight| duration(sight.after));
    let word = look.paint(style, &format!("{word:<10}"));
    let mut text = format!("{word}{:<18}{time:>8}  {}\n", judged.level.to_string(), judged.fault);
    text += &look.wrap(INDENT, INDENT, judged.about);
    let told = match &judged.verdict {
        Verdict::Caught(sight) => {
            format!("{}, {}: {}: {}", sight.case, sight.step, sight.cell, sight.seen)
        }
        Verdict::Survived { cases } => format!("{} passed", count(*cases, "case")),
        Verdict::Untold { reason } => reason.clone(),
    };
    text + &look.wrap(INDENT, INDENT, &told)
}

fn counts(faults: &[Judged], look: Look) -> String {
    let named = |of: fn(&Verdict) -> bool| -> Vec<&str> {
        let of = faults.iter().filter(|judged| of(&judged.verdict));
        of.map(|judged| judged.fault.name()).collect()
    };
    let survived = named(|verdict| matches!(verdict, Verdict::Survived { .. }));
    let untold = named(|verdict| matches!(verdict, Verdict::Untold { .. }));
    let caught = faults.len() - survived.len() - untold.len();
    let mut text = format!("{}: {caught} caught", count(faults.len(), "fault"));
    for (style, word, named) in [(BAD, "survived", survived), (DOUBTFUL, "untold", untold)] {
        if !named.is_empty() {
            let _ = write!(text, ", {} {}", named.len(), look.paint(style, word));
            let _ = write!(text, " ({})", named.join(", "));
        }
    }
    look.wrap("", "  ", &text)
}

fn fault_free(found: &FaultFree, look: Look) -> String {
    let mut text = format!(
        "without a fault, enforced up to {} late: {}, {}",
        duration(found.longest),
        count(found.cases, "case"),
        count(found.cells, "cell"),
    );
    if found.skipped > 0 {
        let _ = write!(text, ", {} skipped", found.skipped);
    }
    if found.reports.is_empty() {
        return look.wrap("", "  ", &(text + ": nothing is reported"));
    }
    let _ = write!(text, ": {} reported", count(found.reports.len(), "case"));
    let mut text = look.wrap("", "  ", &look.paint(BAD, &text));
    for report in &found.reports {
        let word = if report.status == Status::Failed { "failed" } else { "could not be told" };
        text += &look.wrap("  ", "    ", &format!("{} {word}: {}", report.case, report.why));
    }
    text
}

fn pairs(pairs: &[Pair], look: Look) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let seen = pairs.iter().filter(|pair| pair.is_seen() == Some(true)).count();
    let told = format!("{} of faults: {seen} seen", count(pairs.len(), "pair"));
    let mut text = look.wrap("", "  ", &told);
    for pair in pairs {
        let names = pair.of.each_ref().map(|caught| caught.fault.name());
        let [one, other] = names;
        let line = match (pair.is_seen(), pair.hides()) {
            (Some(false), _) => {
                look.paint(BAD, &format!("{one} and {other} hide each other: their cases pass"))
            }
            (None, _) => look.paint(DOUBTFUL, &format!("{one} and {other} could not be told")),
            (Some(true), Some((shown, hidden))) => {
                format!("{shown} hides {}: {} passes", hidden.fault, hidden.case)
            }
            (Some(true), None) => continue,
        };
        text += &look.wrap("  ", "    ", &line);
    }
    text
}

fn swept(sweep: &Sweep) -> String {
    let mut text =
        format!("{:>6}  {:>6}  fault, of {}\n", "caught", "untold", count(sweep.cases, "case"));
    for (fault, caught) in &sweep.caught {
        let untold = sweep.untold.get(fault).copied().unwrap_or(0);
        let _ = writeln!(text, "{:>6}  {untold:>6}  {fault}", caught.len());
    }
    let _ = writeln!(
        text,
        "\n{} no fault",
        match sweep.idle.len() {
            1 => "1 case catches".to_owned(),
            idle => format!("{idle} cases catch"),
        }
    );
    for case in sweep.idle.iter().take(NAMED) {
        let _ = writeln!(text, "  {case}");
    }
    if sweep.idle.len() > NAMED {
        let _ = writeln!(text, "  … and {} more, which `--json` names", sweep.idle.len() - NAMED);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
