//! A small world that changes, and what is believed of it.

use std::sync::Arc;

use super::super::Fault;
use super::super::perception::Perception;
use crate::model::{
    Change, LabelSelector, Namespace, NetworkPolicy, Origin, Phase, Pod, PodName, PolicyName,
    PolicyType, Topology, World,
};

const ORIGIN: fn() -> Origin = || Origin::synthetic("test");

fn pod(name: &str, address: &str) -> Pod {
    let labels = [("app".to_owned(), name.to_owned())].into_iter().collect();
    let addresses = vec![address.parse().unwrap()];
    Pod { labels, addresses, ..Pod::new(PodName::new("x", name), ORIGIN()) }
}

fn policy(app: &str) -> NetworkPolicy {
    NetworkPolicy {
        name: PolicyName::new("x", "tested"),
        pod_selector: LabelSelector::label("app", app),
        policy_types: Some(vec![PolicyType::Ingress]),
        ingress: None,
        egress: None,
        origin: ORIGIN(),
        manifest: serde_json::Value::Null,
    }
}

/// `x/a` and `x/b`, and a policy for `x/a`.
fn town() -> World {
    let mut topology = Topology::default();
    let namespace = Namespace::new("x", Default::default(), ORIGIN());
    topology.namespaces.insert("x".into(), namespace);
    for pod in [pod("a", "10.0.0.1"), pod("b", "10.0.0.2")] {
        topology.pods.insert(pod.name.clone(), pod);
    }
    let mut world = World::new(topology);
    world.change(&Change::ApplyPolicy(Arc::new(policy("a")))).unwrap();
    world
}

fn name(pod: &str) -> PodName {
    PodName::new("x", pod)
}

/// The world after each of these changes.
fn history(changes: Vec<Change>) -> Vec<World> {
    let mut worlds = vec![town()];
    for change in changes {
        let mut world = worlds[worlds.len() - 1].clone();
        world.change(&change).unwrap();
        worlds.push(world);
    }
    worlds
}

fn labelled(value: &str) -> [(String, Option<String>); 1] {
    [("app".to_owned(), Some(value.to_owned()))]
}

/// What the last world of each history should look like, where it is not as it is.
type Wrong = fn(&mut World);

fn histories() -> Vec<(Fault, Vec<Change>, Wrong)> {
    let policy_name = || PolicyName::new("x", "tested");
    vec![
        (
            Fault::PodLabelChangeIgnored,
            vec![Change::LabelPod { pod: name("b"), labels: labelled("a").into() }],
            |world| {
                world.topology.pods.get_mut(&name("b")).unwrap().labels = pod("b", "::1").labels
            },
        ),
        (
            Fault::NamespaceLabelChangeIgnored,
            vec![Change::LabelNamespace { namespace: "x".into(), labels: labelled("x").into() }],
            |world| {
                let first = town().topology.namespaces["x"].labels.clone();
                world.topology.namespaces.get_mut("x").unwrap().labels = first;
            },
        ),
        (Fault::CompletedPodAddressKept, vec![Change::EndPod(name("b"))], |world| {
            world.topology.pods.get_mut(&name("b")).unwrap().phase = Phase::Running;
        }),
        (
            Fault::RestartedPodAddressKept,
            vec![Change::RemovePod(name("b")), Change::AddPod(pod("b", "10.0.0.3"))],
            |world| {
                let there = world.topology.pods.get_mut(&name("b")).unwrap();
                there.addresses = vec!["10.0.0.2".parse().unwrap()];
            },
        ),
        (Fault::PolicyDeleteIgnored, vec![Change::DeletePolicy(policy_name())], |world| {
            world.policies.insert(PolicyName::new("x", "tested"), Arc::new(policy("a")));
        }),
        (
            Fault::PolicyUpdateKeepsOldSelector,
            vec![Change::ApplyPolicy(Arc::new(policy("b")))],
            |world| {
                world.policies.insert(PolicyName::new("x", "tested"), Arc::new(policy("a")));
            },
        ),
    ]
}

#[test]
fn a_fault_misses_its_own_change_and_no_other() {
    let histories = histories();
    for (fault, _, wrong) in &histories {
        for (of, changes, _) in &histories {
            let mut perception = Perception::new(&[*fault]);
            let worlds = history(changes.clone());
            let (last, before) = worlds.split_last().unwrap();
            for world in before {
                // A pod that is away is seen to be away.
                assert_eq!(perception.see(world), *world, "{fault}, before the change of {of}");
            }
            let mut expected = last.clone();
            if fault == of {
                wrong(&mut expected);
                assert_ne!(expected, *last, "{fault}: the history has nothing to miss");
            }
            assert_eq!(perception.see(last), expected, "{fault}, after the change of {of}");
        }
    }
}

#[test]
fn a_pod_that_returns_has_the_labels_that_it_starts_with() {
    let back = Pod { labels: pod("a", "::1").labels, ..pod("b", "10.0.0.3") };
    let worlds = history(vec![Change::RemovePod(name("b")), Change::AddPod(back)]);
    let mut perception = Perception::new(&[Fault::PodLabelChangeIgnored]);
    for world in worlds {
        assert_eq!(perception.see(&world), world);
    }
}

#[test]
fn faults_of_nodes_and_of_the_network_leave_the_world_as_it_is() {
    let of_the_world = histories();
    let of_the_world: Vec<Fault> = of_the_world.iter().map(|(fault, ..)| *fault).collect();
    // These read the policy of this town otherwise, or drop it.
    let of_the_policy =
        [Fault::PoliciesIgnored, Fault::IngressIgnored, Fault::DefaultIsolationMissing];
    for fault in Fault::ALL {
        if !of_the_world.contains(fault) && !of_the_policy.contains(fault) {
            assert_eq!(Perception::new(&[*fault]).see(&town()), town(), "{fault}");
        }
    }
}
