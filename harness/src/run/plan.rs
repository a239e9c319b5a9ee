//! What a step asks: its cells, what is expected and specified of each, and
//! what of it this cluster cannot answer.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, anyhow};

use crate::cluster::Capabilities;
use crate::model::{Cell, Change, Endpoint, LabelChanges, PodName, Topology, Verdict, World};
use crate::scenario::{Diagnostic, Expectation, Limits, Step, resolve};
use crate::semantics::Engine;

use super::NotJudged;
use super::judge::{Known, Question};
use super::lack::{Lack, lack, left_out, undeclared};
use super::settle::Goal;

/// What a step asks.
pub(super) struct Plan {
    /// Cell by cell, in order.
    pub(super) questions: Vec<Question>,
    /// What is not asked, and why.
    pub(super) not_judged: Vec<NotJudged>,
}

/// What every step expects, resolved once: against the pods that the step will
/// have, and whatever this cluster can do.
pub(super) fn expectations(
    steps: &[Step],
    mut world: World,
) -> Result<Vec<(Expectation, Topology)>, anyhow::Error> {
    let resolved = steps.iter().map(|step| {
        for change in &step.changes {
            world.change(change).context("the scenario's changes do not apply")?;
        }
        let topology = world.topology.clone();
        let expectation = resolve(step, &abstracted(&topology), &Limits::none())
            .map_err(|found| unresolved(step, &found))?;
        Ok((expectation, topology))
    });
    resolved.collect()
}

/// A topology whose addresses are not known: its cells are in every family.
fn abstracted(topology: &Topology) -> Topology {
    let mut topology = topology.clone();
    topology.pods.values_mut().for_each(|pod| pod.addresses.clear());
    topology.nodes.values_mut().for_each(|node| node.addresses.clear());
    topology
}

fn unresolved(step: &Step, found: &[Diagnostic]) -> anyhow::Error {
    let messages: Vec<String> =
        found.iter().map(|found| format!("{}: {}", found.origin, found.message)).collect();
    anyhow!("the expectations of step `{}` do not fit it: {}", step.name, messages.join("; "))
}

/// What a step asks of a world, within what the cluster can do. `is_shut` says which paths
/// never opened without policies.
pub(super) fn plan(
    step: &Step,
    expectation: Expectation,
    world: &World,
    capabilities: &Capabilities,
    is_shut: impl Fn(&Cell) -> bool,
) -> Plan {
    let Expectation { cells, faults, .. } = expectation;
    let engine = Engine::new(world);
    let mut lacks: BTreeMap<Lack, usize> = BTreeMap::new();
    let mut questions = Vec::with_capacity(cells.len());
    for (cell, expected) in Vec::from(cells) {
        if let Some(lack) = lack(&cell, &world.topology, capabilities) {
            *lacks.entry(lack).or_default() += 1;
            continue;
        }
        let specified = engine.decide(&cell);
        if let Some(lack) = undeclared(&cell, &specified, world, capabilities, is_shut(&cell)) {
            *lacks.entry(lack).or_default() += 1;
            continue;
        }
        let rule = &step.expect[expected.rule];
        questions.push(Question {
            intended: expected.intent,
            expect: rule.text.clone(),
            expect_at: rule.origin.clone(),
            known: faults.get(&cell).map(|fault| Known {
                specified: fault.intent,
                at: step.faults[fault.rule].origin.clone(),
            }),
            unenforced: !capabilities.dataplane.enforces && specified.verdict == Verdict::Deny,
            specified,
            cell,
        });
    }
    Plan { questions, not_judged: left_out(lacks, capabilities) }
}

/// The cells that a step asks about, within what the cluster can do.
pub(super) fn cells<'a>(
    (expectation, topology): &'a (Expectation, Topology),
    capabilities: &'a Capabilities,
) -> impl Iterator<Item = &'a Cell> {
    expectation.cells.cells().filter(|cell| lack(cell, topology, capabilities).is_none())
}

/// The cells that the API says are open where there is no policy.
pub(super) fn open_without_policies<'a>(
    topology: &Topology,
    cells: impl Iterator<Item = &'a Cell>,
) -> BTreeSet<Cell> {
    let engine = Engine::new(&World::new(topology.clone()));
    cells.filter(|cell| engine.verdict(cell) == Verdict::Allow).cloned().collect()
}

/// Whether both ends of a cell are in a topology.
pub(super) fn has_ends(topology: &Topology, cell: &Cell) -> bool {
    [&cell.source, &cell.destination].into_iter().all(|end| match end {
        Endpoint::Pod(pod) => topology.pods.contains_key(pod),
        Endpoint::External(host) => topology.externals.contains_key(host),
        Endpoint::Node(node) => topology.nodes.contains_key(node),
    })
}

/// Whether a pod is one end of a cell.
pub(super) fn is_end(pod: &PodName, cell: &Cell) -> bool {
    [&cell.source, &cell.destination].into_iter().any(|end| end.as_pod() == Some(pod))
}

/// What is waited for: what is specified, or, on a negative control, that a deny fails.
pub(super) fn goal(question: &Question) -> Goal {
    match question.specified.verdict {
        Verdict::Deny if question.unenforced => Goal::Allow,
        Verdict::Allow => Goal::Allow,
        Verdict::Deny => Goal::Deny,
        Verdict::Undefined(_) | Verdict::Unknown(_) => Goal::Free,
    }
}

/// The pods that changes make.
pub(super) fn new_pods(changes: &[Change]) -> BTreeSet<PodName> {
    let pods = changes.iter().filter_map(|change| match change {
        Change::AddPod(pod) => Some(pod.name.clone()),
        _ => None,
    });
    pods.collect()
}

/// Whether changes only make pods and namespaces: then every policy was handled
/// before the pods were made.
pub(super) fn only_adds(changes: &[Change]) -> bool {
    changes.iter().all(|change| matches!(change, Change::AddPod(_) | Change::AddNamespace(_)))
}

/// A change as a phrase.
pub(super) fn phrase(change: &Change) -> String {
    match change {
        Change::ApplyPolicy(policy) => format!("apply policy {}", policy.name),
        Change::DeletePolicy(policy) => format!("delete policy {policy}"),
        Change::ApplyClusterPolicy(policy) => format!("apply {}", policy.name),
        Change::DeleteClusterPolicy(policy) => format!("delete {policy}"),
        Change::AddNamespace(namespace) => format!("add namespace {}", namespace.name),
        Change::RemoveNamespace(namespace) => format!("remove namespace {namespace}"),
        Change::LabelNamespace { namespace, labels } => {
            format!("label namespace {namespace}: {}", labelling(labels))
        }
        Change::AddPod(pod) => format!("add pod {}", pod.name),
        Change::RemovePod(pod) => format!("remove pod {pod}"),
        Change::EndPod(pod) => format!("end pod {pod}"),
        Change::TerminatePod(pod) => format!("mark pod {pod} for deletion"),
        Change::LabelPod { pod, labels } => format!("label pod {pod}: {}", labelling(labels)),
    }
}

/// Label changes as kubectl would be told them: `key=value`, `key-`.
fn labelling(labels: &LabelChanges) -> String {
    let texts: Vec<String> = labels
        .iter()
        .map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => format!("{key}-"),
        })
        .collect();
    texts.join(" ")
}
