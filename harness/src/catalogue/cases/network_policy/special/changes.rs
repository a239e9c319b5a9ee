//! Changes that leave less than there was.

use serde_json::json;

use super::parts::{allowed, denied, heading, left_alone, pods, rule, tested};
use super::rules::{cell, ends, rest_denied, town};
use crate::catalogue::case::{Level, Reason};
use crate::catalogue::cases::written::{Special, Step, apply};
use crate::catalogue::feature::Feature;
use crate::catalogue::topic::Topic;
use crate::model::{Direction, Protocol};

/// Every case of this file.
pub(super) fn cases() -> Vec<Special> {
    let each = [Direction::Ingress, Direction::Egress].into_iter();
    each.flat_map(|direction| {
        [
            last_policy_deleted(direction),
            selector_replaced(direction),
            pod_replaced(direction),
            namespace_removed(direction),
        ]
    })
    .collect()
}

fn last_policy_deleted(direction: Direction) -> Special {
    Special {
        heading: heading(
            Topic::LastPolicyDeleted,
            vec![Feature::Direction(direction)],
            Level::Must,
        ),
        sentence: "Pods are open again once the last policy is deleted.".to_owned(),
        topology: town(direction, &["b"], "80"),
        policies: vec![tested("a", &[direction], &[])],
        steps: vec![
            Step {
                name: "the pod is shut",
                actions: vec![apply(&[0])],
                expect: vec![rest_denied(direction)],
                deciding: vec![denied(
                    cell(direction, "x/b", 80, Protocol::Tcp),
                    direction,
                    None,
                    Reason::NoRule,
                )],
            },
            Step {
                name: "the policy is deleted",
                actions: vec!["delete: [x/tested]".to_owned()],
                expect: vec!["allow * -> *".to_owned()],
                deciding: Vec::new(),
            },
        ],
    }
}

fn selector_replaced(direction: Direction) -> Special {
    let of = |pod: &str| match direction {
        Direction::Ingress => format!("deny * -> x/{pod}"),
        Direction::Egress => format!("deny x/{pod} -> *"),
    };
    let open = match direction {
        Direction::Ingress => "z/c -> x/b:80/TCP over ipv4",
        Direction::Egress => "x/b -> z/c:80/TCP over ipv4",
    };
    let topology = "namespaces:\n  x:\n    pods:\n      a: { labels: { app: a }, ports: [80] }\n      b: { labels: { app: b }, ports: [80] }\n  z:\n    pods:\n      c: { labels: { app: c }, ports: [80] }\n";
    let step = |name, at, expect: String, deciding| Step {
        name,
        actions: vec![apply(&[at])],
        expect: vec![expect, "allow * -> *".to_owned()],
        deciding,
    };
    let shut = cell(direction, "z/c", 80, Protocol::Tcp);
    Special {
        heading: heading(Topic::SelectorReplaced, vec![Feature::Direction(direction)], Level::Must),
        sentence: "A policy that selects other pods leaves those that it selected before."
            .to_owned(),
        topology: topology.to_owned(),
        policies: vec![tested("b", &[direction], &[]), tested("a", &[direction], &[])],
        steps: vec![
            step("one pod is shut", 0, of("b"), Vec::new()),
            step(
                "another one is shut in its place",
                1,
                of("a"),
                vec![
                    denied(shut, direction, None, Reason::NoRule),
                    left_alone(open.to_owned(), direction, Reason::Target),
                ],
            ),
        ],
    }
}

fn pod_replaced(direction: Direction) -> Special {
    let ports = if direction == Direction::Egress { ", ports: [80]" } else { "" };
    let add = format!(
        "add:\n  namespaces:\n    x:\n      pods:\n        d: {{ labels: {{ app: d }}{ports} }}\n"
    );
    let rules = json!([rule(direction, pods("b"), None)]);
    Special {
        heading: heading(Topic::PodReplaced, vec![Feature::Direction(direction)], Level::Must),
        sentence: "A pod that comes where a peer was is no peer, whatever address it gets."
            .to_owned(),
        topology: town(direction, &["b"], "80"),
        policies: vec![tested("a", &[direction], &[(direction, rules)])],
        steps: vec![
            Step {
                name: "the peer is there",
                actions: vec![apply(&[0])],
                expect: vec![format!("allow {}", ends(direction, "x/b"))],
                deciding: vec![allowed(cell(direction, "x/b", 80, Protocol::Tcp), direction, 0)],
            },
            Step {
                name: "it goes, and another pod comes",
                actions: vec!["remove: [x/b]".to_owned(), add],
                expect: vec![rest_denied(direction)],
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

fn namespace_removed(direction: Direction) -> Special {
    let (of_target, of_peer) = match direction {
        Direction::Ingress => (", ports: [80]", ""),
        Direction::Egress => ("", ", ports: [80]"),
    };
    let mut topology =
        format!("namespaces:\n  x:\n    pods:\n      a: {{ labels: {{ app: a }}{of_target} }}\n");
    for (name, team) in [("\"y\"", "blue"), ("z", "green")] {
        topology.push_str(&format!("  {name}:\n    labels: {{ team: {team} }}\n    pods:\n      b: {{ labels: {{ app: b }}{of_peer} }}\n"));
    }
    let peers = json!([{ "namespaceSelector": { "matchLabels": { "team": "blue" } } }]);
    let rules = json!([rule(direction, peers, None)]);
    let denied =
        || denied(cell(direction, "z/b", 80, Protocol::Tcp), direction, Some(0), Reason::Peer);
    let others =
        if direction == Direction::Egress { vec!["allow * -> *".to_owned()] } else { vec![] };
    Special {
        heading: heading(Topic::NamespaceRemoved, vec![Feature::Direction(direction)], Level::Must),
        sentence: "A namespace of peers goes, and nobody else takes its place.".to_owned(),
        topology,
        policies: vec![tested("a", &[direction], &[(direction, rules)])],
        steps: vec![
            Step {
                name: "one namespace is let in",
                actions: vec![apply(&[0])],
                expect: [
                    vec![format!("allow {}", ends(direction, "y/b")), rest_denied(direction)],
                    others,
                ]
                .concat(),
                deciding: vec![
                    allowed(cell(direction, "y/b", 80, Protocol::Tcp), direction, 0),
                    denied(),
                ],
            },
            Step {
                name: "it is removed",
                actions: vec!["remove: [namespace/y]".to_owned()],
                expect: vec![rest_denied(direction)],
                deciding: vec![denied()],
            },
        ],
    }
}
