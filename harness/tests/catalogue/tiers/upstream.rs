//! Every conformance test of the network-policy-api project has cases here.

use std::collections::BTreeSet;

use ringfence::catalogue::UPSTREAM;

use super::super::worlds::CASES;

#[test]
fn every_conformance_test_of_the_project_has_cases_here() {
    let all: Vec<_> = UPSTREAM.into_iter().flatten().collect();
    let names: BTreeSet<_> = all.iter().map(|(test, part, _)| (test, part)).collect();
    assert_eq!(names.len(), all.len(), "a part is listed twice");
    for (test, part, ids) in all {
        assert!(!ids.is_empty(), "{test}: {part} has no case");
        for id in *ids {
            let found = CASES.iter().any(|case| case.id == *id);
            assert!(found, "{test}: {part}: there is no case `{id}`");
        }
    }
}
