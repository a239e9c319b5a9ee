//! Random worlds, and the cases that are made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::case::Sample;
use super::change::Changes;
use super::draw::Draw;
use super::order::written_order;
use super::policy::policy;
use super::topology::topology;
use crate::model::{Change, Name, Origin, Topology, World};

/// A small random world, the same for the same seed: a topology that is placed and has
/// addresses, as a cluster would say it, and one to four policies, each of which the API server
/// would take.
pub fn world(seed: u64) -> World {
    let mut draw = Draw::new(seed);
    let origin = Origin::synthetic(&format!("seed {seed}"));
    let topology = topology(&mut draw, &origin);
    peopled(&mut draw, topology, &origin)
}

/// The topology with policies.
fn peopled(draw: &mut Draw, topology: Topology, origin: &Origin) -> World {
    let namespaces: Vec<Name> = topology.namespaces.keys().cloned().collect();
    let mut policies = BTreeMap::new();
    for number in 0..*draw.pick(&[1, 1, 2, 2, 3, 4]) {
        // A namespace without pods has nothing that a policy could isolate.
        let pod = draw.choose(topology.pods.keys());
        let namespace = match pod {
            Some(pod) if !draw.once_in(8) => &pod.namespace,
            _ => draw.pick(&namespaces),
        };
        let policy = policy(draw, &topology, namespace, &format!("policy-{number}"), origin);
        policies.insert(policy.name.clone(), Arc::new(policy));
    }
    World { policies, ..World::new(topology) }
}

/// A random case: the same for the same seed and number, on every machine, under one version of
/// Ringfence.
///
/// Every third one goes on with one to three steps of changes.
pub fn sample(seed: u64, number: u64) -> Sample {
    let mut draw = Draw::numbered(seed, number);
    let id = format!("sample-{seed}-{number}");
    let origin = Origin::synthetic(&id);
    // Which addresses pods and nodes will have is the cluster's to say, so that no range can be
    // about them.
    let topology = undressed(topology(&mut draw, &origin));
    let mut world = peopled(&mut draw, topology.clone(), &origin);
    let policies = world.policies.values().cloned().map(Change::ApplyPolicy).collect();
    let mut steps = vec![policies];
    let later = if draw.once_in(3) { draw.between(1, 3) } else { 0 };
    let mut changes = Changes::new(draw.clone(), origin);
    for _ in 0..later {
        let step = written_order(changes.next(&world), &world);
        for change in &step {
            // It was tried.
            drop(world.change(change));
        }
        steps.push(step);
    }
    let mut services = BTreeSet::new();
    if draw.once_in(3) {
        services.extend(draw.choose(topology.pods.keys().cloned()));
    }
    let about = format!("Random case {number} of seed {seed}.");
    Sample { id, about, topology, steps, services }
}

/// The topology as a scenario declares it.
fn undressed(mut topology: Topology) -> Topology {
    topology.nodes.values_mut().for_each(|node| node.addresses.clear());
    topology.pods.values_mut().for_each(|pod| pod.addresses.clear());
    topology
}
