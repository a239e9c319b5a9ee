//! Any text as a scenario: a value exactly where no diagnostic is an error.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use ringfence::scenario::{LoadOptions, Severity, parse_scenario, render};

const POLICY: &str = include_str!("../../tests/diagnostics/valid/policy.yaml");

fuzz_target!(|text: &str| {
    let manifests = BTreeMap::from([("policy.yaml".to_owned(), POLICY.to_owned())]);
    let options = LoadOptions::default();
    let (scenario, diagnostics) = parse_scenario("scenario.yaml", text, &manifests, &options);
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(scenario.is_none(), failed);
    for diagnostic in &diagnostics {
        render(diagnostic, false, 60);
    }
});
