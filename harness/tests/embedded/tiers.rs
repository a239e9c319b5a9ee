//! Policies of the cluster: `policy.networking.k8s.io`.

use std::sync::Arc;
use std::time::Duration;

use ringfence::cluster::embedded::Embedded;
use ringfence::cluster::{Cluster, ClusterError, Feature};
use ringfence::model::{
    Cell, Change, ClusterAction, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPolicyName,
    ClusterPolicyVersion, ClusterRule, ClusterSubject, Direction, LabelSelector, Name,
    NetworkPolicy, Outcome, Rule, Tier, Via,
};

use crate::town::*;
use crate::traffic::TCP;
use crate::watching::watch;
use crate::{Outcome as Trial, start};

use ClusterAction::{Accept, Deny, Pass};

/// Long enough that a loaded machine is not taken for a drop.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// A ClusterNetworkPolicy about the pods of namespace `a`, with one rule for a direction.
pub(crate) fn about_a(
    tier: Tier,
    priority: u16,
    direction: Direction,
    action: ClusterAction,
    peer: ClusterPeer,
) -> ClusterPolicy {
    let name = format!("{tier}-{priority}").to_lowercase();
    let rule =
        ClusterRule { name: None, action, peers: vec![peer], ports: Vec::new(), origin: origin() };
    let (ingress, egress) = match direction {
        Direction::Ingress => (vec![rule], Vec::new()),
        Direction::Egress => (Vec::new(), vec![rule]),
    };
    ClusterPolicy {
        name: ClusterPolicyName::new(ClusterPolicyKind::ClusterNetworkPolicy, &name),
        version: ClusterPolicyVersion::V1alpha2,
        tier,
        priority: Some(priority),
        subject: ClusterSubject::Namespaces { selector: in_a(), origin: origin() },
        ingress,
        egress,
        origin: origin(),
        manifest: serde_json::Value::Null,
    }
}

fn in_a() -> LabelSelector {
    LabelSelector::label("kubernetes.io/metadata.name", "a")
}

pub(crate) fn every_pod() -> ClusterPeer {
    ClusterPeer::Namespaces { selector: LabelSelector::everything(), origin: origin() }
}

pub(crate) fn nodes(selector: LabelSelector) -> ClusterPeer {
    ClusterPeer::Nodes { selector, origin: origin() }
}

pub(crate) fn apply(policy: ClusterPolicy) -> Change {
    Change::ApplyClusterPolicy(Arc::new(policy))
}

/// What NetworkPolicies do for the pods of namespace `a`.
#[derive(Debug, Clone, Copy)]
enum Isolation {
    None,
    Closed,
    Open,
}

impl Isolation {
    fn policy(self) -> Option<NetworkPolicy> {
        let rule = Rule { peers: None, ports: None, origin: origin() };
        match self {
            Self::None => None,
            Self::Closed => Some(deny_all("a")),
            Self::Open => Some(NetworkPolicy {
                ingress: Some(vec![rule.clone()]),
                egress: Some(vec![rule]),
                ..deny_all("a")
            }),
        }
    }
}

