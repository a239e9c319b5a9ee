//! The worlds of a case, step by step, with addresses as a cluster would give them.

use std::sync::LazyLock;

use ringfence::catalogue::{Case, cases};
use ringfence::model::{Change, Pod, World};
use ringfence::scenario::{LoadOptions, Scenario};

/// Every case, made once.
pub(super) static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| cases().unwrap());

/// A case's scenario; what is found in its files does not matter here.
pub(super) fn scenario(case: &Case) -> Scenario {
    let (scenario, found) = case.scenario(&LoadOptions::default());
    scenario.unwrap_or_else(|| panic!("{}: {found:#?}", case.id))
}

/// What there is after each step.
pub(super) fn worlds(scenario: &Scenario) -> Vec<World> {
    let mut topology = scenario.topology.clone();
    let mut next = 0_u8;
    let mut addressed = |pod: &mut Pod| {
        next += 1;
        let texts = [format!("10.0.0.{next}"), format!("fd00::{next}")];
        if pod.host_network {
            return;
        }
        pod.addresses = texts.iter().map(|text| text.parse().unwrap()).collect();
    };
    topology.pods.values_mut().for_each(&mut addressed);
    for (number, node) in topology.nodes.values_mut().enumerate() {
        let texts = [format!("10.1.0.{number}"), format!("fd01::{number}")];
        node.addresses = texts.iter().map(|text| text.parse().unwrap()).collect();
    }
    let mut world = World::new(topology);
    let steps = scenario.steps.iter().map(|step| {
        for change in &step.changes {
            let mut change = change.clone();
            if let Change::AddPod(pod) = &mut change {
                addressed(pod);
            }
            world.change(&change).unwrap();
        }
        world.clone()
    });
    steps.collect()
}
