//! Peers and ports: selectors, ranges of addresses, numbers and names.

use serde_json::{Value, json};

use super::{check, db, into_db, out_of_web, row, web};

#[test]
fn selectors() {
    let dev = json!({ "matchLabels": { "env": "dev" } });
    check(vec![
        row(
            "\"Otherwise it selects the pods matching podSelector in the policy's own namespace.\" (NetworkPolicyPeer.podSelector)",
            into_db(&json!({ "from": [{ "podSelector": web() }] })),
            &[("prod/web -> prod/db:3306", "allow"), ("dev/web -> prod/db:3306", "deny")],
        ),
        row(
            "\"if present but empty, it selects all pods\" (NetworkPolicyPeer.podSelector), still of the own namespace",
            into_db(&json!({ "from": [{ "podSelector": {} }] })),
            &[("prod/web -> prod/db:3306", "allow"), ("dev/web -> prod/db:3306", "deny")],
        ),
        row(
            "\"Otherwise it selects all pods in the namespaces selected by namespaceSelector.\" (NetworkPolicyPeer.namespaceSelector)",
            into_db(&json!({ "from": [{ "namespaceSelector": dev }] })),
            &[("dev/web -> prod/db:3306", "allow"), ("prod/web -> prod/db:3306", "deny")],
        ),
        row(
            "\"if present but empty, it selects all namespaces\" (NetworkPolicyPeer.namespaceSelector)",
            into_db(&json!({ "from": [{ "namespaceSelector": {} }] })),
            &[
                ("dev/web -> prod/db:3306", "allow"),
                ("prod/web -> prod/db:3306", "allow"),
                ("backup -> prod/db:3306", "deny"),
                ("node/a -> prod/db:3306", "deny"),
            ],
        ),
        row(
            "\"the NetworkPolicyPeer as a whole selects the pods matching podSelector in the Namespaces selected by NamespaceSelector\" (NetworkPolicyPeer.podSelector)",
            into_db(&json!({ "from": [{ "namespaceSelector": dev, "podSelector": db() }] })),
            &[("dev/web -> prod/db:3306", "deny"), ("prod/web -> prod/db:3306", "deny")],
        ),
        row(
            "two elements: \"allows connections from Pods in the local Namespace with the label …, or from any Pod in any namespace with the label\" [page]",
            into_db(&json!({ "from": [{ "namespaceSelector": dev }, { "podSelector": web() }] })),
            &[("dev/web -> prod/db:3306", "allow"), ("prod/web -> prod/db:3306", "allow")],
        ),
        row(
            "\"The Kubernetes control plane sets an immutable label kubernetes.io/metadata.name on all namespaces\" [page]",
            into_db(&json!({ "from": [{ "namespaceSelector":
                { "matchLabels": { "kubernetes.io/metadata.name": "dev" } } }] })),
            &[("dev/web -> prod/db:3306", "allow"), ("prod/web -> prod/db:3306", "deny")],
        ),
        row(
            "\"you need to label the target namespaces\" [page]: there is no `name` label by itself",
            into_db(
                &json!({ "from": [{ "namespaceSelector": { "matchLabels": { "name": "dev" } } }] }),
            ),
            &[("dev/web -> prod/db:3306", "deny")],
        ),
        row(
            "\"The result of matchLabels and matchExpressions are ANDed.\" (meta/v1 LabelSelector)",
            into_db(&json!({ "from": [{ "namespaceSelector": {
                "matchLabels": { "env": "dev" },
                "matchExpressions": [{ "key": "env", "operator": "NotIn", "values": ["dev"] }] } }] })),
            &[("dev/web -> prod/db:3306", "deny"), ("prod/web -> prod/db:3306", "deny")],
        ),
    ]);
}

#[test]
fn ports() {
    let port = |entry: Value| into_db(&json!({ "ports": [entry] }));
    check(vec![
        row(
            "\"only traffic on the specified protocol AND port will be matched\" (NetworkPolicyPort.port)",
            port(json!({ "protocol": "UDP", "port": 53 })),
            &[
                ("prod/web -> prod/db:53/UDP", "allow"),
                ("prod/web -> prod/db:53/SCTP", "deny"),
                ("prod/web -> prod/db:3306", "deny"),
            ],
        ),
        row(
            "\"This can either be a numerical or named port on a pod.\" (NetworkPolicyPort.port)",
            port(json!({ "port": "mysql" })),
            &[("prod/web -> prod/db:3306", "allow"), ("prod/web -> prod/db:8080", "deny")],
        ),
        row(
            "a name is one of its protocol: \"on the specified protocol AND port\" (NetworkPolicyPort.port)",
            port(json!({ "port": "dns" })),
            &[("prod/web -> prod/db:53/UDP", "deny"), ("prod/web -> prod/db:53", "deny")],
        ),
        row(
            "a named port of an egress rule is that of each destination pod, and no other end has names (NetworkPolicyPort.port: \"on a pod\")",
            out_of_web(&json!({ "ports": [{ "port": "http" }] })),
            &[
                ("prod/web -> prod/db:8080", "allow"),
                ("prod/web -> prod/db:80", "deny"),
                ("prod/web -> dev/web:8081", "allow"),
                ("prod/web -> dev/web:8080", "deny"),
                ("prod/web -> backup:80", "deny"),
                ("prod/web -> node/b:80", "deny"),
            ],
        ),
        row(
            "\"the range of ports from port to endPort if set, inclusive\" (NetworkPolicyPort.endPort)",
            port(json!({ "port": 3306, "endPort": 8080 })),
            &[
                ("prod/web -> prod/db:3305", "deny"),
                ("prod/web -> prod/db:3306", "allow"),
                ("prod/web -> prod/db:8080", "allow"),
                ("prod/web -> prod/db:8081", "deny"),
            ],
        ),
        row(
            "\"Each rule allows traffic which matches both the from and ports sections.\" [page]",
            into_db(&json!({ "from": [{ "podSelector": web() }], "ports": [{ "port": 3306 }] })),
            &[
                ("prod/web -> prod/db:3306", "allow"),
                ("prod/web -> prod/db:8080", "deny"),
                ("prod/leaving -> prod/db:3306", "deny"),
            ],
        ),
    ]);
}

