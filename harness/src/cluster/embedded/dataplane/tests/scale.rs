//! A thousand pods: what compiling and loading their rules costs.

use std::time::{Duration, Instant};

use super::super::{Dataplane, LocalPod, NodeView, compile};
use super::lab::in_namespace;
use super::world;
use crate::model::{
    LabelSelector, Name, Namespace, NetworkPolicy, Node, Origin, Peer, Pod, Topology, World,
};

/// This many pods on four nodes, each with a policy of its own: five rules of so many peers
/// and two ports. No two rules have the same peers.
pub(super) fn world_of(pods: usize, peers: usize) -> World {
    let mut topology = Topology::default();
    let namespace = Namespace::new("many", world::labels(""), Origin::synthetic("scale"));
    topology.namespaces.insert(Name::from("many"), namespace);
    for number in 0..4 {
        let name = Name::from(format!("n{number}"));
        let node = Node { name: name.clone(), addresses: Vec::new(), ports: Vec::new() };
        topology.nodes.insert(name, node);
    }
    let selector = |number: usize| LabelSelector::label("pod", &format!("p{number:04}"));
    let mut policies: Vec<NetworkPolicy> = Vec::new();
    for number in 0..pods {
        let name = format!("many/p{number:04}");
        let of = format!("pod=p{number:04}");
        let (node, place) = (number % 4, number / 4);
        let addresses = [
            format!("10.{node}.{}.{}", place / 250, place % 250 + 1),
            format!("fd00:{node}::{place:x}"),
        ];
        let pod = Pod {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            node: Some(Name::from(format!("n{node}"))),
            ..world::pod(&name, 0, &of, &[])
        };
        topology.pods.insert(pod.name.clone(), pod);
        let rules: Vec<_> = (0..5)
            .map(|rule| {
                let peers: Vec<Peer> = (0..peers)
                    .map(|peer| {
                        let peer = (number + (rule * peers + peer) * 7 + 1) % pods;
                        world::pods(Some(selector(peer)), None)
                    })
                    .collect();
                let ports = [world::port("80"), world::port("53/UDP")];
                world::rule(Some(&peers), Some(&ports))
            })
            .collect();
        policies.push(world::policy(&name, selector(number)).ingress(&rules));
    }
    let mut world = World::new(topology);
    world.policies.extend(policies.into_iter().map(|p| (p.name.clone(), p.into())));
    world
}

pub(super) fn node_view(world: &World, node: &str) -> NodeView {
    let pods = world.topology.pods.values().filter(|pod| pod.node.as_deref() == Some(node));
    let pods =
        pods.zip(10..).map(|(pod, interface)| LocalPod { name: pod.name.clone(), interface });
    NodeView { name: Name::from(node), pods: pods.collect() }
}

/// Not a test of time: it prints what it took. Run it with
/// `cargo test --release -p ringfence --lib -- --ignored --nocapture thousand_pods`.
#[test]
#[ignore = "a measurement"]
fn thousand_pods() {
    let world = world_of(1000, 20);
    let mut total = [Duration::ZERO; 3];
    for node in ["n0", "n1", "n2", "n3"] {
        let view = node_view(&world, node);
        in_namespace(|| {
            let start = Instant::now();
            let ruleset = compile(&world, &view, true);
            let compiled = start.elapsed();
            let mut dataplane = Dataplane::open().unwrap();
            let start = Instant::now();
            dataplane.install(&ruleset).unwrap();
            let first = start.elapsed();
            let start = Instant::now();
            dataplane.install(&ruleset).unwrap();
            let again = start.elapsed();
            let rules: usize = ruleset.chains.iter().map(|chain| chain.rules.len()).sum();
            println!(
                "{node}: {rules} rules, {} sets; compiled in {compiled:?}, loaded in {first:?}, \
                 replaced in {again:?}",
                ruleset.sets.len()
            );
            for (sum, took) in total.iter_mut().zip([compiled, first, again]) {
                *sum += took;
            }
        });
    }
    println!(
        "four nodes: compiled in {:?}, loaded in {:?}, replaced in {:?}",
        total[0], total[1], total[2]
    );
}
