//! Random cases: each is a scenario that loads, and says what the engine says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ringfence::model::{Cell, Effect, Family, Intent, Verdict, World, universe};
use ringfence::sample::{Sample, sample};
use ringfence::scenario::{Limits, LoadOptions, render, resolve};
use ringfence::semantics::Engine;

#[test]
fn look() {
    for number in 0..6 {
        let sample = sample(1, number);
        for (name, text) in sample.folder().unwrap().files {
            println!("=== {name}\n{text}");
        }
        let (scenario, found) = sample.scenario(&LoadOptions::default()).unwrap();
        for d in &found {
            println!("{d:?}");
        }
        assert!(scenario.is_some());
    }
    let mut lone = 0;
    let mut all = 0;
    let mut cases_with = 0;
    let mut undefined = 0;
    let mut lens = vec![];
    for number in 0..400 {
        let sample = sample(1, number);
        let (scenario, found) = match sample.scenario(&LoadOptions::default()) {
            Ok(x) => x,
            Err(e) => {
                println!("{number} {e}");
                continue;
            }
        };
        if scenario.is_none() {
            println!("{number}: {found:#?}");
            continue;
        }
        lens.push(sample.specified().unwrap().iter().map(|m| m.len()).max().unwrap());
        let mut any = 0;
        for world in sample.worlds().unwrap() {
            let engine = Engine::new(&world);
            for cell in universe(&world.topology, &Family::ALL) {
                all += 1;
                let d = engine.decide(&cell);
                if matches!(d.verdict, Verdict::Undefined(_)) {
                    undefined += 1
                }
                let free = |e: Effect| matches!(e, Effect::NotIsolated | Effect::Exempt(_));
                for (one, other) in [(&d.egress, &d.ingress), (&d.ingress, &d.egress)] {
                    if free(other.effect) && one.effect == Effect::Allowed && one.rules.len() == 1 {
                        any += 1;
                    }
                    if free(other.effect)
                        && one.effect == Effect::Denied
                        && one.isolating.len() == 1
                    {
                        any += 1;
                    }
                }
            }
        }
        lone += any;
        if any > 0 {
            cases_with += 1
        }
    }
    println!(
        "lone {lone} of {all}, undefined {undefined}, cases with {cases_with}, cells avg {}",
        lens.iter().sum::<usize>() / lens.len()
    );
}
