//! Small random worlds, the same for the same seed.
//!
//! Every policy in them is valid to the API server, and its `manifest` says what
//! the policy says, so that a world can also be given to a cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fastrand::Rng;
use ringfence::model::{
    External, Name, Namespace, Node, Origin, Phase, Pod, PodName, Port, Protocol, Topology, World,
};

mod policies;

/// The keys and values of labels, few enough that selectors often match.
const KEYS: [&str; 3] = ["app", "tier", "team"];
const VALUES: [&str; 3] = ["a", "b", "c"];
/// Port numbers, few enough that rules often match.
const NUMBERS: [u16; 4] = [80, 81, 443, 8080];
const PORT_NAMES: [&str; 2] = ["http", "admin"];

/// A world with 2 or 3 namespaces, 3 to 6 pods on 2 nodes, 2 external hosts and 1 to 5
/// policies; every pod runs, is placed and has an address of each family.
///
/// Pods have 2 ports each, TCP and UDP, sometimes with names that mean another number
/// on another pod. No endpoint shares an address with another; external addresses lie in
/// 203.0.113.0/24 and 2001:db8:1::/48, pods' in 10.0.0.0/16 and fd00::/48.
pub(crate) fn generate(seed: u64) -> World {
    let mut random = Rng::with_seed(seed);
    let origin = Origin::synthetic(&format!("seed {seed}"));
    let mut topology = Topology::default();
    for name in ["red", "green", "blue"].into_iter().take(random.usize(2..=3)) {
        topology
            .namespaces
            .insert(Name::from(name), Namespace::new(name, labels(&mut random), origin.clone()));
    }
    let namespaces: Vec<Name> = topology.namespaces.keys().cloned().collect();
    for number in 0..2 {
        let name = Name::from(format!("node-{number}"));
        let addresses =
            vec![address(format!("172.30.0.{}", number + 1)), address(format!("fd01::{number}1"))];
        topology.nodes.insert(name.clone(), Node { name, addresses, ports: Vec::new() });
    }
    for number in 0..random.usize(3..=6) {
        let namespace = &namespaces[random.usize(..namespaces.len())];
        let name = PodName::new(namespace, &format!("p{number}"));
        let addresses = vec![
            address(format!("10.0.{}.{}", number % 2, number + 1)),
            address(format!("fd00:0:0:{}::{}", number % 2, number + 1)),
        ];
        topology.pods.insert(
            name.clone(),
            Pod {
                name,
                labels: labels(&mut random),
                ports: ports(&mut random),
                node: Some(Name::from(format!("node-{}", number % 2))),
                addresses,
                host_network: false,
                phase: Phase::Running,
                terminating: false,
                origin: origin.clone(),
            },
        );
    }
    for (name, low) in [("near", 5), ("far", 200)] {
        let host = External {
            name: Name::from(name),
            addresses: vec![
                address(format!("203.0.113.{low}")),
                address(format!("2001:db8:1:{low}::1")),
            ],
            ports: ports(&mut random).into_iter().map(|port| Port { name: None, ..port }).collect(),
            origin: origin.clone(),
        };
        topology.externals.insert(host.name.clone(), host);
    }
    let mut policies = BTreeMap::new();
    for number in 0..random.usize(1..=5) {
        let namespace = &namespaces[random.usize(..namespaces.len())];
        let policy = policies::policy(&mut random, namespace, &format!("policy-{number}"), &origin);
        policies.insert(policy.name.clone(), Arc::new(policy));
    }
    World { topology, policies }
}

fn address(text: String) -> IpAddr {
    text.parse().expect("the generator writes addresses well")
}

fn pick<'a, T: ?Sized>(random: &mut Rng, from: &[&'a T]) -> &'a T {
    from[random.usize(..from.len())]
}

fn labels(random: &mut Rng) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for key in KEYS {
        if random.f32() < 0.6 {
            labels.insert(key.to_owned(), pick(random, &VALUES).to_owned());
        }
    }
    labels
}

/// Two ports that differ in number and protocol, at times in the protocol only.
fn ports(random: &mut Rng) -> Vec<Port> {
    let mut names = PORT_NAMES.map(Name::from).to_vec();
    random.shuffle(&mut names);
    let first = NUMBERS[random.usize(..NUMBERS.len())];
    let second = NUMBERS[random.usize(..NUMBERS.len())];
    [
        (first, Protocol::Tcp),
        (second, if second == first { Protocol::Udp } else { protocol(random) }),
    ]
    .into_iter()
    .zip(names)
    .map(|((number, protocol), name)| Port {
        name: random.bool().then_some(name),
        number,
        protocol,
    })
    .collect()
}

fn protocol(random: &mut Rng) -> Protocol {
    if random.bool() { Protocol::Tcp } else { Protocol::Udp }
}
