//! Worlds written out as manifests, with what the API's text says of them.
//!
//! The first ones are what kubernetes-sigs/network-policy-api's own conformance cases
//! establish (`conformance/tests`), the others what its types and its overview say.

use std::net::IpAddr;

use expect_test::expect;
use ringfence::model::{
    Cell, Clause, ClusterAction, ClusterPeer, Family, Labels, Node, Verdict, World,
};
use ringfence::scenario::{LoadOptions, Severity, parse_manifests};
use ringfence::semantics::{Engine, trace, why};

const TOWN: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: red, labels: {house: red}}
---
apiVersion: v1
kind: Namespace
metadata: {name: green, labels: {house: green}}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: red, labels: {app: a}}
spec:
  nodeName: one
  containers:
    - name: c
      image: x
      ports: [{containerPort: 80, name: web}, {containerPort: 53, protocol: UDP, name: dns}]
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: green, labels: {app: b}}
spec:
  nodeName: two
  containers:
    - name: c
      image: x
      ports: [{containerPort: 80}, {containerPort: 8080, name: web}, {containerPort: 9003, protocol: SCTP}]
---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: green, labels: {app: b}}
spec: {nodeName: two, hostNetwork: true, containers: [{name: c, image: x, ports: [{containerPort: 80}]}]}
";

/// A policy in short: kind and version, name, what comes before the rules, the rules.
fn cnp(name: &str, tier: &str, priority: u16, rest: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n\
         metadata: {{name: {name}}}\nspec:\n  tier: {tier}\n  priority: {priority}\n{rest}\n"
    )
}

fn anp(name: &str, priority: u16, rest: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\n\
         metadata: {{name: {name}}}\nspec:\n  priority: {priority}\n{rest}\n"
    )
}

fn banp(rest: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/v1alpha1\n\
         kind: BaselineAdminNetworkPolicy\nmetadata: {{name: default}}\nspec:\n{rest}\n"
    )
}

const DENY_ALL_INGRESS: &str = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: red}
spec: {podSelector: {}, policyTypes: [Ingress]}
";

const ON_RED: &str = "  subject: {namespaces: {matchLabels: {house: red}}}\n";
const ON_ALL: &str = "  subject: {namespaces: {}}\n";

fn world(policies: &[String]) -> World {
    let text = format!("{TOWN}{}", policies.concat());
    let bundle = parse_manifests("town.yaml", &text, &LoadOptions::default());
    let errors: Vec<_> =
        bundle.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    let mut world = World::new(bundle.topology);
    world.policies = bundle.policies.into_iter().map(|p| (p.name.clone(), p)).collect();
    world.cluster_policies =
        bundle.cluster_policies.into_iter().map(|p| (p.name.clone(), p)).collect();
    for (number, pod) in (1..).zip(world.topology.pods.values_mut()) {
        pod.addresses = vec![IpAddr::from([10, 0, 0, number])];
    }
    for (number, (name, node)) in (1..).zip(&mut world.topology.nodes) {
        let labels = Labels::from([("kubernetes.io/hostname".to_owned(), name.to_string())]);
        let addresses = vec![IpAddr::from([172, 18, 0, number])];
        *node = Node { addresses, labels: Some(labels), ..Node::new(name.clone()) };
    }
    world
}

/// Holds the verdicts: `red/a -> green/b:80/TCP` with `over ipv4` understood.
fn hold(what: &str, policies: &[String], expected: &[(&str, Verdict)]) {
    let world = world(policies);
    let engine = Engine::new(&world);
    for (text, verdict) in expected {
        let cell = cell(text);
        let decision = engine.decide(&cell);
        assert_eq!(decision.verdict, *verdict, "{what}: {text}: {}", why(&cell, &decision));
    }
}

fn cell(text: &str) -> Cell {
    let (flow, via) = text.split_once(" via ").unwrap_or((text, "pod"));
    let family = Family::Ipv4;
    format!("{flow} over {family} via {via}").parse().expect("the cell is well written")
}

use Verdict::{Allow, Deny, Undefined};

