//! What policies compile to. Each case is a golden file; the comment is the API's sentence.

use expect_test::expect_file;

use super::super::{Ruleset, compile};
use super::world::*;
use crate::model::{NetworkPolicy, Operator, Phase, Pod, PolicyType::*, World};

fn compiled(world: &World) -> Ruleset {
    compile(world, &node(world), true)
}

fn ruleset(policies: Vec<NetworkPolicy>) -> Ruleset {
    compiled(&world(cluster(), policies))
}

/// "By default, a pod is non-isolated."
#[test]
fn no_policy() {
    expect_file!["golden/no-policy.txt"].assert_eq(&ruleset(vec![]).to_string());
}

/// "If this field is empty then this NetworkPolicy does not allow any traffic (and serves
/// solely to ensure that the pods it selects are isolated by default)."
#[test]
fn default_deny() {
    let all = policy("prod/default-deny", everything()).types(&[Ingress, Egress]);
    expect_file!["golden/default-deny.txt"].assert_eq(&ruleset(vec![all.clone()]).to_string());
    assert_eq!(ruleset(vec![all.clone().ingress(&[]).egress(&[])]), ruleset(vec![all]));
}

/// An empty rule, an empty list of peers and an absent one all mean every peer; the same
/// goes for ports.
#[test]
fn empty_and_absent_lists_in_a_rule() {
    let with = |rule| ruleset(vec![policy("prod/db", app("db")).ingress(&[rule])]);
    let open = with(rule(None, None));
    expect_file!["golden/empty-rule.txt"].assert_eq(&open.to_string());
    assert_eq!(with(rule(Some(&[]), None)), open);
    assert_eq!(with(rule(None, Some(&[]))), open);
    assert_eq!(with(rule(Some(&[]), Some(&[]))), open);
}

/// Two selectors in one peer must both hold; of several peers and of several rules one
/// must. Without a namespaceSelector the policy's own namespace is meant.
#[test]
fn peers_are_and_within_and_or_between() {
    let a = || requirement("team", Operator::In, &["a"]);
    let dev = || requirement("env", Operator::NotIn, &["prod"]);
    let both = pods(Some(app("api")), Some(dev()));
    let policies = vec![
        policy("prod/and", app("web")).ingress(&[rule(Some(&[both]), None)]),
        policy("prod/or", app("db")).ingress(&[
            rule(Some(&[pods(Some(app("api")), None), pods(None, Some(dev()))]), None),
            rule(Some(&[pods(Some(app("web")), None)]), Some(&[port("3306")])),
        ]),
        policy("prod/everyone", app("api")).ingress(&[
            rule(Some(&[pods(Some(everything()), None)]), Some(&[port("1")])),
            rule(Some(&[pods(None, Some(a()))]), Some(&[port("2")])),
            rule(Some(&[pods(Some(app("none")), None)]), Some(&[port("3")])),
        ]),
    ];
    expect_file!["golden/peers.txt"].assert_eq(&ruleset(policies).to_string());
}

/// "except is a slice of CIDRs that should not be included within an IPBlock": of that
/// one, not of another peer's.
#[test]
fn blocks() {
    let policies = vec![
        policy("prod/except", app("db")).types(&[Egress]).egress(&[
            rule(Some(&[block("10.0.0.0/8", &["10.1.0.0/16", "10.2.0.0/24"])]), None),
            rule(
                Some(&[
                    block("10.0.0.0/8", &["10.1.0.0/16"]),
                    block("10.1.0.0/24", &["10.1.0.1/32"]),
                ]),
                Some(&[port("80")]),
            ),
            rule(Some(&[block("fd00::/8", &["fd00::3/128"])]), Some(&[port("53/UDP")])),
        ]),
        policy("prod/everything", app("api")).ingress(&[
            rule(Some(&[block("0.0.0.0/0", &[])]), None),
            rule(Some(&[block("::/0", &[]), block("255.255.255.0/24", &[])]), Some(&[port("443")])),
            rule(Some(&[block("192.0.2.0/24", &["192.0.2.0/25", "192.0.2.128/25"])]), None),
        ]),
    ];
    expect_file!["golden/blocks.txt"].assert_eq(&ruleset(policies).to_string());
}

/// One port, several, a range, a protocol, a name that the pod gives different numbers for
/// different protocols, and a name that it does not have. "protocol … defaults to TCP"; an
/// entry without port "matches all port names and numbers".
#[test]
fn ingress_ports() {
    let each = |name: &str, ports: &[&str]| {
        let ports: Vec<_> = ports.iter().map(|text| port(text)).collect();
        policy(name, app("api")).ingress(&[rule(None, Some(&ports))])
    };
    let policies = vec![
        each("prod/1-one", &["80"]),
        each("prod/2-several", &["80", "53/UDP", "9999/SCTP"]),
        each("prod/3-range", &["8000-8100", "90-90/UDP"]),
        each("prod/4-protocol", &["/SCTP"]),
        each("prod/5-named", &["http"]),
        each("prod/6-named-udp", &["http/UDP"]),
        each("prod/7-unknown-name", &["nothing", "http/SCTP"]),
        each("prod/8-nothing", &[""]),
        each("prod/9-again", &["80"]),
    ];
    expect_file!["golden/ingress-ports.txt"].assert_eq(&ruleset(policies).to_string());
}

