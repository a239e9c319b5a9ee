//! What watched cases share: a small town, and what is watched in it.

use serde_json::{Value, json};

use super::parts::{allowed, denied, heading, pods, rule, tested};
use super::rules::{cell, ends, rest_denied};
use crate::catalogue::axis::Path;
use crate::catalogue::case::{Level, Reason};
use crate::catalogue::cases::written::{Decided, Special, Step, apply};
use crate::catalogue::feature::Feature;
use crate::catalogue::topic::Topic;
use crate::model::{Direction, Protocol};

pub(super) const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// Those of which a connection can be held.
pub(super) const HELD: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

/// What sets one watched case apart from another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) direction: Direction,
    pub(super) protocol: Protocol,
    /// Where the peers run, beside the target or on another node.
    pub(super) path: Path,
}

impl Setting {
    /// Between nodes.
    pub(super) const fn new(direction: Direction, protocol: Protocol) -> Self {
        Self { direction, protocol, path: Path::OtherNode }
    }

    /// The one port of those that are connected to.
    pub(super) fn port(self) -> String {
        format!("80/{}", self.protocol)
    }

    /// A pod, written out; it has a port where it is connected to.
    pub(super) fn pod(self, name: &str, is_target: bool) -> String {
        let node = if is_target || self.path == Path::SameNode { "node-1" } else { "node-2" };
        let receives = is_target == (self.direction == Direction::Ingress);
        let ports = if receives { format!(", ports: [{}]", self.port()) } else { String::new() };
        format!("{name}: {{ labels: {{ app: {name} }}{ports}, node: {node} }}")
    }

    /// The target `x/a`, unless it comes later; its peers `x/b` and `x/c`; and elsewhere `y/d`
    /// and `y/e`, which can be connected to.
    pub(super) fn town(self, with_target: bool) -> String {
        let mut text = String::from("namespaces:\n  x:\n    pods:\n");
        for (name, is_target) in [("a", true), ("b", false), ("c", false)] {
            if with_target || !is_target {
                text.push_str(&format!("      {}\n", self.pod(name, is_target)));
            }
        }
        text.push_str("  \"y\":\n    pods:\n");
        for (name, node) in [("d", "node-1"), ("e", "node-2")] {
            let port = self.port();
            text.push_str(&format!(
                "      {name}: {{ labels: {{ app: {name} }}, ports: [{port}], node: {node} }}\n"
            ));
        }
        text
    }

    /// `add`, for the target.
    pub(super) fn add_target(self) -> String {
        format!("add:\n  namespaces:\n    x:\n      pods:\n        {}\n", self.pod("a", true))
    }

    /// A rule of `watch` or `expect` about the target and a peer.
    pub(super) fn rule(self, intent: &str, peer: &str) -> String {
        format!("{intent} {}", ends(self.direction, peer))
    }

    /// What is expected where these alone are let in or out.
    pub(super) fn expect(self, peers: &[&str]) -> Vec<String> {
        let allowed = peers.iter().map(|peer| self.rule("allow", peer));
        allowed.chain([rest_denied(self.direction), "allow * -> *".to_owned()]).collect()
    }

    /// A first step, which applies the first policy and lets in or out whom it says.
    pub(super) fn first(self, peers: &[&str]) -> Step {
        Step {
            name: "the policy is there",
            actions: vec![apply(&[0])],
            expect: self.expect(peers),
            deciding: Vec::new(),
        }
    }

    /// A case; the target is there from the start, unless the topic is how it starts.
    pub(super) fn special(
        self,
        topic: Topic,
        level: Level,
        sentence: &str,
        policies: Vec<Value>,
        steps: Vec<Step>,
    ) -> Special {
        let Self { direction, protocol, path } = self;
        let variant =
            vec![Feature::Direction(direction), Feature::Protocol(protocol), Feature::Path(path)];
        let level = match (level, protocol) {
            (Level::Must, Protocol::Sctp) => Level::MustIfDeclared,
            (level, _) => level,
        };
        let starts = [Topic::IsolatedStart, Topic::AllowedStart, Topic::PolicyWithPod];
        let topology = self.town(!starts.contains(&topic));
        let heading = heading(topic, variant, level);
        Special { heading, sentence: sentence.to_owned(), topology, policies, steps }
    }

    /// `x/tested`, which lets the pods of one label in or out.
    pub(super) fn one_peer(self, app: &str) -> Value {
        let direction = self.direction;
        tested("a", &[direction], &[(direction, json!([rule(direction, pods(app), None)]))])
    }

    /// The cell between the target and a peer.
    pub(super) fn cell(self, peer: &str) -> String {
        cell(self.direction, peer, 80, self.protocol)
    }

    /// That a peer is let in or out.
    pub(super) fn let_through(self, peer: &str) -> Decided {
        allowed(self.cell(peer), self.direction, 0)
    }

    /// That another pod is not.
    pub(super) fn kept_out(self, peer: &str) -> Decided {
        denied(self.cell(peer), self.direction, Some(0), Reason::Peer)
    }
}

/// `watch`.
pub(super) fn watch(hold: &[String], attempt: &[String]) -> String {
    let mut text = String::from("watch:\n");
    for (field, rules) in [("hold", hold), ("try", attempt)] {
        if !rules.is_empty() {
            text.push_str(&format!("  {field}:\n"));
            rules.iter().for_each(|rule| text.push_str(&format!("    - {rule}\n")));
        }
    }
    text
}
