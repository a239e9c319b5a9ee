//! One direction of a cell, and both taken together.

use crate::model::{
    Cell, Clause, Decision, Direction, Effect, Exception, Exemption, MissingFact, Pod, PolicyRef,
    RuleRef, Side, Tier, Verdict,
};

use super::Engine;
use super::answer::Answer;
use super::engine::{Ready, ReadyRule};
use super::flow::{End, Flow, same_node};
use super::tiers::{ReadyClusterPolicy, RuleMatch};

/// A rule's answer with the entries that gave it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RuleAnswer {
    pub(super) answer: Answer,
    /// The entry of `from` or `to`; `None` where the rule has none or none might match.
    pub(super) peer: Option<usize>,
    /// The entry of `ports`; `None` where the rule has none or none might match.
    pub(super) port: Option<usize>,
}

impl Engine {
    /// What the policies mean for a cell, with every policy and rule that makes it so.
    ///
    /// "For a connection from a source pod to a destination pod to be allowed, both the
    /// egress policy on the source pod and the ingress policy on the destination pod
    /// need to allow the connection." (concepts/services-networking/network-policies)
    pub fn decide(&self, cell: &Cell) -> Decision {
        let (egress, ingress) = match self.flow(cell) {
            Ok(flow) => (self.side(&flow, Direction::Egress), self.side(&flow, Direction::Ingress)),
            Err(fact) => {
                let side = Side::of(Effect::Unknown(fact));
                (side.clone(), side)
            }
        };
        Decision { verdict: combine(egress.effect, ingress.effect), egress, ingress }
    }

    /// The verdict of [`Engine::decide`] alone, without the rules that make it so.
    pub fn verdict(&self, cell: &Cell) -> Verdict {
        match self.flow(cell) {
            Ok(flow) => combine(
                self.effect(&flow, Direction::Egress, |_, _, _, _| (), |_, _| ()),
                self.effect(&flow, Direction::Ingress, |_, _, _, _| (), |_, _| ()),
            ),
            Err(fact) => Verdict::Unknown(fact),
        }
    }

    fn side(&self, flow: &Flow<'_>, direction: Direction) -> Side {
        let isolating = self.isolating(flow, direction);
        let isolating = isolating.iter().map(|policy| self.policies[*policy].reference()).collect();
        let mut certain = Vec::new();
        let mut hanging = Vec::new();
        let mut excepted = Vec::new();
        let mut cluster = Vec::new();
        let told = |ready: &ReadyClusterPolicy, found| {
            cluster.extend(ready.reference(direction, found));
        };
        let weigh = |ready: &Ready, index, rule: &ReadyRule, found: RuleAnswer| {
            let reference = RuleRef {
                policy: ready.policy.name.clone(),
                direction,
                rule: index,
                peer: found.peer,
                port: found.port,
                origin: rule.origin.clone(),
            };
            match found.answer {
                Answer::Yes => certain.push(reference),
                Answer::Open(_) | Answer::Missing(_) => hanging.push(reference),
                Answer::No => excepted.extend(self.exception(flow, direction, rule).map(
                    |(peer, range, origin)| Exception {
                        policy: reference.policy,
                        direction,
                        rule: index,
                        peer,
                        range: range.to_string(),
                        origin: origin.clone(),
                    },
                )),
            }
        };
        let effect = self.effect(flow, direction, weigh, told);
        let rules = match effect {
            Effect::Allowed => certain,
            Effect::Undefined(_) | Effect::Unknown(_) => hanging,
            Effect::Exempt(_)
            | Effect::NotIsolated
            | Effect::Denied
            | Effect::AcceptedBy(_)
            | Effect::DeniedBy(_) => Vec::new(),
        };
        if effect != Effect::Denied {
            excepted.clear();
        }
        Side { effect, isolating, rules, cluster, excepted }
    }

    /// The policies that isolate the direction's pod; none where that end is no pod.
    fn isolating(&self, flow: &Flow<'_>, direction: Direction) -> &[usize] {
        match flow.subject(direction) {
            End::Pod(index, _) => &self.isolating[direction][index],
            End::External(_) | End::Node(_) => &[],
        }
    }

    /// What the direction makes of the connection; `found` is told of every rule asked, and
    /// `told` of every rule of the cluster's policies that matches or may.
    ///
    /// "Policy tiers are evaluated in the following order: Admin tier, NetworkPolicy tier,
    /// Baseline tier." (`ClusterNetworkPolicySpec.tier`)
    pub(super) fn effect(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        found: impl FnMut(&Ready, usize, &ReadyRule, RuleAnswer),
        mut told: impl FnMut(&ReadyClusterPolicy, RuleMatch),
    ) -> Effect {
        // "NetworkPolicies apply to a connection with a pod on one or both ends"
        // (concepts/services-networking/network-policies): an end that is no pod has none.
        let End::Pod(index, subject) = flow.subject(direction) else {
            return Effect::Exempt(Exemption::NotAPod);
        };
        self.tier_effect(flow, direction, Tier::Admin, &mut told, |mut told| {
            let effect = self.of_namespaces(flow, direction, subject, found);
            // "v1.NetworkPolicy always makes a final decision for selected pods. Further
            // evaluation only happens for Pods not selected by a v1.NetworkPolicy." (there)
            if !self.isolating[direction][index].is_empty() {
                return effect;
            }
            // "If a given connection wasn't allowed or denied by any of the tiers, the
            // default kubernetes policy is applied" (there).
            self.tier_effect(flow, direction, Tier::Baseline, &mut told, |_| effect)
        })
    }

