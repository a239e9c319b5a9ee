//! What the loader makes of input that is right.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ringfence::model::{
    Cell, Change, Endpoint, Family, Intent, NetworkPolicy, Peer, Phase, PodName, PolicyType,
    PortRef, Protocol, Topology, Via, World,
};
use ringfence::scenario::{
    Bundle, KubernetesVersion, Limits, LoadOptions, Scenario, load_manifests, load_scenarios,
    parse_manifests, parse_scenario, resolve,
};

fn bundle(text: &str) -> Bundle {
    let bundle = parse_manifests("a.yaml", text, &LoadOptions::default());
    assert!(!bundle.has_errors(), "{:#?}", bundle.diagnostics);
    bundle
}

fn policy(spec: &str) -> NetworkPolicy {
    let head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: p }\n";
    let bundle = bundle(&format!("{head}{spec}"));
    assert_eq!(bundle.policies.len(), 1);
    NetworkPolicy::clone(&bundle.policies[0])
}

fn scenario(text: &str, files: &[(&str, &str)]) -> Scenario {
    let files: BTreeMap<String, String> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let (scenario, diagnostics) =
        parse_scenario("scenario.yaml", text, &files, &LoadOptions::default());
    scenario.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

#[test]
fn absent_and_empty_stay_apart() {
    let absent = policy("spec: {}\n");
    assert_eq!((&absent.policy_types, &absent.ingress, &absent.egress), (&None, &None, &None));
    assert!(absent.pod_selector.is_empty());
    assert_eq!(absent.name.to_string(), "default/p");

    let empty =
        policy("spec: { policyTypes: [], ingress: [], egress: [{}, { to: [], ports: [] }] }\n");
    assert_eq!(empty.policy_types, Some(vec![]));
    assert_eq!(empty.ingress, Some(vec![]));
    let egress = empty.egress.unwrap();
    assert_eq!((&egress[0].peers, &egress[0].ports), (&None, &None));
    assert_eq!((&egress[1].peers, &egress[1].ports), (&Some(vec![]), &Some(vec![])));
}

#[test]
fn nulls_decode_as_kubernetes_decodes_them() {
    // A null field is absent; a null entry of a list is its zero value.
    let policy =
        policy("spec: { podSelector: ~, egress: ~, ingress: [~, { ports: [~], from: ~ }] }\n");
    assert_eq!(policy.egress, None);
    let ingress = policy.ingress.unwrap();
    assert_eq!((&ingress[0].peers, &ingress[0].ports), (&None, &None));
    assert_eq!(ingress[1].peers, None);
    let port = &ingress[1].ports.as_ref().unwrap()[0];
    assert_eq!((&port.protocol, &port.port, &port.end_port), (&None, &None, &None));
}

#[test]
fn a_whole_policy_is_read_with_its_places() {
    let policy = policy(
        "spec:\n  podSelector:\n    matchLabels: { role: db }\n    matchExpressions:\n      - { key: tier, operator: NotIn, values: [web] }\n  policyTypes: [Ingress, Egress]\n  ingress:\n    - from:\n        - podSelector: {}\n        - namespaceSelector: { matchLabels: { team: a } }\n        - ipBlock: { cidr: 10.0.0.0/8, except: [10.1.0.0/16] }\n      ports:\n        - { port: http, protocol: UDP }\n        - { port: 8000, endPort: 8100 }\n",
    );
    assert_eq!(policy.policy_types, Some(vec![PolicyType::Ingress, PolicyType::Egress]));
    let rule = &policy.ingress.as_ref().unwrap()[0];
    assert_eq!(
        (&*rule.origin.path, rule.origin.line, rule.origin.column),
        ("spec.ingress[0]", 11, 7)
    );
    let peers = rule.peers.as_ref().unwrap();
    assert!(matches!(
        &peers[0],
        Peer::Pods { pod_selector: Some(pods), namespace_selector: None, .. } if pods.is_empty()
    ));
    assert!(matches!(
        &peers[1],
        Peer::Pods { pod_selector: None, namespace_selector: Some(namespaces), .. }
            if namespaces.match_labels.len() == 1
    ));
    let Peer::IpBlock { cidr, except, origin } = &peers[2] else { panic!("{:?}", peers[2]) };
    assert_eq!(
        (cidr.to_string(), except[0].to_string()),
        ("10.0.0.0/8".into(), "10.1.0.0/16".into())
    );
    assert_eq!((&*origin.path, origin.line, origin.column), ("spec.ingress[0].from[2]", 14, 11));
    let ports = rule.ports.as_ref().unwrap();
    assert_eq!(
        (ports[0].protocol, &ports[0].port),
        (Some(Protocol::Udp), &Some(PortRef::Name("http".into())))
    );
    assert_eq!((&ports[1].port, ports[1].end_port), (&Some(PortRef::Number(8000)), Some(8100)));
    assert_eq!(policy.manifest["spec"]["ingress"][0]["ports"][1]["endPort"], 8100);
}

#[test]
fn a_list_is_its_items() {
    let bundle = bundle(
        "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Namespace\n    metadata: { name: prod, labels: { team: a } }\n  - apiVersion: networking.k8s.io/v1\n    kind: NetworkPolicy\n    metadata: { name: p, namespace: prod }\n    spec: { egress: [{}], policyTypes: [Egress] }\n",
    );
    let policy = &bundle.policies[0];
    assert_eq!((&*policy.origin.path, policy.origin.line), ("items[1]", 7));
    assert_eq!(&*policy.egress.as_ref().unwrap()[0].origin.path, "items[1].spec.egress[0]");
    let namespace = &bundle.topology.namespaces["prod"];
    assert_eq!(namespace.labels["kubernetes.io/metadata.name"], "prod");
    assert_eq!(namespace.labels["team"], "a");
}

#[test]
fn items_of_a_typed_list_have_its_type() {
    let bundle = bundle(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitems:\n  - metadata: { name: p }\n    spec: {}\n",
    );
    let policy = &bundle.policies[0];
    assert_eq!(policy.manifest["kind"], "NetworkPolicy");
    assert_eq!((&*policy.origin.path, policy.origin.line), ("items[0]", 4));
}

#[test]
fn many_findings_cost_little_each() {
    let unknown: String = (0..20_000).map(|n| format!("field{n}: x\n")).collect();
    let text = format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: p }}\n{unknown}"
    );
    let bundle = parse_manifests("a.yaml", &text, &LoadOptions::default());
    assert_eq!(bundle.diagnostics.len(), 20_000);
}

