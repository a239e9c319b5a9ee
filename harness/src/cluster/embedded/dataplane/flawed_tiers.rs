//! Chains of tiers that are wrong on purpose.

use std::collections::{BTreeMap, HashSet};

use super::compile::compile;
use super::graft::{id, renumbered};
use super::pods::Pods;
use super::ruleset::{LogText, OWN_NETWORK, Rule, Ruleset, Ruling, SetId, TierChain, TierRule};
use super::{LocalPod, NodeView, tiers};
use crate::model::{Direction, PodName, Tier, World};

/// Has Baseline chains for isolated pods too, as if no NetworkPolicy were there.
pub(super) fn baseline_of_isolated(
    ruleset: &mut Ruleset,
    world: &World,
    node: &NodeView,
    evidence: bool,
) {
    let alone = World { policies: BTreeMap::new(), ..world.clone() };
    let mut all = compile(&alone, node, evidence);
    ruleset.tiers.retain(|chain| chain.tier != Tier::Baseline);
    all.tiers.retain(|chain| chain.tier == Tier::Baseline);
    adopt(ruleset, all);
}

/// Drops, behind a tier's rules, whatever none of them matched for the pods of a policy that
/// has no rule at all.
pub(super) fn isolate_without_rules(
    ruleset: &mut Ruleset,
    world: &World,
    node: &NodeView,
    baseline_first: bool,
    evidence: bool,
) {
    let pods = Pods::new(&world.topology);
    let local: BTreeMap<&PodName, u32> =
        node.pods.iter().map(|pod| (&pod.name, pod.interface)).collect();
    let isolated: HashSet<(Direction, u32)> =
        ruleset.chains.iter().map(|chain| (chain.direction, chain.interface)).collect();
    for tier in [Tier::Admin, Tier::Baseline] {
        let policies = tiers::in_order(world, tier).into_iter();
        for policy in policies.filter(|of| of.ingress.is_empty() && of.egress.is_empty()) {
            for pod in tiers::subjects(&pods, policy) {
                let Some(interface) = local.get(&pod.name).copied() else { continue };
                for direction in [Direction::Egress, Direction::Ingress] {
                    let decided = tier == Tier::Baseline && !baseline_first;
                    if decided && isolated.contains(&(direction, interface)) {
                        continue;
                    }
                    let text = || format!("{direction} {}: isolated by {}", pod.name, policy.name);
                    let log = evidence.then(|| LogText::new(text()));
                    let last = TierRule { rule: Rule(Vec::new()), ruling: Ruling::Deny(log) };
                    let chain = ruleset.tiers.iter_mut().find(|chain| {
                        (chain.direction, chain.tier, chain.interface)
                            == (direction, tier, interface)
                    });
                    match chain {
                        Some(chain) => chain.rules.push(last),
                        None => ruleset.tiers.push(TierChain {
                            direction,
                            tier,
                            pod: pod.name.clone(),
                            interface,
                            rules: vec![last],
                        }),
                    }
                }
            }
        }
    }
    ruleset.tiers.sort_by_key(|chain| chain.interface);
}

/// Has chains for what the node's hostNetwork pods send and receive, which is what the node
/// does. They have the rules of all of these pods.
pub(super) fn host_network_subjects(
    ruleset: &mut Ruleset,
    world: &World,
    node: &NodeView,
    no_rules_isolate: bool,
    evidence: bool,
) {
    // As if these pods had a network of their own, and no address there: nobody's peers.
    let mut believed = World { policies: BTreeMap::new(), ..world.clone() };
    let mut pods = Vec::new();
    for pod in believed.topology.pods.values_mut() {
        if pod.host_network && pod.node.as_ref() == Some(&node.name) {
            pod.host_network = false;
            pod.addresses.clear();
            pods.push(LocalPod { name: pod.name.clone(), interface: OWN_NETWORK });
        }
    }
    let own = NodeView { name: node.name.clone(), pods };
    let mut compiled = compile(&believed, &own, evidence);
    if no_rules_isolate {
        isolate_without_rules(&mut compiled, &believed, &own, false, evidence);
    }
    adopt(ruleset, compiled);
}

/// Takes over another ruleset's chains of tiers, with their sets.
fn adopt(ruleset: &mut Ruleset, Ruleset { sets, tiers, .. }: Ruleset) {
    let ids: Vec<SetId> = sets.into_iter().map(|set| id(&mut ruleset.sets, set)).collect();
    for mut chain in tiers {
        let rules = chain.rules.into_iter();
        let rules = rules.map(|TierRule { rule, ruling }| {
            let rule = renumbered(rule, &ids);
            TierRule { rule, ruling }
        });
        chain.rules = rules.collect();
        ruleset.tiers.push(chain);
    }
}
