//! What is left of cases that fail on clusters that misread.

use std::collections::BTreeMap;

use expect_test::expect_file;
use ringfence::model::Change;
use ringfence::sample::{Sample, Shrinking, sample, smaller};

use crate::misread::{MISREADINGS, Misreading, failures};
use crate::says_what_is_specified;

/// So many candidates are more than any case of these needs.
const ENOUGH: usize = 5000;

/// The smallest that fails, of the first case that does, and how many were tried.
fn shrunk(misreading: &Misreading, width: usize) -> (Sample, Shrinking) {
    let mut cases = (0..5000).map(|number| sample(3, number));
    let found = cases.find_map(|case| {
        let failure = failures(&case, misreading).into_iter().next()?;
        Some((case, failure))
    });
    let (case, failure) = found.unwrap_or_else(|| panic!("no case finds {}", misreading.name));
    let mut shrinking = Shrinking::new(case.clone(), failure);
    loop {
        let candidates = shrinking.candidates(width);
        if candidates.is_empty() {
            return (case, shrinking);
        }
        let outcomes: Vec<_> =
            candidates.iter().map(|candidate| failures(candidate, misreading)).collect();
        shrinking.learn(&outcomes);
        assert!(shrinking.tried() < ENOUGH, "{}: no end", misreading.name);
    }
}

#[test]
fn what_is_left_fails_alike_and_nothing_of_it_can_go() {
    for misreading in &MISREADINGS {
        let (whole, shrinking) = shrunk(misreading, 1);
        let (name, least) = (misreading.name, shrinking.smallest());
        assert!(shrinking.is_minimal(), "{name}");
        let failure = shrinking.failure();
        assert!(failures(least, misreading).contains(failure), "{name}");
        let first = failures(&whole, misreading)[0].specified;
        assert_eq!(failure.specified, first, "{name}");
        for less in smaller(least) {
            let alike = failures(&less, misreading).iter().any(|one| one.specified == first);
            assert!(!alike, "{name}: less fails too: {:#?}", less.folder().unwrap().files);
        }
        says_what_is_specified(least);
    }
}

#[test]
fn how_many_are_tried_at_once_changes_nothing() {
    for misreading in &MISREADINGS[..4] {
        let (_, one) = shrunk(misreading, 1);
        let (_, many) = shrunk(misreading, 7);
        assert_eq!(one.smallest(), many.smallest(), "{}", misreading.name);
    }
}

/// One policy with one rule with one peer is all that a forgotten exception needs.
#[test]
fn a_forgotten_exception_is_shown_by_one_peer() {
    let (_, shrinking) = shrunk(&MISREADINGS[0], 4);
    let least = shrinking.smallest();
    let Some(Change::ApplyPolicy(policy)) = least.steps[0].first() else {
        panic!("expected a policy, found {:?}", least.steps);
    };
    assert_eq!((least.steps.len(), least.steps[0].len()), (1, 1));
    let rules: Vec<_> = policy.ingress.iter().chain(&policy.egress).flatten().collect();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].peers.as_ref().map(Vec::len), Some(1));
    assert_eq!(least.topology.pods.len() + least.topology.externals.len(), 2);
    let files: BTreeMap<String, String> = least.folder().unwrap().files;
    let texts: Vec<String> =
        files.into_iter().map(|(name, text)| format!("# {name}\n{text}")).collect();
    expect_file!["../golden/sample/shrunk.yaml"].assert_eq(&texts.join("\n"));
}

#[test]
fn a_case_that_stops_failing_stays_as_it_was() {
    let misreading = &MISREADINGS[0];
    let (whole, _) = shrunk(misreading, 1);
    let failure = failures(&whole, misreading)[0].clone();
    let mut shrinking = Shrinking::new(whole.clone(), failure);
    loop {
        let candidates = shrinking.candidates(16);
        if candidates.is_empty() {
            break;
        }
        shrinking.learn(&vec![Vec::new(); candidates.len()]);
    }
    assert!(shrinking.is_minimal() && *shrinking.smallest() == whole);
}