#[test]
fn address_ranges() {
    let to = |block: Value| out_of_web(&json!({ "to": [{ "ipBlock": block }] }));
    check(vec![
        row(
            "\"a particular CIDR … that is allowed\" (IPBlock)",
            to(json!({ "cidr": "192.168.5.10/32" })),
            &[
                ("prod/web -> backup:80", "allow"),
                ("prod/web -> backup:80 ipv6", "deny"),
                ("prod/web -> somewhere:80", "address"),
                ("prod/web -> somewhere:80 ipv6", "deny"),
                ("prod/web -> prod/db:3306", "deny"),
            ],
        ),
        row(
            "\"Valid examples are … \"2001:db8::/64\"\" (IPBlock.cidr)",
            to(json!({ "cidr": "2001:db8::/64" })),
            &[("prod/web -> backup:80 ipv6", "allow"), ("prod/web -> backup:80", "deny")],
        ),
        row(
            "\"except is a slice of CIDRs that should not be included within an IPBlock\" (IPBlock.except)",
            to(json!({ "cidr": "0.0.0.0/0", "except": ["192.168.0.0/16"] })),
            &[("prod/web -> backup:80", "deny"), ("prod/web -> node/b:80", "allow")],
        ),
        row(
            "an exception takes nothing from another peer: \"Items in this list are combined using a logical OR operation\" (NetworkPolicyEgressRule.to)",
            out_of_web(&json!({ "to": [
                { "ipBlock": { "cidr": "0.0.0.0/0", "except": ["192.168.0.0/16"] } },
                { "ipBlock": { "cidr": "192.168.5.0/24" } } ] })),
            &[("prod/web -> backup:80", "allow")],
        ),
        row(
            "\"These should be cluster-external IPs, since Pod IPs are ephemeral and unpredictable.\" [page]",
            to(json!({ "cidr": "10.0.0.0/24" })),
            &[
                ("prod/web -> prod/db:3306", "ip-block-on-pod"),
                ("prod/web -> prod/db:3306 ipv6", "deny"),
                ("prod/web -> prod/unplaced:80", "address"),
                ("prod/web -> backup:80", "deny"),
            ],
        ),
        row(
            "a range on a pod's address decides nothing where another rule allows",
            out_of_web(&json!({ "to": [{ "ipBlock": { "cidr": "10.0.0.0/24" } },
                { "podSelector": db() }] })),
            &[
                ("prod/web -> prod/db:3306", "allow"),
                ("prod/web -> dev/web:8081", "ip-block-on-pod"),
            ],
        ),
        row(
            "a range of everything holds an address that is not known",
            to(json!({ "cidr": "0.0.0.0/0" })),
            &[
                ("prod/web -> somewhere:80", "allow"),
                ("prod/web -> prod/unplaced:80", "ip-block-on-pod"),
            ],
        ),
        row(
            "\"it is not defined whether this happens before or after NetworkPolicy processing\" [page]",
            to(json!({ "cidr": "10.96.0.0/12" })),
            &[
                ("prod/web -> prod/db:3306 service", "rewritten-address"),
                ("prod/web -> prod/db:3306", "deny"),
            ],
        ),
        row(
            "a selector goes by the pod, whatever address led to it",
            out_of_web(&json!({ "to": [{ "podSelector": db() }] })),
            &[
                ("prod/web -> prod/db:3306 service", "allow"),
                ("prod/web -> dev/web:8081 service", "deny"),
                ("prod/web -> prod/db:3306 nodeport", "rewritten-address"),
            ],
        ),
        row(
            "\"the \"source IP\" that the NetworkPolicy acts on may be the IP of a LoadBalancer or of the Pod's node\" [page], which is always let in",
            [json!({ "podSelector": db() })],
            &[
                ("backup -> prod/db:3306 nodeport", "rewritten-address"),
                ("backup -> prod/db:3306", "deny"),
                ("node/b -> prod/db:3306 nodeport", "rewritten-address"),
                ("prod/web -> prod/db:3306 service", "deny"),
            ],
        ),
    ]);
}
