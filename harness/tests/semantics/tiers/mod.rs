//! Policies of the cluster: the engine against a naive reading of the API, and vectors.

mod generate;
mod naive;
mod vectors;

use std::collections::BTreeMap;

use proptest::prelude::*;
use ringfence::model::{Effect, World};
use ringfence::sample;
use ringfence::semantics::Engine;

use super::{cells, pairs_same_as_cells, rough, same_as};
use naive::outcomes;

fn same_as_naive(world: &World) {
    same_as(world, outcomes, |cell, side| {
        let decided = matches!(side.effect, Effect::AcceptedBy(_) | Effect::DeniedBy(_));
        assert!(!decided || !side.cluster.is_empty(), "{cell}: no rule is named");
    });
}

/// Worlds with policies of the cluster, every second one with facts missing.
fn world(seed: u64) -> World {
    let world = sample::world(seed);
    let world = if seed.is_multiple_of(2) { world } else { rough::roughen(world, seed) };
    generate::with_cluster_policies(world, seed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn sides_are_as_the_naive_reading_has_them(seed: u64) {
        same_as_naive(&world(seed));
    }

    #[test]
    fn pairs_under_policies_of_the_cluster_are_as_one_by_one(seed: u64) {
        pairs_same_as_cells(&world(seed));
    }
}

/// The generator is worth something only if its worlds hold every kind of answer.
#[test]
fn random_worlds_hold_every_answer_of_the_tiers() {
    let mut seen = BTreeMap::new();
    for seed in 0..120 {
        let world = world(seed);
        let engine = Engine::new(&world);
        for cell in cells(&world) {
            let decision = engine.decide(&cell);
            for side in [&decision.egress, &decision.ingress] {
                *seen.entry(format!("{:?}", side.effect)).or_insert(0) += 1;
            }
        }
    }
    for effect in [
        "AcceptedBy(Admin)",
        "AcceptedBy(Baseline)",
        "DeniedBy(Admin)",
        "DeniedBy(Baseline)",
        "NotIsolated",
        "Allowed",
        "Denied",
        "Undefined(EqualPriorities)",
        "Undefined(MixedVersions)",
        "Undefined(AdminPolicyOnItself)",
        "Undefined(DenyAllOnOwnNode)",
        "Unknown(NodeLabels)",
    ] {
        assert!(seen.get(effect).is_some_and(|times| *times > 10), "{effect}: {seen:?}");
    }
}

/// A record keeps a world's policies of the cluster, and one without them reads as before.
#[test]
fn worlds_are_kept_in_records() {
    for seed in 0..20 {
        let world = world(seed);
        let text = serde_json::to_string(&world).unwrap();
        assert_eq!(serde_json::from_str::<World>(&text).unwrap(), world);
    }
    let plain = sample::world(1);
    let text = serde_json::to_string(&plain).unwrap();
    assert!(!text.contains("cluster_policies"), "{text}");
}
