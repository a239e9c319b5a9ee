//! Worlds as they are found: unplaced, half known, on their way in or out.

use std::net::IpAddr;
use std::sync::Arc;

use fastrand::Rng;
use ringfence::model::{Cidr, Family, Peer, Phase, Rule, World};

/// Ranges that hold some pods or nodes of the generated worlds.
const BLOCKS: [&str; 6] = [
    "10.0.0.0/24",
    "10.0.1.2/32",
    "fd00:0:0:1::/64",
    "172.18.0.1/32",
    "fd00:10:18::/64",
    "172.18.0.0/24",
];

/// The world with pods on their node's network, without node, address or life, with
/// ranges that hold pods and nodes, and at times without one of its namespaces.
pub(crate) fn roughen(mut world: World, seed: u64) -> World {
    let mut random = Rng::with_seed(seed ^ 0x0f0f);
    let nodes = world.topology.nodes.clone();
    for pod in world.topology.pods.values_mut() {
        match random.u8(..12) {
            0..=2 => {
                pod.host_network = true;
                let node = pod.node.as_ref().map(|name| nodes[name].addresses.clone());
                pod.addresses = if random.bool() { node.unwrap_or_default() } else { Vec::new() };
            }
            3 => pod.phase = Phase::Pending,
            4 => pod.phase = if random.bool() { Phase::Succeeded } else { Phase::Failed },
            5 => pod.terminating = true,
            _ => {}
        }
        if random.u8(..6) == 0 {
            pod.node = None;
        }
        thin(&mut random, &mut pod.addresses);
    }
    for host in world.topology.externals.values_mut() {
        thin(&mut random, &mut host.addresses);
    }
    for (number, node) in world.topology.nodes.values_mut().enumerate() {
        thin(&mut random, &mut node.addresses);
        if random.u8(..3) == 0 {
            node.addresses.push(IpAddr::from([10, 9, 9, u8::try_from(number).unwrap_or(0)]));
        }
    }
    for policy in world.policies.values_mut() {
        let policy = Arc::make_mut(policy);
        let origin = policy.origin.clone();
        for rule in policy.ingress.iter_mut().chain(&mut policy.egress).flatten() {
            let Rule { peers: Some(peers), .. } = rule else { continue };
            if random.bool() {
                let text = BLOCKS[random.usize(..BLOCKS.len())];
                let cidr = Cidr::new(text).expect("these ranges are well written");
                let except = Vec::new();
                peers.push(Peer::IpBlock { cidr, except, origin: origin.clone() });
            }
        }
    }
    if random.u8(..8) == 0 {
        world.topology.namespaces.pop_first();
    }
    world
}

/// Takes away every address, or those of one family, at times.
fn thin(random: &mut Rng, addresses: &mut Vec<IpAddr>) {
    match random.u8(..10) {
        0 => addresses.clear(),
        1 => addresses.retain(|address| Family::of(*address) == Family::Ipv4),
        _ => {}
    }
}