#[test]
fn pods_and_workloads_become_rows() {
    let bundle = bundle(
        "apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: prod, labels: { app: a }, deletionTimestamp: '2026-01-01T00:00:00Z' }\nspec:\n  nodeName: n1\n  hostNetwork: yes\n  initContainers:\n    - { name: once, ports: [{ name: once, containerPort: 1 }] }\n    - { name: side, restartPolicy: Always, ports: [{ name: side, containerPort: 2, protocol: UDP }] }\n  containers:\n    - { name: c, ports: [{ name: http, containerPort: 80 }] }\n    - { name: d, ports: [{ containerPort: 80, name: http }] }\nstatus: { phase: Succeeded, podIP: 10.0.0.1, podIPs: [{ ip: 10.0.0.1 }, { ip: 'fd00::1' }] }\n---\napiVersion: batch/v1\nkind: CronJob\nmetadata: { name: b, labels: { not: this } }\nspec: { jobTemplate: { spec: { template: { metadata: { labels: { app: b } }, spec: { containers: [{ name: c }] } } } } }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: ignored }\nspec: { anything: goes }\n",
    );
    assert_eq!(bundle.diagnostics, []);
    let pods: Vec<_> = bundle.topology.pods.values().collect();
    assert_eq!(pods.len(), 2);
    let (b, a) = (pods[0], pods[1]);
    assert_eq!((b.name.to_string(), b.labels["app"].as_str()), ("default/b".into(), "b"));
    assert_eq!(a.name.to_string(), "prod/a");
    assert_eq!((a.phase, a.terminating, a.host_network), (Phase::Succeeded, true, true));
    assert_eq!(a.addresses.len(), 2);
    assert_eq!(a.node.as_deref(), Some("n1"));
    let ports: Vec<_> = a.ports.iter().map(|p| (p.name.as_deref(), p.number, p.protocol)).collect();
    assert_eq!(ports, [(Some("http"), 80, Protocol::Tcp), (Some("side"), 2, Protocol::Udp)]);
    assert!(bundle.topology.namespaces.contains_key("prod"), "an implied namespace");
    assert!(bundle.topology.nodes.contains_key("n1"));
}

#[test]
fn removed_versions_are_served_by_their_own_time() {
    let text = "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: { name: a }\nspec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: c }] } } } } }\n";
    let at = |minor| {
        let options = LoadOptions { kubernetes: KubernetesVersion::v1(minor) };
        parse_manifests("a.yaml", text, &options).has_errors()
    };
    assert!(at(36) && at(25) && !at(24));
}

const TOPOLOGY: &str = "name: a\nabout: b\ntopology:\n  namespaces:\n    prod: { pods: { web: { ports: [80] }, dns: { ports: [53/UDP, 'x:9/SCTP'] } } }\n  external: { host: { address: 203.0.113.7, ports: [443] } }\n";

