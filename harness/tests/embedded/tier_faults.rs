//! Mistakes with policies of the cluster: what becomes of packets by each, and without it.

use ringfence::cluster::Cluster;
use ringfence::cluster::embedded::{Embedded, EmbeddedOptions, Fault};
use ringfence::model::{
    Cell, Change, ClusterAction, ClusterPeer, ClusterPolicy, ClusterSubject, Direction,
    LabelSelector, Name, NetworkPolicy, Rule, Tier, Topology,
};

use crate::Outcome as Trial;
use crate::tiers::{DEADLINE, about_a, apply, every_pod, nodes};
use crate::town::*;
use crate::traffic::TCP;

use ClusterAction::{Accept, Deny, Pass};
use Direction::{Egress, Ingress};
use Tier::{Admin, Baseline};

/// A cell, whether it is open without the fault, and whether it is with it.
type Expected = (Cell, bool, bool);

/// Makes the changes on a cluster without the fault and on one with it.
async fn differs(
    fault: Fault,
    topology: Topology,
    steps: &[Vec<Change>],
    expected: &[Expected],
) -> Trial {
    let cells: Vec<Cell> = expected.iter().map(|(cell, ..)| cell.clone()).collect();
    for faults in [vec![], vec![fault]] {
        let wrong = !faults.is_empty();
        let options = EmbeddedOptions { faults, ..EmbeddedOptions::default() };
        let mut cluster = Embedded::start(options).await?;
        cluster.deploy(&topology, 2, &[]).await?;
        for changes in steps {
            cluster.change(changes).await?;
        }
        let seen = probe(&mut cluster, &cells, DEADLINE).await?;
        for ((cell, right, flawed), seen) in expected.iter().zip(&seen) {
            let open = if wrong { *flawed } else { *right };
            let case = if wrong { fault.name() } else { "no fault" };
            assert_eq!(seen.outcome.is_connected(), open, "{case}: {cell}: {seen:?}");
        }
    }
    Ok(())
}

/// Pods `a/p`, `b/p` and `c/p`, of which `b/p` is on another node than `a/p`.
fn three() -> Topology {
    let mut town = topology(["a", "b", "c"].map(|namespace| pod(namespace, "p", TCP)));
    for pod in town.pods.values_mut() {
        let node = if *pod.name.namespace == *"b" { "node-2" } else { "node-1" };
        pod.node = Some(Name::from(node));
    }
    town
}

fn into_a() -> Cell {
    tcp("b/p", "a/p")
}

fn out_of_a() -> Cell {
    tcp("a/p", "b/p")
}

/// Between pods that no policy here is about.
fn elsewhere(right: bool) -> Expected {
    (tcp("b/p", "c/p"), right, right)
}

fn pods_of(namespace: &str) -> ClusterPeer {
    let selector = LabelSelector::label("kubernetes.io/metadata.name", namespace);
    ClusterPeer::Namespaces { selector, origin: origin() }
}

fn isolating(policy: NetworkPolicy) -> Change {
    Change::ApplyPolicy(policy.into())
}

fn named(name: &str, policy: ClusterPolicy) -> ClusterPolicy {
    let mut policy = policy;
    policy.name.name = Name::from(name);
    policy
}

pub(crate) async fn pass_read_as_deny() -> Trial {
    let pass = about_a(Admin, 1, Ingress, Pass, every_pod());
    let expected = [(into_a(), true, false), (out_of_a(), true, true), elsewhere(true)];
    differs(Fault::PassReadAsDeny, three(), &[vec![apply(pass)]], &expected).await
}

pub(crate) async fn pass_read_as_accept() -> Trial {
    let pass = about_a(Admin, 1, Ingress, Pass, every_pod());
    let changes = vec![apply(pass), isolating(deny_all("a"))];
    let expected = [(into_a(), false, true), (out_of_a(), false, false), elsewhere(true)];
    differs(Fault::PassReadAsAccept, three(), &[changes], &expected).await
}

pub(crate) async fn priority_inverted() -> Trial {
    let policies = [
        about_a(Admin, 1, Ingress, Accept, every_pod()),
        about_a(Admin, 2, Ingress, Deny, every_pod()),
        about_a(Admin, 3, Egress, Deny, every_pod()),
    ];
    let expected = [(into_a(), true, false), (out_of_a(), false, false), elsewhere(true)];
    differs(Fault::PriorityInverted, three(), &[policies.map(apply).into()], &expected).await
}

pub(crate) async fn tiers_inverted() -> Trial {
    let changes = vec![
        apply(about_a(Admin, 1, Ingress, Accept, every_pod())),
        apply(about_a(Baseline, 1, Egress, Accept, every_pod())),
        isolating(deny_all("a")),
    ];
    let expected = [(into_a(), true, false), (out_of_a(), false, true), elsewhere(true)];
    differs(Fault::TiersInverted, three(), &[changes], &expected).await
}

