use expect_test::expect_file;
use serde_json::{Value, json};

use super::upstream::{ConformanceReport, Implementation};
use super::{Conformance, Standing, Tally, fixture, markdown, schema, terminal};
use crate::report::{Look, Run};
use crate::run::{Event, Line};

fn folded(lines: &[Line]) -> Conformance {
    let run = Run::of(lines).unwrap();
    Conformance::of(&run, |id| (!id.contains("udp")).then(|| format!("failed cases/{id}")))
}

#[test]
fn golden_reports() {
    let report = folded(&fixture::cases());
    let look = Look { width: Some(80), color: false };
    expect_file!["../../../tests/golden/report/conformance.txt"]
        .assert_eq(&terminal::render(&report, look));
    expect_file!["../../../tests/golden/report/conformance.md"]
        .assert_eq(&markdown::render(&report));
    let json = serde_json::to_string_pretty(&report).unwrap() + "\n";
    expect_file!["../../../tests/golden/report/conformance.json"].assert_eq(&json);
}

#[test]
fn colour_adds_nothing_but_escapes() {
    let report = folded(&fixture::cases());
    let coloured = terminal::render(&report, Look { width: Some(80), color: true });
    let plain = terminal::render(&report, Look { width: Some(80), color: false });
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

/// The schema is an interface: that it changed has to be seen.
#[test]
fn the_json_is_as_its_schema_says() {
    let schema = serde_json::to_value(schema()).unwrap();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    expect_file!["../../../tests/golden/report/conformance.schema.json"].assert_eq(&text);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut report = serde_json::to_value(folded(&fixture::cases())).unwrap();
    validator.validate(&report).unwrap();
    // It does not take just anything.
    report["clusters"][0]["profiles"][0]["result"] = json!("perfect");
    assert!(!validator.is_valid(&report));
    report["clusters"][0]["profiles"][0]["result"] = json!("partial");
    report["clusters"][0].as_object_mut().unwrap().remove("cases");
    assert!(!validator.is_valid(&report));
}

#[test]
fn a_case_counts_once_and_one_that_was_not_shown_did_not_pass() {
    let report = folded(&fixture::cases());
    let [cluster] = report.clusters.as_slice() else { panic!("{report:?}") };
    let expected = Tally { passed: 3, failed: 3, inconclusive: 1, skipped: 2, recorded: 2 };
    assert_eq!((cluster.cases, cluster.cases.all()), (expected, 11));
    // What decides a passing case is left out of what its cluster was asked.
    let mut lines = fixture::cases();
    let cell = crate::report::fixture::cell("prod/api", "prod/db", 9, crate::model::Family::Ipv4);
    if let Event::RunStarted { scenarios, .. } = &mut lines[0].event {
        let case = scenarios[0].case.as_mut().unwrap();
        let by = crate::run::Reason::Rule;
        case.deciding = vec![crate::run::DecidingCell { step: 0, cell, by, api: None }];
    }
    let cases = folded(&lines).clusters[0].cases;
    assert_eq!(cases, Tally { passed: 2, skipped: 3, ..expected });
}

#[test]
fn what_is_not_whole_claims_no_success() {
    let mut lines = fixture::cases();
    lines.retain(|line| line.scenario.is_empty() || line.scenario == "tier/order");
    if let Event::RunStarted { scenarios, .. } = &mut lines[0].event {
        scenarios.retain(|info| info.id == "tier/order");
        let case = scenarios[0].case.as_mut().unwrap();
        case.level = crate::run::Level::Must;
    }
    let result = |lines: &[Line]| folded(lines).clusters[0].profiles[0].result;
    assert_eq!(result(&lines), Standing::Success);
    let mut part = lines.clone();
    if let Event::RunStarted { suite: Some(suite), .. } = &mut part[0].event {
        suite.partition = Some("hash:1/2".parse().unwrap());
    }
    assert_eq!(result(&part), Standing::Partial);
    let mut chosen = lines.clone();
    if let Event::RunStarted { suite: Some(suite), .. } = &mut chosen[0].event {
        suite.selection = "--filter tier".to_owned();
    }
    assert_eq!(result(&chosen), Standing::Partial);
    lines.pop();
    assert_eq!(result(&lines), Standing::Partial);
}

fn implementation() -> Implementation {
    Implementation {
        organization: "example".to_owned(),
        project: "example-cni".to_owned(),
        url: "https://example.org/cni".to_owned(),
        version: "v3.0.0".to_owned(),
        contact: vec!["@example/maintainers".to_owned()],
        additional_information: "https://example.org/cni/runs/1".to_owned(),
    }
}

fn theirs() -> ConformanceReport {
    let run = Run::of(&fixture::cases()).unwrap();
    let (cluster, date) = ("kubeconfig:lab 1", "2026-11-21T20:00:00Z".to_owned());
    ConformanceReport::of(&run, cluster, &[], implementation(), date)
}

#[test]
fn golden_report_of_the_network_policy_api() {
    let text = serde_saphyr::to_string(&theirs()).unwrap();
    expect_file!["../../../tests/golden/report/conformance-report.yaml"].assert_eq(&text);
}

/// Their Go types, field for field: `conformance/apis/v1alpha1` of
/// kubernetes-sigs/network-policy-api at 0eec1b0. Go writes fields without a tag by their names,
/// and an embedded struct with a tag as a field.
fn their_types() -> Value {
    let strings = json!({ "type": "array", "items": { "type": "string" } });
    let number = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    let object = |fields: Value, optional: &[&str]| {
        let required: Vec<&String> = fields
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| !optional.contains(&key.as_str()))
            .collect();
        json!({ "type": "object", "required": required, "properties": fields, "additionalProperties": false })
    };
    let text = json!({ "type": "string", "minLength": 1 });
    let statistics = object(json!({ "Passed": number, "Skipped": number, "Failed": number }), &[]);
    let status = json!({
        "result": { "enum": ["success", "partial", "failure"] },
        "summary": { "type": "string" },
        "statistics": statistics,
        "skippedTests": strings,
        "failedTests": strings,
    });
    let features = json!({ "type": "array", "items": { "enum": [
        "ClusterNetworkPolicyNamedPorts", "ClusterNetworkPolicyEgressNodePeers",
    ] } });
    let mut experimental = status.clone();
    experimental["supportedFeatures"] = features.clone();
    experimental["unsupportedFeatures"] = features;
    let lists = ["skippedTests", "failedTests", "supportedFeatures", "unsupportedFeatures"];
    let profile = object(
        json!({
            "name": { "const": "ClusterNetworkPolicy" },
            "standard": object(status, &lists),
            "experimental": object(experimental, &lists),
        }),
        &["experimental"],
    );
    let implementation = object(
        json!({
            "organization": text, "project": text, "url": text, "version": text,
            "contact": strings, "additionalInformation": text,
        }),
        &[],
    );
    object(
        json!({
            "apiVersion": { "const": "policy.networking.k8s.io/v1alpha1" },
            "kind": { "const": "ConformanceReport" },
            "implementation": implementation,
            "date": { "type": "string", "pattern": "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$" },
            "networkPolicyV2APIVersion": { "type": "string", "pattern": "^v\\d" },
            "profiles": { "type": "array", "items": profile },
        }),
        &[],
    )
}