#[test]
fn the_first_rule_that_matches_decides() {
    let text = format!(
        "{TOPOLOGY}steps:\n  - name: one\n    expect:\n      - any prod/web -> prod/web\n      - deny * -> prod/dns:53/UDP over ipv6\n      - deny host -> *\n      - any prod/web -> node/node-1:10250\n      - allow * -> *\n    faults:\n      - allow host -> prod/web\n"
    );
    let scenario = scenario(&text, &[]);
    let node = &scenario.topology.nodes["node-1"];
    assert_eq!(node.ports.len(), 1, "a listener for the port that a rule names");
    let step = &scenario.steps[0];
    let all = resolve(step, &scenario.topology, &Limits::none()).unwrap();
    let cell = |source: &str, destination: &str, port, protocol, family| Cell {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        port,
        protocol,
        family,
        via: Via::Pod,
    };
    use Family::{Ipv4, Ipv6};
    use Protocol::{Sctp, Tcp, Udp};
    for (cell, intent, rule) in [
        (cell("prod/web", "prod/web", 80, Tcp, Ipv4), Intent::Any, 0),
        (cell("prod/web", "prod/dns", 53, Udp, Ipv6), Intent::Deny, 1),
        (cell("prod/web", "prod/dns", 53, Udp, Ipv4), Intent::Allow, 4),
        (cell("host", "prod/dns", 9, Sctp, Ipv4), Intent::Deny, 2),
        (cell("prod/web", "node/node-1", 10250, Tcp, Ipv6), Intent::Any, 3),
        (cell("prod/dns", "host", 443, Tcp, Ipv4), Intent::Allow, 4),
    ] {
        let expected = all.cells.get(&cell).unwrap_or_else(|| panic!("no {cell}"));
        assert_eq!((expected.intent, expected.rule), (intent, rule), "{cell}");
    }
    // web to itself and to the node, dns -> web, web -> dns in both families;
    // both pods -> host and host -> both pods in IPv4, which alone the host has.
    assert_eq!(all.cells.len(), 2 + 2 + 2 + 4 + 2 + 3);
    assert_eq!(all.faults.len(), 1);
    assert!(all.cells.get(&cell("prod/dns", "prod/dns", 53, Udp, Ipv4)).is_none());

    // A rule for IPv6 alone is no error on a cluster without it.
    let some = resolve(step, &scenario.topology, &Limits::direct([Ipv4], [Tcp])).unwrap();
    assert!(some.cells.cells().all(|cell| cell.family == Ipv4 && cell.protocol == Tcp));
    assert_eq!(some.cells.len(), 1 + 1 + 1 + 2 + 1);

    // Nor where the pods turn out to have IPv4 addresses alone.
    let mut topology = scenario.topology.clone();
    for (index, pod) in topology.pods.values_mut().enumerate() {
        pod.addresses = vec![std::net::Ipv4Addr::new(10, 0, 0, index as u8 + 1).into()];
    }
    let real = resolve(step, &topology, &Limits::none()).unwrap();
    assert!(real.cells.cells().all(|cell| cell.family == Ipv4));
    assert_eq!(real.cells.len(), 1 + 1 + 1 + 2 + 2 + 3);
}

#[test]
fn changes_are_made_in_one_order_and_the_world_follows() {
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: p, namespace: new }\nspec: { policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 192.0.2.1/32, except: [] } }] }] }\n";
    let text = format!(
        "{TOPOLOGY}steps:\n  - name: one\n    apply: [p.yaml#p]\n    label: {{ new/pod: {{ a: b }}, namespace/new: {{ c: ~ }} }}\n    add: {{ namespaces: {{ new: {{ labels: {{ c: d }}, pods: {{ pod: {{ ports: [1] }} }} }} }} }}\n    remove: [prod/dns]\n    terminate: [prod/web]\n    bind: [{{ policy: new/p, field: 'spec.egress[0].to[0].ipBlock.cidr', address: new/pod, family: ipv6 }}]\n    expect: [allow * -> *]\n  - name: two\n    delete: [new/p]\n    end: [prod/web]\n    expect: [allow * -> *]\n"
    );
    let scenario = scenario(&text, &[("p.yaml", policy)]);
    let kinds: Vec<&str> = scenario.steps[0]
        .changes
        .iter()
        .map(|change| match change {
            Change::RemovePod(_) => "remove",
            Change::TerminatePod(_) => "terminate",
            Change::AddNamespace(_) | Change::AddPod(_) => "add",
            Change::LabelPod { .. } | Change::LabelNamespace { .. } => "label",
            Change::ApplyPolicy(_) => "apply",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["remove", "terminate", "add", "add", "label", "label", "apply"]);
    let mut world = World::new(scenario.topology.clone());
    for step in &scenario.steps {
        for change in &step.changes {
            world.change(change).unwrap();
        }
    }
    assert!(world.policies.is_empty());
    let web = &world.topology.pods[&PodName::new("prod", "web")];
    assert_eq!((web.phase, web.terminating), (Phase::Succeeded, true));

    let ranges: Vec<String> = scenario.declared_ranges().iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["192.0.2.1/32", "203.0.113.7/32"]);

    let binding = &scenario.steps[0].bindings[0];
    let Some(Change::ApplyPolicy(policy)) = scenario.steps[0].changes.last() else { panic!() };
    assert_eq!(binding.address_of, Endpoint::pod("new", "pod"));
    let bound = binding.bind(policy, "fd00::7".parse().unwrap()).unwrap();
    assert_eq!(bound.manifest["spec"]["egress"][0]["to"][0]["ipBlock"]["cidr"], "fd00::7/128");
    let peers = bound.egress.as_ref().unwrap()[0].peers.as_ref().unwrap();
    assert!(matches!(&peers[0], Peer::IpBlock { cidr, .. } if cidr.text == "fd00::7/128"));
}

