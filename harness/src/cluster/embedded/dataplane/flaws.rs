//! Rulesets that are wrong on purpose: what a fault of the embedded cluster makes of one
//! that is right. Nothing here is used by a cluster without faults.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use super::NodeView;
use super::addresses::Addresses;
use super::compile::compile;
use super::ruleset::{
    Chain, Handling, Match, Rule, Ruleset, Ruling, Set, SetId, TierChain, TierRule,
};
use crate::model::{Direction, Family, PodName, World};

/// What is wrong with a compiler; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Flaws {
    /// All policies of a pod must allow, not one.
    pub(in super::super) policies_intersected: bool,
    /// Pods that are being deleted are not isolated.
    pub(in super::super) terminating_open: bool,
    /// IPv6 is not filtered.
    pub(in super::super) ipv6_open: bool,
    /// What pods of other nodes send and receive is not filtered.
    pub(in super::super) other_nodes_open: bool,
    /// A pod's address is replaced by its node's on the way to another node.
    pub(in super::super) sources_rewritten: bool,
    /// How packets are led to the rules.
    pub(in super::super) handling: Handling,
}

impl Flaws {
    /// As [`compile`], and then wrong.
    pub(in super::super) fn compile(
        &self,
        world: &World,
        node: &NodeView,
        evidence: bool,
    ) -> Ruleset {
        let mut ruleset = compile(world, node, evidence);
        if self.policies_intersected {
            intersect(&mut ruleset, world, node);
        }
        if self.terminating_open {
            let pods = &world.topology.pods;
            let terminating = |pod: &PodName| pods.get(pod).is_some_and(|pod| pod.terminating);
            ruleset.chains.retain(|chain| !terminating(&chain.pod));
            ruleset.tiers.retain(|chain| !terminating(&chain.pod));
        }
        if self.ipv6_open {
            open(&mut ruleset, &[vec![Match::Family(Family::Ipv6)]]);
        }
        if self.other_nodes_open {
            let elsewhere = elsewhere(world, node);
            let sets = Family::ALL.map(|family| Addresses::of(family, elsewhere.clone(), []));
            let sets = sets.into_iter().filter(|addresses| !addresses.is_empty());
            let matches: Vec<Vec<Match>> = sets
                .map(|set| vec![Match::Peer(id(&mut ruleset.sets, Set::Addresses(set)))])
                .collect();
            open(&mut ruleset, &matches);
        }
        ruleset.handling = self.handling.clone();
        ruleset
    }
}

/// The addresses of the pods on other nodes.
fn elsewhere(world: &World, node: &NodeView) -> Vec<IpAddr> {
    let pods = world.topology.pods.values();
    let others = pods.filter(|pod| !pod.host_network && pod.node.as_ref() != Some(&node.name));
    others.flat_map(|pod| pod.addresses.iter().copied()).collect()
}

/// Lets what matches through every chain.
fn open(ruleset: &mut Ruleset, matches: &[Vec<Match>]) {
    for chain in &mut ruleset.chains {
        for rule in matches.iter().cloned().map(Rule) {
            if !chain.rules.contains(&rule) {
                chain.rules.push(rule);
            }
        }
    }
    // In a tier the first that matches decides.
    for TierChain { rules, .. } in &mut ruleset.tiers {
        let first = matches.iter().cloned().map(Rule);
        rules.splice(..0, first.map(|rule| TierRule { rule, ruling: Ruling::Accept }));
    }
}

/// Has every policy of a pod allow what passes. A rule is a conjunction, so the rules of two
/// policies together are those of each with those of the other.
fn intersect(ruleset: &mut Ruleset, world: &World, node: &NodeView) {
    let mut of_chains = BTreeMap::<(Direction, u32), Vec<Vec<Rule>>>::new();
    for (name, policy) in &world.policies {
        let (policies, cluster_policies) = (BTreeMap::new(), BTreeMap::new());
        let mut alone = World { policies, cluster_policies, ..world.clone() };
        alone.policies.insert(name.clone(), policy.clone());
        let Ruleset { sets, chains, .. } = compile(&alone, node, false);
        let ids: Vec<SetId> = sets.into_iter().map(|set| id(&mut ruleset.sets, set)).collect();
        for Chain { direction, interface, rules, .. } in chains {
            let rules = rules.into_iter().map(|rule| renumbered(rule, &ids)).collect();
            of_chains.entry((direction, interface)).or_default().push(rules);
        }
    }
    for chain in &mut ruleset.chains {
        let Some(of_policies) = of_chains.remove(&(chain.direction, chain.interface)) else {
            continue;
        };
        let all = of_policies.into_iter().reduce(|all, more| {
            let both = all.iter().flat_map(|Rule(one)| {
                more.iter().map(move |Rule(other)| Rule(one.iter().chain(other).copied().collect()))
            });
            both.collect()
        });
        let mut seen = HashSet::new();
        chain.rules = all.unwrap_or_default();
        chain.rules.retain(|rule| seen.insert(rule.clone()));
    }
}

fn renumbered(Rule(matches): Rule, ids: &[SetId]) -> Rule {
    let of = |SetId(position): SetId| ids[position];
    let matches = matches.into_iter().map(|found| match found {
        Match::Peer(set) => Match::Peer(of(set)),
        Match::Service(set) => Match::Service(of(set)),
        Match::Socket(set) => Match::Socket(of(set)),
        Match::Family(_) | Match::Protocol(_) | Match::Port(..) => found,
    });
    Rule(matches.collect())
}

/// The place of a set among those that there are.
fn id(sets: &mut Vec<Set>, set: Set) -> SetId {
    let known = sets.iter().position(|known| *known == set);
    SetId(known.unwrap_or_else(|| {
        sets.push(set);
        sets.len() - 1
    }))
}
