//! Random cases: every one is a scenario that loads and says what is specified, and one that
//! fails shrinks to the least that does.

mod misread;
mod shrinking;

use std::collections::BTreeMap;

use expect_test::expect_file;
use proptest::prelude::*;
use ringfence::model::{Cell, Effect, Family, Intent, Verdict, Via, World, universe};
use ringfence::sample::{Sample, sample};
use ringfence::scenario::{Limits, LoadOptions, Scenario, Severity, render, resolve};
use ringfence::semantics::Engine;

/// The scenario as it is loaded, which finds no error in it.
fn loaded(sample: &Sample) -> Scenario {
    let (scenario, found) = sample.scenario(&LoadOptions::default()).unwrap();
    let errors: Vec<String> = found
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .map(|found| render(found, false, 100))
        .collect();
    assert!(errors.is_empty(), "{}: {}", sample.id, errors.join("\n"));
    scenario.unwrap()
}

/// What the scenario expects of each cell after each step is what is specified, and its
/// changes are those of the case.
fn says_what_is_specified(sample: &Sample) {
    let scenario = loaded(sample);
    assert_eq!(scenario.id, sample.id);
    assert_eq!(scenario.steps.len(), sample.steps.len());
    let mut world = World::new(scenario.topology.clone());
    let expected = sample.specified().unwrap().into_iter().zip(sample.worlds().unwrap());
    for (step, (specified, meant)) in scenario.steps.iter().zip(expected) {
        step.changes.iter().for_each(|change| world.change(change).unwrap());
        let expectation = resolve(step, &world.topology, &Limits::none()).unwrap();
        let found: BTreeMap<Cell, Intent> =
            expectation.cells.iter().map(|(cell, said)| (cell.clone(), said.intent)).collect();
        assert_eq!(found, specified, "{}: {}", sample.id, step.name);
        same_meaning(&world, meant, &sample.id);
    }
}

/// The two worlds, which differ in where they were written, mean the same.
fn same_meaning(loaded: &World, meant: World, id: &str) {
    let mut placed = loaded.clone();
    placed.topology = meant.topology.clone();
    for (name, pod) in &loaded.topology.pods {
        let other = &meant.topology.pods[name];
        assert_eq!(
            (&pod.labels, &pod.ports, &pod.node),
            (&other.labels, &other.ports, &other.node)
        );
        assert_eq!(
            (pod.phase, pod.terminating, pod.host_network),
            (other.phase, other.terminating, other.host_network)
        );
    }
    assert_eq!(loaded.topology.pods.len(), meant.topology.pods.len());
    for (name, namespace) in &loaded.topology.namespaces {
        assert_eq!(namespace.labels, meant.topology.namespaces[name].labels, "{id}");
    }
    let (one, other) = (Engine::new(&placed), Engine::new(&meant));
    for cell in universe(&meant.topology, &Family::ALL) {
        assert_eq!(one.verdict(&cell), other.verdict(&cell), "{id}: {cell}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_case_loads_and_says_what_is_specified(seed: u64, number in 0..1_000_000_u64) {
        says_what_is_specified(&sample(seed, number));
    }

    #[test]
    fn the_same_seed_and_number_make_the_same_bytes(seed: u64, number: u64) {
        let one = sample(seed, number).folder().unwrap();
        prop_assert_eq!(&one, &sample(seed, number).folder().unwrap());
        prop_assert_ne!(&one, &sample(seed, number.wrapping_add(1)).folder().unwrap());
    }
}

/// The bytes of a case are those of every machine, and the reader sees what one looks like.
#[test]
fn a_case_on_disk() {
    let case = (0..).map(|number| sample(1, number)).find(|case| {
        case.steps.len() > 1 && !case.services.is_empty() && !case.topology.externals.is_empty()
    });
    let text: Vec<String> = case
        .unwrap()
        .folder()
        .unwrap()
        .files
        .into_iter()
        .map(|(name, text)| format!("# {name}\n{text}"))
        .collect();
    expect_file!["../golden/sample/case.yaml"].assert_eq(&text.join("\n"));
}

/// The generator is worth something only if its rules decide cells alone, and if all that can
/// be said of a cell is said.
#[test]
fn rules_decide_cells_alone_often() {
    let (mut cells, mut alone, mut cases) = (0, 0, 0);
    let mut intents: BTreeMap<Intent, usize> = BTreeMap::new();
    let (mut served, mut changed, mut longest) = (0, 0, 0);
    for number in 0..200 {
        let sample = sample(1, number);
        let mut here = 0;
        for world in sample.worlds().unwrap() {
            let engine = Engine::new(&world);
            for cell in universe(&world.topology, &Family::ALL) {
                cells += 1;
                let decision = engine.decide(&cell);
                let sides =
                    [(&decision.egress, &decision.ingress), (&decision.ingress, &decision.egress)];
                here += usize::from(sides.iter().any(|(one, other)| {
                    let free = matches!(other.effect, Effect::NotIsolated | Effect::Exempt(_));
                    let allowed = one.effect == Effect::Allowed && one.rules.len() == 1;
                    let denied = one.effect == Effect::Denied && one.isolating.len() == 1;
                    free && (allowed || denied)
                }));
            }
        }
        alone += here;
        cases += usize::from(here > 0);
        for (cell, intent) in sample.specified().unwrap().into_iter().flatten() {
            *intents.entry(intent).or_default() += 1;
            served += usize::from(cell.via == Via::Service);
        }
        changed += usize::from(sample.steps.len() > 1);
        longest = longest.max(sample.specified().unwrap().iter().map(BTreeMap::len).max().unwrap());
    }
    assert!(alone * 5 > cells, "{alone} of {cells} cells are decided by one rule or policy");
    assert!(cases * 5 > 200 * 4, "{cases} of 200 cases have such a cell");
    assert!(intents.len() == 3 && intents.values().all(|count| *count > 100), "{intents:?}");
    assert!(served > 100 && (20..120).contains(&changed), "{served} by Service, {changed} changed");
    assert!(longest < 700, "a case has {longest} cells");
    let unknown = |number| {
        sample(1, number).worlds().unwrap().iter().any(|world| {
            let engine = Engine::new(world);
            universe(&world.topology, &Family::ALL)
                .iter()
                .any(|cell| matches!(engine.verdict(cell), Verdict::Unknown(_)))
        })
    };
    assert!(!(0..200).any(unknown));
}
