//! Every feature, and every pair that can occur together, has a case.

use std::collections::BTreeSet;

use ringfence::catalogue::{
    Case, Feature, Pair, Peer, Port, Reason, Rules, Target, Topic, covers, pairs, possible,
};
use ringfence::model::{Direction, Intent};

use super::worlds::CASES;

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

fn of(direction: Direction) -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(move |case| case.features.contains(&Feature::Direction(direction)))
}

/// The cell that the tested rule decides, or the lack of one.
fn is_decided(case: &Case) -> bool {
    case.deciding.iter().any(|one| matches!(one.reason, Reason::Rule | Reason::NoRule))
}

#[test]
fn every_pair_that_can_occur_together_has_a_case_of_its_own() {
    for direction in DIRECTIONS {
        let mut covered = BTreeSet::new();
        for case in of(direction).filter(|case| is_decided(case)) {
            let features: Vec<Feature> = case.features.iter().copied().collect();
            for (at, one) in features.iter().enumerate() {
                covered.extend(features[at + 1..].iter().map(|other| (*one, *other)));
            }
        }
        let possible = pairs(direction);
        let missing: Vec<_> = possible.iter().filter(|pair| !covered.contains(*pair)).collect();
        assert!(missing.is_empty(), "{direction}: {missing:?}");
        assert!(possible.len() > 2000, "{direction}: only {} pairs are possible", possible.len());
    }
}

/// Nor does a pair's one case need a feature that a cluster may lack and that is not its own.
#[test]
fn what_a_cluster_lacks_hides_no_other_pair() {
    for direction in DIRECTIONS {
        let hidden = |pair: &Pair| {
            let mut cases = of(direction).filter(|case| is_decided(case));
            !cases.any(|case| covers(&case.features, *pair))
        };
        let hidden: Vec<_> = pairs(direction).into_iter().filter(hidden).collect();
        assert!(hidden.is_empty(), "{direction}: {hidden:?}");
    }
    // The claim can fail: a case over IPv6 shows nothing where there is none.
    let features = ["ingress/family=ipv6", "ingress/plain"]
        .map(|id| &CASES.iter().find(|case| case.id == id).unwrap().features);
    let pair = (Feature::Port(Port::Number), Feature::Target(Target::Labels));
    assert_eq!(features.map(|features| covers(features, pair)), [false, true]);
}

#[test]
fn every_feature_has_a_case() {
    let covered: BTreeSet<Feature> =
        CASES.iter().flat_map(|case| case.features.iter().copied()).collect();
    let missing: Vec<Feature> =
        Feature::all().into_iter().filter(|feature| !covered.contains(feature)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let missing: Vec<&Topic> =
        Topic::ALL.iter().filter(|topic| !covered.contains(&Feature::Topic(**topic))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A feature is shown by what it lets through and by what it nearly does.
#[test]
fn every_feature_that_restricts_has_a_near_miss() {
    let missed = |direction, feature, reasons: &[Reason]| {
        of(direction).filter(|case| case.features.contains(&feature)).any(|case| {
            let mut cells = case.deciding.iter();
            cells.any(|one| reasons.contains(&one.reason))
        })
    };
    for direction in DIRECTIONS {
        for peer in Peer::ALL {
            // `0.0.0.0/0` leaves out the other family, and nobody else.
            let reasons: &[Reason] = match peer {
                Peer::Absent | Peer::EmptyList => continue,
                Peer::EveryAddress => &[Reason::Family],
                _ => &[Reason::Peer],
            };
            assert!(missed(direction, Feature::Peer(*peer), reasons), "{direction}: {peer}");
        }
        for port in Port::ALL {
            let reasons: &[Reason] = match port {
                Port::Absent | Port::EmptyList => continue,
                Port::ProtocolOnly | Port::EmptyEntry => &[Reason::Protocol],
                _ => &[Reason::Port],
            };
            assert!(missed(direction, Feature::Port(*port), reasons), "{direction}: {port}");
        }
        for target in Target::ALL.iter().filter(|target| **target != Target::Every) {
            let feature = Feature::Target(*target);
            assert!(missed(direction, feature, &[Reason::Target]), "{direction}: {target}");
        }
        for feature in Feature::all() {
            let own = |feature| possible(direction, feature, Feature::Direction(direction)).is_ok();
            let decides = |intent| {
                of(direction)
                    .filter(|case| case.features.contains(&feature))
                    .any(|case| case.deciding.iter().any(|one| one.intent == intent))
            };
            if feature.axis() == "direction" || !own(feature) {
                continue;
            }
            let nothing = [Rules::Absent, Rules::EmptyList].map(Feature::Rules).contains(&feature);
            assert!(decides(Intent::Allow) || nothing, "{direction}: {feature}: nothing allowed");
            assert!(decides(Intent::Deny), "{direction}: {feature}: nothing denied");
        }
    }
}

#[test]
fn what_cannot_occur_together_says_why() {
    for direction in DIRECTIONS {
        let all = Feature::all();
        for one in &all {
            for other in all.iter().filter(|other| other.axis() != one.axis()) {
                if let Err(why) = possible(direction, *one, *other) {
                    assert_eq!(possible(direction, *other, *one), Err(why), "{one} and {other}");
                }
            }
        }
    }
}
