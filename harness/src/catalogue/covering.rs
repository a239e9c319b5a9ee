//! Which combinations are tried: each feature by itself, and every pair.

use std::collections::BTreeSet;

use super::axis::{Peer, Rules};
use super::feature::{Combination, Feature, Partial};
use super::possible::exclusion;
use super::space::{self, Part};
use crate::model::{Direction, Protocol};

/// Two features, the lesser first.
pub type Pair = (Feature, Feature);

/// Every pair of features of different axes that can occur together in this direction.
pub fn pairs(direction: Direction) -> Vec<Pair> {
    part(direction).pairs()
}

/// Whether two features can occur together in this direction.
///
/// # Errors
/// Why they cannot.
pub fn possible(direction: Direction, one: Feature, other: Feature) -> Result<(), &'static str> {
    part(direction).possible(one, other)
}

/// The part of the space that is of one direction.
fn part(direction: Direction) -> Part<Partial> {
    let own = |feature: &Feature| match feature {
        Feature::Direction(of) => *of == direction,
        _ => true,
    };
    Part {
        exclusion,
        fixed: Partial { direction: Some(direction), ..Partial::default() },
        features: Feature::all().into_iter().filter(own).collect(),
    }
}

/// The combinations of a direction: each feature among the plainest others, then as many as
/// it takes for every pair that can occur together.
pub(super) fn combinations(direction: Direction) -> Vec<Combination> {
    let part = part(direction);
    let mut chosen = part.singles();
    chosen.extend(plain_pairs().filter_map(|pair| part.plainest(&pair)));
    part.every_pair(chosen)
}

/// Pairs that get a plain case of their own, since Kubernetes' own tests have one.
fn plain_pairs() -> impl Iterator<Item = [Feature; 2]> {
    let of = [Feature::Rules(Rules::Absent), Feature::Peer(Peer::NamespaceAndPod)];
    let protocols = [Protocol::Udp, Protocol::Sctp].map(Feature::Protocol);
    of.into_iter().flat_map(move |one| protocols.map(|protocol| [one, protocol]))
}

/// Whether a case with these features tests a pair of them: it asks a cluster for no feature
/// that it may lack, but those of the pair. Otherwise a cluster without IPv6, say, would leave
/// pairs untested that have nothing to do with it.
pub fn covers(features: &BTreeSet<Feature>, pair: Pair) -> bool {
    space::covers::<Partial>(features, pair)
}