#[test]
fn their_report_has_their_fields_and_no_other() {
    let validator = jsonschema::validator_for(&their_types()).unwrap();
    let mut report = serde_json::to_value(theirs()).unwrap();
    validator.validate(&report).unwrap();
    report["profiles"][0]["core"] = json!({});
    assert!(!validator.is_valid(&report));
}

#[test]
fn a_feature_that_is_not_claimed_is_not_tested_and_the_rest_is_counted() {
    let report = theirs();
    let [profile] = report.profiles.as_slice() else { panic!("{report:?}") };
    assert_eq!((profile.standard.result, profile.standard.statistics.passed), ("success", 1));
    let experimental = profile.experimental.as_ref().unwrap();
    assert_eq!((experimental.result, experimental.statistics.passed), ("success", 1));
    assert_eq!(experimental.statistics.skipped, 0);
    assert_eq!(experimental.supported_features, ["ClusterNetworkPolicyNamedPorts"]);
    assert_eq!(experimental.unsupported_features, ["ClusterNetworkPolicyEgressNodePeers"]);
}

#[test]
fn their_report_claims_no_success_of_a_part() {
    let run = Run::of(&fixture::cases()).unwrap();
    let why = ["this is part `hash:1/2` alone".to_owned()];
    let (cluster, date) = ("kubeconfig:lab 1", String::new());
    let report = ConformanceReport::of(&run, cluster, &why, implementation(), date);
    assert_eq!(report.profiles[0].standard.result, "partial");
    assert!(report.profiles[0].standard.summary.ends_with(&why[0]));
    // Of a cluster without a case of theirs nothing is said.
    let none = ConformanceReport::of(&run, "embedded", &[], implementation(), String::new());
    assert_eq!(none.profiles, []);
}
