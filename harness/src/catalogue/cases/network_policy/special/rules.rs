//! What rules and types mean, where no axis says it.

use serde_json::{Value, json};

use super::parts::{allowed, denied, heading, left_alone, pods, policy, rule, tested};
use crate::catalogue::case::{Decider, Level, Reason};
use crate::catalogue::cases::network_policy::deciding::opposite;
use crate::catalogue::cases::written::{Decided, Special, Step, apply};
use crate::catalogue::feature::Feature;
use crate::catalogue::topic::Topic;
use crate::model::{Direction, Family, Intent, PolicyName, Protocol};

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// Both ends of a cell between the target `x/a` and a peer.
pub(super) fn ends(direction: Direction, peer: &str) -> String {
    match direction {
        Direction::Ingress => format!("{peer} -> x/a"),
        Direction::Egress => format!("x/a -> {peer}"),
    }
}

/// That nothing else passes between the target and anybody.
pub(super) fn rest_denied(direction: Direction) -> String {
    format!("deny {}", ends(direction, "*"))
}

pub(super) fn cell(direction: Direction, peer: &str, port: u16, protocol: Protocol) -> String {
    format!("{}:{port}/{protocol} over {}", ends(direction, peer), Family::Ipv4)
}

fn port(number: u16, protocol: Protocol) -> Value {
    json!([{ "protocol": protocol.to_string(), "port": number }])
}

fn opens(intent: Intent, direction: Direction, peer: &str, at: &str) -> String {
    format!("{intent} {}{at}", ends(direction, peer))
}

/// Pods of the namespace `x`: those that receive have these ports.
pub(super) fn town(direction: Direction, peers: &[&str], ports: &str) -> String {
    let mut text = String::from("namespaces:\n  x:\n    pods:\n");
    for (name, receives) in [("a", direction == Direction::Ingress)]
        .into_iter()
        .chain(peers.iter().map(|peer| (*peer, direction == Direction::Egress)))
    {
        let ports = if receives { format!(", ports: [{ports}]") } else { String::new() };
        text.push_str(&format!("      {name}: {{ labels: {{ app: {name} }}{ports} }}\n"));
    }
    text
}

/// Every case of this file.
pub(super) fn cases() -> Vec<Special> {
    let mut cases = Vec::new();
    for direction in DIRECTIONS {
        cases.extend(Protocol::ALL.map(|protocol| one_protocol(direction, protocol)));
        cases.push(same_port_each_protocol(direction));
        cases.push(rules_of_other_direction(direction));
        cases.push(same_range_twice(direction));
    }
    cases.extend(Protocol::ALL.map(replies));
    cases.extend([empty_egress_by_default(), everything_denied(), both_ends_decide()]);
    cases
}

const EACH_PROTOCOL: &str = "80, 80/UDP, 80/SCTP";

fn one_protocol(direction: Direction, protocol: Protocol) -> Special {
    let rules = json!([rule(direction, pods("b"), Some(port(80, protocol)))]);
    let others = Protocol::ALL.into_iter().filter(|other| *other != protocol);
    let mut deciding = vec![allowed(cell(direction, "x/b", 80, protocol), direction, 0)];
    deciding.extend(others.map(|other| {
        denied(cell(direction, "x/b", 80, other), direction, Some(0), Reason::Protocol)
    }));
    Special {
        heading: heading(
            Topic::OneProtocol,
            vec![Feature::Direction(direction), Feature::Protocol(protocol)],
            Level::Must,
        ),
        sentence: format!("A rule for {protocol} opens its port in no other protocol."),
        topology: town(direction, &["b"], EACH_PROTOCOL),
        policies: vec![tested("a", &[direction], &[(direction, rules)])],
        steps: vec![Step {
            name: "one protocol is open",
            actions: vec![apply(&[0])],
            expect: vec![
                opens(Intent::Allow, direction, "x/b", &format!(":80/{protocol}")),
                rest_denied(direction),
            ],
            deciding,
        }],
    }
}

