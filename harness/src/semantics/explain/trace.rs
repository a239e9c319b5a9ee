//! Everything that was weighed for a cell.

use serde::{Deserialize, Serialize};

use crate::model::{
    Cell, Decision, Direction, Effect, Endpoint, NetworkPolicy, Origin, PolicyRef, Rule, World,
};

use super::super::Engine;
use super::super::answer::Answer;
use super::super::engine::ReadyRule;
use super::super::flow::{End, Flow};
use super::super::isolation::{isolates, rules};
use super::reason;
use super::why;

/// A decision with every policy, rule, peer and port that was weighed for it.
///
/// Its `Display` is the text of `ringfence explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked.
    pub cell: Cell,
    /// The answer.
    pub decision: Decision,
    /// The answer in a sentence.
    pub why: String,
    /// What the source's policies were asked.
    pub egress: SideTrace,
    /// What the destination's policies were asked.
    pub ingress: SideTrace,
}

/// What was weighed in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideTrace {
    /// Which direction.
    pub direction: Direction,
    /// The end whose policies are asked.
    pub subject: Endpoint,
    /// What came of it.
    pub effect: Effect,
    /// The policies of the end's namespace, in order of name; no other can select it.
    pub policies: Vec<PolicyTrace>,
}

/// What a policy has to do with a pod in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It selects the pod and isolates it in this direction.
    Isolates,
    /// It selects the pod, but is not about this direction.
    OtherDirection,
    /// It selects other pods.
    OtherPods,
}

/// What a policy was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTrace {
    /// The policy.
    pub policy: PolicyRef,
    /// What it has to do with the pod.
    pub standing: Standing,
    /// Why that is so.
    pub reason: String,
    /// Its rules for the direction. Where its standing is not `isolates` they are shown
    /// for what they would say, and have no say.
    pub rules: Vec<RuleTrace>,
}

/// What a rule answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTrace {
    /// Which rule of the list, from 0.
    pub rule: usize,
    /// Where the rule starts.
    pub origin: Origin,
    /// What it answered.
    pub answer: Answer,
    /// Why, in a few words.
    pub reason: String,
    /// What each entry of `from` or `to` answered; empty where the rule is for any peer.
    pub peers: Vec<EntryTrace>,
    /// What each entry of `ports` answered; empty where the rule is for any port.
    pub ports: Vec<EntryTrace>,
}

/// What one entry of `from`, `to` or `ports` answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryTrace {
    /// Where the entry starts.
    pub origin: Origin,
    /// What the entry says.
    pub text: String,
    /// What it answered.
    pub answer: Answer,
    /// Why.
    pub reason: String,
}

/// Decides a cell and shows everything that was weighed, with near misses pointed out:
/// a podSelector that stays in its own namespace, a rule under a direction that
/// `policyTypes` does not list, a port of another protocol or under another name.
pub fn trace(world: &World, cell: &Cell) -> Explanation {
    let engine = Engine::new(world);
    let decision = engine.decide(cell);
    let why = why(cell, &decision);
    let flow = engine.flow(cell).ok();
    let side = |direction, subject: &Endpoint, effect| {
        let asked = flow.filter(|_| !matches!(effect, Effect::Exempt(_)));
        SideTrace {
            direction,
            subject: subject.clone(),
            effect,
            policies: asked
                .map(|flow| Weighing { world, engine: &engine, flow, direction }.policies())
                .unwrap_or_default(),
        }
    };
    let egress = side(Direction::Egress, &cell.source, decision.egress.effect);
    let ingress = side(Direction::Ingress, &cell.destination, decision.ingress.effect);
    Explanation { cell: cell.clone(), decision, why, egress, ingress }
}

/// One direction of a connection, being weighed.
pub(super) struct Weighing<'e> {
    pub(super) world: &'e World,
    pub(super) engine: &'e Engine,
    pub(super) flow: Flow<'e>,
    pub(super) direction: Direction,
}

impl Weighing<'_> {
    fn policies(&self) -> Vec<PolicyTrace> {
        let End::Pod(index, pod) = self.flow.subject(self.direction) else {
            return Vec::new();
        };
        let namespace = &self.engine.names[index].namespace;
        let known = self.world.topology.namespaces.contains_key(namespace);
        let ready = self.engine.policies.iter();
        ready
            .filter(|ready| known && ready.policy.name.namespace == *namespace)
            .map(|ready| {
                let policy = &*ready.policy;
                let standing = if !policy.pod_selector.matches(&pod.labels) {
                    Standing::OtherPods
                } else if isolates(policy, self.direction) {
                    Standing::Isolates
                } else {
                    Standing::OtherDirection
                };
                let shown = standing != Standing::OtherPods;
                let rules = rules(policy, self.direction).iter().zip(&ready.rules[self.direction]);
                let rules = rules.enumerate().filter(|_| shown);
                PolicyTrace {
                    policy: PolicyRef { name: policy.name.clone(), origin: policy.origin.clone() },
                    standing,
                    reason: self.standing_reason(policy, standing, &pod.labels),
                    rules: rules
                        .map(|(index, (rule, ready))| self.rule(policy, index, rule, ready))
                        .collect(),
                }
            })
            .collect()
    }

    fn rule(
        &self,
        policy: &NetworkPolicy,
        index: usize,
        rule: &Rule,
        ready: &ReadyRule,
    ) -> RuleTrace {
        let found = self.engine.rule_answer(&self.flow, self.direction, ready);
        let peers: Vec<EntryTrace> = rule
            .peers
            .iter()
            .flatten()
            .zip(ready.peers.iter().flatten())
            .map(|(peer, set)| {
                let answer = self.engine.peer_answer(&self.flow, self.direction, set);
                EntryTrace {
                    origin: peer.origin().clone(),
                    text: reason::peer_text(peer),
                    answer,
                    reason: self.peer_reason(policy, peer, answer),
                }
            })
            .collect();
        let ports: Vec<EntryTrace> = ready
            .ports
            .iter()
            .flatten()
            .map(|entry| {
                let answer = self.engine.port_answer(&self.flow, self.direction, entry);
                EntryTrace {
                    origin: entry.origin.clone(),
                    text: reason::port_text(entry),
                    answer,
                    reason: self.port_reason(entry, answer),
                }
            })
            .collect();
        RuleTrace {
            rule: index,
            origin: rule.origin.clone(),
            answer: found.answer,
            reason: reason::rule_reason(found.answer, &peers, &ports),
            peers,
            ports,
        }
    }
}
