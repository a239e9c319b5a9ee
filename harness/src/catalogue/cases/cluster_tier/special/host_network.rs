//! Pods in their nodes' networks: never a subject, never a peer by their labels.

use serde_json::json;

use super::parts::{decided, heading, policy, rule, team};
use crate::catalogue::case::{Level, Reason};
use crate::catalogue::cases::written::{Special, Step, apply};
use crate::catalogue::cluster_tier::{Action, Api, Feature, Peer, Tier, Topic};
use crate::model::{Direction, Intent};

/// A namespace `x` with a pod `a`, a namespace `y` with a pod `b`; in one of them a pod `h`
/// in the network of a node.
fn topology(of_x: &str, of_y: &str) -> String {
    format!(
        "namespaces:\n  x:\n    labels: {{ team: red }}\n    pods:\n      a: {{ labels: {{ app: a }}, ports: [80], node: node-1 }}\n{of_x}  \"y\":\n    labels: {{ team: blue }}\n    pods:\n      b: {{ labels: {{ app: b }}, ports: [80], node: node-2 }}\n{of_y}"
    )
}

const HOST: &str = "      h: { labels: { app: h }, hostNetwork: true, ports: [18080], node: ";

/// Every case of this file.
pub(super) fn cases() -> Vec<Special> {
    let mut cases = Vec::new();
    for api in [Api::V1alpha2, Api::V1alpha1] {
        for direction in [Direction::Ingress, Direction::Egress] {
            cases.extend([subject(api, direction), peer(api, direction)]);
        }
        cases.push(node(api));
    }
    cases
}

const ADMIN: Tier = Tier::Admin;

/// The case: `near` is denied by the rule, `host` would be if its end were any other pod.
fn case(
    (topic, api, direction): (Topic, Api, Direction),
    sentence: &str,
    topology: String,
    (near, host): (&'static str, &'static str),
) -> Special {
    let rules = [rule(api, direction, Action::Deny, team("blue"))];
    let text = |cell: &str| cell.split(':').next().unwrap_or(cell).to_owned();
    let at = (direction, Some(0));
    Special {
        heading: heading(topic, api, &[Feature::Direction(direction)], Level::Must),
        sentence: sentence.to_owned(),
        topology,
        policies: vec![policy((api, ADMIN), ("tested", 50), "red", direction, &rules)],
        steps: vec![Step {
            name: "the rule denies other pods",
            actions: vec![apply(&[0])],
            expect: vec![
                format!("deny {}", text(near)),
                // Of a pod and its own node the API leaves much open.
                "allow * -> *".to_owned(),
            ],
            deciding: vec![
                decided((api, ADMIN), near, (Intent::Deny, Reason::Rule), at),
                decided((api, ADMIN), host, (Intent::Allow, Reason::HostNetwork), at),
            ],
        }],
    }
}

fn subject(api: Api, direction: Direction) -> Special {
    let cells = match direction {
        Direction::Ingress => ("y/b -> x/a:80/TCP", "y/b -> x/h:18080/TCP"),
        Direction::Egress => ("x/a -> y/b:80/TCP", "x/h -> y/b:80/TCP"),
    };
    case(
        (Topic::HostNetworkSubject, api, direction),
        "A pod in its node's network is not among the pods that a policy is about.",
        topology(&format!("{HOST}node-1 }}\n"), ""),
        cells,
    )
}

fn peer(api: Api, direction: Direction) -> Special {
    let cells = match direction {
        Direction::Ingress => ("y/b -> x/a:80/TCP", "y/h -> x/a:80/TCP"),
        Direction::Egress => ("x/a -> y/b:80/TCP", "x/a -> y/h:18080/TCP"),
    };
    case(
        (Topic::HostNetworkPeer, api, direction),
        "A pod in its node's network is not among the pods of the namespaces that a rule names.",
        topology("", &format!("{HOST}node-2 }}\n")),
        cells,
    )
}

fn node(api: Api) -> Special {
    let rules = [rule(api, Direction::Egress, Action::Deny, json!({ "nodes": {} }))];
    let cell = "x/a -> y/h:18080/TCP";
    let at = (Direction::Egress, Some(0));
    Special {
        heading: heading(Topic::HostNetworkNode, api, &[Feature::Peer(Peer::EveryNode)], Level::MustIfDeclared),
        sentence: "A pod in its node's network is reached by the node's address, and so by a rule about nodes."
            .to_owned(),
        topology: topology("", &format!("{HOST}node-2 }}\n")),
        policies: vec![policy((api, ADMIN), ("tested", 50), "red", Direction::Egress, &rules)],
        steps: vec![Step {
            name: "the rule denies the nodes",
            actions: vec![apply(&[0])],
            expect: vec!["deny x/a -> y/h".to_owned(), "allow * -> *".to_owned()],
            deciding: vec![decided((api, ADMIN), cell, (Intent::Deny, Reason::Rule), at)],
        }],
    }
}
