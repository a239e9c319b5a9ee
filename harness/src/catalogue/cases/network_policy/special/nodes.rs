//! Nodes, pods in their networks, pods to themselves: mostly what the API leaves open.

use serde_json::json;

use super::parts::{denied, heading, open, pods, rule, tested};
use super::rules::{cell, ends, rest_denied, town};
use crate::catalogue::case::{Level, Reason};
use crate::catalogue::cases::written::{Decided, Special, Step, apply};
use crate::catalogue::feature::Feature;
use crate::catalogue::topic::Topic;
use crate::model::{Direction, Protocol, Via};

const INGRESS: Direction = Direction::Ingress;
const EGRESS: Direction = Direction::Egress;

/// Every case of this file.
pub(super) fn cases() -> Vec<Special> {
    let mut cases = vec![own_node(), to_own_node(), itself(INGRESS, Via::Service)];
    for direction in [INGRESS, EGRESS] {
        cases.push(itself(direction, Via::Pod));
        cases.push(ip_block_on_pod(direction));
        cases.push(host_network_peer(direction));
        cases.push(host_network_target(direction));
    }
    cases
}

/// A step that applies the one policy.
fn step(name: &'static str, expect: Vec<String>, deciding: Vec<Decided>) -> Vec<Step> {
    vec![Step { name, actions: vec![apply(&[0])], expect, deciding }]
}

const PLACED: &str = "namespaces:\n  x:\n    pods:\n      a: { labels: { app: a }, ports: [80], node: node-1 }\n      b: { labels: { app: b }, ports: [80], node: node-2 }\n";

fn own_node() -> Special {
    let from_other = "node/node-2 -> x/a:80/TCP over ipv4".to_owned();
    Special {
        heading: heading(Topic::OwnNode, Vec::new(), Level::Must),
        sentence: "An isolated pod is reached from its own node, and not from another one."
            .to_owned(),
        topology: PLACED.to_owned(),
        policies: vec![tested("a", &[INGRESS], &[])],
        steps: step(
            "the pod is shut to all but its node",
            vec![
                "allow node/node-1 -> x/a".to_owned(),
                "deny node/node-2 -> x/a".to_owned(),
                rest_denied(INGRESS),
                "allow * -> *".to_owned(),
            ],
            vec![denied(from_other, INGRESS, None, Reason::NoRule)],
        ),
    }
}

fn to_own_node() -> Special {
    Special {
        heading: heading(Topic::ToOwnNode, Vec::new(), Level::Undefined),
        sentence: "Whether an isolated pod reaches its own node is each plugin's choice."
            .to_owned(),
        topology: format!("{PLACED}nodes:\n  node-1: {{ ports: [10250] }}\n"),
        policies: vec![tested("a", &[EGRESS], &[])],
        steps: step(
            "the pod may send nothing, but perhaps to its node",
            vec![
                "any x/a -> node/node-1".to_owned(),
                rest_denied(EGRESS),
                "allow * -> *".to_owned(),
            ],
            vec![open("x/a -> node/node-1:10250/TCP over ipv4".to_owned(), EGRESS)],
        ),
    }
}

fn itself(direction: Direction, via: Via) -> Special {
    let way = if via == Via::Pod { String::new() } else { format!(" via {via}") };
    let itself = format!("x/a -> x/a:80/TCP over ipv4{way}");
    let mut variant = vec![Feature::Direction(direction)];
    variant.extend((via != Via::Pod).then_some(Feature::Via(via)));
    Special {
        heading: heading(Topic::Itself, variant, Level::Undefined),
        sentence: "Whether an isolated pod reaches itself is each plugin's choice.".to_owned(),
        topology: PLACED.to_owned(),
        policies: vec![tested("a", &[direction], &[])],
        steps: step(
            "the pod is shut, but perhaps not to itself",
            vec![format!("any x/a -> x/a{way}"), rest_denied(direction), "allow * -> *".to_owned()],
            vec![open(itself, direction)],
        ),
    }
}

fn ip_block_on_pod(direction: Direction) -> Special {
    let everywhere = json!([{ "ipBlock": { "cidr": "0.0.0.0/0" } }]);
    let rules = json!([rule(direction, everywhere, None)]);
    Special {
        heading: heading(Topic::IpBlockOnPod, vec![Feature::Direction(direction)], Level::Undefined),
        sentence: "Whether an ipBlock is about the pods whose addresses it contains is each plugin's choice."
            .to_owned(),
        topology: town(direction, &["b"], "80"),
        policies: vec![tested("a", &[direction], &[(direction, rules)])],
        steps: step(
            "every address of one family is named",
            vec![
                format!("any {} over ipv4", ends(direction, "x/b")),
                rest_denied(direction),
            ],
            vec![open(cell(direction, "x/b", 80, Protocol::Tcp), direction)],
        ),
    }
}

/// The target, a peer on another node, and a pod that is judged in any case.
fn on_host(of_a: &str, of_b: &str) -> String {
    format!(
        "namespaces:\n  x:\n    pods:\n      a: {{ labels: {{ app: a }}{of_a}, node: node-1 }}\n      b: {{ labels: {{ app: b }}{of_b}, node: node-2 }}\n      c: {{ labels: {{ app: c }}, ports: [80], node: node-2 }}\n"
    )
}

fn host_network_peer(direction: Direction) -> Special {
    let rules = json!([rule(direction, pods("b"), None)]);
    let (topology, port) = match direction {
        Direction::Ingress => (on_host(", ports: [80]", ", hostNetwork: true"), 80),
        Direction::Egress => (on_host("", ", hostNetwork: true, ports: [18080]"), 18080),
    };
    Special {
        heading: heading(
            Topic::HostNetworkPeer,
            vec![Feature::Direction(direction)],
            Level::Undefined,
        ),
        sentence: "Whether a rule can name a pod in its node's network is each plugin's choice."
            .to_owned(),
        topology,
        policies: vec![tested("a", &[direction], &[(direction, rules)])],
        steps: step(
            "the rule names such a pod",
            vec![
                format!("any {}", ends(direction, "x/b")),
                rest_denied(direction),
                "allow * -> *".to_owned(),
            ],
            vec![open(cell(direction, "x/b", port, Protocol::Tcp), direction)],
        ),
    }
}

fn host_network_target(direction: Direction) -> Special {
    let (topology, port) = match direction {
        Direction::Ingress => (on_host(", hostNetwork: true, ports: [18080]", ""), 18080),
        Direction::Egress => (on_host(", hostNetwork: true", ", ports: [80]"), 80),
    };
    Special {
        heading: heading(
            Topic::HostNetworkTarget,
            vec![Feature::Direction(direction)],
            Level::Undefined,
        ),
        sentence: "Whether a policy isolates a pod in its node's network is each plugin's choice."
            .to_owned(),
        topology,
        policies: vec![tested("a", &[direction], &[])],
        steps: step(
            "the policy selects such a pod",
            vec![format!("any {}", ends(direction, "*")), "allow * -> *".to_owned()],
            vec![open(cell(direction, "x/b", port, Protocol::Tcp), direction)],
        ),
    }
}
