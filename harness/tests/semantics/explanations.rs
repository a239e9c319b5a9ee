//! What people are told of a decision.

use expect_test::{Expect, expect};
use ringfence::semantics::{Engine, Explanation, trace, why};
use serde_json::{Value, json};

use super::fixture::{cell, world};

fn told(specs: &[Value], text: &str, expected: &Expect) {
    let cell = cell(text);
    expected.assert_eq(&why(&cell, &Engine::new(&world(specs)).decide(&cell)));
}

fn tiers() -> Vec<Value> {
    vec![
        json!({ "podSelector": {}, "policyTypes": ["Ingress"] }),
        json!({
            "podSelector": { "matchLabels": { "app": "db" } },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{
                "from": [{ "podSelector": { "matchLabels": { "app": "web" } } }],
                "ports": [{ "port": "mysql" }],
            }],
            "egress": [{ "to": [{ "ipBlock": { "cidr": "192.168.5.10/32" } }] }],
        }),
    ]
}

/// What an exception alone keeps out is told with it, and nothing else is.
#[test]
fn an_exception_that_decides_is_named() {
    let specs = [json!({
        "podSelector": { "matchLabels": { "app": "db" } },
        "policyTypes": ["Egress"],
        "egress": [{
            "to": [
                { "podSelector": {} },
                { "ipBlock": { "cidr": "192.168.0.0/16", "except": ["192.168.5.0/24"] } },
            ],
            "ports": [{ "port": 80 }],
        }],
    })];
    told(
        &specs,
        "prod/db -> backup:80",
        &expect![
            "`prod/db` is isolated for egress by `prod/p0` (p0.yaml:1:1), and no rule of it allows `backup` on 80/TCP; `backup` is left out by `192.168.5.0/24` in the except of `egress[0].to[1]` of `prod/p0` (p0.yaml:4:1)"
        ],
    );
    // Its port is not the rule's either.
    told(
        &specs,
        "prod/db -> backup:443",
        &expect![
            "`prod/db` is isolated for egress by `prod/p0` (p0.yaml:1:1), and no rule of it allows `backup` on 443/TCP"
        ],
    );
}

#[test]
fn a_sentence_names_policy_rule_and_line() {
    let cases: [(&str, Expect); 10] = [
        (
            "prod/web -> prod/db:3306",
            expect![
                "no policy isolates `prod/web` for egress, and `ingress[0]` of `prod/p1` (p1.yaml:2:1) allows `prod/web` on 3306/TCP"
            ],
        ),
        (
            "prod/web -> dev/web:8081",
            expect![
                "no policy isolates `prod/web` for egress, and none isolates `dev/web` for ingress"
            ],
        ),
        (
            "dev/web -> prod/db:3306",
            expect![
                "`prod/db` is isolated for ingress by `prod/p0` (p0.yaml:1:1) and `prod/p1` (p1.yaml:1:1), and no rule of theirs allows `dev/web` on 3306/TCP"
            ],
        ),
        (
            "prod/db -> prod/web:80",
            expect![
                "`prod/db` is isolated for egress by `prod/p1` (p1.yaml:1:1), and no rule of it allows `prod/web` on 80/TCP; and `prod/web` is isolated for ingress by `prod/p0` (p0.yaml:1:1), and no rule of it allows `prod/db` on 80/TCP"
            ],
        ),
        (
            "prod/db -> backup:80",
            expect!["`egress[0]` of `prod/p1` (p1.yaml:5:1) allows `backup` on 80/TCP"],
        ),
        (
            "prod/db -> somewhere:80",
            expect![
                "`prod/db` is isolated for egress by `prod/p1` (p1.yaml:1:1), whether `somewhere` on 80/TCP is allowed hangs on `egress[0]` of `prod/p1` (p1.yaml:5:1), and a fact is missing: an ipBlock decides, and the address is not known"
            ],
        ),
        (
            "node/b -> prod/db:3306",
            expect!["`node/b` is the node that `prod/db` runs on, which is always let in"],
        ),
        (
            "prod/db -> node/b:22",
            expect![[
                r#"`prod/db` is isolated for egress by `prod/p1` (p1.yaml:1:1), no rule of it allows `node/b` on 22/TCP, and the API leaves it open: "traffic to and from the node where a Pod is running is always allowed" (concepts/services-networking/network-policies), while the API reference says so of ingress only: "OR if the traffic source is the pod's local node" (NetworkPolicySpec.ingress)"#
            ]],
        ),
        ("backup -> node/a:22", expect!["neither end is a pod, and policies are about pods alone"]),
        (
            "prod/web -> prod/done:80",
            expect!["`prod/web` to `prod/done`: one end is a pod that is not running"],
        ),
    ];
    for (text, expected) in cases {
        told(&tiers(), text, &expected);
    }
}

