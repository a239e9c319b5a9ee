//! What is wrong in a ruleset whose tiers are wrong on purpose, and that nothing else is.
//! Golden files; the comment is the API's sentence that is broken.

use expect_test::{ExpectFile, expect_file};

use super::super::ruleset::{Handling, OWN_NETWORK, Ruleset, TierChain};
use super::super::{Flaws, compile};
use super::cluster_policies::{accept, baseline, deny, everyone, networks, of, pass, pods, with};
use super::world::{app, cluster, node, pod, policy, world};
use crate::model::{ClusterPolicy, NetworkPolicy, Node, Pod, PolicyType::*, Tier, Tier::*, World};

fn baseline_first() -> Flaws {
    Flaws { handling: Handling { baseline_first: true, ..Handling::default() }, ..Flaws::default() }
}

fn no_rules_isolate() -> Flaws {
    Flaws { no_rules_isolate: true, ..Flaws::default() }
}

fn host_network_subjects() -> Flaws {
    Flaws { host_network_subjects: true, ..Flaws::default() }
}

fn flawed(flaws: &Flaws, world: &World) -> Ruleset {
    flaws.compile(world, &node(world), true)
}

/// Compares the ruleset with a golden file. Without the chains that the flaw is about it must be
/// that of a compiler without flaws.
fn changes(flaws: &Flaws, world: &World, about: impl Fn(&TierChain) -> bool, golden: ExpectFile) {
    let found = flawed(flaws, world);
    golden.assert_eq(&found.to_string());
    let right = compile(world, &node(world), true);
    assert_ne!(found, right);
    assert_eq!(found.chains, right.chains);
    assert_eq!(found.sets[..right.sets.len()], right.sets[..]);
    let rest = |ruleset: &Ruleset| -> Vec<TierChain> {
        let mut rest: Vec<TierChain> =
            ruleset.tiers.iter().filter(|chain| !about(chain)).cloned().collect();
        rest.sort_by_key(|chain| (chain.direction, chain.tier, chain.interface));
        rest
    };
    assert!(!rest(&right).is_empty());
    assert_eq!(rest(&found), rest(&right));
}

fn of_cluster(pods: Vec<Pod>, own: Vec<NetworkPolicy>, policies: &[ClusterPolicy]) -> World {
    with(world(pods, own), policies)
}

/// "v1.NetworkPolicy always makes a final decision for selected pods. Further evaluation only
/// happens for Pods not selected by a v1.NetworkPolicy": by direction.
#[test]
fn baseline_before_network_policies() {
    let own = vec![
        policy("prod/db", app("db")).types(&[Ingress]),
        policy("prod/web", app("web")).types(&[Ingress, Egress]),
    ];
    let policies = [
        of(Admin, "admin", 1).from(&[pass(&[pods(app("web"))], &[])]),
        baseline().from(&[accept(&[pods(app("api"))], &[]), deny(&[everyone()], &["80/TCP"])]),
    ];
    let world = of_cluster(cluster(), own, &policies);
    let isolated = ["prod/db", "prod/web"];
    changes(
        &baseline_first(),
        &world,
        |chain| chain.tier == Baseline && isolated.contains(&chain.pod.to_string().as_str()),
        expect_file!["golden/flawed-tiers/baseline-first.txt"],
    );
}

/// "CNPs with no ingress rules do not affect ingress traffic", "with no egress rules … egress
/// traffic".
#[test]
fn no_rules_that_isolate() {
    let own = vec![policy("prod/db", app("db")).types(&[Ingress])];
    let policies = [
        of(Admin, "a-none", 1).about(app("web")),
        of(Admin, "b-some", 2).from(&[accept(&[pods(app("db"))], &[])]),
        of(Baseline, "none", 3).about(app("db")),
    ];
    let world = of_cluster(cluster(), own, &policies);
    let about = |chain: &TierChain| match chain.pod.to_string().as_str() {
        "prod/web" => chain.tier == Admin,
        "prod/db" => chain.tier == Baseline,
        _ => false,
    };
    let golden = expect_file!["golden/flawed-tiers/no-rules-isolate.txt"];
    changes(&no_rules_isolate(), &world, about, golden);
}

/// A hostNetwork pod on each of two nodes, in a cluster of one.
fn with_host_network() -> Vec<Pod> {
    let mut pods = cluster();
    for (name, node, address) in [("host", "one", 1), ("other", "two", 2), ("third", "one", 1)] {
        let mut host = pod(&format!("prod/{name}"), 50, "app=host", &["metrics:9100/TCP"]);
        host.host_network = true;
        host.node = Some(node.into());
        host.addresses = vec![format!("172.31.0.{address}").parse().unwrap()];
        pods.push(host);
    }
    pods
}

/// "Note that host-networked pods are not included in subject selection": and yet they are no
/// more anybody's peers than before.
#[test]
fn host_network_pods_that_are_subjects() {
    let policies = [
        of(Admin, "closed", 1)
            .about(app("host"))
            .from(&[accept(&[pods(app("host"))], &[]), deny(&[pods(app("web"))], &["metrics"])]),
        of(Admin, "everybody", 2).to(&[
            deny(&[pods(app("db"))], &["sql"]),
            deny(&[pods(app("host")), networks(&["192.0.2.0/24"])], &[]),
        ]),
        baseline().about(app("host")).to(&[deny(&[everyone()], &[])]),
    ];
    let world = of_cluster(with_host_network(), vec![], &policies);
    let golden = expect_file!["golden/flawed-tiers/host-network-subjects.txt"];
    let own = |chain: &TierChain| chain.interface == OWN_NETWORK;
    changes(&host_network_subjects(), &world, own, golden);
}

/// Both flaws together isolate the hostNetwork pods of a policy without rules.
#[test]
fn flaws_of_tiers_add_up() {
    let policies = [of(Admin, "none", 1).about(app("host"))];
    let world = of_cluster(with_host_network(), vec![], &policies);
    let both = Flaws { no_rules_isolate: true, ..host_network_subjects() };
    let found = flawed(&both, &world);
    assert!(found.tiers.iter().all(|chain| chain.interface == OWN_NETWORK), "{found}");
    let tiers: Vec<Tier> = found.tiers.iter().map(|chain| chain.tier).collect();
    assert_eq!(tiers, [Admin, Admin]);
    for alone in [no_rules_isolate(), host_network_subjects()] {
        assert_eq!(flawed(&alone, &world), compile(&world, &node(&world), true));
    }
}

/// Where there is nothing that a flaw is about, it changes nothing.
#[test]
fn flaws_of_tiers_are_idle_elsewhere() {
    let own = vec![policy("prod/db", app("db")).types(&[Ingress, Egress])];
    let policies = [of(Admin, "some", 1).about(app("db")).from(&[deny(&[everyone()], &[])])];
    let mut world = of_cluster(cluster(), own, &policies);
    let two = Node::new("two".into());
    world.topology.nodes.insert(two.name.clone(), two);
    let right = compile(&world, &node(&world), true);
    for flaws in [baseline_first(), no_rules_isolate(), host_network_subjects()] {
        let handling = flaws.handling.clone();
        assert_eq!(flawed(&flaws, &world), Ruleset { handling, ..right.clone() }, "{flaws:?}");
    }
}
