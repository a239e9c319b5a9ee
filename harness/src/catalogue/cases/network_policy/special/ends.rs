//! Pods that end or are being deleted, while others go on.

use serde_json::json;

use super::parts::{allowed, denied, heading, pods, rule, tested};
use super::rules::{cell, ends, rest_denied};
use crate::catalogue::case::{Level, Reason};
use crate::catalogue::cases::written::{Special, Step, apply};
use crate::catalogue::feature::Feature;
use crate::catalogue::topic::Topic;
use crate::model::{Direction, Protocol};

/// Every case of this file.
pub(super) fn cases() -> Vec<Special> {
    let each = [Direction::Ingress, Direction::Egress].into_iter();
    each.flat_map(|direction| [address_reused(direction), terminating_target(direction)]).collect()
}

/// The target on one node and pods on the other; those that are connected to have a port.
fn town(direction: Direction, peers: &[&str]) -> String {
    let mut text = String::from("namespaces:\n  x:\n    pods:\n");
    text.push_str(&format!("      {}\n", pod("a", "node-1", direction == Direction::Ingress)));
    for peer in peers {
        text.push_str(&format!("      {}\n", pod(peer, "node-2", direction == Direction::Egress)));
    }
    text
}

fn pod(name: &str, node: &str, receives: bool) -> String {
    let ports = if receives { ", ports: [80]" } else { "" };
    format!("{name}: {{ labels: {{ app: {name} }}{ports}, node: {node} }}")
}

/// Beside the cells of the target, those of its peers with each other, where there are any.
fn others(direction: Direction) -> Vec<String> {
    let any = direction == Direction::Egress;
    any.then(|| "allow * -> *".to_owned()).into_iter().collect()
}

fn address_reused(direction: Direction) -> Special {
    let next = pod("d", "node-2", direction == Direction::Egress);
    let add = format!("add:\n  namespaces:\n    x:\n      pods:\n        {next}\n");
    let rules = json!([rule(direction, pods("b"), None)]);
    Special {
        heading: heading(Topic::AddressReused, vec![Feature::Direction(direction)], Level::Must),
        sentence: "The pod that gets the address of a peer which has ended is no peer.".to_owned(),
        topology: town(direction, &["b", "c"]),
        policies: vec![tested("a", &[direction], &[(direction, rules)])],
        steps: vec![
            Step {
                name: "the peer is let through",
                actions: vec![apply(&[0])],
                expect: [
                    vec![format!("allow {}", ends(direction, "x/b")), rest_denied(direction)],
                    others(direction),
                ]
                .concat(),
                deciding: vec![allowed(cell(direction, "x/b", 80, Protocol::Tcp), direction, 0)],
            },
            Step {
                name: "it ends",
                actions: vec!["end: [x/b]".to_owned()],
                expect: vec![rest_denied(direction)],
                deciding: Vec::new(),
            },
            Step {
                name: "another pod comes on its node",
                actions: vec![add],
                expect: [vec![rest_denied(direction)], others(direction)].concat(),
                deciding: vec![denied(
                    cell(direction, "x/d", 80, Protocol::Tcp),
                    direction,
                    Some(0),
                    Reason::Peer,
                )],
            },
        ],
    }
}

fn terminating_target(direction: Direction) -> Special {
    let rules = json!([rule(direction, pods("b"), None)]);
    let step = |name, action| Step {
        name,
        actions: vec![action],
        expect: [
            vec![format!("allow {}", ends(direction, "x/b")), rest_denied(direction)],
            others(direction),
        ]
        .concat(),
        deciding: vec![
            allowed(cell(direction, "x/b", 80, Protocol::Tcp), direction, 0),
            denied(cell(direction, "x/c", 80, Protocol::Tcp), direction, Some(0), Reason::Peer),
        ],
    };
    Special {
        heading: heading(
            Topic::TerminatingTarget,
            vec![Feature::Direction(direction)],
            Level::Must,
        ),
        sentence: "A pod that is being deleted is isolated for as long as it runs.".to_owned(),
        topology: town(direction, &["b", "c"]),
        policies: vec![tested("a", &[direction], &[(direction, rules)])],
        steps: vec![
            step("one peer is let through", apply(&[0])),
            step("the pod is marked for deletion", "terminate: [x/a]".to_owned()),
        ],
    }
}
