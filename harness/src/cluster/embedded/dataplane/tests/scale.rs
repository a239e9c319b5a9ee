//! Worlds of very many pods.

use super::super::{LocalPod, NodeView};
use super::world;
use crate::model::{
    LabelSelector, Name, Namespace, NetworkPolicy, Node, Origin, Peer, Pod, Topology, World,
};

/// This many pods on four nodes, each with a policy of its own: five rules of so many peers
/// and two ports. No two rules have the same peers, nor do peers' addresses follow one
/// another: nothing can be shared or merged.
pub(super) fn world_of(pods: usize, peers: usize) -> World {
    let mut topology = Topology::default();
    let namespace = Namespace::new("many", world::labels(""), Origin::synthetic("scale"));
    topology.namespaces.insert(Name::from("many"), namespace);
    for number in 0..4 {
        let name = Name::from(format!("n{number}"));
        let node = Node::new(name.clone());
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
        let rules = [3, 7, 9, 11, 13].map(|step| {
            let peers: Vec<Peer> = (0..peers)
                .map(|peer| {
                    let peer = (number + 1 + peer * step) % pods;
                    world::pods(Some(selector(peer)), None)
                })
                .collect();
            let ports = [world::port("80"), world::port("53/UDP")];
            world::rule(Some(&peers), Some(&ports))
        });
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
