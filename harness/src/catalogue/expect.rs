//! The `expect` rules of a step: as few as say it plainly, each of which decides a cell.

mod tiers;

use std::collections::BTreeSet;

use super::scene::Scene;
use crate::model::{Cell, Direction, Endpoint, Family, Intent, Protocol, Via};

pub(super) use tiers::expected;

/// One rule, and the cells that it matches.
struct Line {
    text: String,
    cells: BTreeSet<Cell>,
}

/// The rules of a step. What an isolated pod is allowed comes first, then that the rest is
/// denied to it, then that everything else is open.
pub(super) fn rules(scene: &Scene) -> Vec<String> {
    let all: BTreeSet<Cell> = scene.cells().into_iter().collect();
    let mut lines = Vec::new();
    for via in [Via::Service, Via::Pod] {
        let of = |intent: Intent| {
            all.iter().filter(move |cell| cell.via == via && scene.intent(cell) == intent)
        };
        let denials = denials(scene, of(Intent::Deny), &all);
        // What no denial catches is open anyway.
        let caught = |cell: &&Cell| denials.iter().any(|line| line.cells.contains(*cell));
        lines.extend(gathered(of(Intent::Any), Intent::Any, &all));
        lines.extend(gathered(of(Intent::Allow).filter(caught), Intent::Allow, &all));
        let open: BTreeSet<Cell> =
            of(Intent::Allow).filter(|cell| !caught(cell)).cloned().collect();
        lines.extend(denials);
        match via {
            Via::Pod => lines.push(Line { text: "allow * -> *".to_owned(), cells: open }),
            _ => lines.extend(served(&open)),
        }
    }
    // A rule that decides nothing is an error.
    let mut left = all.clone();
    lines.retain(|line| {
        let decides = line.cells.iter().any(|cell| left.contains(cell));
        left.retain(|cell| !line.cells.contains(cell));
        decides
    });
    lines.into_iter().map(|line| line.text).collect()
}

/// That Services are open: only destinations that are named have one.
fn served(open: &BTreeSet<Cell>) -> Vec<Line> {
    let ends: BTreeSet<&Endpoint> = open.iter().map(|cell| &cell.destination).collect();
    let line = |end: &Endpoint| Line {
        text: format!("allow */* -> {end} via {}", Via::Service),
        cells: open.iter().filter(|cell| cell.destination == *end).cloned().collect(),
    };
    ends.into_iter().map(line).collect()
}

/// Rules for exactly these cells: one for each source, destination and port, with both
/// families and all ports in one where they go together.
fn gathered<'c>(
    meant: impl Iterator<Item = &'c Cell>,
    intent: Intent,
    all: &BTreeSet<Cell>,
) -> Vec<Line> {
    let meant: BTreeSet<&Cell> = meant.collect();
    let mut left = meant.clone();
    let mut lines = Vec::new();
    while let Some(first) = left.first().copied() {
        let line = widest(first, intent, &meant, all);
        left.retain(|cell| !line.cells.contains(*cell));
        lines.push(line);
    }
    lines
}

/// The rule that matches a cell and most others of the same source and destination, and only
/// cells that are meant.
fn widest(cell: &Cell, intent: Intent, meant: &BTreeSet<&Cell>, all: &BTreeSet<Cell>) -> Line {
    let port = Some((cell.port, cell.protocol));
    let family = Some(cell.family);
    let mut best = None;
    for (port, family) in [(None, None), (port, None), (None, family), (port, family)] {
        let cells: BTreeSet<Cell> = all
            .iter()
            .filter(|other| {
                other.source == cell.source
                    && other.destination == cell.destination
                    && other.via == cell.via
                    && port.is_none_or(|port| (other.port, other.protocol) == port)
                    && family.is_none_or(|family| other.family == family)
            })
            .cloned()
            .collect();
        if cells.iter().all(|cell| meant.contains(cell)) {
            let text = text(intent, &cell.source, &cell.destination, port, family, cell.via);
            best = Some(Line { text, cells });
            break;
        }
    }
    best.unwrap_or_else(|| Line {
        text: text(intent, &cell.source, &cell.destination, port, family, cell.via),
        cells: [cell.clone()].into(),
    })
}

/// That everything else is denied to and from isolated pods. Of Services a rule names both
/// the way and the destination, since it is the rule that makes the cells.
fn denials<'c>(
    scene: &Scene,
    denied: impl Iterator<Item = &'c Cell>,
    all: &BTreeSet<Cell>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for cell in denied {
        let via = cell.via;
        for direction in [Direction::Ingress, Direction::Egress] {
            if !scene.side(cell, direction).is_shut() {
                continue;
            }
            let Cell { source, destination, .. } = cell;
            let (text, one, other) = match (direction, via) {
                (Direction::Ingress, Via::Pod) => {
                    (format!("deny * -> {destination}"), None, Some(destination))
                }
                (Direction::Egress, Via::Pod) => {
                    (format!("deny {source} -> *"), Some(source), None)
                }
                (Direction::Ingress, _) => {
                    (format!("deny */* -> {destination} via {via}"), None, Some(destination))
                }
                (Direction::Egress, _) => (
                    format!("deny {source} -> {destination} via {via}"),
                    Some(source),
                    Some(destination),
                ),
            };
            if lines.iter().any(|line| line.text == text) {
                continue;
            }
            let cells = all.iter().filter(|cell| {
                cell.via == via
                    && one.is_none_or(|source| cell.source == *source)
                    && other.is_none_or(|destination| cell.destination == *destination)
            });
            lines.push(Line { text, cells: cells.cloned().collect() });
        }
    }
    lines
}

fn text(
    intent: Intent,
    source: &Endpoint,
    destination: &Endpoint,
    port: Option<(u16, Protocol)>,
    family: Option<Family>,
    via: Via,
) -> String {
    let port = match port {
        None => String::new(),
        Some((number, Protocol::Tcp)) => format!(":{number}"),
        Some((number, protocol)) => format!(":{number}/{protocol}"),
    };
    let way = if via == Via::Pod { String::new() } else { format!(" via {via}") };
    let family = family.map(|family| format!(" over {family}")).unwrap_or_default();
    format!("{intent} {source} -> {destination}{port}{way}{family}")
}
