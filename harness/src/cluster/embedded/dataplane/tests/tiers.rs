//! What policies of the cluster compile to. Each case is a golden file; the comment is the
//! API's sentence.

use expect_test::expect_file;

use super::super::{Ruleset, compile};
use super::cluster_policies::{
    accept, admin, baseline, deny, everyone, named, namespaces, networks, nodes, of, pass, pods,
    pods_in, unknown, with,
};
use super::world::{app, cluster, everything, labels, node, pod, policy, requirement, world};
use crate::model::{
    ClusterPolicy, LabelSelector, Name, NetworkPolicy, Node, Operator, PolicyType::*, Tier::*,
    World,
};

fn compiled(world: &World) -> Ruleset {
    compile(world, &node(world), true)
}

fn ruleset(policies: Vec<NetworkPolicy>, of_cluster: &[ClusterPolicy]) -> Ruleset {
    compiled(&with(world(cluster(), policies), of_cluster))
}

/// In the namespace with this label.
fn env(value: &str) -> LabelSelector {
    LabelSelector::label("env", value)
}

/// "Accepts the selected traffic … No further ingress ClusterNetworkPolicy or NetworkPolicy
/// rules will be processed", "Drops the selected traffic", "Skips all further
/// ClusterNetworkPolicy rules in the current tier … and passes evaluation to the next tier":
/// before an isolated pod's own chain, and where there is none.
#[test]
fn actions() {
    let strict = of(Admin, "strict", 10).from(&[
        accept(&[pods(app("web"))], &["80/TCP"]),
        pass(&[pods(app("api"))], &[]),
        named("nobody else", deny(&[everyone()], &[])),
    ]);
    let own = policy("prod/db", app("db")).ingress(&[]);
    expect_file!["golden/tiers/actions.txt"].assert_eq(&ruleset(vec![own], &[strict]).to_string());
}

/// "v1.NetworkPolicy always makes a final decision for selected pods. Further evaluation only
/// happens for Pods not selected by a v1.NetworkPolicy": by direction, as pods are isolated.
#[test]
fn baseline_where_no_network_policy_isolates() {
    let closed = baseline()
        .from(&[accept(&[pods(app("api"))], &[]), deny(&[everyone()], &[])])
        .to(&[deny(&[everyone()], &["53/UDP"])]);
    let own = vec![
        policy("prod/db-in", app("db")).types(&[Ingress]),
        policy("prod/web-out", app("web")).types(&[Egress]),
        policy("prod/api", app("api")).types(&[Ingress, Egress]),
    ];
    expect_file!["golden/tiers/baseline.txt"].assert_eq(&ruleset(own, &[closed]).to_string());
}

/// "Policies with lower priority values have higher precedence, and are checked before policies
/// with higher priority values in the same tier"; of equal ones any may be applied. "The
/// relative precedence of ingress rules within a single CNP object … will be determined by the
/// order in which the rule is written."
#[test]
fn priorities() {
    let one = |policy: ClusterPolicy, port: &str| {
        policy.about(app("db")).from(&[
            deny(&[pods(app("web"))], &[port]),
            accept(&[pods(app("web")), pods(app("api"))], &[port]),
        ])
    };
    let policies = [
        one(of(Admin, "a-last", 1000), "1/TCP"),
        one(of(Admin, "z-first", 0), "2/TCP"),
        one(of(Admin, "equal-a", 50), "3/TCP"),
        one(admin("equal-z", 50), "4/TCP"),
        one(admin("equal-b", 50), "5/TCP"),
        one(baseline(), "6/TCP"),
        one(of(Baseline, "last-but-one", 1000), "7/TCP"),
        one(of(Baseline, "first", 0), "8/TCP"),
    ];
    let found = ruleset(vec![], &policies);
    expect_file!["golden/tiers/priorities.txt"].assert_eq(&found.to_string());
    let mut reversed = policies;
    reversed.reverse();
    assert_eq!(ruleset(vec![], &reversed), found);
}