    /// What the NetworkPolicies make of the connection.
    fn of_namespaces(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        subject: &Pod,
        mut found: impl FnMut(&Ready, usize, &ReadyRule, RuleAnswer),
    ) -> Effect {
        // "Traffic is allowed to a pod … if the traffic source is the pod's local node"
        // (`NetworkPolicySpec.ingress`).
        if let (Direction::Ingress, End::Node(node)) = (direction, flow.peer(direction))
            && !flow.cell.via.is_node_port()
            && subject.node.as_ref() == Some(&node.name)
        {
            return Effect::Exempt(Exemption::OwnNode);
        }
        let isolating = self.isolating(flow, direction);
        // "By default, a pod is non-isolated for egress; all outbound connections are
        // allowed", and likewise for ingress (concepts/services-networking/network-policies).
        if isolating.is_empty() {
            return Effect::NotIsolated;
        }
        // "Network policies do not conflict; they are additive." (there)
        let mut answer = Answer::No;
        for policy in isolating {
            let ready = &self.policies[*policy];
            for (index, rule) in ready.rules[direction].iter().enumerate() {
                let one = self.rule_answer(flow, direction, rule);
                answer = answer.or(one.answer);
                found(ready, index, rule, one);
            }
        }
        let by_rules = match answer {
            Answer::Yes => return Effect::Allowed,
            Answer::Open(clause) => Effect::Undefined(clause),
            Answer::Missing(fact) => Effect::Unknown(fact),
            Answer::No => Effect::Denied,
        };
        beyond_rules(flow, direction, by_rules)
    }

    /// "Each rule allows traffic which matches both the `from` and `ports` sections."
    /// (concepts/services-networking/network-policies)
    pub(super) fn rule_answer(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        rule: &ReadyRule,
    ) -> RuleAnswer {
        let (ports, port) = match &rule.ports {
            None => (Answer::Yes, None),
            Some(ports) => Answer::strongest(
                ports.iter().map(|entry| self.port_answer(flow, direction, entry)),
            ),
        };
        let (peers, peer) = match &rule.peers {
            None => (Answer::Yes, None),
            Some(peers) => {
                Answer::strongest(peers.iter().map(|peer| self.peer_answer(flow, direction, peer)))
            }
        };
        RuleAnswer { answer: peers.and(ports), peer, port }
    }
}

impl Ready {
    fn reference(&self) -> PolicyRef {
        PolicyRef { name: self.policy.name.clone(), origin: self.policy.origin.clone() }
    }
}

/// What is to be made of a pod that is isolated and that no rule certainly allows,
/// where the API says more than the rules do.
fn beyond_rules(flow: &Flow<'_>, direction: Direction, by_rules: Effect) -> Effect {
    let (End::Pod(index, subject), peer) = (flow.subject(direction), flow.peer(direction)) else {
        return by_rules;
    };
    // "NetworkPolicy behaviour for `hostNetwork` pods is undefined, but it should be
    // limited to 2 possibilities" (concepts/services-networking/network-policies): as any
    // other pod, or not policed. A rule that allows makes both the same; here none does.
    if subject.host_network {
        return Effect::Undefined(Clause::HostNetworkSubject);
    }
    // "Other pods that are allowed (exception: a pod cannot block access to itself)"
    // (there) against "the only allowed connections into the pod are those from the pod's
    // node and those allowed by the `ingress` list" (there). Where rules allow a pod to
    // itself, or none selects it, both sentences agree and the answer is plain.
    if peer.pod().is_some_and(|(other, _)| other == index) {
        return Effect::Undefined(Clause::PodToItself);
    }
    if flow.hides_peer(direction) {
        return Effect::Undefined(Clause::RewrittenAddress);
    }
    let (together, undefined) = match peer {
        End::External(_) => return by_rules,
        // "traffic to and from the node where a Pod is running is always allowed" (there),
        // while the API reference says so of ingress only; [`Engine::effect`] has let
        // ingress from the own node in already.
        End::Node(node) => {
            (subject.node.as_ref().map(|own| *own == node.name), Clause::PodToOwnNode)
        }
        // "Traffic to/from `hostNetwork` pods is treated the same as all other traffic
        // to/from the node IP" (there) is one of the two possibilities.
        End::Pod(_, other) if other.host_network => {
            (same_node(subject.node.as_ref(), other.node.as_ref()), Clause::HostNetworkPeer)
        }
        End::Pod(..) => return by_rules,
    };
    // On the own node, ingress from the node itself would be let in.
    let let_in = direction == Direction::Ingress && peer.pod().is_none();
    match (together, by_rules) {
        (Some(true), _) => Effect::Undefined(undefined),
        (Some(false), _) => by_rules,
        (None, Effect::Undefined(_)) if !let_in => by_rules,
        (None, _) => Effect::Unknown(MissingFact::Node),
    }
}

/// Both directions taken together, as [`Verdict`] has it: "If either side does not allow
/// the connection, it will not happen." (concepts/services-networking/network-policies)
pub(super) fn combine(egress: Effect, ingress: Effect) -> Verdict {
    let sides = [egress, ingress];
    if sides.iter().any(|side| matches!(side, Effect::Denied | Effect::DeniedBy(_))) {
        return Verdict::Deny;
    }
    let undefined = sides.into_iter().find_map(|side| match side {
        Effect::Undefined(clause) => Some(Verdict::Undefined(clause)),
        _ => None,
    });
    let unknown = || {
        sides.into_iter().find_map(|side| match side {
            Effect::Unknown(fact) => Some(Verdict::Unknown(fact)),
            _ => None,
        })
    };
    undefined.or_else(unknown).unwrap_or(Verdict::Allow)
}