/// `standard-priority-field`: the policy with the lower number wins, and once the numbers
/// are the other way round the other does.
#[test]
fn the_lower_priority_is_asked_first() {
    let deny = "  ingress: [{action: Deny, from: [{namespaces: {}}]}]";
    let accept = "  ingress: [{action: Accept, from: [{namespaces: {}}]}]";
    let pass = "  ingress: [{action: Pass, from: [{namespaces: {}}]}]";
    let policy = |name: &str, priority, rules: &str| {
        cnp(name, "Admin", priority, &format!("{ON_RED}{rules}"))
    };
    let asked = "green/b -> red/a:80/TCP";
    hold("deny first", &[policy("x", 50, deny), policy("a", 60, accept)], &[(asked, Deny)]);
    hold("accept first", &[policy("x", 50, deny), policy("a", 40, accept)], &[(asked, Allow)]);
    hold("pass first", &[policy("x", 50, deny), policy("a", 0, pass)], &[(asked, Allow)]);
    let other = [policy("x", 50, deny)];
    hold("another subject", &other, &[("red/a -> green/b:80/TCP", Allow)]);
}

/// `standard-anp-np-banp`: Admin, then NetworkPolicy, then Baseline, then the default.
#[test]
fn tiers_are_asked_in_their_order() {
    let asked = "green/b -> red/a:80/TCP";
    let admin = |action: &str| {
        let rules = format!("  ingress: [{{action: {action}, from: [{{namespaces: {{}}}}]}}]");
        cnp("admin", "Admin", 10, &format!("{ON_RED}{rules}"))
    };
    let baseline = |action: &str| {
        let rules = format!("  ingress: [{{action: {action}, from: [{{namespaces: {{}}}}]}}]");
        cnp("base", "Baseline", 10, &format!("{ON_RED}{rules}"))
    };
    let np = || DENY_ALL_INGRESS.to_owned();
    let np_allows = || {
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
         metadata: {name: open, namespace: red}\nspec: {podSelector: {}, ingress: [{}]}\n"
            .to_owned()
    };
    for (what, policies, verdict) in [
        ("accept is final", vec![admin("Accept"), np(), baseline("Deny")], Allow),
        ("deny is final", vec![admin("Deny"), np_allows(), baseline("Accept")], Deny),
        ("pass, then NetworkPolicy", vec![admin("Pass"), np(), baseline("Accept")], Deny),
        ("NetworkPolicy is final", vec![admin("Pass"), np_allows(), baseline("Deny")], Allow),
        ("pass, then Baseline", vec![admin("Pass"), baseline("Deny")], Deny),
        ("Baseline alone", vec![baseline("Deny")], Deny),
        ("Baseline accepts", vec![baseline("Accept")], Allow),
        ("pass in Baseline is the default", vec![baseline("Pass")], Allow),
        ("NetworkPolicy alone", vec![np()], Deny),
        ("nothing", vec![], Allow),
    ] {
        hold(what, &policies, &[(asked, verdict)]);
    }
}

/// The kinds of `v1alpha1` come to the same.
#[test]
fn the_kinds_of_the_first_version_are_the_same_tiers() {
    let rule = |action: &str| {
        format!("{ON_RED}  ingress: [{{action: {action}, from: [{{namespaces: {{}}}}]}}]")
    };
    let asked = "green/b -> red/a:80/TCP";
    let np = DENY_ALL_INGRESS.to_owned();
    hold("allow", &[anp("x", 0, &rule("Allow")), np.clone()], &[(asked, Allow)]);
    hold("pass to NetworkPolicy", &[anp("x", 0, &rule("Pass")), np.clone()], &[(asked, Deny)]);
    hold(
        "pass to the baseline",
        &[anp("x", 1, &rule("Pass")), banp(&rule("Deny"))],
        &[(asked, Deny)],
    );
    hold("NetworkPolicy before", &[np, banp(&rule("Allow"))], &[(asked, Deny)]);
}

/// `standard-gress-rules-combined`: within a policy the first rule that matches decides.
#[test]
fn the_first_rule_of_a_policy_decides() {
    let rules = format!(
        "{ON_RED}  egress:
    - {{name: a, action: Accept, to: [{{namespaces: {{matchLabels: {{house: green}}}}}}], protocols: [{{tcp: {{destinationPort: {{number: 80}}}}}}]}}
    - {{name: b, action: Deny, to: [{{pods: {{podSelector: {{matchLabels: {{app: b}}}}}}}}]}}
    - {{name: c, action: Accept, to: [{{namespaces: {{}}}}]}}"
    );
    hold(
        "egress",
        &[cnp("x", "Admin", 10, &rules)],
        &[
            ("red/a -> green/b:80/TCP", Allow),
            ("red/a -> green/b:8080/TCP", Deny),
            // No protocols are every protocol, and a TCP rule is not about SCTP.
            ("red/a -> green/b:9003/SCTP", Deny),
            ("green/b -> red/a:80/TCP", Allow),
        ],
    );
}

