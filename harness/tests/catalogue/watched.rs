//! Cases in which something is watched while it changes: what each must show it watches.

use std::collections::BTreeSet;

use ringfence::catalogue::{Case, Feature, Kind, Level, Path};
use ringfence::model::{Change, Direction, Intent, Protocol};

use super::worlds::{CASES, scenario};

fn of(kind: Kind) -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(move |case| case.kind == kind)
}

/// The identifier says how a case is run, and only those watch that are to be watched.
#[test]
fn a_case_watches_what_its_kind_says() {
    for case in CASES.iter() {
        let scenario = scenario(case);
        let holds = scenario.steps.iter().any(|step| !step.watch.hold.is_empty());
        let tries = scenario.steps.iter().any(|step| !step.watch.attempt.is_empty());
        let comes = scenario.steps.iter().any(|step| {
            !step.watch.attempt.is_empty()
                && step.changes.iter().any(|change| matches!(change, Change::AddPod(_)))
        });
        let (id, kind) = (&case.id, case.kind);
        let family = id.split('/').next().unwrap();
        match kind {
            Kind::Matrix => assert!(!holds && !tries, "{id}"),
            Kind::Established => assert!(holds, "{id}"),
            Kind::StartWindow => assert!(!holds && comes, "{id}"),
            Kind::SwapWindow => assert!(!holds && tries && !comes, "{id}"),
        }
        if kind != Kind::Matrix {
            assert_eq!(family, kind.to_string(), "{id}");
        }
    }
}

/// What the specification fixes is a must, and what it leaves open is not.
#[test]
fn levels_follow_from_what_is_watched() {
    for case in CASES.iter().filter(|case| case.kind != Kind::Matrix) {
        let scenario = scenario(case);
        let fixed = |intent: Intent| intent != Intent::Any;
        let held = scenario.steps.iter().flat_map(|step| &step.watch.hold);
        let tried = scenario.steps.iter().flat_map(|step| &step.watch.attempt);
        let first = held.chain(tried).next().unwrap();
        let musts = [Level::Must, Level::MustIfDeclared];
        assert_eq!(musts.contains(&case.level), fixed(first.intent), "{}", case.id);
        let sctp = case.features.contains(&Feature::Protocol(Protocol::Sctp));
        assert_eq!(case.level == Level::MustIfDeclared, sctp && fixed(first.intent), "{}", case.id);
    }
}

/// Both directions, every protocol that can be watched so, within a node and between two.
#[test]
fn every_kind_has_each_direction_and_protocol() {
    for (kind, protocols) in [
        (Kind::Established, &[Protocol::Tcp, Protocol::Udp][..]),
        (Kind::StartWindow, &Protocol::ALL[..]),
        (Kind::SwapWindow, &Protocol::ALL[..]),
    ] {
        let topics: BTreeSet<&Feature> = of(kind)
            .flat_map(|case| &case.features)
            .filter(|feature| matches!(feature, Feature::Topic(_)))
            .collect();
        assert!(topics.len() >= 4, "{kind}: {topics:?}");
        for topic in topics {
            for direction in [Direction::Ingress, Direction::Egress] {
                for protocol in protocols {
                    let wanted = [
                        *topic,
                        Feature::Direction(direction),
                        Feature::Protocol(*protocol),
                        Feature::Path(Path::OtherNode),
                    ];
                    let has = |case: &Case| wanted.iter().all(|f| case.features.contains(f));
                    assert!(of(kind).any(has), "{wanted:?}");
                }
            }
        }
    }
    for id in ["established/new-deny", "start-window/isolated"] {
        let within = |case: &&Case| case.id.starts_with(id) && case.id.ends_with(",same-node");
        let protocols = if id.starts_with("est") { 2 } else { 3 };
        assert_eq!(CASES.iter().filter(within).count(), 2 * protocols, "{id}");
    }
}
