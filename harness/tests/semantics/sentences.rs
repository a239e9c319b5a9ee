//! The API's sentences, each with a policy and what it makes of some cells.
//!
//! Sources: `networking.k8s.io/v1` as documented in k8s.io/api v0.37.2
//! (`networking/v1/types.go`), named by type and field; [page] is
//! concepts/services-networking/network-policies; [defaults] is kubernetes
//! `pkg/apis/networking/v1/defaults.go`.

use std::sync::Arc;

use ringfence::model::{
    Cell, External, Family, Labels, Name, Namespace, Node, Origin, Phase, Pod, PodName, Port,
    Topology, Verdict, Via, World,
};
use ringfence::semantics::Engine;
use serde_json::{Value, json};

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

/// Two namespaces on two nodes: `web` and `host` run on node `a`, the others on `b`.
pub(crate) fn topology() -> Topology {
    let origin = Origin::synthetic("table");
    let mut topology = Topology::default();
    let labels = |key: &str, value: &str| Labels::from([(key.to_owned(), value.to_owned())]);
    for name in ["prod", "dev"] {
        let namespace = Namespace::new(name, labels("env", name), origin.clone());
        topology.namespaces.insert(Name::from(name), namespace);
    }
    let ip = |text: &str| text.parse().expect("the address is well written");
    for (name, v4, v6) in [("a", "172.30.0.1", "fd01::1"), ("b", "172.30.0.2", "fd01::2")] {
        let node =
            Node { name: Name::from(name), addresses: vec![ip(v4), ip(v6)], ports: Vec::new() };
        topology.nodes.insert(Name::from(name), node);
    }
    type Row = (&'static str, &'static str, Option<&'static str>, u8, &'static str);
    let rows: [Row; 9] = [
        ("prod", "web", Some("a"), 1, "http:80/TCP"),
        ("prod", "db", Some("b"), 2, "mysql:3306/TCP dns:53/UDP http:8080/TCP sig:53/SCTP"),
        ("dev", "web", Some("b"), 3, "http:8081/TCP"),
        ("prod", "host", Some("a"), 0, "metrics:9100/TCP"),
        ("prod", "unplaced", None, 0, ":80/TCP"),
        ("prod", "pending", None, 0, ":80/TCP"),
        ("prod", "done", Some("b"), 4, ":80/TCP"),
        ("prod", "failed", Some("b"), 5, ":80/TCP"),
        ("prod", "leaving", Some("b"), 6, ":80/TCP"),
    ];
    for (namespace, name, node, last, ports) in rows {
        let host_network = name == "host";
        let pod = Pod {
            name: PodName::new(namespace, name),
            labels: labels("app", name),
            ports: ports.split(' ').map(port).collect(),
            node: node.map(Name::from),
            addresses: match last {
                0 if host_network => vec![ip("172.30.0.1"), ip("fd01::1")],
                0 => Vec::new(),
                _ => vec![ip(&format!("10.0.0.{last}")), ip(&format!("fd00::{last}"))],
            },
            host_network,
            phase: match name {
                "pending" => Phase::Pending,
                "done" => Phase::Succeeded,
                "failed" => Phase::Failed,
                _ => Phase::Running,
            },
            terminating: name == "leaving",
            origin: origin.clone(),
        };
        topology.pods.insert(pod.name.clone(), pod);
    }
    for (name, addresses) in
        [("backup", vec![ip("192.168.5.10"), ip("2001:db8::10")]), ("somewhere", vec![])]
    {
        let host = External {
            name: Name::from(name),
            addresses,
            ports: vec![port(":80/TCP")],
            origin: origin.clone(),
        };
        topology.externals.insert(host.name.clone(), host);
    }
    topology
}

fn port(text: &str) -> Port {
    let (name, rest) = text.split_once(':').expect("a port is `name:number/protocol`");
    let (number, protocol) = rest.split_once('/').expect("a port is `name:number/protocol`");
    Port {
        name: (!name.is_empty()).then(|| Name::from(name)),
        number: number.parse().expect("a number"),
        protocol: protocol.parse().expect("a protocol"),
    }
}

/// `prod/web -> prod/db:3306[/UDP] [ipv6] [service|nodeport]`
pub(crate) fn cell(text: &str) -> Cell {
    let (source, rest) = text.split_once(" -> ").expect("a cell is `source -> destination:port`");
    let mut words = rest.split(' ');
    let (destination, port) =
        words.next().and_then(|word| word.rsplit_once(':')).expect("a destination has a port");
    let (port, protocol) = port.split_once('/').unwrap_or((port, "TCP"));
    let mut cell = Cell {
        source: source.parse().expect("an endpoint"),
        destination: destination.parse().expect("an endpoint"),
        port: port.parse().expect("a number"),
        protocol: protocol.parse().expect("a protocol"),
        family: Family::Ipv4,
        via: Via::Pod,
    };
    for word in words {
        match word {
            "ipv6" => cell.family = Family::Ipv6,
            "service" => cell.via = Via::Service,
            "nodeport" => cell.via = Via::NodePort,
            other => panic!("expected ipv6, service or nodeport, found `{other}`"),
        }
    }
    cell
}

/// `allow`, `deny`, or for what is open its reason, as JSON spells it.
fn spelled(verdict: Verdict) -> String {
    let value = serde_json::to_value(verdict).expect("a verdict is JSON");
    value.get("why").or(value.get("kind")).and_then(Value::as_str).expect("a word").to_owned()
}

pub(crate) fn world(specs: &[Value]) -> World {
    let mut world = World::new(topology());
    for (index, spec) in specs.iter().enumerate() {
        let policy = policy("prod", &format!("p{index}"), spec);
        world.policies.insert(policy.name.clone(), Arc::new(policy));
    }
    world
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
            "two elements \"allow connections from Pods in the local Namespace with the label …, or from any Pod in any namespace with the label\" [page]",
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