/// In egress the pod at the receiving end gives the name its number, each its own; an
/// address that is no pod's has no names.
#[test]
fn egress_to_named_ports() {
    let named = |peers: Option<&[_]>| {
        let rules = [rule(peers, Some(&[port("http"), port("443")]))];
        policy("prod/named", app("web")).types(&[Egress]).egress(&rules)
    };
    let any = ruleset(vec![named(None)]);
    expect_file!["golden/named-any.txt"].assert_eq(&any.to_string());
    let own = ruleset(vec![named(Some(&[pods(Some(everything()), None)]))]);
    expect_file!["golden/named-own-namespace.txt"].assert_eq(&own.to_string());
    let block = ruleset(vec![named(Some(&[block("10.1.0.0/30", &["10.1.0.2/32"])]))]);
    expect_file!["golden/named-block.txt"].assert_eq(&block.to_string());
}

/// Nothing keeps two containers of a pod from giving one name to two ports: it means both.
#[test]
fn a_name_of_two_ports_means_both() {
    let two = pod("prod/two", 9, "app=two", &["http:80/TCP", "http:81/TCP", "http:82/UDP"]);
    let http = [rule(Some(&[pods(Some(app("two")), None)]), Some(&[port("http")]))];
    let both = policy("prod/both", app("two")).types(&[Ingress, Egress]);
    let world = world(vec![two], vec![both.ingress(&http).egress(&http)]);
    let text = compiled(&world).to_string();
    assert!(text.contains("{ TCP . 80, TCP . 81 }"), "{text}");
    assert!(text.contains("{ 10.1.0.9 . TCP . 80, 10.1.0.9 . TCP . 81 }"), "{text}");
}

/// "If this field is not specified, it will default based on the existence of ingress or
/// egress rules."
#[test]
fn policy_types() {
    let open = || [rule(None, None)];
    let with = |policy| ruleset(vec![policy]);
    let base = || policy("prod/p", app("db"));
    let ingress_only = with(base().types(&[Ingress]));
    let both = with(base().types(&[Ingress, Egress]).egress(&open()));
    assert_eq!(ingress_only.chains.len(), 1);
    assert_eq!(both.chains.len(), 2);
    let cases = [
        ("absent", base(), &ingress_only),
        ("empty", base().types(&[]), &ingress_only),
        ("absent, an egress section without rules", base().egress(&[]), &ingress_only),
        ("absent, egress rules", base().egress(&open()), &both),
        ("empty, egress rules", base().types(&[]).egress(&open()), &both),
        ("Ingress, egress rules", base().types(&[Ingress]).egress(&open()), &ingress_only),
    ];
    for (case, policy, expected) in cases {
        assert_eq!(&with(policy), expected, "{case}");
    }
    let egress_only = with(base().types(&[Egress]).ingress(&open()));
    expect_file!["golden/ingress-rules-under-egress.txt"].assert_eq(&egress_only.to_string());
}

/// Pods that ended, pods without an address and hostNetwork pods match no selector and are
/// not isolated; a terminating pod is as any other.
#[test]
fn pods_that_are_not_there() {
    let mut pods_now = cluster();
    let odd = |name, number, change: fn(&mut Pod)| {
        let mut pod = pod(name, number, "app=odd", &["http:80/TCP"]);
        change(&mut pod);
        pod
    };
    pods_now.extend([
        odd("prod/succeeded", 20, |pod| pod.phase = Phase::Succeeded),
        odd("prod/failed", 21, |pod| pod.phase = Phase::Failed),
        odd("prod/host", 22, |pod| pod.host_network = true),
        odd("prod/terminating", 23, |pod| pod.terminating = true),
        odd("prod/unplaced", 24, |pod| {
            pod.phase = Phase::Pending;
            pod.node = None;
            pod.addresses.clear();
        }),
    ]);
    let from = [rule(Some(&[pods(Some(app("odd")), None)]), Some(&[port("http")]))];
    let policies = vec![
        policy("prod/odd", app("odd")).ingress(&[]),
        policy("prod/from-odd", app("db")).types(&[Ingress, Egress]).ingress(&from).egress(&from),
    ];
    let found = compiled(&world(pods_now, policies));
    expect_file!["golden/pods-not-there.txt"].assert_eq(&found.to_string());
}

/// "NetworkPolicies do not conflict; they are additive." The log names all that isolate.
#[test]
fn policies_add_up() {
    let to = |name: &str, peer: &str| {
        let from = [rule(Some(&[pods(Some(app(peer)), None)]), Some(&[port("sql")]))];
        policy(name, app("db")).ingress(&from)
    };
    let long = format!("prod/{}", "x".repeat(120));
    let policies = [to("prod/b", "api"), to("prod/a", "web"), to("prod/c", "api")];
    let few = ruleset(policies.to_vec());
    expect_file!["golden/sum.txt"].assert_eq(&few.to_string());
    let mut reversed = policies.to_vec();
    reversed.reverse();
    assert_eq!(ruleset(reversed), few);
    let many = ruleset(policies.into_iter().chain([to(&long, "web")]).collect());
    expect_file!["golden/long-names.txt"].assert_eq(&many.to_string());
}

/// Without evidence nothing is logged, and nothing else differs.
#[test]
fn without_evidence() {
    let all = policy("prod/default-deny", everything()).types(&[Ingress, Egress]);
    let world = world(cluster(), vec![all]);
    let mut logged = compiled(&world);
    let silent = compile(&world, &node(&world), false);
    assert_ne!(logged, silent);
    logged.chains.iter_mut().for_each(|chain| chain.log = None);
    assert_eq!(logged, silent);
}

/// A node has rules for its own pods alone; pods elsewhere are peers all the same.
#[test]
fn pods_on_other_nodes() {
    let mut pods_now = cluster();
    pods_now[1].node = Some("two".into());
    let from = [rule(Some(&[pods(Some(app("api")), None)]), None)];
    let all = policy("prod/all", everything()).ingress(&from);
    let found = compiled(&world(pods_now, vec![all]));
    expect_file!["golden/two-nodes.txt"].assert_eq(&found.to_string());
}
