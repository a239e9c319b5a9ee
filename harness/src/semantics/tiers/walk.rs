//! The way of a connection through the tiers.

use crate::model::{Clause, ClusterPolicyKind, Direction, Effect, Tier, Via};

use super::super::Engine;
use super::super::answer::Answer;
use super::super::flow::Flow;
use super::RuleMatch;
use super::possible::Possible;
use super::ready::{ReadyClusterPolicy, is_of_first_version};

impl Engine {
    /// The policies of the cluster that are about the direction's pod, in their order.
    ///
    /// "A Pod connecting to its own Pod IP is not subject to CNP. A Pod connecting to a
    /// Service IP that the service proxy load-balances back to the same Pod is subject to
    /// ClusterNetworkPolicy." (API overview)
    pub(in super::super) fn cluster_policies<'e>(
        &'e self,
        flow: &Flow<'_>,
        direction: Direction,
    ) -> impl Iterator<Item = &'e ReadyClusterPolicy> {
        let own = flow.subject(direction).pod().map(|(index, _)| index);
        let about = own.map_or(&[][..], |index| &self.tiers.about[direction][index]);
        let other = flow.peer(direction).pod().map(|(index, _)| index);
        let to_itself = own == other && flow.cell.via == Via::Pod;
        let policies = about.iter().map(|policy| &self.tiers.policies[*policy]);
        policies.filter(move |ready| {
            !(to_itself && ready.policy.name.kind == ClusterPolicyKind::ClusterNetworkPolicy)
        })
    }

    /// What a tier makes of the connection, where `next` is what those after it make of it.
    /// `found` is told of every rule that matches or may.
    pub(in super::super) fn tier_effect(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        tier: Tier,
        found: &mut impl FnMut(&ReadyClusterPolicy, RuleMatch),
        next: impl FnOnce(&mut dyn FnMut(&ReadyClusterPolicy, RuleMatch)) -> Effect,
    ) -> Effect {
        let policies: Vec<&ReadyClusterPolicy> =
            self.cluster_policies(flow, direction).filter(|ready| ready.tier() == tier).collect();
        if policies.is_empty() {
            return next(found);
        }
        // Each version orders its own policies; how they would mix is not said.
        let versions = policies
            .chunk_by(|a, b| is_of_first_version(&a.policy) == is_of_first_version(&b.policy));
        let possible = versions
            .map(|policies| self.version(flow, direction, policies, found))
            .reduce(|one, other| one.either(other, Answer::Open(Clause::MixedVersions)))
            .unwrap_or(Possible::NOTHING);
        settle(tier, possible, || next(found))
    }

    /// "Policies with lower priority values have higher precedence" and "If two (or more)
    /// policies in the same tier with the same priority could match a connection, then the
    /// implementation can apply any of the matching policies to the connection"
    /// (`ClusterNetworkPolicySpec.priority`; `AdminNetworkPolicySpec.priority` says the same).
    fn version(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        policies: &[&ReadyClusterPolicy],
        found: &mut impl FnMut(&ReadyClusterPolicy, RuleMatch),
    ) -> Possible {
        let clause = match policies.first() {
            Some(first) if is_of_first_version(&first.policy) => Clause::EqualAdminPriorities,
            _ => Clause::EqualPriorities,
        };
        let equals = policies.chunk_by(|a, b| a.policy.priority == b.policy.priority);
        equals.fold(Possible::NOTHING, |before, equals| {
            before.then(|| {
                let each = equals.iter().map(|ready| {
                    let rules = 0..ready.policy.rules(direction).len();
                    Possible::first_of(rules.map(|index| {
                        let rule = self.cluster_rule_answer(flow, direction, ready, index);
                        if rule.answer != Answer::No {
                            found(ready, rule);
                        }
                        (rule.answer, rule.action)
                    }))
                });
                each.reduce(|one, other| one.either(other, Answer::Open(clause)))
                    .unwrap_or(Possible::NOTHING)
            })
        })
    }
}

/// "If Admin tier has made a final decision (Accept or Deny) on a connection, then no
/// further evaluation is done." (`ClusterNetworkPolicySpec.tier`) and "Pass: Skips all
/// further ClusterNetworkPolicy rules in the current tier for the selected traffic, and
/// passes evaluation to the next tier." (`ClusterNetworkPolicyIngressRule.action`)
fn settle(tier: Tier, possible: Possible, next: impl FnOnce() -> Effect) -> Effect {
    let mut effects = Vec::with_capacity(3);
    if possible.pass || possible.nothing {
        effects.push(next());
    }
    effects.extend(possible.accept.then_some(Effect::AcceptedBy(tier)));
    effects.extend(possible.deny.then_some(Effect::DeniedBy(tier)));
    // Where all come to the same, the first says it: what decides without the rules that
    // are in doubt.
    let first = effects.first().copied().unwrap_or(Effect::NotIsolated);
    if effects.len() < 2 {
        return first;
    }
    let denied = |effect: &Effect| matches!(effect, Effect::Denied | Effect::DeniedBy(_));
    let open = |effect: &Effect| match effect {
        Effect::Undefined(clause) => Answer::Open(*clause),
        Effect::Unknown(fact) => Answer::Missing(*fact),
        _ => Answer::No,
    };
    let doubt = effects.iter().map(open).fold(Answer::No, Answer::or);
    let same = effects.iter().all(|effect| denied(effect) == denied(&first));
    if doubt == Answer::No && same {
        return first;
    }
    match doubt.or(possible.doubt) {
        Answer::Open(clause) => Effect::Undefined(clause),
        Answer::Missing(fact) => Effect::Unknown(fact),
        // Several decisions without a doubt there cannot be.
        Answer::Yes | Answer::No => first,
    }
}
