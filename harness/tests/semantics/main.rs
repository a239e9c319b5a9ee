//! Properties of the semantics engine, on random worlds.
//!
//! A failing case prints its seed; `sample::world(seed)` and `rough::roughen(…)`
//! make the same world again.

mod explanations;
mod fixture;
mod manifest;
mod reference;
mod rough;
mod sentences;
mod tiers;

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use proptest::prelude::*;
use reference::{Outcomes, outcomes};
use ringfence::model::{
    Cell, Direction, Effect, Endpoint, Family, MissingFact, NetworkPolicy, PolicyName, Protocol,
    Rule, Side, Verdict, Via, World,
};
use ringfence::sample;
use ringfence::semantics::{Engine, isolates};

/// Every question that can be asked of a world, with a port that nobody listens on and
/// an end that is not there.
fn cells(world: &World) -> Vec<Cell> {
    let topology = &world.topology;
    let pods = topology.pods.keys().cloned().map(Endpoint::Pod);
    let externals = topology.externals.keys().cloned().map(Endpoint::External);
    let nodes = topology.nodes.keys().cloned().map(Endpoint::Node);
    let mut ends: Vec<Endpoint> = pods.chain(externals).chain(nodes).collect();
    ends.push(Endpoint::pod("red", "ghost"));
    let mut cells = Vec::new();
    for source in &ends {
        for destination in &ends {
            let listened = topology.ports(destination).iter();
            let mut ports: Vec<_> = listened.map(|port| (port.number, port.protocol)).collect();
            ports.push((8300, Protocol::Tcp));
            for (port, protocol) in ports {
                for family in Family::ALL {
                    for via in Via::ALL {
                        cells.push(Cell {
                            source: source.clone(),
                            destination: destination.clone(),
                            port,
                            protocol,
                            family,
                            via,
                        });
                    }
                }
            }
        }
    }
    cells
}

fn same_as_reference(world: &World) {
    same_as(world, outcomes, |cell, side| {
        assert_eq!(
            side.effect == Effect::Allowed,
            !side.rules.is_empty()
                && !matches!(side.effect, Effect::Undefined(_) | Effect::Unknown(_)),
            "a side is allowed by rules, and names them: {cell}"
        );
    });
}

/// Every side of every cell is what `expected` says, and `look` finds nothing amiss with it.
fn same_as(
    world: &World,
    expected: impl Fn(&World, &Cell, Direction) -> Outcomes,
    look: impl Fn(&Cell, &Side),
) {
    let engine = Engine::new(world);
    for cell in cells(world) {
        let decision = engine.decide(&cell);
        assert_eq!(engine.verdict(&cell), decision.verdict, "{cell}");
        if let Verdict::Unknown(MissingFact::NoSuchEndpoint | MissingFact::NotRunning) =
            decision.verdict
        {
            continue;
        }
        for (direction, side) in
            [(Direction::Egress, &decision.egress), (Direction::Ingress, &decision.ingress)]
        {
            let found = match side.effect {
                Effect::Exempt(_)
                | Effect::NotIsolated
                | Effect::Allowed
                | Effect::AcceptedBy(_) => Outcomes::Works,
                Effect::Denied | Effect::DeniedBy(_) => Outcomes::Fails,
                Effect::Undefined(_) | Effect::Unknown(_) => Outcomes::Either,
            };
            let expected = expected(world, &cell, direction);
            assert_eq!(found, expected, "{direction} of {cell}: {:?}", side.effect);
            look(&cell, side);
        }
    }
}

fn pairs_same_as_cells(world: &World) {
    let engine = Engine::new(world);
    for family in Family::ALL {
        let pairs = engine.pairs(family);
        for (source, source_name) in engine.pods().iter().enumerate() {
            let row = pairs.row(source);
            for (destination, name) in engine.pods().iter().enumerate() {
                let ports = &world.topology.pods[name].ports;
                assert_eq!(pairs.ports(destination), ports.len());
                for (index, port) in ports.iter().enumerate() {
                    let cell = Cell {
                        source: Endpoint::Pod(source_name.clone()),
                        destination: Endpoint::Pod(name.clone()),
                        port: port.number,
                        protocol: port.protocol,
                        family,
                        via: Via::Pod,
                    };
                    let slow = engine.decide(&cell).verdict;
                    assert_eq!(row.verdict(destination, index), slow, "{cell}");
                }
            }
        }
        let beyond = pairs.len();
        assert!(matches!(pairs.row(beyond).verdict(0, 0), Verdict::Unknown(_)));
        assert!(matches!(pairs.row(0).verdict(beyond, 0), Verdict::Unknown(_)));
    }
}

