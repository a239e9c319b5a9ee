//! Ends that are not plain running pods: nodes, hostNetwork pods, a pod to itself.

use serde_json::json;

use super::{check, db, into_db, row, web};

#[test]
fn nodes() {
    let deny_all = || vec![json!({ "policyTypes": ["Ingress", "Egress"] })];
    check(vec![
        row(
            "\"OR if the traffic source is the pod's local node\" (NetworkPolicySpec.ingress)",
            deny_all(),
            &[
                ("node/a -> prod/web:80", "allow"),
                ("node/b -> prod/web:80", "deny"),
                ("node/b -> prod/db:3306 service", "allow"),
                ("node/a -> prod/unplaced:80", "node"),
            ],
        ),
        row(
            "\"traffic to and from the node where a Pod is running is always allowed\" [page], which the API reference says of ingress only",
            deny_all(),
            &[
                ("prod/web -> node/a:22", "pod-to-own-node"),
                ("prod/web -> node/b:22", "deny"),
                ("prod/unplaced -> node/a:22", "node"),
            ],
        ),
        row(
            "\"you can use CIDR notation for these\" [page]: a range on a node's address is legitimate",
            vec![json!({ "policyTypes": ["Ingress", "Egress"],
                "ingress": [{ "from": [{ "ipBlock": { "cidr": "172.30.0.2/32" } }] }],
                "egress": [{ "to": [{ "ipBlock": { "cidr": "172.30.0.0/24" } }] }] })],
            &[
                ("node/b -> prod/web:80", "allow"),
                ("node/b -> prod/web:80 ipv6", "deny"),
                ("prod/web -> node/b:22", "allow"),
                ("prod/web -> node/a:22", "allow"),
                ("prod/unplaced -> node/a:22", "allow"),
                ("prod/web -> node/b:22 ipv6", "deny"),
            ],
        ),
        row(
            "\"NetworkPolicies apply to a connection with a pod on one or both ends\" [page]",
            deny_all(),
            &[("node/a -> node/b:22", "allow"), ("backup -> node/a:22", "allow")],
        ),
    ]);
}

#[test]
fn host_network() {
    check(vec![
        row(
            "\"NetworkPolicy behaviour for hostNetwork pods is undefined\" when one \"is selected by spec.podSelector\" [page]",
            [json!({ "podSelector": { "matchLabels": { "app": "host" } },
                "policyTypes": ["Ingress", "Egress"],
                "egress": [{ "to": [{ "podSelector": db() }] }] })],
            &[
                ("prod/web -> prod/host:9100", "host-network-subject"),
                ("prod/host -> prod/web:80", "host-network-subject"),
                ("prod/host -> prod/db:3306", "allow"),
                ("prod/db -> prod/web:80", "allow"),
            ],
        ),
        row(
            "a plugin may ignore \"hostNetwork pods when matching podSelector and namespaceSelector\" [page]",
            into_db(&json!({ "from": [{ "podSelector": { "matchLabels": { "app": "host" } } }] })),
            &[
                ("prod/host -> prod/db:3306", "host-network-peer"),
                ("prod/web -> prod/db:3306", "deny"),
            ],
        ),
        row(
            "\"their connections will be treated as node connections\" [page]: no selector, no range, and another node",
            into_db(
                &json!({ "from": [{ "podSelector": web() }, { "ipBlock": { "cidr": "192.168.0.0/16" } }] }),
            ),
            &[("prod/host -> prod/db:3306", "deny")],
        ),
        row(
            "\"For example, you can allow traffic from a hostNetwork Pod using an ipBlock rule.\" [page], if it is not told apart from its node",
            into_db(&json!({ "from": [{ "ipBlock": { "cidr": "172.30.0.1/32" } }] })),
            &[
                ("prod/host -> prod/db:3306", "host-network-peer"),
                ("node/a -> prod/db:3306", "allow"),
            ],
        ),
        row(
            "a rule for any peer admits it under both possibilities",
            into_db(&json!({ "ports": [{ "port": 3306 }] })),
            &[("prod/host -> prod/db:3306", "allow"), ("prod/host -> prod/db:8080", "deny")],
        ),
        row(
            "on the same node it is let in as its node, or policed as a pod",
            [json!({ "podSelector": web(), "policyTypes": ["Ingress"] })],
            &[("prod/host -> prod/web:80", "host-network-peer")],
        ),
        row(
            "on the same node a selector that matches makes both possibilities the same",
            [json!({ "podSelector": web(), "policyTypes": ["Ingress"],
                "ingress": [{ "from": [{ "podSelector": { "matchLabels": { "app": "host" } } }] }] })],
            &[("prod/host -> prod/web:80", "allow")],
        ),
    ]);
}

#[test]
fn pods_to_themselves_and_pods_that_do_not_run() {
    check(vec![
        row(
            "\"a pod cannot block access to itself\" [page], and nothing isolates it",
            [],
            &[("prod/db -> prod/db:3306", "allow")],
        ),
        row(
            "\"a pod cannot block access to itself\" against \"the only allowed connections into the pod are those from the pod's node and those allowed by the ingress list\" [page]",
            [json!({ "podSelector": db(), "policyTypes": ["Ingress"] })],
            &[
                ("prod/db -> prod/db:3306", "pod-to-itself"),
                ("prod/db -> prod/db:3306 service", "pod-to-itself"),
            ],
        ),
        row(
            "both sentences agree where a rule allows the pod to itself",
            into_db(&json!({ "from": [{ "podSelector": db() }] })),
            &[("prod/db -> prod/db:3306", "allow"), ("prod/web -> prod/db:3306", "deny")],
        ),
        row(
            "a pod that does not run has no connection that could be judged",
            [],
            &[
                ("prod/pending -> prod/db:3306", "not-running"),
                ("prod/web -> prod/done:80", "not-running"),
                ("backup -> prod/failed:80", "not-running"),
            ],
        ),
        row(
            "\"filtering is effective throughout the Pod lifecycle\" [page]: a pod on its way out is policed",
            [json!({ "podSelector": {}, "policyTypes": ["Ingress"] })],
            &[("prod/web -> prod/leaving:80", "deny")],
        ),
        row(
            "an end that is not in the topology is nothing that could be judged",
            [],
            &[
                ("prod/nobody -> prod/db:3306", "no-such-endpoint"),
                ("prod/web -> nowhere:80", "no-such-endpoint"),
                ("node/c -> prod/web:80", "no-such-endpoint"),
            ],
        ),
    ]);
}
