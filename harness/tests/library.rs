//! The scenario library says what it means, which needs no cluster: every
//! scenario loads without an error, and in every step intent and specification
//! part exactly in the cells that the step lists.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ringfence::model::{Change, Intent, Name, Pod, Topology, Verdict, World};
use ringfence::scenario::{
    EndpointPattern, Limits, LoadOptions, Loaded, Scenario, Severity, Step, load_scenarios, resolve,
};
use ringfence::semantics::Engine;

fn library() -> Loaded {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    load_scenarios(&[root], &LoadOptions::default())
}

#[test]
fn every_scenario_loads_without_an_error() {
    let loaded = library();
    let errors: Vec<String> = loaded
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| format!("{}: {}", d.origin, d.message))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(!loaded.scenarios.is_empty(), "expected scenarios, found none");
}

/// Gives pods and nodes a place and addresses, as a cluster would.
struct Places {
    nodes: Vec<Name>,
    given: u16,
}

impl Places {
    fn new(topology: &mut Topology) -> Self {
        let mut places = Self { nodes: topology.nodes.keys().cloned().collect(), given: 0 };
        topology.nodes.values_mut().for_each(|node| node.addresses = places.addresses());
        topology.pods.values_mut().for_each(|pod| places.place(pod));
        places
    }

    fn place(&mut self, pod: &mut Pod) {
        pod.addresses = self.addresses();
        if pod.node.is_none() {
            let turn = usize::from(self.given) % self.nodes.len().max(1);
            pod.node = self.nodes.get(turn).cloned();
        }
    }

    /// The next pair of addresses, of ranges that no scenario gives a meaning.
    fn addresses(&mut self) -> Vec<IpAddr> {
        self.given += 1;
        let [high, low] = self.given.to_be_bytes();
        let v6 = Ipv6Addr::new(0xfd00, 0x5163, 0, 0, 0, 0, 0, self.given);
        vec![Ipv4Addr::new(100, 64, high, low).into(), v6.into()]
    }
}

/// Makes a step's changes, with addresses for new pods and in bound fields.
fn change(world: &mut World, step: &Step, places: &mut Places) {
    for change in &step.changes {
        let mut change = change.clone();
        match &mut change {
            Change::AddPod(pod) => places.place(pod),
            Change::ApplyPolicy(policy) => {
                let name = policy.name.clone();
                for binding in step.bindings.iter().filter(|b| b.policy == name) {
                    let end = &binding.address_of;
                    let address = world.topology.address(end, binding.family);
                    let address = address.unwrap_or_else(|| panic!("`{end}` has an address"));
                    *policy = binding.bind(policy, address).expect("the field is there");
                }
            }
            _ => {}
        }
        world.change(&change).expect("the loader has made this change already");
    }
}

/// What a step leaves undone between intent and specification, a sentence each.
fn judge(scenario: &Scenario, step: &Step, world: &World) -> Vec<String> {
    let at = |text: String| format!("{}, `{}`: {text}", scenario.id, step.name);
    let expectation = match resolve(step, &world.topology, &Limits::none()) {
        Ok(expectation) => expectation,
        Err(diagnostics) => return diagnostics.into_iter().map(|d| at(d.message)).collect(),
    };
    let engine = Engine::new(world);
    let mut wrong = Vec::new();
    for (cell, expected) in expectation.cells.iter() {
        let specified = engine.decide(cell).verdict;
        let fault = expectation.faults.get(cell).map(|fault| fault.intent);
        let agrees = match (expected.intent, specified) {
            (Intent::Any, Verdict::Undefined(_)) => fault.is_none(),
            (Intent::Allow, Verdict::Allow) | (Intent::Deny, Verdict::Deny) => fault.is_none(),
            (Intent::Allow, Verdict::Deny) => fault == Some(Intent::Deny),
            (Intent::Deny, Verdict::Allow) => fault == Some(Intent::Allow),
            _ => false,
        };
        if !agrees {
            let listed = fault.map_or("no fault".into(), |fault| format!("the fault `{fault}`"));
            wrong.push(at(format!(
                "{cell}: intended {}, specified {specified}, and {listed} is listed",
                expected.intent
            )));
        }
    }
    wrong
}

#[test]
fn intent_and_specification_part_exactly_where_the_scenario_says() {
    let mut wrong = Vec::new();
    for scenario in &library().scenarios {
        let mut world = World::new(scenario.topology.clone());
        let mut places = Places::new(&mut world.topology);
        for step in &scenario.steps {
            change(&mut world, step, &mut places);
            wrong.extend(judge(scenario, step, &world));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `by-hand` promises that no pattern of ours stands between the reader and the API.
#[test]
fn scenarios_by_hand_name_every_cell() {
    let loaded = library();
    let by_hand: Vec<_> =
        loaded.scenarios.iter().filter(|s| s.tags.iter().any(|tag| tag == "by-hand")).collect();
    assert!(by_hand.len() >= 10, "expected at least 10 by hand, found {}", by_hand.len());
    for scenario in by_hand {
        for rule in scenario.steps.iter().flat_map(|step| step.expect.iter().chain(&step.faults)) {
            for end in [&rule.source, &rule.destination] {
                let one = matches!(
                    end,
                    EndpointPattern::Pod(_)
                        | EndpointPattern::External(_)
                        | EndpointPattern::Node(Some(_))
                );
                assert!(one, "{}: `{}` names more than one end", scenario.id, rule.text);
            }
            assert!(rule.port.is_some(), "{}: `{}` names no port", scenario.id, rule.text);
        }
    }
}

/// `policy-fault` is what a reader filters by.
#[test]
fn the_tag_policy_fault_is_where_faults_are() {
    for scenario in &library().scenarios {
        let tagged = scenario.tags.iter().any(|tag| tag == "policy-fault");
        let listed = scenario.steps.iter().any(|step| !step.faults.is_empty());
        assert_eq!(tagged, listed, "{}: the tag and the steps disagree", scenario.id);
    }
}

/// Every row of the five guides.
#[test]
fn every_published_row_has_a_scenario() {
    let rows = [(0, (1..=9).collect::<Vec<_>>()), (1, (1..=15).collect()), (2, (1..=7).collect())]
        .into_iter()
        .chain([(3, (1..=7).collect()), (4, vec![1, 2])]);
    let loaded = library();
    for (guide, numbers) in rows {
        for number in numbers {
            let tag = format!("row-{guide}-{number}");
            let found = loaded.scenarios.iter().any(|s| s.tags.contains(&tag));
            assert!(found, "expected a scenario tagged `{tag}`, found none");
        }
    }
}
