//! Weighing a cell: the engine's answers, entry by entry.

use super::super::Engine;
use super::super::engine::ReadyRule;
use super::super::flow::End;
use super::super::isolation::{isolates, rules};
use super::explanation::{EntryTrace, Explanation, PolicyTrace, RuleTrace, SideTrace, Standing};
use super::reason::{self, Weighing};
use super::why;
use crate::model::{
    Cell, Direction, Effect, Endpoint, NetworkPolicy, PolicyRef, Rule, Side, World,
};

/// Decides a cell and shows everything that was weighed, with near misses pointed out:
/// a podSelector that stays in its own namespace, a rule under a direction that
/// `policyTypes` does not list, a port of another protocol or under another name.
pub fn trace(world: &World, cell: &Cell) -> Explanation {
    let engine = Engine::new(world);
    let decision = engine.decide(cell);
    let why = why(cell, &decision);
    let flow = engine.flow(cell).ok();
    let side = |direction, subject: &Endpoint, side: &Side| {
        let effect = side.effect;
        let weighing = flow.map(|flow| Weighing { world, engine: &engine, flow, direction });
        let asked = weighing.as_ref().filter(|_| !matches!(effect, Effect::Exempt(_)));
        SideTrace {
            direction,
            subject: subject.clone(),
            effect,
            policies: asked.map(Weighing::policies).unwrap_or_default(),
            cluster: weighing.map(|weighing| weighing.cluster(side)).unwrap_or_default(),
        }
    };
    let egress = side(Direction::Egress, &cell.source, &decision.egress);
    let ingress = side(Direction::Ingress, &cell.destination, &decision.ingress);
    Explanation { cell: cell.clone(), decision, why, egress, ingress }
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