/// "CNPs with no ingress rules do not affect ingress traffic."
#[test]
fn a_policy_without_rules_has_no_effect() {
    hold(
        "no rules",
        &[cnp("x", "Admin", 1, ON_ALL), cnp("w", "Baseline", 1, ON_ALL)],
        &[("green/b -> red/a:80/TCP", Allow), ("red/a -> green/b:80/TCP", Allow)],
    );
    let one = format!(
        "{ON_ALL}  egress: [{{action: Deny, to: [{{namespaces: {{matchLabels: {{house: green}}}}}}]}}]"
    );
    hold(
        "rules that do not match isolate nothing",
        &[cnp("x", "Baseline", 1, &one)],
        &[("green/b -> red/a:80/TCP", Allow), ("red/a -> green/b:80/TCP", Deny)],
    );
}

/// "Further evaluation only happens for Pods not selected by a v1.NetworkPolicy", which a pod
/// may be in one direction alone.
#[test]
fn network_policies_are_final_by_direction() {
    let both = format!(
        "{ON_ALL}  ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]\n  egress: [{{action: Deny, to: [{{namespaces: {{}}}}]}}]"
    );
    let open = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
                metadata: {name: open, namespace: red}\nspec: {podSelector: {}, ingress: [{}]}\n";
    hold(
        "isolated for ingress alone",
        &[cnp("x", "Baseline", 1, &both), open.to_owned()],
        &[("red/a -> green/host:80/TCP", Allow), ("red/a -> green/b:80/TCP", Deny)],
    );
}

/// "Note that host-networked pods are not included in this type of peer", nor in subjects;
/// nodes are, and with them what shares their network (`experimental-egress-selector-rules`).
#[test]
fn host_network_pods_are_reached_as_nodes_alone() {
    let by = |peer: &str| format!("{ON_ALL}  egress: [{{action: Deny, to: [{peer}]}}]");
    let asked = "red/a -> green/host:80/TCP";
    for (peer, verdict) in [
        ("{namespaces: {}}", Allow),
        ("{pods: {podSelector: {}}}", Allow),
        ("{nodes: {}}", Deny),
        ("{nodes: {matchLabels: {kubernetes.io/hostname: two}}}", Deny),
        ("{nodes: {matchLabels: {kubernetes.io/hostname: one}}}", Allow),
    ] {
        hold(peer, &[cnp("x", "Admin", 1, &by(peer))], &[(asked, verdict)]);
    }
    let subject = format!("{ON_ALL}  egress: [{{action: Deny, to: [{{networks: [0.0.0.0/0]}}]}}]");
    hold(
        "subject",
        &[cnp("x", "Admin", 1, &subject)],
        &[("green/host -> red/a:80/TCP", Allow), ("green/b -> red/a:80/TCP", Deny)],
    );
}

/// "if you Accept or Deny traffic to "0.0.0.0/0", that will allow or deny all IPv4 pod-to-pod
/// traffic as well" (`networks`).
#[test]
fn networks_hold_pods_too() {
    let by = |range: &str| {
        format!("{ON_RED}  egress: [{{action: Deny, to: [{{networks: [{range}]}}]}}]")
    };
    let asked = "red/a -> green/b:80/TCP";
    for (range, verdict) in
        [("0.0.0.0/0", Deny), ("10.0.0.0/24", Deny), ("10.9.0.0/16", Allow), ("'::/0'", Allow)]
    {
        hold(range, &[cnp("x", "Admin", 1, &by(range))], &[(asked, verdict)]);
    }
}

/// "A Pod connecting to its own Pod IP is not subject to CNP. A Pod connecting to a Service
/// IP that the service proxy load-balances back to the same Pod is subject" (API overview).
#[test]
fn a_pod_reaches_itself_by_its_address() {
    let rules = "  ingress: [{action: Deny, from: [{namespaces: {}}]}]";
    let rules = format!("{ON_ALL}{rules}");
    hold(
        "ClusterNetworkPolicy",
        &[cnp("x", "Admin", 1, &rules)],
        &[("red/a -> red/a:80/TCP", Allow), ("red/a -> red/a:80/TCP via service", Deny)],
    );
    hold(
        "AdminNetworkPolicy",
        &[anp("x", 1, &rules)],
        &[("red/a -> red/a:80/TCP", Undefined(Clause::AdminPolicyOnItself))],
    );
}