/// "CNPs with no ingress rules do not affect ingress traffic", "with no egress rules … egress
/// traffic": "there will not be any implicit isolation effects".
#[test]
fn no_rules_no_effect() {
    let own = || vec![policy("prod/db", app("db")).types(&[Ingress, Egress])];
    let none = ruleset(own(), &[]);
    assert_eq!(ruleset(own(), &[of(Admin, "none", 1), of(Baseline, "none-either", 1)]), none);
    assert_eq!(ruleset(own(), &[admin("none", 1), baseline()]), none);
    // Rules that match no traffic have as little.
    let nobody = of(Admin, "nobody", 1).from(&[
        deny(&[pods(app("nobody"))], &[]),
        deny(&[everyone()], &["no-such-name"]),
        accept(&[unknown()], &[]),
    ]);
    let found = ruleset(own(), &[nobody]);
    assert_eq!((found.chains, found.tiers), (none.chains, none.tiers));
    let out = of(Admin, "out", 1).to(&[accept(&[everyone()], &[])]);
    let found = ruleset(own(), &[out]);
    assert!(found.tiers.iter().all(|chain| chain.name().starts_with("egress-admin-")), "{found}");
}

/// "For "Accept" rules, "fail closed" means: "treat the rule as matching no traffic". For "Deny"
/// and "Pass" rules, "fail closed" means: "treat the rule as a 'Deny all' rule"": whatever the
/// rule's other peers and ports.
#[test]
fn unknown_peers() {
    let peers = [pods(app("web")), unknown()];
    let policies = [
        of(Admin, "accept", 1).about(app("db")).from(&[accept(&peers, &["80/TCP"])]),
        of(Admin, "deny", 2).about(app("db")).from(&[deny(&peers, &["80/TCP"])]),
        of(Admin, "pass", 3).about(app("web")).from(&[pass(&peers, &["80/TCP"])]),
        of(Admin, "out", 4).about(app("api")).to(&[pass(&peers[1..], &[])]),
    ];
    expect_file!["golden/tiers/unknown-peers.txt"]
        .assert_eq(&ruleset(vec![], &policies).to_string());
}

/// Namespaces and pods by their labels; ranges, where "cluster-internal traffic will be checked
/// against the rule as well"; nodes by theirs: "if present but empty, it selects all Nodes".
#[test]
fn peers() {
    let dev = || requirement("env", Operator::NotIn, &["prod"]);
    let policy = of(Admin, "peers", 1).about(app("db")).to(&[
        deny(&[namespaces(dev())], &[]),
        deny(&[pods_in(env("prod"), app("api")), pods_in(dev(), app("api"))], &[]),
        deny(&[networks(&["10.1.0.0/16", "10.2.0.0/16", "fd00::/126"])], &[]),
        deny(&[networks(&["0.0.0.0/0"])], &["443/TCP"]),
        deny(&[networks(&["::/0", "192.0.2.0/24"])], &[]),
        deny(&[nodes(LabelSelector::label("zone", "b"))], &[]),
        deny(&[nodes(everything())], &["10250/TCP"]),
        deny(&[nodes(requirement("zone", Operator::DoesNotExist, &[]))], &[]),
        deny(&[networks(&["10.1.0.4/32"]), nodes(LabelSelector::label("zone", "a"))], &[]),
    ]);
    let mut world = with(world(cluster(), vec![]), &[policy]);
    for (name, address, zone) in [("one", 1, Some("a")), ("two", 2, Some("b")), ("bare", 3, None)] {
        let addresses = [format!("172.31.0.{address}"), format!("fd00:31::{address}")];
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let labels =
            Some(zone.map_or_else(Default::default, |zone| labels(&format!("zone={zone}"))));
        let node = Node { addresses, labels, ..Node::new(Name::from(name)) };
        world.topology.nodes.insert(node.name.clone(), node);
    }
    expect_file!["golden/tiers/peers.txt"].assert_eq(&compiled(&world).to_string());
}

