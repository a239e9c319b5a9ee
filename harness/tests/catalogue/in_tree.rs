//! Every NetworkPolicy test of Kubernetes has cases here.

use std::collections::BTreeSet;

use ringfence::catalogue::{Feature, IN_TREE};

use super::worlds::CASES;

#[test]
fn every_test_of_kubernetes_has_cases_here() {
    let names: BTreeSet<_> = IN_TREE.iter().map(|(protocol, name, _)| (protocol, name)).collect();
    assert_eq!(names.len(), IN_TREE.len(), "a test is listed twice");
    for (protocol, name, ids) in IN_TREE {
        assert!(!ids.is_empty(), "{name} has no case");
        for id in ids {
            let case = CASES.iter().find(|case| case.id == *id);
            let case = case.unwrap_or_else(|| panic!("{name}: there is no case `{id}`"));
            let special = case.features.iter().any(|f| matches!(f, Feature::Topic(_)));
            assert!(
                special || case.features.contains(&Feature::Protocol(protocol)),
                "{name}: `{id}` is not about {protocol}"
            );
        }
    }
}