/// A peer without a field that is known, and `nodes` where they are not known.
pub(crate) async fn unknown_peer_fails_open() -> Trial {
    let mut closed = about_a(Admin, 1, Ingress, Deny, ClusterPeer::Unknown { origin: origin() });
    closed.ingress[0].peers.push(pods_of("c"));
    let no_nodes = about_a(Admin, 2, Egress, Deny, nodes(LabelSelector::everything()));
    let mut town = three();
    add_node(&mut town, "node-1", TCP);
    add_node(&mut town, "node-2", TCP);
    let expected = [
        (into_a(), false, true),
        (tcp("c/p", "a/p"), false, false),
        (tcp("a/p", "node/node-1"), false, true),
        (tcp("a/p", "node/node-2"), false, true),
        (out_of_a(), true, true),
        elsewhere(true),
    ];
    let changes = vec![apply(closed), apply(no_nodes)];
    differs(Fault::UnknownPeerFailsOpen, town, &[changes], &expected).await
}

/// The Admin tier still comes before both.
pub(crate) async fn baseline_over_network_policy() -> Trial {
    let everybody = Rule { peers: None, ports: None, origin: origin() };
    let own = NetworkPolicy { ingress: Some(vec![everybody]), ..deny_all("a") };
    let changes = vec![
        apply(about_a(Admin, 1, Ingress, Accept, pods_of("c"))),
        apply(about_a(Baseline, 1, Ingress, Deny, every_pod())),
        apply(about_a(Baseline, 2, Egress, Accept, pods_of("b"))),
        isolating(own),
    ];
    let expected = [
        (into_a(), true, false),
        (tcp("c/p", "a/p"), true, true),
        (out_of_a(), false, true),
        (tcp("a/p", "c/p"), false, false),
        elsewhere(true),
    ];
    differs(Fault::BaselineOverNetworkPolicy, three(), &[changes], &expected).await
}

pub(crate) async fn policy_without_rules_isolates() -> Trial {
    let mut nothing = about_a(Admin, 1, Ingress, Deny, every_pod());
    nothing.ingress.clear();
    let expected = [(into_a(), true, false), (out_of_a(), true, false), elsewhere(true)];
    let fault = Fault::ClusterPolicyWithoutRulesIsolates;
    differs(fault, three(), &[vec![apply(nothing)]], &expected).await
}

/// In both directions; a hostNetwork pod of another namespace, on another node, is left alone.
pub(crate) async fn host_network_pod_is_subject() -> Trial {
    let mut town = three();
    for (namespace, node) in [("a", "node-1"), ("c", "node-2")] {
        let mut host = pod(namespace, "host", &[(8080, ringfence::model::Protocol::Tcp)]);
        host.host_network = true;
        host.node = Some(Name::from(node));
        town.pods.insert(host.name.clone(), host);
    }
    let to = |from: &str, to: &str| Cell { port: 8080, ..tcp(from, to) };
    let changes =
        [Ingress, Egress].map(|of| about_a(Admin, of as u16, of, Deny, pods_of("b"))).map(apply);
    let expected = [
        (into_a(), false, false),
        (out_of_a(), false, false),
        (to("b/p", "a/host"), true, false),
        (tcp("a/host", "b/p"), true, false),
        (to("c/p", "a/host"), true, true),
        (tcp("a/host", "c/p"), true, true),
        (to("b/p", "c/host"), true, true),
        (tcp("c/host", "b/p"), true, true),
        elsewhere(true),
    ];
    differs(Fault::HostNetworkPodIsSubject, town, &[changes.into()], &expected).await
}

pub(crate) async fn delete_ignored() -> Trial {
    let denied = about_a(Admin, 1, Ingress, Deny, every_pod());
    let deleted = Change::DeleteClusterPolicy(denied.name.clone());
    let gone = apply(about_a(Admin, 2, Egress, Deny, every_pod()));
    let steps = [vec![apply(denied), gone], vec![deleted]];
    let expected = [(into_a(), true, false), (out_of_a(), false, false), elsewhere(true)];
    differs(Fault::PolicyDeleteIgnored, three(), &steps, &expected).await
}

pub(crate) async fn update_keeps_old_subject() -> Trial {
    let first = named("one", about_a(Admin, 1, Ingress, Deny, every_pod()));
    let ClusterPeer::Namespaces { selector, origin } = pods_of("c") else {
        unreachable!("they are the pods of a namespace")
    };
    let subject = ClusterSubject::Namespaces { selector, origin };
    let second = ClusterPolicy { subject, ..first.clone() };
    let steps = [vec![apply(first)], vec![apply(second)]];
    let expected = [
        (into_a(), true, false),
        (tcp("b/p", "c/p"), false, true),
        (tcp("a/p", "b/p"), true, true),
    ];
    differs(Fault::PolicyUpdateKeepsOldSelector, three(), &steps, &expected).await
}
