//! Which combinations of the cluster tier are tried: each feature by itself, and every pair,
//! in each version of the API apart, since a cluster has one of them.

use std::collections::BTreeSet;

use super::axis::{Action, Api, Beside, Peer, Port, Tier};
use super::feature::{Combination, Feature, Partial};
use crate::catalogue::space::{self, Part};
use crate::model::{Direction, Protocol};

/// Two features, the lesser first.
pub type Pair = (Feature, Feature);

/// The versions whose pairs are tried. What `v1beta1` adds to `v1alpha2` is not said: so
/// there each feature is tried by itself.
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
pub(super) fn combinations(direction: Direction, api: Api) -> Vec<Combination> {
    let part = part(direction, api);
    let mut singles = part.singles();
    singles.extend(told(api).into_iter().filter_map(|features| part.plainest(&features)));
    if PAIRED.contains(&api) { part.every_pair(singles) } else { singles.into_iter().collect() }
}

/// What gets a plain case of its own, since the API's own tests have one ([`super::UPSTREAM`]).
fn told(api: Api) -> Vec<Vec<Feature>> {
    let mut told = Vec::new();
    if !PAIRED.contains(&api) {
        return told;
    }
    for tier in Tier::ALL.iter().copied().map(Feature::Tier) {
        for action in Action::ALL.iter().copied().map(Feature::Action) {
            for protocol in Protocol::ALL.map(Feature::Protocol) {
                told.push(vec![tier, action, protocol]);
                told.push(vec![tier, action, protocol, Feature::Beside(Beside::Rules)]);
            }
            told.push(vec![tier, action, Feature::Port(Port::Name)]);
            let peers = [Peer::Node, Peer::Network, Peer::EveryAddress];
            told.extend(peers.map(|peer| vec![tier, action, Feature::Peer(peer)]));
            for beside in Beside::ALL.iter().copied().map(Feature::Beside) {
                told.push(vec![tier, action, beside]);
            }
        }
    }
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
        fixed: Partial { direction: Some(direction), api: Some(api), ..Partial::default() },
        features: Feature::all().into_iter().filter(own).collect(),
    }
}
