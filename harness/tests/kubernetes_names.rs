//! A scenario means the same under the names of a slot: in random worlds, the engine
//! says the same of every connection before and after namespaces are renamed and
//! policies rewritten, beside another slot of the same world and namespaces of
//! someone else's.
//!
//! A failing case prints its seed; `sample::world(seed)` and `name_selectors` make
//! the same world again.

use std::net::IpAddr;
use std::sync::Arc;

use fastrand::Rng;
use proptest::prelude::*;
use ringfence::cluster::kubernetes::naming::Naming;
use ringfence::cluster::kubernetes::objects::{Level, namespace};
use ringfence::cluster::kubernetes::owner::Owner;
use ringfence::cluster::kubernetes::{objects, rewrite};
use ringfence::model::{
    Cell, Endpoint, Family, LabelSelector, NAMESPACE_NAME_LABEL, Namespace, NetworkPolicy,
    Operator, Origin, Peer, PodName, Requirement, Via, World, universe,
};
use ringfence::sample;
use ringfence::scenario::{LoadOptions, parse_manifests};
use ringfence::semantics::Engine;
use serde_json::Value;

/// What a policy may say of a namespace's name: those of worlds, one of which some worlds
/// do not have, one of someone else's, one that is too long with a prefix, and none.
const NAMES: [&str; 6] = [
    "red",
    "green",
    "blue",
    "kube-system",
    "a-name-that-only-just-is-one-as-it-is-sixty-three-characters-lo",
    "",
];

fn owner(slot: u32) -> Owner {
    Owner { run: "k3x9q".parse().unwrap(), slot }
}

/// A world whose policies often select namespaces by name, in every way there is.
fn generate(seed: u64) -> World {
    let mut world = sample::world(seed);
    let mut random = Rng::with_seed(seed);
    for policy in world.policies.values_mut() {
        let policy = Arc::make_mut(policy);
        for rule in policy.ingress.iter_mut().chain(&mut policy.egress).flatten() {
            for peer in rule.peers.iter_mut().flatten() {
                if let Peer::Pods { namespace_selector: Some(selector), .. } = peer {
                    name_selector(&mut random, selector);
                }
            }
        }
        policy.manifest = sample::manifest(policy);
    }
    world
}

fn name_selector(random: &mut Rng, selector: &mut LabelSelector) {
    let key = NAMESPACE_NAME_LABEL.to_owned();
    let operator = match random.u8(..8) {
        0 => return,
        1 => {
            let name = NAMES[random.usize(..NAMES.len())].to_owned();
            *selector = LabelSelector::label(NAMESPACE_NAME_LABEL, &name);
            return;
        }
        2 => Operator::Exists,
        3 => Operator::DoesNotExist,
        4 | 5 => Operator::In,
        _ => Operator::NotIn,
    };
    let mut values = NAMES.map(str::to_owned).to_vec();
    random.shuffle(&mut values);
    values.truncate(match operator {
        Operator::In | Operator::NotIn => random.usize(1..=3),
        Operator::Exists | Operator::DoesNotExist => 0,
    });
    selector.match_expressions.push(Requirement { key, operator, values });
}

fn renamed(pod: &PodName, naming: &Naming) -> PodName {
    PodName { namespace: naming.namespace(&pod.namespace), name: pod.name.clone() }
}

/// The policy as a cluster is given it, read as anyone would read it.
fn stored(manifest: &Value) -> Arc<NetworkPolicy> {
    let text = manifest.to_string();
    let mut bundle = parse_manifests("policy.json", &text, &LoadOptions::default());
    assert!(!bundle.has_errors(), "{:?}\n{text}", bundle.diagnostics);
    assert_eq!(bundle.policies.len(), 1, "{text}");
    bundle.policies.remove(0)
}