/// "the implementation can apply any of the matching policies to the connection".
#[test]
fn equal_priorities_are_undefined_only_where_they_disagree() {
    let rules = |action: &str, port: u16| {
        format!(
            "{ON_RED}  ingress: [{{action: {action}, from: [{{namespaces: {{}}}}], protocols: [{{tcp: {{destinationPort: {{number: {port}}}}}}}]}}]"
        )
    };
    let asked = "green/b -> red/a:80/TCP";
    let policy = |name: &str, action: &str, port| cnp(name, "Admin", 5, &rules(action, port));
    let equal = Undefined(Clause::EqualPriorities);
    let np = DENY_ALL_INGRESS.to_owned();
    hold("both match", &[policy("x", "Deny", 80), policy("w", "Accept", 80)], &[(asked, equal)]);
    hold("one matches", &[policy("x", "Deny", 80), policy("w", "Accept", 81)], &[(asked, Deny)]);
    hold("they agree", &[policy("x", "Deny", 80), policy("w", "Deny", 80)], &[(asked, Deny)]);
    hold(
        "they come to the same",
        &[policy("x", "Deny", 80), policy("w", "Pass", 80), np],
        &[(asked, Deny)],
    );
    hold(
        "pass to the default",
        &[policy("x", "Accept", 80), policy("w", "Pass", 80)],
        &[(asked, Allow)],
    );
    let older = anp(
        "z",
        900,
        &format!("{ON_RED}  ingress: [{{action: Allow, from: [{{namespaces: {{}}}}]}}]"),
    );
    let other = anp(
        "v",
        900,
        &format!("{ON_RED}  ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]"),
    );
    // The sentence is that of their own API.
    hold(
        "of the first version",
        &[older.clone(), other],
        &[(asked, Undefined(Clause::EqualAdminPriorities))],
    );
    hold(
        "of two versions",
        &[policy("x", "Deny", 80), older],
        &[(asked, Undefined(Clause::MixedVersions))],
    );
}

/// "selects a destination port on a pod based on the ContainerPort name".
#[test]
fn named_ports_are_those_of_the_receiving_pod() {
    let rules = format!(
        "{ON_ALL}  egress: [{{action: Deny, to: [{{namespaces: {{}}}}], protocols: [{{destinationNamedPort: web}}]}}]"
    );
    hold(
        "web",
        &[cnp("x", "Admin", 1, &rules)],
        &[
            ("red/a -> green/b:80/TCP", Allow),
            ("red/a -> green/b:8080/TCP", Deny),
            ("green/b -> red/a:80/TCP", Deny),
            ("green/b -> red/a:53/UDP", Allow),
        ],
    );
}

/// "For "Accept" rules, "fail closed" means: "treat the rule as matching no traffic". For
/// "Deny" and "Pass" rules, "fail closed" means: "treat the rule as a 'Deny all' rule"."
#[test]
fn a_peer_that_is_not_understood_fails_closed() {
    let asked = cell("green/b -> red/a:80/TCP");
    for (action, verdict) in
        [(ClusterAction::Accept, Allow), (ClusterAction::Deny, Deny), (ClusterAction::Pass, Deny)]
    {
        // A second peer and a port that would match, or not: it is the rule that fails.
        let rules = format!(
            "{ON_RED}  ingress: [{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{{udp: {{destinationPort: {{number: 1}}}}}}]}}]"
        );
        let mut world = world(&[cnp("x", "Admin", 1, &rules)]);
        for policy in world.cluster_policies.values_mut() {
            let policy = std::sync::Arc::make_mut(policy);
            policy.ingress[0].action = action;
            let origin = policy.origin.clone();
            policy.ingress[0].peers.push(ClusterPeer::Unknown { origin });
        }
        assert_eq!(Engine::new(&world).verdict(&asked), verdict, "{action:?}");
    }
}

