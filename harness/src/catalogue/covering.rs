//! Which combinations are tried: each feature by itself, and every pair.
//!
//! Covering arrays are found greedily (Cohen, Dalal, Fredman and Patton, "The AETG System",
//! 1997), without randomness: the same space gives the same combinations.

use std::collections::BTreeSet;

use super::axis::{Path, Peer, Rules};
use super::feature::{Combination, Feature, Partial};
use super::possible::{complete, plainest, possible};
use crate::model::{Direction, Protocol};

/// Two features, the lesser first.
pub type Pair = (Feature, Feature);

/// Every pair of features of different axes that can occur together in this direction.
pub fn pairs(direction: Direction) -> Vec<Pair> {
    let features = of_direction(direction);
    let mut pairs = Vec::new();
    for (at, one) in features.iter().enumerate() {
        for other in &features[at + 1..] {
            if one.axis() != other.axis() && possible(direction, *one, *other).is_ok() {
                pairs.push((*one, *other));
            }
        }
    }
    pairs
}

/// Every feature but the other direction.
fn of_direction(direction: Direction) -> Vec<Feature> {
    let own = |feature: &Feature| match feature {
        Feature::Direction(of) => *of == direction,
        _ => true,
    };
    Feature::all().into_iter().filter(own).collect()
}

/// The combinations of a direction: each feature among the plainest others, then as many as
/// it takes for every pair that can occur together.
pub(super) fn combinations(direction: Direction) -> Vec<Combination> {
    let singles = of_direction(direction).into_iter().map(|feature| vec![feature]);
    let plain = singles.chain(plain_pairs().map(|pair| pair.to_vec()));
    let singles: BTreeSet<Combination> =
        plain.filter_map(|features| plainest(direction, &features)).collect();
    let mut missing: BTreeSet<Pair> = pairs(direction).into_iter().collect();
    let mut chosen: Vec<Combination> = singles.into_iter().collect();
    chosen.iter().for_each(|one| strike(&mut missing, one));
    while let Some(pair) = missing.first().copied() {
        let Some(next) = with(direction, pair, &missing) else {
            missing.remove(&pair);
            continue;
        };
        strike(&mut missing, &next);
        chosen.push(next);
    }
    chosen
}

/// Pairs that get a plain case of their own, since Kubernetes' own tests have one.
fn plain_pairs() -> impl Iterator<Item = [Feature; 2]> {
    let of = [Feature::Rules(Rules::Absent), Feature::Peer(Peer::NamespaceAndPod)];
    let protocols = [Protocol::Udp, Protocol::Sctp].map(Feature::Protocol);
    of.into_iter().flat_map(move |one| protocols.map(|protocol| [one, protocol]))
}

/// Takes the pairs that a combination tests from those that are missing.
fn strike(missing: &mut BTreeSet<Pair>, one: &Combination) {
    let features = one.features();
    missing.retain(|pair| !covers(&features, *pair));
}

/// Whether a case with these features tests a pair of them: it asks a cluster for no feature
/// that it may lack, but those of the pair. Otherwise a cluster without IPv6, say, would leave
/// pairs untested that have nothing to do with it.
pub fn covers(features: &BTreeSet<Feature>, (one, other): Pair) -> bool {
    let outside = [one, other].iter().any(|feature| match feature {
        Feature::Peer(peer) => peer.is_outside(),
        _ => false,
    });
    // An ipBlock asks for hosts outside by itself.
    let own = |feature: &Feature| {
        [one, other].contains(feature) || outside && *feature == Feature::Path(Path::Outside)
    };
    features.contains(&one)
        && features.contains(&other)
        && features.iter().all(|feature| !feature.is_optional() || own(feature))
}

/// A combination that has a pair and, axis by axis, the value that adds most of the missing.
fn with(direction: Direction, pair: Pair, missing: &BTreeSet<Pair>) -> Option<Combination> {
    let mut values = Partial { direction: Some(direction), ..Partial::default() };
    (values.set(pair.0) && values.set(pair.1)).then_some(())?;
    let prefer = |values: &Partial, mut open: Vec<Feature>| {
        let have = values.values();
        let gain = |feature: &Feature| {
            let new = have
                .iter()
                .filter(|one| missing.contains(&(**one.min(&feature), **one.max(&feature))));
            new.count()
        };
        // What a cluster may lack comes last, since it hides the other pairs (see `covers`).
        // Stable: among equals the plainer comes first.
        open.sort_by_key(|feature| (feature.is_optional(), std::cmp::Reverse(gain(feature))));
        open
    };
    complete(values, &prefer, &|whole| {
        let features = whole.features();
        features.contains(&pair.0) && features.contains(&pair.1)
    })
}
