//! The `expect` rules that say exactly what is specified of every cell.

use std::collections::BTreeMap;

use crate::model::{Cell, Endpoint, Family, Intent, Protocol, Via};

/// The rules: what most cells do comes last, for all that no rule before it is about.
pub(super) fn rules(cells: &BTreeMap<Cell, Intent>) -> Vec<String> {
    let mut lines = Vec::new();
    for via in [Via::Service, Via::Pod] {
        let of_way = |(cell, intent): (&Cell, &Intent)| (cell.clone(), *intent);
        let mut left: BTreeMap<Cell, Intent> =
            cells.iter().filter(|(cell, _)| cell.via == via).map(of_way).collect();
        // Only a rule that names an end has cells by way of its Service.
        let usual = (via == Via::Pod).then(|| usual(&left));
        let way = if via == Via::Pod { String::new() } else { format!(" via {via}") };
        type Part = fn(&Cell, &str) -> (String, Option<(u16, Protocol)>, Option<Family>);
        let parts: [Part; 5] = [
            |cell, _| (format!("{} -> *", cell.source), None, None),
            |cell, all| (format!("{all} -> {}", cell.destination), None, None),
            |cell, _| (pair(cell), None, None),
            |cell, _| (pair(cell), Some((cell.port, cell.protocol)), None),
            |cell, _| (pair(cell), Some((cell.port, cell.protocol)), Some(cell.family)),
        ];
        let parts = if via == Via::Pod { &parts[..] } else { &parts[1..] };
        let all = if via == Via::Pod { "*" } else { "*/*" };
        for part in parts {
            let mut groups: BTreeMap<_, Vec<Cell>> = BTreeMap::new();
            for cell in left.keys() {
                groups.entry(part(cell, all)).or_default().push(cell.clone());
            }
            for ((ends, port, family), group) in groups {
                let Some(intent) = common(&group, &left) else { continue };
                if Some(intent) == usual {
                    continue;
                }
                let port = port.map(|(number, protocol)| match protocol {
                    Protocol::Tcp => format!(":{number}"),
                    _ => format!(":{number}/{protocol}"),
                });
                let family = family.map(|family| format!(" over {family}"));
                lines.push(format!(
                    "{intent} {ends}{}{way}{}",
                    port.unwrap_or_default(),
                    family.unwrap_or_default()
                ));
                left.retain(|cell, _| !group.contains(cell));
            }
        }
        lines.extend(usual.filter(|_| !left.is_empty()).map(|intent| format!("{intent} * -> *")));
    }
    lines
}

fn pair(cell: &Cell) -> String {
    let Cell { source, destination, .. } = cell;
    let end = |end: &Endpoint| end.to_string();
    format!("{} -> {}", end(source), end(destination))
}

/// What most cells do.
fn usual(cells: &BTreeMap<Cell, Intent>) -> Intent {
    let count = |wanted| cells.values().filter(|intent| **intent == wanted).count();
    let all = [Intent::Any, Intent::Deny, Intent::Allow];
    all.into_iter().max_by_key(|intent| count(*intent)).unwrap_or(Intent::Allow)
}

/// What all of these cells do, where it is the same.
fn common(group: &[Cell], cells: &BTreeMap<Cell, Intent>) -> Option<Intent> {
    let first = *cells.get(group.first()?)?;
    group.iter().all(|cell| cells.get(cell) == Some(&first)).then_some(first)
}
