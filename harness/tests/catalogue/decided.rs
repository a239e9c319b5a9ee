//! Every deciding cell is decided by what it says, alone, in one direction.

use std::sync::Arc;

use ringfence::catalogue::{Case, Decider, Deciding, Feature, Reason, Stacking};
use ringfence::model::{Direction, Intent, LabelSelector, NetworkPolicy, PolicyType, Rule, World};

use super::judged::{Judged, is_free};
use super::tiers;
use super::worlds::{CASES, scenario, worlds};

/// A change to the tested policy.
type Relaxation = fn(&mut NetworkPolicy, &Deciding);

fn rules(policy: &mut NetworkPolicy, direction: Direction) -> &mut Option<Vec<Rule>> {
    match direction {
        Direction::Ingress => &mut policy.ingress,
        Direction::Egress => &mut policy.egress,
    }
}

fn tested<'p>(policy: &'p mut NetworkPolicy, deciding: &Deciding) -> &'p mut Rule {
    let rules = rules(policy, deciding.direction).as_mut().unwrap();
    &mut rules[deciding.rule.unwrap()]
}

fn without_rule(policy: &mut NetworkPolicy, deciding: &Deciding) {
    rules(policy, deciding.direction).as_mut().unwrap().remove(deciding.rule.unwrap());
    // What is defaulted would follow: keep the policy's directions.
    if policy.policy_types.as_ref().is_none_or(Vec::is_empty) {
        policy.policy_types = Some(vec![PolicyType::Ingress, PolicyType::Egress]);
    }
}

fn for_anybody(policy: &mut NetworkPolicy, deciding: &Deciding) {
    tested(policy, deciding).peers = None;
}

fn on_any_port(policy: &mut NetworkPolicy, deciding: &Deciding) {
    for port in tested(policy, deciding).ports.as_mut().unwrap() {
        (port.port, port.end_port) = (None, None);
    }
}

fn of_its_protocol(policy: &mut NetworkPolicy, deciding: &Deciding) {
    for port in tested(policy, deciding).ports.as_mut().unwrap() {
        port.protocol = Some(deciding.cell.protocol);
    }
}

fn for_every_pod(policy: &mut NetworkPolicy, _: &Deciding) {
    policy.pod_selector = LabelSelector::everything();
}

/// The other types: both where only the tested direction is isolated, else that one alone.
fn of_other_types(policy: &mut NetworkPolicy, deciding: &Deciding) {
    let (own, other) = match deciding.direction {
        Direction::Ingress => (PolicyType::Ingress, PolicyType::Egress),
        Direction::Egress => (PolicyType::Egress, PolicyType::Ingress),
    };
    let isolates = deciding.intent == Intent::Deny;
    policy.policy_types = Some(if isolates { vec![other] } else { vec![other, own] });
}

/// What would turn a cell over; `None` where the policy itself has to go.
fn relaxation(reason: Reason) -> Option<Relaxation> {
    match reason {
        Reason::Rule => Some(without_rule),
        Reason::NoRule | Reason::Open => None,
        Reason::Peer | Reason::Family => Some(for_anybody),
        Reason::Port => Some(on_any_port),
        Reason::Protocol => Some(of_its_protocol),
        Reason::Target => Some(for_every_pod),
        Reason::Types => Some(of_other_types),
        Reason::Above | Reason::HostNetwork | Reason::Itself => {
            unreachable!("reasons of the cluster tier")
        }
    }
}

/// How many policies isolate the deciding pod, where it is isolated.
fn isolating(case: &Case) -> usize {
    let stacked = [Stacking::Deny, Stacking::OtherRule].map(Feature::Stacking);
    1 + usize::from(stacked.iter().any(|feature| case.features.contains(feature)))
}

fn proven(case: &Case, deciding: &Deciding, world: &World) -> Result<(), String> {
    let tested = match &deciding.policy {
        Decider::Policy(name) => name,
        Decider::ClusterPolicy(name) => return tiers::proven(deciding, name, world),
    };
    let judged = Judged::of(deciding, world);
    if deciding.reason == Reason::Open {
        return judged.is_open();
    }
    judged.is_as_meant()?;
    let (side, other) = judged.sides();
    let expect = |holds: bool, what: &str| judged.expect(holds, what);
    expect(is_free(other), "the other direction is isolated too")?;
    let names: Vec<_> = side.isolating.iter().map(|policy| &policy.name).collect();
    match deciding.reason {
        Reason::Target => expect(names.is_empty(), "the pod is isolated after all")?,
        Reason::Types => expect(
            names == Vec::from_iter((deciding.intent == Intent::Deny).then_some(tested)),
            "isolated by others",
        )?,
        _ => {
            expect(names.contains(&tested), "the tested policy does not isolate")?;
            expect(names.len() == isolating(case), "another number of policies isolates")?;
        }
    }
    if deciding.reason == Reason::Rule {
        let [rule] = side.rules.as_slice() else {
            return Err(format!("expected one rule: {side:#?}"));
        };
        expect(rule.policy == *tested, "the rule of another policy")?;
        expect(Some(rule.rule) == deciding.rule, "another rule")?;
    }
    let mut changed = world.clone();
    match relaxation(deciding.reason) {
        Some(relax) => {
            let policy = changed.policies.get_mut(tested).unwrap();
            relax(Arc::make_mut(policy), deciding);
        }
        None => {
            changed.policies.remove(tested);
            let stacked = changed.policies.len();
            changed.policies.retain(|name, _| name.namespace != tested.namespace);
            expect(stacked <= 1, "more than one policy beside it")?;
        }
    }
    judged.turns_over(&deciding.cell, &changed)
}

#[test]
fn every_deciding_cell_is_decided_alone() {
    let mut wrong = Vec::new();
    for case in CASES.iter() {
        if tiers::is_skipped(case) {
            continue;
        }
        let worlds = worlds(&scenario(case));
        assert!(!case.deciding.is_empty(), "{} decides nothing", case.id);
        for deciding in &case.deciding {
            if let Err(why) = proven(case, deciding, &worlds[deciding.step]) {
                wrong.push(format!("{}: {:?}: {}: {why}", case.id, deciding.reason, deciding.cell));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong, the first:\n{}", wrong.len(), wrong[0]);
}
