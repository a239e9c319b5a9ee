//! Every feature, and every pair that can occur together, has a case, in each version apart.

use std::collections::BTreeSet;

use ringfence::catalogue::cluster_tier::{
    Action, Api, Feature, PAIRED, Pair, Peer, Port, Subject, Tier, Topic, covers, pairs, possible,
};
use ringfence::catalogue::{Case, Reason};
use ringfence::model::{Direction, Intent};

use super::super::worlds::CASES;
use super::{APIS, features};

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

fn of(direction: Direction, api: Api) -> Vec<(&'static Case, BTreeSet<Feature>)> {
    let cases = CASES.iter().map(|case| (case, features(case)));
    let own = [Feature::Direction(direction), Feature::Api(api)];
    let topic = |features: &BTreeSet<Feature>| {
        features.iter().any(|feature| matches!(feature, Feature::Topic(_)))
    };
    cases
        .filter(|(_, features)| own.iter().all(|of| features.contains(of)) && !topic(features))
        .collect()
}

/// The cell that shows the tested rule: by what it does, or by what it does not do where
/// something comes before it.
fn shows(case: &Case) -> bool {
    case.deciding.iter().any(|one| matches!(one.reason, Reason::Rule | Reason::Above))
}

#[test]
fn every_pair_that_can_occur_together_has_a_case_of_its_own() {
    for direction in DIRECTIONS {
        for api in PAIRED {
            let cases = of(direction, api);
            for (case, _) in &cases {
                assert!(shows(case), "{}", case.id);
            }
            let possible = pairs(direction, api);
            // Nor does a pair's one case need what a cluster may lack and is not its own.
            let covered = |pair: &Pair| cases.iter().any(|(_, features)| covers(features, *pair));
            let missing: Vec<_> = possible.iter().filter(|pair| !covered(pair)).collect();
            assert!(missing.is_empty(), "{direction}, {api}: {missing:?}");
            assert!(possible.len() > 700, "{direction}, {api}: only {} pairs", possible.len());
        }
    }
}

#[test]
fn every_feature_has_a_case_in_each_version() {
    for direction in DIRECTIONS {
        for api in APIS {
            let cases = of(direction, api);
            for feature in Feature::all() {
                let with = |of| possible(direction, api, feature, of).is_ok();
                if !with(Feature::Direction(direction)) && !with(Feature::Api(api)) {
                    continue;
                }
                // Of a version whose pairs are not tried, the tiers and actions are.
                let of_tier = matches!(feature, Feature::Tier(_) | Feature::Action(_));
                if !PAIRED.contains(&api) && !of_tier {
                    continue;
                }
                let covered = cases.iter().any(|(_, features)| features.contains(&feature));
                assert!(covered, "{direction}, {api}: {feature}");
            }
        }
    }
    let covered: BTreeSet<Feature> = CASES.iter().flat_map(features).collect();
    for topic in Topic::ALL {
        assert!(covered.contains(&Feature::Topic(*topic)), "{topic}");
    }
}

/// A feature is shown by what it is about and by what it nearly is.
#[test]
fn every_feature_that_restricts_has_a_near_miss() {
    for (direction, api) in DIRECTIONS.into_iter().flat_map(|of| PAIRED.map(|api| (of, api))) {
        let cases = of(direction, api);
        let missed = |feature, reason| {
            let own = |features: &BTreeSet<Feature>| features.contains(&feature);
            cases
                .iter()
                .filter(|(_, features)| own(features))
                .any(|(case, _)| case.deciding.iter().any(|one| one.reason == reason))
        };
        let is_there = |feature| cases.iter().any(|(_, features)| features.contains(&feature));
        for peer in Peer::ALL.iter().filter(|peer| is_there(Feature::Peer(**peer))) {
            // `0.0.0.0/0` leaves out the other family, and an ingress rule can name no more
            // than all pods.
            let reason = match (peer, direction) {
                (Peer::EveryAddress, _) => Reason::Family,
                (Peer::EveryNamespace, Direction::Ingress) => continue,
                _ => Reason::Peer,
            };
            assert!(missed(Feature::Peer(*peer), reason), "{direction}, {api}: {peer}");
        }
        for port in Port::ALL.iter().filter(|port| is_there(Feature::Port(**port))) {
            let reason = match port {
                Port::Absent => continue,
                Port::EveryPort => Reason::Protocol,
                _ => Reason::Port,
            };
            assert!(missed(Feature::Port(*port), reason), "{direction}, {api}: {port}");
        }
        for subject in Subject::ALL.iter().filter(|of| is_there(Feature::Subject(**of))) {
            if *subject != Subject::EveryNamespace {
                let feature = Feature::Subject(*subject);
                assert!(missed(feature, Reason::Target), "{direction}, {api}: {subject}");
            }
        }
        assert!(missed(Feature::Action(Action::Deny), Reason::Types), "{direction}, {api}");
        // Each action, in each tier, lets through what another would not, or the reverse.
        for tier in Tier::ALL {
            for action in Action::ALL {
                let pair = [Feature::Tier(*tier), Feature::Action(*action)];
                if possible(direction, api, pair[0], pair[1]).is_err() {
                    continue;
                }
                let own = cases.iter().filter(|(_, of)| pair.iter().all(|one| of.contains(one)));
                let intents: BTreeSet<bool> = own
                    .flat_map(|(case, _)| &case.deciding)
                    .filter(|one| one.reason == Reason::Rule)
                    .map(|one| one.intent == Intent::Allow)
                    .collect();
                let denies = *action == Action::Deny;
                assert!(intents.contains(&!denies), "{direction}, {api}, {tier}: {action}");
            }
        }
    }
}

#[test]
fn what_cannot_occur_together_says_why() {
    for (direction, api) in DIRECTIONS.into_iter().flat_map(|of| PAIRED.map(|api| (of, api))) {
        let all = Feature::all();
        for one in &all {
            for other in all.iter().filter(|other| other.axis() != one.axis()) {
                if let Err(why) = possible(direction, api, *one, *other) {
                    assert_eq!(possible(direction, api, *other, *one), Err(why));
                }
            }
        }
    }
}