#[test]
fn a_sentence_counts_what_would_be_too_long() {
    let many = vec![json!({ "podSelector": {} }); 5];
    told(
        &many,
        "prod/web -> prod/db:3306",
        &expect![
            "`prod/db` is isolated for ingress by `prod/p0` (p0.yaml:1:1), `prod/p1` (p1.yaml:1:1), `prod/p2` (p2.yaml:1:1) and 2 more, and no rule of theirs allows `prod/web` on 3306/TCP"
        ],
    );
}

#[test]
fn an_explanation_shows_all_that_was_weighed() {
    let explanation = trace(&world(&tiers()), &cell("prod/web -> prod/db:8080"));
    expect![[r#"
        deny: prod/web -> prod/db:8080/TCP over ipv4
          `prod/db` is isolated for ingress by `prod/p0` (p0.yaml:1:1) and `prod/p1` (p1.yaml:1:1), and no rule of theirs allows `prod/web` on 8080/TCP

        egress of prod/web: not isolated
          prod/p0 (p0.yaml:1:1) selects it, but not for egress: policyTypes is [Ingress]
          prod/p1 (p1.yaml:1:1) does not select it: `app=db` does not match its labels `app=web`

        ingress to prod/db: isolated, and no rule allows it
          prod/p0 (p0.yaml:1:1) isolates it for ingress: policyTypes is [Ingress]
          prod/p1 (p1.yaml:1:1) isolates it for ingress: policyTypes is [Ingress, Egress]
            - ingress[0] (p1.yaml:2:1) the peer matches, but no port does
              + from[0] (p1.yaml:3:1) podSelector app=web: matches `prod/web`
              - ports[0] (p1.yaml:4:1) mysql/TCP: `mysql` of `prod/db` is 3306/TCP, and 8080/TCP was asked
    "#]].assert_eq(&explanation.to_string());
    let json = serde_json::to_string(&explanation).expect("an explanation is JSON");
    assert_eq!(serde_json::from_str::<Explanation>(&json).expect("and back"), explanation);
}

#[test]
fn near_misses_are_pointed_out() {
    let specs = vec![
        json!({
            "podSelector": { "matchLabels": { "app": "db" } },
            "ingress": [
                { "from": [
                    { "podSelector": { "matchLabels": { "app": "web" } } },
                    { "namespaceSelector": { "matchLabels": { "name": "dev" } } },
                    { "namespaceSelector": { "matchLabels": { "env": "dev" } },
                      "podSelector": { "matchLabels": { "app": "api" } } },
                    { "ipBlock": { "cidr": "192.168.0.0/16", "except": ["192.168.5.0/24"] } },
                    { "ipBlock": { "cidr": "::/0" } },
                    { "ipBlock": { "cidr": "10.0.0.0/24" } },
                  ],
                  "ports": [
                    { "port": 53 },
                    { "port": "http", "protocol": "UDP" },
                    { "port": "dns", "protocol": "UDP" },
                    { "port": "metrics", "protocol": "UDP" },
                    { "port": 8000, "endPort": 9000, "protocol": "UDP" },
                  ] },
            ],
        }),
        json!({
            "podSelector": { "matchLabels": { "app": "db" } },
            "policyTypes": ["Egress"],
            "ingress": [{}],
        }),
        json!({ "podSelector": { "matchLabels": { "app": "cache" } } }),
    ];
    let world = world(&specs);
    expect![[r#"
        deny: dev/web -> prod/db:54/UDP over ipv4
          `prod/db` is isolated for ingress by `prod/p0` (p0.yaml:1:1), and no rule of it allows `dev/web` on 54/UDP

        egress of dev/web: not isolated
          no policy in its namespace

        ingress to prod/db: isolated, and no rule allows it
          prod/p0 (p0.yaml:1:1) isolates it for ingress: policyTypes is not set, and without egress rules defaults to [Ingress]
            - ingress[0] (p0.yaml:2:1) a peer may match, but no port does
              - from[0] (p0.yaml:3:1) podSelector app=web: `dev/web` has the labels, but a podSelector alone stays in the policy's own namespace `prod`; a namespaceSelector beside it would reach `dev`
              - from[1] (p0.yaml:4:1) namespaceSelector name=dev: namespace `dev` has labels `env=dev,kubernetes.io/metadata.name=dev`; the label that every namespace has by itself is `kubernetes.io/metadata.name`
              - from[2] (p0.yaml:5:1) podSelector app=api and namespaceSelector env=dev: namespace `dev` matches, but `dev/web` has labels `app=web`, and both selectors of one peer must match
              - from[3] (p0.yaml:6:1) ipBlock 192.168.0.0/16 except 192.168.5.0/24: `dev/web` is 10.0.0.3, outside of it
              - from[4] (p0.yaml:7:1) ipBlock ::/0: is not of the connection's family, ipv4
              ? from[5] (p0.yaml:8:1) ipBlock 10.0.0.0/24: covers `dev/web`, where the API leaves it open (an ipBlock on a pod's address)
              - ports[0] (p0.yaml:9:1) 53/TCP: is for TCP, which an absent protocol means, and 54/UDP was asked
              - ports[1] (p0.yaml:10:1) http/UDP: `http` of `prod/db` is 8080/TCP, and 54/UDP was asked
              - ports[2] (p0.yaml:11:1) dns/UDP: `dns` of `prod/db` is 53/UDP, and 54/UDP was asked
              - ports[3] (p0.yaml:12:1) metrics/UDP: `prod/db` has no port named `metrics`
              - ports[4] (p0.yaml:13:1) 8000-9000/UDP: 54/UDP was asked
          prod/p1 (p1.yaml:1:1) selects it, but not for ingress: policyTypes is [Egress], so its ingress rule has no say
            + ingress[0] (p1.yaml:2:1) would have been: allows it
              + any peer
              + any port
          prod/p2 (p2.yaml:1:1) does not select it: `app=cache` does not match its labels `app=db`
    "#]].assert_eq(&trace(&world, &cell("dev/web -> prod/db:54/UDP")).to_string());
    expect![[r#"
        deny: backup -> prod/db:53/UDP over ipv4
          `prod/db` is isolated for ingress by `prod/p0` (p0.yaml:1:1), and no rule of it allows `backup` on 53/UDP; `backup` is left out by `192.168.5.0/24` in the except of `ingress[0].from[3]` of `prod/p0` (p0.yaml:6:1)

        egress of backup: no pod, so no policy is asked

        ingress to prod/db: isolated, and no rule allows it
          prod/p0 (p0.yaml:1:1) isolates it for ingress: policyTypes is not set, and without egress rules defaults to [Ingress]
            - ingress[0] (p0.yaml:2:1) the port matches, but no peer does
              - from[0] (p0.yaml:3:1) podSelector app=web: `backup` is no pod, and selectors match pods alone
              - from[1] (p0.yaml:4:1) namespaceSelector name=dev: `backup` is no pod, and selectors match pods alone
              - from[2] (p0.yaml:5:1) podSelector app=api and namespaceSelector env=dev: `backup` is no pod, and selectors match pods alone
              - from[3] (p0.yaml:6:1) ipBlock 192.168.0.0/16 except 192.168.5.0/24: `backup` is 192.168.5.10, in `192.168.5.0/24`, which except leaves out
              - from[4] (p0.yaml:7:1) ipBlock ::/0: is not of the connection's family, ipv4
              - from[5] (p0.yaml:8:1) ipBlock 10.0.0.0/24: `backup` is 192.168.5.10, outside of it
              - ports[0] (p0.yaml:9:1) 53/TCP: is for TCP, which an absent protocol means, and 53/UDP was asked
              - ports[1] (p0.yaml:10:1) http/UDP: `http` of `prod/db` is 8080/TCP, and 53/UDP was asked
              + ports[2] (p0.yaml:11:1) dns/UDP: covers 53/UDP
              - ports[3] (p0.yaml:12:1) metrics/UDP: `prod/db` has no port named `metrics`
              - ports[4] (p0.yaml:13:1) 8000-9000/UDP: 53/UDP was asked
          prod/p1 (p1.yaml:1:1) selects it, but not for ingress: policyTypes is [Egress], so its ingress rule has no say
            + ingress[0] (p1.yaml:2:1) would have been: allows it
              + any peer
              + any port
          prod/p2 (p2.yaml:1:1) does not select it: `app=cache` does not match its labels `app=db`
    "#]].assert_eq(&trace(&world, &cell("backup -> prod/db:53/UDP")).to_string());
}