#[test]
fn an_explanation_names_every_tier() {
    let admin = format!(
        "{ON_RED}  ingress:
    - {{name: metrics, action: Accept, from: [{{namespaces: {{}}}}], protocols: [{{udp: {{destinationPort: {{number: 53}}}}}}]}}
    - {{action: Pass, from: [{{pods: {{podSelector: {{matchLabels: {{app: b}}}}}}}}]}}
    - {{action: Deny, from: [{{namespaces: {{}}}}]}}"
    );
    let base = format!("{ON_ALL}  ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]");
    let later = format!("{ON_RED}  ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]");
    let policies = [
        cnp("guard", "Admin", 10, &admin),
        cnp("later", "Admin", 20, &later),
        cnp("base", "Baseline", 0, &base),
    ];
    let text = trace(&world(&policies), &cell("green/b -> red/a:80/TCP")).to_string();
    expect![[r#"
        deny: green/b -> red/a:80/TCP over ipv4
          `ingress[0]` (Deny) of `ClusterNetworkPolicy/base` (Baseline tier, priority 0, town.yaml:63:13) denies `green/b` on 80/TCP in ingress of `red/a`, to which `ingress[1]` (Pass) of `ClusterNetworkPolicy/guard` (Admin tier, priority 10, town.yaml:44:7) passed it on

        egress of green/b: not isolated
          Admin tier, priority 10: ClusterNetworkPolicy/guard (town.yaml:35:1) is about other namespaces: `house=red` does not match `house=green,kubernetes.io/metadata.name=green`
          Admin tier, priority 20: ClusterNetworkPolicy/later (town.yaml:47:1) is about other namespaces: `house=red` does not match `house=green,kubernetes.io/metadata.name=green`
          no policy in its namespace
          Baseline tier, priority 0: ClusterNetworkPolicy/base (town.yaml:56:1) has no egress rules, and so no effect there

        ingress to red/a: denied in the Baseline tier
          Admin tier, priority 10: ClusterNetworkPolicy/guard (town.yaml:35:1) is about it; its last rule is not asked
            - ingress[0] "metrics" (town.yaml:43:7) Accept: the peer matches, but no port does
              + from[0] (town.yaml:43:46) namespaces {}: matches `green/b`
              - ports[0] (town.yaml:43:77) 53/UDP: 80/TCP was asked
            + ingress[1] (town.yaml:44:7) Pass: passes it on to NetworkPolicies
              + from[0] (town.yaml:44:29) pods app=b in namespaces {}: matches `green/b`
              + any protocol and port
          Admin tier, priority 20: ClusterNetworkPolicy/later (town.yaml:47:1) is not asked: `ClusterNetworkPolicy/guard` comes before it and matches
          Baseline tier, priority 0: ClusterNetworkPolicy/base (town.yaml:56:1) is about it
            + ingress[0] (town.yaml:63:13) Deny: denies it
              + from[0] (town.yaml:63:35) namespaces {}: matches `green/b`
              + any protocol and port
    "#]].assert_eq(&text);
    let text = trace(
        &world(&[policies.concat(), DENY_ALL_INGRESS.to_owned()]),
        &cell("green/b -> red/a:53/UDP"),
    )
    .to_string();
    expect![[r#"
        allow: green/b -> red/a:53/UDP over ipv4
          no policy isolates `green/b` for egress, and `ingress[0]` "metrics" (Accept) of `ClusterNetworkPolicy/guard` (Admin tier, priority 10, town.yaml:43:7) accepts `green/b` on 53/UDP in ingress of `red/a`

        egress of green/b: not isolated
          Admin tier, priority 10: ClusterNetworkPolicy/guard (town.yaml:35:1) is about other namespaces: `house=red` does not match `house=green,kubernetes.io/metadata.name=green`
          Admin tier, priority 20: ClusterNetworkPolicy/later (town.yaml:47:1) is about other namespaces: `house=red` does not match `house=green,kubernetes.io/metadata.name=green`
          no policy in its namespace
          Baseline tier, priority 0: ClusterNetworkPolicy/base (town.yaml:56:1) has no egress rules, and so no effect there

        ingress to red/a: accepted in the Admin tier
          Admin tier, priority 10: ClusterNetworkPolicy/guard (town.yaml:35:1) is about it; its last 2 rules are not asked
            + ingress[0] "metrics" (town.yaml:43:7) Accept: accepts it
              + from[0] (town.yaml:43:46) namespaces {}: matches `green/b`
              + ports[0] (town.yaml:43:77) 53/UDP: covers 53/UDP
          Admin tier, priority 20: ClusterNetworkPolicy/later (town.yaml:47:1) is not asked: `ClusterNetworkPolicy/guard` comes before it and matches
          red/deny (town.yaml:65:1) isolates it for ingress: policyTypes is [Ingress]
          Baseline tier, priority 0: ClusterNetworkPolicy/base (town.yaml:56:1) is not asked: the Admin tier decides
    "#]].assert_eq(&text);
}
