//! Lines of the record for people to read.

use std::io::{self, Write};
use std::time::Duration;

use super::super::{CellJudgement, Event, Line, Purpose, Stretch, WatchedCell};
use crate::model::Observation;

/// A round: what it was for, and a line for each of its cells.
pub(super) fn round(line: &Line, out: &mut impl Write) -> io::Result<()> {
    let Event::Round { step, purpose, number, deadline, observations } = &line.event else {
        return Ok(());
    };
    let purpose = match purpose {
        Purpose::Control => "control",
        Purpose::Sentinel => "the run's own pods",
        Purpose::Settle => "settle",
        Purpose::Lift => "policies lifted",
    };
    write!(out, "round {number}, {purpose}")?;
    if let Some(step) = step {
        write!(out, ", step {}", step + 1)?;
    }
    writeln!(out, ", at {}; silence is a drop after {}", ms(line.at), ms(*deadline))?;
    for (cell, seen) in observations.iter() {
        writeln!(out, "  {cell}  {}", observed(seen))?;
    }
    writeln!(out)
}

/// A step's judgements, those that agree in a line.
pub(super) fn judgement(line: &Line, out: &mut impl Write) -> io::Result<()> {
    let Event::StepJudged { step, name, status, cells, notes, timing, watched, .. } = &line.event
    else {
        return Ok(());
    };
    let status = format!("{status:?}").to_lowercase();
    writeln!(out, "step {} `{name}`: {status}, {} rounds", step + 1, timing.rounds)?;
    for note in notes {
        writeln!(out, "  note: {note}")?;
    }
    for CellJudgement { cell, intended, specified, observed: seen, finding, why, expect } in cells {
        let seen = seen.as_ref().map_or_else(|| "never attempted".to_owned(), observed);
        let finding = serde_json::to_value(finding)?;
        let finding = finding["kind"].as_str().unwrap_or_default();
        writeln!(
            out,
            "  {cell}  {finding}: intended {intended} by `{expect}`, specified {}, observed {seen}",
            specified.verdict
        )?;
        if let Some(why) = why {
            writeln!(out, "    {why}")?;
        }
    }
    for WatchedCell { cell, manner, intended, rule, finding, told, why, stretches, .. } in
        watched.iter().flat_map(|watched| &watched.cells)
    {
        let (manner, finding) = (serde_json::to_value(manner)?, serde_json::to_value(finding)?);
        let (manner, finding) = (manner.as_str(), finding["kind"].as_str());
        let (manner, finding) = (manner.unwrap_or_default(), finding.unwrap_or_default());
        writeln!(out, "  {cell}, {manner}  {finding}: intended {intended} by `{rule}`, {told}")?;
        if let Some(why) = why {
            writeln!(out, "    {why}")?;
        }
        for Stretch { from, until, attempts, outcome } in stretches {
            writeln!(out, "    {} to {}: {attempts} times {outcome}", ms(*from), ms(*until))?;
        }
    }
    writeln!(out)
}

fn observed(seen: &Observation) -> String {
    let mut text = format!("{} after {}", seen.outcome, ms(seen.latency));
    if let Some(source) = seen.seen_source {
        text += &format!(", from {source}");
    }
    if let Some(evidence) = &seen.evidence {
        text += &format!(", node `{}`: {}", evidence.node, evidence.text);
    }
    text
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
