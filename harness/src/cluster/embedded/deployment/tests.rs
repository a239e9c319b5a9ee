//! What packets do while a change is being made. A cluster here is made in the test's own
//! process, so only root can run these; what a change leaves behind is tested elsewhere.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;

use super::*;
use crate::model::{
    Family, LabelSelector, Labels, Namespace, NetworkPolicy, Origin, Peer, Phase, PolicyName,
    PolicyType, Rule,
};

const PORT: u16 = 9;

/// Runs a test on a thread of its own, which then stays in whatever network it entered.
fn as_root(test: impl FnOnce() + Send) {
    if !geteuid().is_root() {
        eprintln!("not tested: only root may make a cluster in this process");
        return;
    }
    thread::scope(|scope| {
        if let Err(panic) = scope.spawn(test).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn pod(name: &str, node: &str) -> Pod {
    Pod {
        name: PodName::new("a", name),
        labels: Labels::from([("app".to_owned(), name.to_owned())]),
        ports: Vec::new(),
        node: Some(Name::from(node)),
        addresses: Vec::new(),
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin: Origin::synthetic("test"),
    }
}

fn town(pods: &[Pod]) -> Deployment {
    let mut topology = Topology::default();
    let namespace = Namespace::new("a", Labels::new(), Origin::synthetic("test"));
    topology.namespaces.insert(namespace.name.clone(), namespace);
    topology.pods.extend(pods.iter().map(|pod| (pod.name.clone(), pod.clone())));
    // A log record for each of millions of packets would only slow the packets down.
    let options = EmbeddedOptions { evidence: false, threads: 1, ..EmbeddedOptions::default() };
    Deployment::create(&options, false, topology, 2, &[]).unwrap()
}

/// Isolates a pod, both ways; its friends may still talk to it, and it to them.
fn fence(name: &str, of: &str, friends: &[&str]) -> Change {
    let origin = Origin::synthetic("test");
    let peers = friends.iter().map(|friend| Peer::Pods {
        pod_selector: Some(LabelSelector::label("app", friend)),
        namespace_selector: None,
        origin: origin.clone(),
    });
    // A rule without peers would be one for everybody.
    let rule = Rule { peers: Some(peers.collect()), ports: None, origin: origin.clone() };
    let rules = if friends.is_empty() { Vec::new() } else { vec![rule] };
    Change::ApplyPolicy(Arc::new(NetworkPolicy {
        name: PolicyName::new("a", name),
        pod_selector: LabelSelector::label("app", of),
        policy_types: Some(vec![PolicyType::Ingress, PolicyType::Egress]),
        ingress: Some(rules.clone()),
        egress: Some(rules),
        origin,
        manifest: serde_json::Value::Null,
    }))
}

/// A socket in a pod's network; it stays there whatever thread uses it.
fn socket(deployment: &Deployment, pod: &str) -> UdpSocket {
    deployment.network.enter(&Endpoint::pod("a", pod)).unwrap();
    UdpSocket::bind("0.0.0.0:0").unwrap()
}

/// How many IPv4 packets have come to a pod (`InReceives` of RFC 4293).
fn received(deployment: &Deployment, pod: &str) -> u64 {
    deployment.network.enter(&Endpoint::pod("a", pod)).unwrap();
    let text = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Ip: "));
    let names = lines.next().unwrap().split(' ');
    let values = lines.next().unwrap().split(' ');
    let found = names.zip(values).find(|(name, _)| *name == "InReceives").unwrap();
    found.1.parse().unwrap()
}

/// Sends to an address as fast as it goes while `during` runs; how many were sent.
fn hammering(socket: &UdpSocket, target: IpAddr, during: impl FnOnce(&AtomicU64)) -> u64 {
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let target = SocketAddr::new(target, PORT);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Where nobody has the address yet, an error comes back; that is no matter.
                let _ = socket.send_to(b"!", target);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| during(&sent)));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    sent.into_inner()
}

/// Waits until so many packets were sent.
fn wait_for(sent: &AtomicU64, wanted: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while sent.load(Ordering::Relaxed) < wanted {
        assert!(Instant::now() < deadline, "expected {wanted} packets to be sent within 10 s");
        thread::yield_now();
    }
}

fn lifted(name: &str) -> Change {
    Change::DeletePolicy(PolicyName::new("a", name))
}

/// "A packet is judged by the one or the other, never by a part": of two policies that take
/// turns, both keep the stranger out, whichever way it goes, and both let the friend in.
#[test]
fn a_policy_that_replaces_another_leaves_no_gap_and_no_hole() {
    const SWAPS: usize = 500;
    let turns = [("one", "other-1"), ("two", "other-2")];
    for (from, to, open) in
        [("stranger", "x", false), ("x", "stranger", false), ("friend", "x", true)]
    {
        as_root(|| {
            let pods = [("x", "node-1"), ("stranger", "node-2"), ("friend", "node-2")];
            let others = turns.map(|(_, other)| (other, "node-2"));
            let pods: Vec<Pod> =
                pods.iter().chain(&others).map(|(name, node)| pod(name, node)).collect();
            let mut deployment = town(&pods);
            let fences = turns.map(|(name, other)| fence(name, "x", &["friend", other]));
            deployment.change(&fences[..1]).unwrap();
            let dialling = socket(&deployment, from);
            let target = deployment.topology().address(&Endpoint::pod("a", to), Family::Ipv4);
            let sent = hammering(&dialling, target.unwrap(), |_| {
                for turn in 1..=SWAPS {
                    let before = lifted(turns[(turn + 1) % 2].0);
                    deployment.change(&[fences[turn % 2].clone(), before]).unwrap();
                }
            });
            let found = received(&deployment, to);
            let wanted = if open { sent } else { 0 };
            assert_eq!(found, wanted, "{from} -> {to}: {found} of {sent} packets came through");
            // And it is no broken wire that kept them out.
            deployment.change(&[lifted(turns[SWAPS % 2].0)]).unwrap();
            hammering(&dialling, target.unwrap(), |sent| wait_for(sent, 100));
            assert!(received(&deployment, to) > found, "{from} -> {to}: nothing arrives");
        });
    }
}

/// "all newly created pods affected by a given NetworkPolicy will be isolated before they are
/// started … even from the very first instant" (concepts/services-networking/
/// network-policies): whoever knows which address a pod will have cannot get in first.
#[test]
fn a_pod_is_isolated_from_its_first_instant() {
    const PODS: usize = 60;
    as_root(|| {
        let mut deployment = town(&[pod("stranger", "node-2"), pod("x", "node-1")]);
        deployment.change(&[fence("deny", "x", &[])]).unwrap();
        let dialling = socket(&deployment, "stranger");
        for turn in 0..PODS {
            let last = deployment.topology().address(&Endpoint::pod("a", "x"), Family::Ipv4);
            let Some(IpAddr::V4(last)) = last else { panic!("expected IPv4, found {last:?}") };
            let next = IpAddr::from(std::net::Ipv4Addr::from_bits(last.to_bits() + 1));
            hammering(&dialling, next, |sent| {
                wait_for(sent, 10);
                let gone = Change::RemovePod(PodName::new("a", "x"));
                deployment.change(&[gone, Change::AddPod(pod("x", "node-1"))]).unwrap();
                wait_for(sent, sent.load(Ordering::Relaxed) + 10);
            });
            let given = deployment.topology().address(&Endpoint::pod("a", "x"), Family::Ipv4);
            assert_eq!(given, Some(next), "the address was foreseen");
            assert_eq!(received(&deployment, "x"), 0, "turn {turn}");
        }
        deployment.change(&[lifted("deny")]).unwrap();
        let open = deployment.topology().address(&Endpoint::pod("a", "x"), Family::Ipv4);
        hammering(&dialling, open.unwrap(), |sent| wait_for(sent, 100));
        assert_ne!(received(&deployment, "x"), 0, "without the policy packets arrive");
    });
}

/// The kernel removes the links of a network namespace that nothing refers to any more, when
/// it comes to it: that must not happen before a pod's removal has removed its link.
#[test]
fn pods_go_in_peace() {
    as_root(|| {
        let names: Vec<String> = (0..60).map(|number| format!("p{number}")).collect();
        let pods: Vec<Pod> = names.iter().map(|name| pod(name, "node-1")).collect();
        let mut deployment = town(&pods);
        let gone = names.iter().map(|name| Change::RemovePod(PodName::new("a", name)));
        deployment.change(&gone.collect::<Vec<_>>()).unwrap();
        assert!(deployment.topology().pods.is_empty());
        assert!(deployment.network.slots().is_empty());
    });
}