fn same_port_each_protocol(direction: Direction) -> Special {
    let each = [("b", Protocol::Tcp), ("c", Protocol::Udp), ("d", Protocol::Sctp)];
    let rules: Vec<Value> = each
        .iter()
        .map(|(peer, protocol)| rule(direction, pods(peer), Some(port(80, *protocol))))
        .collect();
    let at = |peer: &str, protocol| cell(direction, &format!("x/{peer}"), 80, protocol);
    let mut expect: Vec<String> = each
        .iter()
        .map(|(peer, protocol)| {
            opens(Intent::Allow, direction, &format!("x/{peer}"), &format!(":80/{protocol}"))
        })
        .collect();
    expect.push(rest_denied(direction));
    if direction == Direction::Egress {
        expect.push("allow * -> *".to_owned());
    }
    let mut deciding: Vec<Decided> = each
        .iter()
        .enumerate()
        .map(|(rule, (peer, protocol))| allowed(at(peer, *protocol), direction, rule))
        .collect();
    deciding.push(denied(at("b", Protocol::Udp), direction, Some(1), Reason::Peer));
    deciding.push(denied(at("c", Protocol::Tcp), direction, Some(0), Reason::Peer));
    deciding.push(denied(at("d", Protocol::Tcp), direction, Some(0), Reason::Peer));
    Special {
        heading: heading(
            Topic::SamePortEachProtocol,
            vec![Feature::Direction(direction)],
            Level::Must,
        ),
        sentence: "One port number is open to another peer in each protocol.".to_owned(),
        topology: town(direction, &["b", "c", "d"], EACH_PROTOCOL),
        policies: vec![tested("a", &[direction], &[(direction, json!(rules))])],
        steps: vec![Step {
            name: "each protocol has its peer",
            actions: vec![apply(&[0])],
            expect,
            deciding,
        }],
    }
}

/// Where every pod receives.
fn everybody(ports: &str) -> String {
    ["a", "b", "c"].iter().fold(String::from("namespaces:\n  x:\n    pods:\n"), |text, name| {
        text + &format!("      {name}: {{ labels: {{ app: {name} }}, ports: [{ports}] }}\n")
    })
}

fn rules_of_other_direction(direction: Direction) -> Special {
    let other = opposite(direction);
    let rules = json!([rule(direction, pods("c"), None)]);
    Special {
        heading: heading(
            Topic::RulesOfOtherDirection,
            vec![Feature::Direction(direction)],
            Level::Must,
        ),
        sentence: format!(
            "{direction} rules mean nothing where `policyTypes` names {other} alone."
        ),
        topology: everybody("80"),
        policies: vec![tested("a", &[other], &[(direction, rules)])],
        steps: vec![Step {
            name: "the direction that is named is shut, the other is open",
            actions: vec![apply(&[0])],
            expect: vec![rest_denied(other), "allow * -> *".to_owned()],
            deciding: vec![
                left_alone(cell(direction, "x/b", 80, Protocol::Tcp), direction, Reason::Types),
                denied(cell(other, "x/b", 80, Protocol::Tcp), other, None, Reason::NoRule),
            ],
        }],
    }
}

fn empty_egress_by_default() -> Special {
    let (direction, other) = (Direction::Ingress, Direction::Egress);
    Special {
        heading: heading(Topic::EmptyEgressByDefault, Vec::new(), Level::Must),
        sentence:
            "An empty list of egress rules is no egress section, so ingress alone is isolated."
                .to_owned(),
        topology: everybody("80"),
        policies: vec![tested("a", &[], &[(other, json!([]))])],
        steps: vec![Step {
            name: "ingress is shut, egress is open",
            actions: vec![apply(&[0])],
            expect: vec![rest_denied(direction), "allow * -> *".to_owned()],
            deciding: vec![
                denied(cell(direction, "x/b", 80, Protocol::Tcp), direction, None, Reason::NoRule),
                left_alone(cell(other, "x/b", 80, Protocol::Tcp), other, Reason::Types),
            ],
        }],
    }
}

fn everything_denied() -> Special {
    let topology = "namespaces:\n  x:\n    pods:\n      a: { labels: { app: a }, ports: [80] }\n      b: { labels: { app: b }, ports: [80] }\n  z:\n    pods:\n      b: { labels: { app: b }, ports: [80] }\n";
    let decided = |direction| {
        denied(cell(direction, "z/b", 80, Protocol::Tcp), direction, None, Reason::NoRule)
    };
    Special {
        heading: heading(Topic::EverythingDenied, Vec::new(), Level::Must),
        sentence: "A policy of both types without rules shuts its namespace in both directions."
            .to_owned(),
        topology: topology.to_owned(),
        policies: vec![policy("x", "tested", json!({}), &DIRECTIONS, &[])],
        steps: vec![Step {
            name: "nothing enters and nothing leaves",
            actions: vec![apply(&[0])],
            expect: vec!["deny * -> *".to_owned()],
            deciding: DIRECTIONS.map(decided).into(),
        }],
    }
}