#[test]
fn the_exceptions_of_a_range_of_everything_are_left_to_pods() {
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: p, namespace: prod }\nspec: { policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.168.0.0/16] } }] }] }\n";
    let text = format!(
        "{TOPOLOGY}steps:\n  - name: one\n    apply: [p.yaml]\n    expect: [allow * -> *]\n"
    );
    let ranges = scenario(&text, &[("p.yaml", policy)]).declared_ranges();
    let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["203.0.113.7/32"]);
}

#[test]
fn policies_that_are_not_understood_are_told() {
    let text = format!(
        "{TOPOLOGY}steps:\n  - name: one\n    apply: [c.yaml]\n    expect: [allow * -> *]\n"
    );
    let cilium = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: c }\n";
    let scenario = scenario(&text, &[("c.yaml", cilium)]);
    assert_eq!(
        scenario.unsupported,
        ["`CiliumNetworkPolicy` of `cilium.io/v2` is not understood (c.yaml:2:7)"]
    );
}

#[test]
fn ids_come_from_paths() {
    let root = tempfile::tempdir().unwrap();
    let steps = "steps:\n  - name: one\n    expect: [allow * -> *]\n";
    for folder in ["b", "a/deep", "a/deep/inside-a-scenario", ".hidden"] {
        let folder = root.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("scenario.yaml"), format!("{TOPOLOGY}{steps}")).unwrap();
    }
    let ids = |paths: &[PathBuf]| -> Vec<String> {
        let loaded = load_scenarios(paths, &LoadOptions::default());
        assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
        loaded.scenarios.into_iter().map(|scenario| scenario.id).collect()
    };
    let path = |name: &str| root.path().join(name);
    assert_eq!(ids(&[root.path().to_owned()]), ["a/deep", "b"]);
    assert_eq!(ids(&[path("b"), path("a/deep/scenario.yaml")]), ["b", "deep"]);
    assert_eq!(ids(&[path("b"), path("b")]), ["b"], "one folder is one scenario");

    let problems = |paths: &[PathBuf]| -> Vec<String> {
        let loaded = load_scenarios(paths, &LoadOptions::default());
        loaded.diagnostics.into_iter().map(|diagnostic| diagnostic.code).collect()
    };
    std::fs::create_dir_all(path("empty/c")).unwrap();
    std::fs::create_dir_all(path("other/b")).unwrap();
    std::fs::write(path("other/b/scenario.yaml"), format!("{TOPOLOGY}{steps}")).unwrap();
    assert_eq!(problems(&[path("nowhere")]), ["unreadable-file"]);
    assert_eq!(problems(&[path("empty")]), ["no-scenario"]);
    assert_eq!(problems(&[path("b"), path("other/b")]), ["duplicate-id"]);
}

#[test]
fn bundles_are_files_and_folders() {
    let root = tempfile::tempdir().unwrap();
    let namespace =
        |name: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n");
    std::fs::create_dir_all(root.path().join("sub")).unwrap();
    for (file, text) in [
        ("sub/a.yml", namespace("a")),
        ("b.json", r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"b"}}"#.to_owned()),
        ("scenario.yaml", "name: not a manifest".to_owned()),
        ("notes.txt", "not a manifest".to_owned()),
    ] {
        std::fs::write(root.path().join(file), text).unwrap();
    }
    std::fs::write(root.path().join("latin.yaml"), b"a: 1\nb: \xff\n").unwrap();
    let bundle = load_manifests(&[root.path().to_owned()], &LoadOptions::default());
    let names: Vec<_> = bundle.topology.namespaces.keys().map(|name| name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(bundle.diagnostics.len(), 1);
    assert!(bundle.diagnostics[0].message.ends_with("line 2 is not UTF-8"));
    assert_ne!(bundle.topology, Topology::default());
}
