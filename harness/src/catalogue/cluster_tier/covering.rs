//! Which combinations of the cluster tier are tried: each feature by itself, and every pair,
//! in each version of the API apart, since a cluster has one of them.

use std::collections::BTreeSet;

use super::axis::{Action, Api, Beside, Peer, Port, Tier};
use super::feature::{Combination, Feature, Partial};
use super::possible::exclusion;
use crate::catalogue::space::{self, Part};
use crate::model::{Direction, Protocol};

/// Two features, the lesser first.
pub type Pair = (Feature, Feature);

/// The versions whose pairs are tried. `v1beta1` says the same as `v1alpha2`, and is not
/// released: there each action is tried in each tier.
pub const PAIRED: [Api; 2] = [Api::V1alpha2, Api::V1alpha1];

/// Every pair of features of different axes that can occur together in this direction and
/// version.
pub fn pairs(direction: Direction, api: Api) -> Vec<Pair> {
    part(direction, api).pairs()
}

/// Whether two features can occur together in this direction and version.
///
/// # Errors
/// Why they cannot.
pub fn possible(
    direction: Direction,
    api: Api,
    one: Feature,
    other: Feature,
) -> Result<(), &'static str> {
    part(direction, api).possible(one, other)
}

/// Whether a case with these features tests a pair of them, on a cluster that lacks all that
/// it may but those of the pair.
pub fn covers(features: &BTreeSet<Feature>, pair: Pair) -> bool {
    space::covers::<Partial>(features, pair)
}

/// The combinations of a direction and a version.
pub(in crate::catalogue) fn combinations(direction: Direction, api: Api) -> Vec<Combination> {
    let part = part(direction, api);
    let told = told(api).into_iter().filter_map(|features| part.plainest(&features));
    let mut chosen: BTreeSet<Combination> = told.collect();
    if !PAIRED.contains(&api) {
        return chosen.into_iter().collect();
    }
    chosen.extend(part.singles());
    part.every_pair(chosen)
}

/// What gets a plain case of its own: each action in each tier; and in the version that they
/// are written for, what the API's own tests are about ([`crate::catalogue::UPSTREAM`]).
fn told(api: Api) -> Vec<Vec<Feature>> {
    let of = |tier, action| [Feature::Tier(tier), Feature::Action(action)];
    let each = Tier::ALL.iter().flat_map(|tier| Action::ALL.iter().map(|action| (*tier, *action)));
    if api != Api::V1alpha2 {
        return each.map(|(tier, action)| of(tier, action).to_vec()).collect();
    }
    let mut told = Vec::new();
    for (tier, action) in each {
        if (tier, action) == (Tier::Baseline, Action::Pass) {
            continue;
        }
        let mut with = |rest: &[Feature]| told.push([&of(tier, action)[..], rest].concat());
        for protocol in Protocol::ALL.map(Feature::Protocol) {
            with(&[protocol]);
            with(&[protocol, Feature::Beside(Beside::Rules)]);
        }
        with(&[Feature::Peer(Peer::Node)]);
        if action != Action::Pass {
            with(&[Feature::Peer(Peer::Network)]);
            with(&[Feature::Peer(Peer::EveryAddress)]);
        }
        if action == Action::Accept {
            with(&[Feature::Port(Port::Name)]);
        }
    }
    let passes = [
        Beside::NetworkPolicyAllows,
        Beside::NetworkPolicyDenies,
        Beside::OtherTierAccepts,
        Beside::OtherTierDenies,
        Beside::PriorityBelow,
    ];
    let passed = |beside| [&of(Tier::Admin, Action::Pass)[..], &[Feature::Beside(beside)]].concat();
    told.extend(passes.map(passed));
    told
}

/// The part of the space that is of one direction and one version.
fn part(direction: Direction, api: Api) -> Part<Partial> {
    let own = |feature: &Feature| match feature {
        Feature::Direction(of) => *of == direction,
        Feature::Api(of) => *of == api,
        _ => true,
    };
    Part {
        exclusion,
        fixed: Partial { direction: Some(direction), api: Some(api), ..Partial::default() },
        features: Feature::all().into_iter().filter(own).collect(),
    }
}