fn both_ends_decide() -> Special {
    let topology = "namespaces:\n  x:\n    pods:\n      a: { labels: { app: a } }\n      b: { labels: { app: b } }\n  z:\n    labels: { team: green }\n    pods:\n      b: { labels: { app: b }, ports: [80] }\n";
    let (ingress, egress) = (Direction::Ingress, Direction::Egress);
    let every = json!([{ "namespaceSelector": {} }]);
    let sends = tested("a", &[egress], &[(egress, json!([rule(egress, every.clone(), None)]))]);
    let shut = policy("z", "receiver", json!({}), &[ingress], &[]);
    let opened = json!([rule(ingress, every, None)]);
    let open = policy("z", "receiver", json!({}), &[ingress], &[(ingress, opened)]);
    let alone = Decided {
        cell: "x/b -> z/b:80/TCP over ipv4".to_owned(),
        intent: Intent::Deny,
        direction: ingress,
        policy: Decider::Policy(PolicyName::new("z", "receiver")),
        rule: None,
        reason: Reason::NoRule,
    };
    Special {
        heading: heading(Topic::BothEndsDecide, Vec::new(), Level::Must),
        sentence: "The source's egress and the destination's ingress must both allow.".to_owned(),
        topology: topology.to_owned(),
        policies: vec![sends, shut, open],
        steps: vec![
            Step {
                name: "the source may send, the destination takes nothing",
                actions: vec![apply(&[0, 1])],
                expect: vec!["deny * -> *".to_owned()],
                deciding: vec![alone],
            },
            Step {
                name: "both allow",
                actions: vec![apply(&[2])],
                expect: vec!["allow * -> *".to_owned()],
                deciding: Vec::new(),
            },
        ],
    }
}

fn replies(protocol: Protocol) -> Special {
    let (ingress, egress) = (Direction::Ingress, Direction::Egress);
    let rules = json!([rule(ingress, pods("b"), None)]);
    let ports = format!("80/{protocol}");
    let sctp = protocol == Protocol::Sctp;
    Special {
        heading: heading(
            Topic::RepliesOfIsolated,
            vec![Feature::Protocol(protocol)],
            if sctp { Level::MustIfDeclared } else { Level::Must },
        ),
        sentence: format!("A pod that may send nothing answers {protocol} that it accepts."),
        topology: everybody(&ports),
        policies: vec![tested("a", &DIRECTIONS, &[(ingress, rules)])],
        steps: vec![Step {
            name: "one peer enters, and nothing leaves but replies",
            actions: vec![apply(&[0])],
            expect: vec![
                "allow x/b -> x/a".to_owned(),
                rest_denied(ingress),
                rest_denied(egress),
                "allow * -> *".to_owned(),
            ],
            deciding: vec![
                allowed(cell(ingress, "x/b", 80, protocol), ingress, 0),
                denied(cell(ingress, "x/c", 80, protocol), ingress, Some(0), Reason::Peer),
                denied(cell(egress, "x/b", 80, protocol), egress, None, Reason::NoRule),
            ],
        }],
    }
}

fn same_range_twice(direction: Direction) -> Special {
    let range = || json!([{ "ipBlock": { "cidr": "203.0.113.0/24" } }]);
    let narrow = rule(direction, range(), Some(port(80, Protocol::Tcp)));
    let rules = json!([narrow, rule(direction, range(), None)]);
    let (of_pod, of_host) = match direction {
        Direction::Ingress => (", ports: [80, 81]", ""),
        Direction::Egress => ("", ", ports: [80, 81]"),
    };
    let topology = format!(
        "namespaces:\n  x:\n    pods:\n      a: {{ labels: {{ app: a }}{of_pod} }}\nexternal:\n  inside: {{ address: 203.0.113.10{of_host} }}\n  outside: {{ address: 198.51.100.10{of_host} }}\n"
    );
    Special {
        heading: heading(Topic::SameRangeTwice, vec![Feature::Direction(direction)], Level::Must),
        sentence: "Of two rules for one range, the one without ports opens them all.".to_owned(),
        topology,
        policies: vec![tested("a", &[direction], &[(direction, rules)])],
        steps: vec![Step {
            name: "both rules are in force",
            actions: vec![apply(&[0])],
            expect: vec![opens(Intent::Allow, direction, "inside", ""), rest_denied(direction)],
            deciding: vec![
                allowed(cell(direction, "inside", 81, Protocol::Tcp), direction, 1),
                denied(
                    cell(direction, "outside", 81, Protocol::Tcp),
                    direction,
                    Some(1),
                    Reason::Peer,
                ),
            ],
        }],
    }
}