/// Every way from tier to tier, in both directions: what the Admin tier does with all traffic
/// (at times by a second policy, whose priority is lower), what NetworkPolicies do, and what
/// the Baseline tier does.
pub(crate) async fn tiers_in_order() -> Trial {
    let mut cluster = start().await?;
    for feature in [
        Feature::AdminNetworkPolicies,
        Feature::ClusterNetworkPolicies,
        Feature::ClusterTierNamedPorts,
        Feature::ClusterTierNodePeers,
    ] {
        assert!(cluster.capabilities().dataplane.has(feature));
    }
    cluster.deploy(&topology([pod("a", "p", TCP), pod("b", "p", TCP)]), 2, &[]).await?;
    let actions = || [None, Some(Accept), Some(Deny), Some(Pass)];
    let isolations = [Isolation::None, Isolation::Closed, Isolation::Open];
    let mut before = Vec::new();
    let mut judged = 0;
    for direction in [Direction::Ingress, Direction::Egress] {
        let (from, to) = match direction {
            Direction::Ingress => ("b/p", "a/p"),
            Direction::Egress => ("a/p", "b/p"),
        };
        for (admin, second) in
            actions().into_iter().flat_map(|first| actions().map(|second| (first, second)))
        {
            for (isolation, baseline) in
                isolations.into_iter().flat_map(|one| actions().map(|baseline| (one, baseline)))
            {
                let wanted = [(Tier::Admin, 5, admin), (Tier::Admin, 6, second)];
                let wanted = wanted.into_iter().chain([(Tier::Baseline, 5, baseline)]);
                let policies = wanted.filter_map(|(tier, priority, action)| {
                    Some(about_a(tier, priority, direction, action?, every_pod()))
                });
                let policies: Vec<ClusterPolicy> = policies.collect();
                let mut changes = std::mem::take(&mut before);
                before.extend(
                    policies.iter().map(|policy| Change::DeleteClusterPolicy(policy.name.clone())),
                );
                changes.extend(policies.into_iter().map(apply));
                if let Some(policy) = isolation.policy() {
                    before.push(Change::DeletePolicy(policy.name.clone()));
                    changes.push(Change::ApplyPolicy(Arc::new(policy)));
                }
                cluster.change(&changes).await?;
                let denied = |tier, priority| {
                    let policy = format!("ClusterNetworkPolicy/{tier}-{priority}");
                    Some(format!("{direction} a/p: denied by {policy} {direction}[0]"))
                };
                // The first of the two that does not pass it on, or none.
                let first = match (admin, second) {
                    (None, second) => second.zip(Some(6)),
                    (first, _) => first.zip(Some(5)),
                };
                let expected = match (first, isolation, baseline) {
                    (Some((Accept, _)), ..) => None,
                    (Some((Deny, priority)), ..) => denied("admin", priority),
                    (_, Isolation::Closed, _) => {
                        Some(format!("{direction} a/p: isolated by a/deny-all"))
                    }
                    (_, Isolation::Open, _) => None,
                    (_, Isolation::None, Some(Deny)) => denied("baseline", 5),
                    (_, Isolation::None, _) => None,
                };
                let seen = probe(&mut cluster, &[tcp(from, to)], DEADLINE).await?;
                let case =
                    format!("{direction}: {admin:?}, {second:?}, {isolation:?}, {baseline:?}");
                assert_eq!(seen[0].outcome.is_connected(), expected.is_none(), "{case}: {seen:?}");
                if cluster.capabilities().evidence {
                    let found = seen[0].evidence.as_ref().map(|evidence| evidence.text.clone());
                    assert_eq!(found, expected, "{case}");
                }
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 2 * 4 * 4 * 3 * 4);
    Ok(())
}

/// A node is a peer by its labels, its own pods' too, with the hostNetwork pods there. What an
/// isolated pod sends to its own node is not Baseline's to decide.
pub(crate) async fn nodes_are_peers() -> Trial {
    let mut cluster = start().await?;
    let mut host = pod("b", "host", &[(8080, ringfence::model::Protocol::Tcp)]);
    host.host_network = true;
    let mut town = topology([pod("a", "p", TCP), host]);
    for pod in town.pods.values_mut() {
        pod.node = Some(Name::from("node-1"));
    }
    add_node(&mut town, "node-1", TCP);
    add_node(&mut town, "node-2", TCP);
    let deployed = cluster.deploy(&town, 2, &[]).await?;
    for (name, node) in &deployed.nodes {
        assert_eq!(node.labels.as_ref().unwrap()["kubernetes.io/hostname"], **name);
    }
    let egress = |tier, selector| about_a(tier, 1, Direction::Egress, Deny, nodes(selector));
    let own = || LabelSelector::label("kubernetes.io/hostname", "node-1");
    let mut to_host = tcp("a/p", "b/host");
    to_host.port = 8080;
    let cells = [tcp("a/p", "node/node-1"), tcp("a/p", "node/node-2"), to_host];
    let isolated = Change::ApplyPolicy(Arc::new(deny_all("a")));
    let steps: [(_, Vec<Change>, [Option<&str>; 3]); 4] = [
        ("nothing", vec![], [None; 3]),
        (
            "its own node",
            vec![apply(egress(Tier::Admin, own()))],
            [Some("admin-1"), None, Some("admin-1")],
        ),
        (
            "all nodes, in Baseline",
            vec![
                Change::DeleteClusterPolicy(egress(Tier::Admin, own()).name),
                apply(egress(Tier::Baseline, LabelSelector::everything())),
            ],
            [Some("baseline-1"); 3],
        ),
        ("isolated", vec![isolated], [None, Some("isolated"), None]),
    ];
    for (case, changes, expected) in steps {
        cluster.change(&changes).await?;
        let seen = probe(&mut cluster, &cells, DEADLINE).await?;
        for ((cell, seen), denied) in cells.iter().zip(&seen).zip(expected) {
            assert_eq!(seen.outcome.is_connected(), denied.is_none(), "{case}: {cell}: {seen:?}");
            if let (Some(denied), Some(evidence)) = (denied, &seen.evidence) {
                assert!(evidence.text.contains(denied), "{case}: {cell}: {evidence:?}");
            }
        }
    }
    // What comes from its node no peer of these policies can be: not even a rule that denies
    // all keeps it out.
    let unknown = ClusterPeer::Unknown { origin: origin() };
    let all = about_a(Tier::Admin, 2, Direction::Ingress, Deny, unknown);
    cluster.change(&[apply(all)]).await?;
    let seen = outcomes(&mut cluster, &[("node/node-1", "a/p"), ("node/node-2", "a/p")]).await?;
    assert_eq!(seen, [Outcome::Connected, Outcome::Dropped]);
    Ok(())
}

/// "A Pod connecting to its own Pod IP is not subject to CNP. A Pod connecting to a Service IP
/// that the service proxy load-balances back to the same Pod is subject to
/// ClusterNetworkPolicy."
pub(crate) async fn pods_that_dial_themselves() -> Trial {
    let mut cluster = start().await?;
    cluster.deploy(&topology([pod("a", "p", TCP)]), 1, &[]).await?;
    let by_address = tcp("a/p", "a/p");
    let mut cells = vec![by_address.clone()];
    if cluster.capabilities().ways.contains(&Via::Service) {
        cells.push(Cell { via: Via::Service, ..by_address });
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        let closed = about_a(Tier::Admin, 1, direction, Deny, every_pod());
        cluster.change(&[apply(closed)]).await?;
        let seen = probe(&mut cluster, &cells, DEADLINE).await?;
        assert_eq!(seen[0].outcome, Outcome::Connected, "{direction}");
        for seen in &seen[1..] {
            assert_eq!(seen.outcome, Outcome::Dropped, "{direction}: {seen:?}");
        }
    }
    Ok(())
}

/// Connections that are there go on under a new deny, and so do their answers; to the own node
/// as to anywhere.
pub(crate) async fn known_connections_pass() -> Trial {
    let mut cluster = start().await?;
    let mut town = topology([pod("a", "p", TCP), pod("b", "p", TCP)]);
    town.pods.values_mut().for_each(|pod| pod.node = Some(Name::from("node-1")));
    add_node(&mut town, "node-1", TCP);
    cluster.deploy(&town, 1, &[]).await?;
    let held = vec![tcp("a/p", "b/p"), tcp("b/p", "a/p"), tcp("a/p", "node/node-1")];
    let wanted = watch(held.clone(), held);
    let unknown = || ClusterPeer::Unknown { origin: origin() };
    let closed = [Direction::Ingress, Direction::Egress]
        .map(|direction| about_a(Tier::Admin, direction as u16, direction, Deny, unknown()));
    let timeline = cluster.watch(&wanted, &closed.map(apply)).await?;
    for moments in &timeline.held {
        let all = ringfence::cluster::Passage::of(moments, Duration::ZERO);
        assert!(all.attempts > 5 && all.passed == all.attempts, "{moments:?}");
    }
    for moments in &timeline.tried {
        let after = ringfence::cluster::Passage::of(moments, timeline.accepted);
        assert_eq!(after.passed, 0, "{moments:?}");
    }
    Ok(())
}

/// Domain names are not looked up: a policy with them is refused, and changes nothing.
pub(crate) async fn domain_names_are_refused() -> Trial {
    let mut cluster: Embedded = start().await?;
    cluster.deploy(&topology([pod("a", "p", TCP), pod("b", "p", TCP)]), 1, &[]).await?;
    let names = vec![Name::from("example.org")];
    let domain = ClusterPeer::DomainNames { names, origin: origin() };
    let changes = [
        apply(about_a(Tier::Admin, 1, Direction::Egress, Deny, every_pod())),
        apply(about_a(Tier::Admin, 2, Direction::Egress, Accept, domain)),
    ];
    let wanted = watch(Vec::new(), Vec::new());
    for refused in
        [cluster.change(&changes).await.err(), cluster.watch(&wanted, &changes).await.err()]
    {
        let Some(ClusterError::Unsupported(reason)) = refused else {
            panic!("expected it to be refused, found {refused:?}");
        };
        assert_eq!(
            reason,
            "`ClusterNetworkPolicy/admin-2` names domains, which are not looked up here"
        );
    }
    assert_eq!(outcomes(&mut cluster, &[("a/p", "b/p")]).await?, [Outcome::Connected]);
    Ok(())
}
