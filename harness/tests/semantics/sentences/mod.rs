//! The API's sentences, each with a policy and what it makes of some cells.
//!
//! Sources: `networking.k8s.io/v1` as documented in k8s.io/api v0.37.2
//! (`networking/v1/types.go`), named by type and field; [page] is
//! concepts/services-networking/network-policies; [defaults] is kubernetes
//! `pkg/apis/networking/v1/defaults.go`.

mod ends;
mod peers;

use std::sync::Arc;

use ringfence::model::{Pod, PodName, Verdict};
use ringfence::semantics::Engine;
use serde_json::{Value, json};

use super::fixture::{cell, world};
use super::manifest::policy;

/// One sentence: the `spec`s of policies in `prod`, and the verdicts of cells.
struct Row {
    says: &'static str,
    specs: Vec<Value>,
    cells: &'static [(&'static str, &'static str)],
}

fn row(
    says: &'static str,
    specs: impl Into<Vec<Value>>,
    cells: &'static [(&'static str, &'static str)],
) -> Row {
    Row { says, specs: specs.into(), cells }
}

/// `allow`, `deny`, or for what is open its reason, as JSON spells it.
fn spelled(verdict: Verdict) -> String {
    let value = serde_json::to_value(verdict).expect("a verdict is JSON");
    value.get("why").or(value.get("kind")).and_then(Value::as_str).expect("a word").to_owned()
}

fn check(rows: Vec<Row>) {
    for Row { says, specs, cells } in rows {
        let engine = Engine::new(&world(&specs));
        for (text, expected) in cells {
            let decision = engine.decide(&cell(text));
            assert_eq!(spelled(decision.verdict), *expected, "{text}, where {says}: {decision:#?}");
        }
    }
}

fn db() -> Value {
    json!({ "matchLabels": { "app": "db" } })
}

fn web() -> Value {
    json!({ "matchLabels": { "app": "web" } })
}

/// A policy on `db` that is about ingress, with one rule.
fn into_db(rule: &Value) -> Vec<Value> {
    vec![json!({ "podSelector": db(), "policyTypes": ["Ingress"], "ingress": [rule] })]
}

/// A policy on `web` that is about egress, with one rule.
fn out_of_web(rule: &Value) -> Vec<Value> {
    vec![json!({ "podSelector": web(), "policyTypes": ["Egress"], "egress": [rule] })]
}

#[test]
fn isolation() {
    check(vec![
        row(
            "\"By default, a pod is non-isolated for egress; all outbound connections are allowed.\" [page]",
            [],
            &[("prod/web -> prod/db:3306", "allow"), ("backup -> prod/db:3306", "allow")],
        ),
        row(
            "\"A pod is isolated for ingress if there is any NetworkPolicy that both selects the pod and has \"Ingress\" in its policyTypes\" [page]",
            [json!({ "podSelector": db(), "policyTypes": ["Ingress"] })],
            &[
                ("prod/web -> prod/db:3306", "deny"),
                ("backup -> prod/db:3306", "deny"),
                ("prod/db -> prod/web:80", "allow"),
                ("prod/web -> dev/web:8081", "allow"),
            ],
        ),
        row(
            "\"An empty selector matches all pods in the policy's namespace.\" (NetworkPolicySpec.podSelector)",
            [json!({ "podSelector": {}, "policyTypes": ["Ingress"] })],
            &[("dev/web -> prod/db:3306", "deny"), ("prod/db -> dev/web:8081", "allow")],
        ),
        row(
            "\"If it is not specified, it defaults to an empty selector.\" (NetworkPolicySpec.podSelector)",
            [json!({ "policyTypes": ["Ingress"] })],
            &[("dev/web -> prod/db:3306", "deny"), ("dev/web -> prod/web:80", "deny")],
        ),
        row(
            "\"both the egress policy on the source pod and the ingress policy on the destination pod need to allow the connection\" [page]",
            [
                json!({ "podSelector": db(), "policyTypes": ["Ingress"], "ingress": [{}] }),
                json!({ "podSelector": web(), "policyTypes": ["Egress"] }),
            ],
            &[("prod/web -> prod/db:3306", "deny"), ("dev/web -> prod/db:3306", "allow")],
        ),
        row(
            "\"Network policies do not conflict; they are additive.\" [page]",
            [
                json!({ "podSelector": {}, "policyTypes": ["Ingress"] }),
                json!({ "podSelector": db(), "ingress": [{ "from": [{ "podSelector": web() }] }] }),
            ],
            &[
                ("prod/web -> prod/db:3306", "allow"),
                ("dev/web -> prod/db:3306", "deny"),
                ("prod/db -> prod/web:80", "deny"),
            ],
        ),
    ]);
}

