//! What a dataplane does not declare is left out aloud, and what it must do all the same is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringfence::cluster::Feature;
use ringfence::model::{
    Change, External, LabelSelector, Name, NetworkPolicy, Outcome, PolicyName, PolicyPort,
    PolicyType, Port, PortRef, Protocol, Rule, Via,
};
use ringfence::run::{Finding, Status};
use ringfence::scenario::Scenario;
use tokio::time::Instant;

use crate::fake::{Fake, Scene};
use crate::script::{X_TO_Y, Y_TO_X, fence, origin, run, scenario, step, with_protocols};

/// Lets these ports of `y` in.
fn open_ports(protocol: Protocol, first: u16, last: Option<u16>) -> Change {
    let port = PolicyPort {
        protocol: Some(protocol),
        port: Some(PortRef::Number(first)),
        end_port: last,
        origin: origin(),
    };
    Change::ApplyPolicy(Arc::new(NetworkPolicy {
        name: PolicyName::new("a", "y"),
        pod_selector: LabelSelector::label("app", "y"),
        policy_types: Some(vec![PolicyType::Ingress]),
        ingress: Some(vec![Rule { peers: None, ports: Some(vec![port]), origin: origin() }]),
        egress: None,
        origin: origin(),
        manifest: serde_json::json!({}),
    }))
}

fn notes(told: &crate::script::Told) -> Vec<String> {
    told.steps().into_iter().flat_map(|step| step.notes).collect()
}

/// Pods that listen on 80 and 81 of each.
fn two_ports(steps: Vec<ringfence::scenario::Step>) -> Scenario {
    let mut scenario = scenario(steps);
    for pod in scenario.topology.pods.values_mut() {
        pod.ports.push(Port { name: None, number: 81, protocol: Protocol::Tcp });
    }
    scenario
}

/// The scenario with a host outside that listens on 80.
fn beside_a_host(mut scenario: Scenario) -> Scenario {
    let host = External {
        name: Name::from("host"),
        addresses: vec!["203.0.113.7".parse().unwrap()],
        ports: vec![Port { name: None, number: 80, protocol: Protocol::Tcp }],
        origin: origin(),
    };
    scenario.topology.externals = BTreeMap::from([(host.name.clone(), host)]);
    scenario
}

#[tokio::test(start_paused = true)]
async fn without_end_port_the_ports_behind_the_first_are_left_out() {
    let steps = || vec![step(vec![open_ports(Protocol::Tcp, 80, Some(90))], &["allow * -> *"])];
    // As the API describes it: "the policy will be applied only for the single `port` field".
    let only_the_first = |scene: &Scene<'_>| {
        let of_the_step = scene.changes > 1
            && !scene.sentinel
            && scene.cell.source.as_pod()?.namespace.as_ref() == "a";
        let y = scene.cell.destination.to_string() == "a/y";
        of_the_step.then_some(if y && scene.cell.port == 81 {
            Outcome::Dropped
        } else {
            Outcome::Connected
        })
    };
    let mut fake = Fake::honest().lacking(Feature::EndPort).lie(only_the_first);
    let told = run(&two_ports(steps()), &mut fake).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert_eq!(
        notes(&told),
        [
            "2 cells are not judged: `plane 1.0` does not declare `endPort`, and a rule with it decides whether these ports are open"
        ]
    );
    assert_eq!(told.found(Finding::Agrees).len(), 6);
    // Where it is declared, the same is a fault.
    let told = run(&two_ports(steps()), &mut Fake::honest().lie(only_the_first)).await;
    assert_eq!(told.found(Finding::EnforcementFault).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_sctp_what_must_stay_shut_is_judged_and_nothing_is_waited_for() {
    let scenario = with_protocols(
        &[Protocol::Tcp, Protocol::Sctp],
        vec![step(vec![fence("y")], &["deny * -> y", "allow * -> *"])],
    );
    let told = run(&scenario, &mut Fake::honest().lacking(Feature::Sctp)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert_eq!(
        notes(&told),
        [
            "2 cells are not judged: `plane 1.0` does not declare SCTP, and a rule or a connection with it is in question"
        ]
    );
    assert!(told.found(Finding::Agrees).contains(&"a/x -> a/y:80/SCTP over ipv4".to_owned()));

    // A dataplane that carries no SCTP at all: nothing to judge, and no wait for it.
    let none =
        |scene: &Scene<'_>| (scene.cell.protocol == Protocol::Sctp).then_some(Outcome::Dropped);
    let begun = Instant::now();
    let told = run(&scenario, &mut Fake::honest().lacking(Feature::Sctp).lie(none)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert!(notes(&told)[0].starts_with("4 cells are not judged"), "{:?}", notes(&told));
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_sctp_puts_its_pods_in_question() {
    let steps =
        vec![step(vec![open_ports(Protocol::Sctp, 80, None)], &["deny * -> y", "allow * -> *"])];
    let told = run(&scenario(steps), &mut Fake::honest().lacking(Feature::Sctp)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert_eq!(told.found(Finding::Agrees).len(), 2);
    assert!(notes(&told)[0].starts_with("2 cells are not judged"), "{:?}", notes(&told));
}

#[tokio::test(start_paused = true)]
async fn families_and_hosts_outside_that_are_not_declared_are_left_out() {
    let fenced = || scenario(vec![step(vec![fence("y")], &["deny * -> y", "allow * -> *"])]);
    let told = run(&fenced(), &mut Fake::honest().lacking(Feature::Ipv6)).await;
    assert_eq!(told.found(Finding::Agrees), [X_TO_Y, Y_TO_X]);
    assert_eq!(notes(&told), ["2 cells are not judged: `plane 1.0` does not declare IPv6"]);

    let outside = beside_a_host(fenced());
    let told = run(&outside, &mut Fake::honest().lacking(Feature::ExternalToPod)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let judged = told.found(Finding::Agrees);
    assert!(judged.iter().any(|cell| cell.contains("-> host:80")), "{judged:?}");
    assert!(!judged.iter().any(|cell| cell.starts_with("host ->")), "{judged:?}");
    assert_eq!(
        notes(&told),
        [
            "2 cells are not judged: `plane 1.0` does not declare connections from outside the cluster to a pod's own address"
        ]
    );
}

/// "Choosing this value makes the Service only reachable from within the cluster"
/// (concepts/services-networking/service).
#[tokio::test(start_paused = true)]
async fn no_cluster_ip_is_asked_for_from_outside() {
    let rules = &["allow * -> * via service", "allow * -> *"];
    let mut outside = beside_a_host(scenario(vec![step(vec![], rules)]));
    outside.steps[0].expect[0].via = Some(Via::Service);
    let told = run(&outside, &mut Fake::honest().serving()).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let judged = told.found(Finding::Agrees);
    let served: Vec<&String> = judged.iter().filter(|cell| cell.ends_with("via service")).collect();
    assert!(!served.is_empty() && served.iter().all(|cell| cell.starts_with("a/")), "{served:?}");
    assert_eq!(
        notes(&told),
        [
            "2 cells are not judged: from outside the cluster there is no way to a Service's ClusterIP"
        ]
    );
}