/// One port, several, a range and a protocol; a name means the container ports that have it,
/// in the protocol that they have there. Without any, "protocol-specific attributes will not be
/// used to match traffic".
#[test]
fn ports() {
    let each = |ports: &[&str]| deny(&[everyone()], ports);
    let rules = [
        each(&[]),
        each(&["80/TCP"]),
        each(&["80/TCP", "53/UDP", "9999/SCTP"]),
        each(&["8000-8100/TCP", "90-91/UDP"]),
        each(&["/SCTP"]),
        each(&["http"]),
        each(&["http", "22/TCP", "nothing"]),
    ];
    let ingress = of(Admin, "in", 1).about(app("api")).from(&rules);
    let egress = of(Admin, "out", 1).about(app("web")).to(&rules);
    let found = ruleset(vec![], &[ingress, egress]);
    expect_file!["golden/tiers/ports.txt"].assert_eq(&found.to_string());
}

/// "Note that host-networked pods are not included in subject selection", nor "in this type of
/// peer"; nor have pods that ended a network. `nodes` and `networks` find a hostNetwork pod by
/// its node's address.
#[test]
fn pods_without_a_network_of_their_own() {
    let mut pods_now = cluster();
    let mut host = pod("prod/host", 50, "app=odd", &["http:80/TCP"]);
    host.host_network = true;
    host.addresses = vec!["172.31.0.1".parse().unwrap()];
    let mut ended = pod("prod/ended", 51, "app=odd", &["http:80/TCP"]);
    ended.phase = crate::model::Phase::Succeeded;
    pods_now.extend([host, ended]);
    let odd = [deny(&[pods(app("odd"))], &[]), deny(&[pods(app("odd"))], &["http"])];
    let about = of(Admin, "about", 1).about(app("odd")).from(&[deny(&[everyone()], &[])]);
    let peers = of(Admin, "peers", 1).about(app("db")).from(&odd).to(&odd);
    let found = compiled(&with(world(pods_now.clone(), vec![]), &[about, peers]));
    assert_eq!(found, compiled(&world(pods_now.clone(), vec![])));
    let by_address = [nodes(everything()), networks(&["172.31.0.1/32"])].map(|peer| {
        let policy = of(Admin, "address", 1).about(app("db")).to(&[deny(&[peer], &[])]);
        compiled(&with(world(pods_now.clone(), vec![]), &[policy]))
    });
    assert_eq!(by_address[0], by_address[1]);
    assert!(by_address[0].to_string().contains("{ 172.31.0.1 }"), "{}", by_address[0]);
}

/// A subject is found by its namespace, or by both; a node has rules for its own pods alone.
#[test]
fn subjects() {
    let mut pods_now = cluster();
    pods_now[1].node = Some("two".into());
    let nobody = || [deny(&[everyone()], &[])];
    let policies = [
        of(Admin, "prod", 1).about_namespaces(env("prod")).from(&nobody()),
        admin("api", 2).about(app("api")).from(&nobody()),
    ];
    let found = compiled(&with(world(pods_now, vec![]), &policies));
    expect_file!["golden/tiers/subjects.txt"].assert_eq(&found.to_string());
}

/// A name that makes the text too long for the kernel, with what the log must not hold as it is.
#[test]
fn long_names() {
    let rules = [named(&format!("{}\n\0\"", "x".repeat(97)), deny(&[everyone()], &[]))];
    let found = ruleset(vec![], &[of(Admin, "named", 1).about(app("db")).from(&rules)]);
    expect_file!["golden/tiers/long-names.txt"].assert_eq(&found.to_string());
}

/// Without evidence nothing is logged, and nothing else differs.
#[test]
fn without_evidence() {
    let strict = of(Admin, "strict", 1).from(&[deny(&[pods(app("web"))], &["80/TCP"])]);
    let world = with(world(cluster(), vec![]), &[strict]);
    let silent = compile(&world, &node(&world), false);
    assert_eq!(silent.logs().count(), 0);
    let logged = compiled(&world);
    assert_eq!(logged.logs().count(), 4 * 2, "a rule for each pod and family");
    let text = logged.to_string();
    let without = text.lines().map(|line| match line.split_once(" log ") {
        Some((matches, _)) => format!("{matches} drop\n"),
        None => format!("{line}\n"),
    });
    assert_eq!(silent.to_string(), without.collect::<String>());
}
