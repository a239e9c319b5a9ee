//! Which cells a rule is about, and which names in it there are not.

use std::collections::BTreeSet;

use super::nearby::near_or_all;
use super::{EndpointPattern, ExpectRule, PortPattern};
use crate::model::{Cell, Endpoint, Family, Phase, Topology, Via};

/// A name in a rule that the topology does not have.
pub(super) struct Unknown {
    pub(super) code: &'static str,
    /// Where the word starts, in characters from the rule's start.
    pub(super) at: u32,
    pub(super) width: u32,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// Whether a rule is about a cell of the topology.
pub(super) fn matches(rule: &ExpectRule, cell: &Cell, topology: &Topology) -> bool {
    rule.family.is_none_or(|family| family == cell.family)
        && rule.via.is_none_or(|via| via == cell.via)
        && end_matches(&rule.source, &cell.source)
        && end_matches(&rule.destination, &cell.destination)
        && rule.port.as_ref().is_none_or(|port| port_matches(port, cell, topology))
        && (cell.source != cell.destination || names_itself(rule))
}

/// Whether the rule names one pod on both sides: only then a pod to itself is a cell.
fn names_itself(rule: &ExpectRule) -> bool {
    matches!(&rule.source, EndpointPattern::Pod(_)) && rule.source == rule.destination
}

fn end_matches(pattern: &EndpointPattern, end: &Endpoint) -> bool {
    match (pattern, end) {
        (EndpointPattern::Any, Endpoint::Pod(_) | Endpoint::External(_)) => true,
        (EndpointPattern::AnyPod, Endpoint::Pod(_)) => true,
        (EndpointPattern::Namespace(namespace), Endpoint::Pod(pod)) => pod.namespace == *namespace,
        (EndpointPattern::PodsNamed(name), Endpoint::Pod(pod)) => pod.name == *name,
        (EndpointPattern::Pod(name), Endpoint::Pod(pod)) => pod == name,
        (EndpointPattern::External(name), Endpoint::External(host)) => host == name,
        (EndpointPattern::Node(name), Endpoint::Node(node)) => {
            name.as_ref().is_none_or(|name| name == node)
        }
        _ => false,
    }
}

fn port_matches(pattern: &PortPattern, cell: &Cell, topology: &Topology) -> bool {
    match pattern {
        PortPattern::Numbers { first, last, protocol } => {
            cell.protocol == *protocol && (*first..=*last).contains(&cell.port)
        }
        PortPattern::Protocol { protocol } => cell.protocol == *protocol,
        PortPattern::Name { name } => topology.ports(&cell.destination).iter().any(|port| {
            port.number == cell.port
                && port.protocol == cell.protocol
                && port.name.as_ref() == Some(name)
        }),
    }
}

/// Adds the cells that exist only because a rule names them: a pod to itself,
/// anything from or to a node, and destinations by way of a Service.
pub(super) fn named_cells(rule: &ExpectRule, topology: &Topology, cells: &mut BTreeSet<Cell>) {
    let node = |pattern: &EndpointPattern| matches!(pattern, EndpointPattern::Node(_));
    let via = rule.via.unwrap_or(Via::Pod);
    let special = names_itself(rule) || node(&rule.source) || node(&rule.destination);
    if !special && via == Via::Pod {
        return;
    }
    let pods = topology.pods.iter().filter(|(_, pod)| pod.phase == Phase::Running);
    let mut ends: Vec<Endpoint> = pods.map(|(name, _)| Endpoint::Pod(name.clone())).collect();
    ends.extend(topology.externals.keys().cloned().map(Endpoint::External));
    ends.extend(topology.nodes.keys().cloned().map(Endpoint::Node));
    for source in ends.iter().filter(|end| end_matches(&rule.source, end)) {
        for destination in ends.iter().filter(|end| end_matches(&rule.destination, end)) {
            // Policies are about pods: one end has to be one.
            if source.as_pod().is_none() && destination.as_pod().is_none()
                || source == destination && !names_itself(rule)
                || via != Via::Pod && destination.as_pod().is_none()
            {
                continue;
            }
            let mut ports: BTreeSet<_> =
                topology.ports(destination).iter().map(|p| (p.number, p.protocol)).collect();
            // A node's port need not be declared where a rule names it.
            if let (Endpoint::Node(_), Some(PortPattern::Numbers { first, last, protocol })) =
                (destination, &rule.port)
                && first == last
            {
                ports.insert((*first, *protocol));
            }
            for (port, protocol) in ports {
                for family in Family::ALL {
                    let cell = Cell {
                        source: source.clone(),
                        destination: destination.clone(),
                        port,
                        protocol,
                        family,
                        via,
                    };
                    let has = |end: &Endpoint| {
                        let addresses = topology.addresses(end);
                        addresses.is_empty() || addresses.iter().any(|a| Family::of(*a) == family)
                    };
                    if matches(rule, &cell, topology) && has(source) && has(destination) {
                        cells.insert(cell);
                    }
                }
            }
        }
    }
}

/// The first name in a rule that the topology does not have.
pub(super) fn unknown(rule: &ExpectRule, topology: &Topology) -> Option<Unknown> {
    let words: Vec<&str> = rule.text.split_whitespace().collect();
    let source = words.get(1).copied().unwrap_or_default();
    let destination = words.get(3).copied().unwrap_or_default();
    let (destination, port) = match destination.split_once(':') {
        Some((end, port)) => (end, Some(port)),
        None => (destination, None),
    };
    let source_at = offset(&rule.text, 1);
    let destination_at = offset(&rule.text, 3);
    unknown_end(&rule.source, source, source_at, topology)
        .or_else(|| unknown_end(&rule.destination, destination, destination_at, topology))
        .or_else(|| {
            let at = destination_at + length(destination) + 1;
            unknown_port(rule, port?, at, topology)
        })
}

fn length(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// Where the nth word starts, in characters.
fn offset(text: &str, word: usize) -> u32 {
    let mut seen = 0;
    let mut inside = false;
    for (at, c) in text.chars().enumerate() {
        if c.is_whitespace() {
            inside = false;
        } else if !inside {
            if seen == word {
                return u32::try_from(at).unwrap_or(u32::MAX);
            }
            seen += 1;
            inside = true;
        }
    }
    0
}

fn unknown_end(
    pattern: &EndpointPattern,
    word: &str,
    at: u32,
    topology: &Topology,
) -> Option<Unknown> {
    let pods = || topology.pods.keys();
    let (code, kind, names): (_, _, Vec<String>) = match pattern {
        EndpointPattern::Any | EndpointPattern::AnyPod | EndpointPattern::Node(None) => {
            return None;
        }
        EndpointPattern::Namespace(name) => {
            if topology.namespaces.contains_key(name) {
                return None;
            }
            let names = topology.namespaces.keys().map(|name| format!("{name}/*")).collect();
            ("unknown-namespace", "namespace", names)
        }
        EndpointPattern::PodsNamed(name) => {
            if pods().any(|pod| pod.name == *name) {
                return None;
            }
            let names: BTreeSet<_> = pods().map(|pod| format!("*/{}", pod.name)).collect();
            ("unknown-pod", "pod", names.into_iter().collect())
        }
        EndpointPattern::Pod(name) => {
            if topology.pods.contains_key(name) {
                return None;
            }
            ("unknown-pod", "pod", pods().map(ToString::to_string).collect())
        }
        EndpointPattern::External(name) => {
            if topology.externals.contains_key(name) {
                return None;
            }
            let mut names: Vec<String> =
                topology.externals.keys().map(ToString::to_string).collect();
            // A pod without its namespace is the likely mistake.
            names.extend(pods().filter(|pod| pod.name == *name).map(ToString::to_string));
            if let Some(pod) = pods().find(|pod| pod.name == *name) {
                return Some(Unknown {
                    code: "unknown-external",
                    at,
                    width: length(word),
                    message: format!("there is no external host `{word}`"),
                    help: Some(format!("did you mean the pod `{pod}`?")),
                });
            }
            ("unknown-external", "external host", names)
        }
        EndpointPattern::Node(Some(name)) => {
            if topology.nodes.contains_key(name) {
                return None;
            }
            let names = topology.nodes.keys().map(|name| format!("node/{name}")).collect();
            ("unknown-node", "node", names)
        }
    };
    Some(Unknown {
        code,
        at,
        width: length(word),
        message: format!("there is no {kind} `{word}`"),
        help: near_or_all(word, names.iter().map(String::as_str)),
    })
}

/// A port that no destination of the rule has.
fn unknown_port(rule: &ExpectRule, word: &str, at: u32, topology: &Topology) -> Option<Unknown> {
    let pattern = rule.port.as_ref()?;
    let mut ends: Vec<Endpoint> = topology.pods.keys().cloned().map(Endpoint::Pod).collect();
    ends.extend(topology.externals.keys().cloned().map(Endpoint::External));
    ends.extend(topology.nodes.keys().cloned().map(Endpoint::Node));
    ends.retain(|end| end_matches(&rule.destination, end));
    let ports: BTreeSet<_> = ends.iter().flat_map(|end| topology.ports(end)).collect();
    let known = ports.iter().any(|port| match pattern {
        PortPattern::Numbers { first, last, protocol } => {
            port.protocol == *protocol && (*first..=*last).contains(&port.number)
        }
        PortPattern::Protocol { protocol } => port.protocol == *protocol,
        PortPattern::Name { name } => port.name.as_ref() == Some(name),
    });
    let free = matches!(pattern, PortPattern::Numbers { first, last, .. } if first == last)
        && matches!(rule.destination, EndpointPattern::Node(_));
    if known || free {
        return None;
    }
    let names: Vec<String> = match pattern {
        PortPattern::Name { .. } => {
            ports.iter().filter_map(|port| port.name.as_ref().map(ToString::to_string)).collect()
        }
        _ => ports
            .iter()
            .map(|port| match port.protocol {
                crate::model::Protocol::Tcp => port.number.to_string(),
                protocol => format!("{}/{protocol}", port.number),
            })
            .collect(),
    };
    let destination = rule.text.split_whitespace().nth(3).unwrap_or_default();
    let destination = destination.split(':').next().unwrap_or_default();
    Some(Unknown {
        code: "unknown-port",
        at,
        width: length(word).max(1),
        message: format!("`{destination}` has no port `{word}`"),
        help: near_or_all(word, names.iter().map(String::as_str))
            .or_else(|| ports.is_empty().then(|| "it declares no ports".to_owned())),
    })
}