#[test]
fn policy_types() {
    let from_web = json!([{ "from": [{ "podSelector": web() }] }]);
    let to_web = json!([{ "to": [{ "podSelector": web() }] }]);
    check(vec![
        row(
            "\"by default Ingress will always be set\" [page]",
            [json!({ "podSelector": db() })],
            &[("prod/web -> prod/db:3306", "deny"), ("prod/db -> prod/web:80", "allow")],
        ),
        row(
            "\"and Egress will be set if the NetworkPolicy has any egress rules\" [page]",
            [json!({ "podSelector": db(), "egress": to_web })],
            &[
                ("prod/web -> prod/db:3306", "deny"),
                ("prod/db -> prod/web:80", "allow"),
                ("prod/db -> dev/web:8081", "deny"),
            ],
        ),
        row(
            "len(obj.Spec.Egress) != 0: an empty egress list sets no Egress [defaults]",
            [json!({ "podSelector": db(), "egress": [] })],
            &[("prod/db -> prod/web:80", "allow"), ("prod/web -> prod/db:3306", "deny")],
        ),
        row(
            "len(obj.Spec.PolicyTypes) == 0: an empty list is filled in like an absent one [defaults]",
            [json!({ "podSelector": db(), "policyTypes": [], "egress": to_web })],
            &[("prod/web -> prod/db:3306", "deny"), ("prod/db -> dev/web:8081", "deny")],
        ),
        row(
            "\"If you want to write an egress-only policy, you must explicitly specify policyTypes [ \"Egress\" ].\" (NetworkPolicySpec.policyTypes)",
            [json!({ "podSelector": db(), "policyTypes": ["Egress"], "egress": to_web })],
            &[("prod/web -> prod/db:3306", "allow"), ("prod/db -> dev/web:8081", "deny")],
        ),
        row(
            "\"a policy that specifies that no egress is allowed\" needs \"a policyTypes value that include \"Egress\"\" (NetworkPolicySpec.policyTypes)",
            [json!({ "podSelector": db(), "policyTypes": ["Ingress", "Egress"] })],
            &[("prod/web -> prod/db:3306", "deny"), ("prod/db -> prod/web:80", "deny")],
        ),
        row(
            "\"the ingress list of some NetworkPolicy that applies to the pod for ingress\" allows [page]: rules of a direction that is not listed have no say",
            [
                json!({ "podSelector": db(), "policyTypes": ["Ingress"] }),
                json!({ "podSelector": db(), "policyTypes": ["Egress"], "ingress": from_web }),
            ],
            &[("prod/web -> prod/db:3306", "deny"), ("prod/db -> prod/web:80", "deny")],
        ),
    ]);
}

#[test]
fn empty_and_absent() {
    check(vec![
        row(
            "\"If this field is empty then this NetworkPolicy does not allow any traffic\" (NetworkPolicySpec.ingress)",
            [json!({ "podSelector": db(), "ingress": [] })],
            &[("prod/web -> prod/db:3306", "deny")],
        ),
        row(
            "\"If this field is empty or missing, this rule matches all sources\" (NetworkPolicyIngressRule.from): missing",
            into_db(&json!({})),
            &[("backup -> prod/db:3306", "allow"), ("node/a -> prod/db:53/UDP", "allow")],
        ),
        row(
            "\"If this field is empty or missing, this rule matches all sources\" (NetworkPolicyIngressRule.from): empty",
            into_db(&json!({ "from": [] })),
            &[("backup -> prod/db:3306", "allow"), ("somewhere -> prod/db:3306", "allow")],
        ),
        row(
            "\"If this field is empty or missing, this rule matches all destinations\" (NetworkPolicyEgressRule.to)",
            out_of_web(&json!({ "to": [] })),
            &[("prod/web -> backup:80", "allow"), ("prod/web -> node/a:22", "allow")],
        ),
        row(
            "\"If this field is empty or missing, this rule matches all ports\" (NetworkPolicyIngressRule.ports)",
            into_db(&json!({ "from": [{ "podSelector": web() }], "ports": [] })),
            &[("prod/web -> prod/db:53/UDP", "allow"), ("dev/web -> prod/db:53/UDP", "deny")],
        ),
        row(
            "\"If not specified, this field defaults to TCP\" and \"If this field is not provided, this matches all port names and numbers\" (NetworkPolicyPort): an empty entry is every TCP port",
            into_db(&json!({ "ports": [{}] })),
            &[
                ("prod/web -> prod/db:3306", "allow"),
                ("prod/web -> prod/db:9", "allow"),
                ("prod/web -> prod/db:53/UDP", "deny"),
                ("prod/web -> prod/db:53/SCTP", "deny"),
            ],
        ),
    ]);
}

#[test]
fn a_policy_in_a_namespace_that_is_not_there_selects_nothing() {
    let mut world = world(&[]);
    let stray = policy("gone", "stray", &json!({ "policyTypes": ["Ingress", "Egress"] }));
    world.policies.insert(stray.name.clone(), Arc::new(stray));
    let lost = Pod {
        name: PodName::new("gone", "lost"),
        ..world.topology.pods[&PodName::new("prod", "db")].clone()
    };
    world.topology.pods.insert(lost.name.clone(), lost);
    let decision = Engine::new(&world).decide(&cell("prod/web -> gone/lost:3306"));
    assert_eq!(decision.verdict, Verdict::Allow);
}

#[test]
fn a_decision_names_every_isolating_policy_and_allowing_rule() {
    let world = world(&[
        json!({ "podSelector": db() }),
        json!({ "podSelector": db(), "ingress": [
            { "from": [{ "podSelector": db() }, { "podSelector": web() }],
              "ports": [{ "port": 80 }, { "port": 3306 }] },
            { "from": [{ "namespaceSelector": {} }] },
            { "from": [{ "podSelector": db() }] } ] }),
    ]);
    let decision = Engine::new(&world).decide(&cell("prod/web -> prod/db:3306"));
    let named: Vec<&str> = decision.ingress.isolating.iter().map(|p| &*p.name.name).collect();
    assert_eq!(named, ["p0", "p1"]);
    let rules: Vec<_> = decision
        .ingress
        .rules
        .iter()
        .map(|rule| (rule.rule, rule.peer, rule.port, rule.origin.to_string()))
        .collect();
    assert_eq!(
        rules,
        [(0, Some(1), Some(1), "p1.yaml:2:1".into()), (1, Some(0), None, "p1.yaml:7:1".into())]
    );
    assert_eq!(decision.egress.isolating, []);
}