/// The world with one more rule in a policy, in a direction that it isolates already:
/// in another, the rule could change what `policyTypes` defaults to.
fn with_one_more_rule(world: &World, seed: u64) -> Option<World> {
    let mut random = Rng::with_seed(seed);
    let other = sample::world(seed);
    let rules: Vec<&Rule> =
        other.policies.values().flat_map(|p| p.ingress.iter().chain(&p.egress).flatten()).collect();
    let rule = (*rules.get(random.usize(..rules.len().max(1)))?).clone();
    let mut world = world.clone();
    let at = random.usize(..world.policies.len());
    let policy = Arc::make_mut(world.policies.values_mut().nth(at)?);
    let direction = if random.bool() { Direction::Ingress } else { Direction::Egress };
    if !isolates(policy, direction) {
        return None;
    }
    let list = match direction {
        Direction::Ingress => &mut policy.ingress,
        Direction::Egress => &mut policy.egress,
    };
    let list = list.get_or_insert_default();
    list.insert(random.usize(..=list.len()), rule);
    Some(world)
}

/// The same policies under names that sort the other way, and every list turned round.
fn turned_round(world: &World) -> World {
    let mut policies = BTreeMap::new();
    for (place, policy) in world.policies.values().rev().enumerate() {
        let mut turned = NetworkPolicy::clone(policy);
        turned.name = PolicyName::new(&policy.name.namespace, &format!("turned-{place}"));
        for rules in [&mut turned.ingress, &mut turned.egress].into_iter().flatten() {
            rules.reverse();
            for rule in rules {
                rule.peers.iter_mut().for_each(|peers| peers.reverse());
                rule.ports.iter_mut().for_each(|ports| ports.reverse());
            }
        }
        policies.insert(turned.name.clone(), Arc::new(turned));
    }
    World { policies, ..World::new(world.topology.clone()) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn sides_are_as_the_reference_has_them(seed: u64) {
        same_as_reference(&sample::world(seed));
    }

    #[test]
    fn sides_are_as_the_reference_has_them_in_rough_worlds(seed: u64) {
        same_as_reference(&rough::roughen(sample::world(seed), seed));
    }

    #[test]
    fn all_pairs_at_once_are_as_one_by_one(seed: u64) {
        pairs_same_as_cells(&sample::world(seed));
        pairs_same_as_cells(&rough::roughen(sample::world(seed), seed));
    }

    #[test]
    fn one_more_rule_never_removes_a_connection(seed: u64) {
        let world = rough::roughen(sample::world(seed), seed);
        if let Some(wider) = with_one_more_rule(&world, seed.rotate_left(17)) {
            let (before, after) = (Engine::new(&world), Engine::new(&wider));
            for cell in cells(&world) {
                if before.verdict(&cell) == Verdict::Allow {
                    prop_assert_eq!(after.verdict(&cell), Verdict::Allow, "{}", cell);
                }
            }
        }
    }

    #[test]
    fn order_never_matters(seed: u64) {
        let world = rough::roughen(sample::world(seed), seed);
        let (one, other) = (Engine::new(&world), Engine::new(&turned_round(&world)));
        for cell in cells(&world) {
            let (one, other) = (one.decide(&cell), other.decide(&cell));
            for (one, other) in [(&one.egress, &other.egress), (&one.ingress, &other.ingress)] {
                prop_assert_eq!(one.effect, other.effect, "{}", cell);
                prop_assert_eq!(one.isolating.len(), other.isolating.len());
                prop_assert_eq!(one.rules.len(), other.rules.len());
            }
        }
    }
}

/// The generator is worth something only if its worlds hold every kind of answer.
#[test]
fn random_worlds_hold_every_answer() {
    let mut seen = BTreeMap::new();
    for seed in 0..60 {
        for world in [sample::world(seed), rough::roughen(sample::world(seed), seed)] {
            let engine = Engine::new(&world);
            for cell in cells(&world) {
                let decision = engine.decide(&cell);
                for effect in [decision.egress.effect, decision.ingress.effect] {
                    *seen.entry(format!("{effect:?}")).or_insert(0) += 1;
                }
            }
        }
    }
    for effect in [
        "Exempt(NotAPod)",
        "Exempt(OwnNode)",
        "NotIsolated",
        "Allowed",
        "Denied",
        "Undefined(PodToItself)",
        "Undefined(PodToOwnNode)",
        "Undefined(HostNetworkSubject)",
        "Undefined(HostNetworkPeer)",
        "Undefined(IpBlockOnPod)",
        "Undefined(RewrittenAddress)",
        "Unknown(Address)",
        "Unknown(Node)",
        "Unknown(NotRunning)",
        "Unknown(NoSuchEndpoint)",
    ] {
        assert!(seen.get(effect).is_some_and(|times| *times > 20), "{effect}: {seen:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_world() {
    assert_eq!(sample::world(7), sample::world(7));
    assert_ne!(sample::world(7), sample::world(8));
}
