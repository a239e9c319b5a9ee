//! The catalogue against the loader and the semantics engine: what it claims is computed.

mod coverage;
mod decided;
mod in_tree;
mod judged;
mod tiers;
mod watched;
mod worlds;

use std::collections::BTreeSet;

use ringfence::catalogue::{Case, Feature, Level, Topic, Types, cases};
use ringfence::model::{Direction, Intent, Verdict};
use ringfence::scenario::{Limits, LoadOptions, resolve};
use ringfence::semantics::Engine;

use worlds::{CASES, scenario, worlds};

#[test]
fn there_are_at_least_500_cases_and_always_the_same() {
    assert!(CASES.len() >= 500, "{}", CASES.len());
    let again: Vec<_> = cases().unwrap().into_iter().map(|case| (case.id, case.folder)).collect();
    let first: Vec<_> = CASES.iter().map(|case| (case.id.clone(), case.folder.clone())).collect();
    assert!(again == first, "another catalogue at the second call");
}

#[test]
fn identifiers_are_unique_and_name_a_folder() {
    let ids: BTreeSet<&str> = CASES.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), CASES.len());
    for id in ids {
        let of_words = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-=,/".contains(c);
        assert!(id.chars().all(of_words), "{id}");
        // The limit for a file's name (`NAME_MAX`, POSIX).
        assert!(id.split('/').all(|name| !name.is_empty() && name.len() <= 255), "{id}");
    }
}

/// What a case is about may be what the loader warns of, and nothing else is.
fn warnings(case: &Case) -> Vec<&'static str> {
    let has = |feature: Feature| case.features.contains(&feature);
    let defaulted = [Types::Absent, Types::EmptyList].map(Feature::Types);
    if has(Feature::Topic(Topic::RulesOfOtherDirection)) {
        vec!["rules-without-type"]
    } else if has(Feature::Direction(Direction::Egress)) && defaulted.into_iter().any(has) {
        vec!["ingress-denied-too"]
    } else {
        tiers::warnings(case)
    }
}

#[test]
fn every_case_loads_without_a_finding() {
    for case in CASES.iter() {
        let (scenario, found) = case.scenario(&LoadOptions::default());
        let codes: Vec<&str> = found.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, warnings(case), "{}: {found:#?}", case.id);
        let scenario = scenario.unwrap();
        assert_eq!(scenario.id, case.id);
        assert_eq!(scenario.about, case.sentence);
        assert_eq!(scenario.tags, case.tags);
    }
}

/// What is meant was put together from the features by hand, what is specified comes from
/// the engine: in every cell of every step they must agree.
#[test]
fn what_is_meant_is_what_is_specified() {
    let mut compared = 0_usize;
    for case in CASES.iter() {
        if tiers::is_skipped(case) {
            continue;
        }
        let scenario = scenario(case);
        for (step, world) in scenario.steps.iter().zip(worlds(&scenario)) {
            let expectation = resolve(step, &world.topology, &Limits::none()).unwrap();
            let engine = Engine::new(&world);
            for (cell, expected) in expectation.cells.iter() {
                let specified = match engine.verdict(cell) {
                    Verdict::Allow => Intent::Allow,
                    Verdict::Deny => Intent::Deny,
                    Verdict::Undefined(_) => Intent::Any,
                    Verdict::Unknown(fact) => panic!("{}: {cell}: {fact}", case.id),
                };
                assert_eq!(expected.intent, specified, "{}: {}: {cell}", case.id, step.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 100_000, "only {compared} cells");
}

#[test]
fn levels_follow_from_what_clusters_may_lack() {
    for case in CASES.iter() {
        let optional = ["protocol=sctp", "port=range", "port=range-of-one", "family=ipv6"];
        let asks = case.features.iter().any(|f| optional.contains(&f.to_string().as_str()));
        let other = |feature: &Feature| matches!(feature, Feature::Topic(_) | Feature::Cluster(_));
        if !case.features.iter().any(other) {
            assert_eq!(case.level == Level::MustIfDeclared, asks, "{}", case.id);
        }
    }
}