/// Puts a world into a cluster, under the names of a slot.
fn deploy(world: &World, cluster: &mut World, owner: &Owner, rewriting: bool) {
    let naming = Naming::Prefixed(owner.clone());
    cluster.topology.nodes.extend(world.topology.nodes.clone());
    cluster.topology.externals.extend(world.topology.externals.clone());
    for declared in world.topology.namespaces.values() {
        let object = namespace::object(declared, Level::Restricted, &naming, owner).metadata;
        let (name, labels) = (object.name.unwrap(), object.labels.unwrap());
        let namespace = Namespace::new(&name, labels, declared.origin.clone());
        cluster.topology.namespaces.insert(namespace.name.clone(), namespace);
    }
    for declared in world.topology.pods.values() {
        let mut pod = declared.clone();
        pod.name = renamed(&declared.name, &naming);
        pod.labels = objects::pod::labels(declared, owner);
        cluster.topology.pods.insert(pod.name.clone(), pod);
    }
    for policy in world.policies.values() {
        let mut manifest = rewrite::policy(policy, &naming, owner).manifest;
        if !rewriting {
            manifest["spec"] = policy.manifest["spec"].clone();
        }
        let policy = stored(&manifest);
        cluster.policies.insert(policy.name.clone(), policy);
    }
}

/// What else there is: the same world in another slot, and a `kube-system`.
fn neighbours(world: &World) -> World {
    let mut other = world.clone();
    for pod in other.topology.pods.values_mut() {
        pod.host_network = false;
        for address in &mut pod.addresses {
            *address = match *address {
                IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() ^ 0x0080_0000).into()),
                IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() ^ (1 << 70)).into()),
            };
        }
    }
    let mut cluster = World::default();
    deploy(&other, &mut cluster, &owner(2), true);
    let system = Namespace::new("kube-system", Default::default(), Origin::synthetic("system"));
    let mut pod = world.topology.pods.values().next().expect("a world has pods").clone();
    pod.name = PodName::new("kube-system", "dns");
    pod.addresses = ["10.9.9.9", "fd00:9::9"].map(|text| text.parse().unwrap()).to_vec();
    pod.host_network = false;
    cluster.topology.namespaces.insert(system.name.clone(), system);
    cluster.topology.pods.insert(pod.name.clone(), pod);
    cluster
}

fn cells(world: &World) -> Vec<Cell> {
    let direct = universe(&world.topology, &Family::ALL);
    let ways = [Via::Pod, Via::Service, Via::NodePort];
    direct.iter().flat_map(|cell| ways.map(|via| Cell { via, ..cell.clone() })).collect()
}

/// The cells of which the engine says something else in the cluster.
fn differing(seed: u64, rewriting: bool) -> Vec<String> {
    let world = generate(seed);
    let mut cluster = neighbours(&world);
    deploy(&world, &mut cluster, &owner(1), rewriting);
    let naming = Naming::Prefixed(owner(1));
    let end = |end: &Endpoint| match end {
        Endpoint::Pod(pod) => Endpoint::Pod(renamed(pod, &naming)),
        other => other.clone(),
    };
    let (declared, real) = (Engine::new(&world), Engine::new(&cluster));
    let mut differing = Vec::new();
    for cell in cells(&world) {
        let (source, destination) = (end(&cell.source), end(&cell.destination));
        let there = Cell { source, destination, ..cell.clone() };
        let (meant, said) = (declared.verdict(&cell), real.verdict(&there));
        if meant != said {
            differing.push(format!("{cell} is {meant:?}, and {said:?} as {there}"));
        }
    }
    differing
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_world_means_the_same_under_other_names(seed: u64) {
        prop_assert_eq!(differing(seed, true), Vec::<String>::new());
    }
}

/// The property above is one that a cluster can lack.
#[test]
fn policies_that_are_not_rewritten_mean_something_else() {
    let wrong = (0..50).filter(|seed| !differing(*seed, false).is_empty()).count();
    assert!(wrong >= 5, "{wrong} of 50 worlds");
}
