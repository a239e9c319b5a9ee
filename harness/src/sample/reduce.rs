//! Cases that are smaller by one thing, and those that keep no more than one cell needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::case::Sample;
use super::size::size;
use super::trim;
use crate::model::{
    Cell, Change, Endpoint, LabelChanges, Name, NetworkPolicy, Phase, Pod, PodName, PolicyName,
    Via, World,
};

/// Every case that is smaller by one thing and can be run: first without a step, a namespace, a
/// pod, a host, a policy or a change, then with less of one of them.
pub fn smaller(sample: &Sample) -> Vec<Sample> {
    let mut all = Vec::new();
    all.extend((0..sample.steps.len()).rev().filter_map(|step| begun_after(sample, step)));
    all.extend(
        (0..sample.steps.len()).map(|step| edited(sample, |case| drop(case.steps.remove(step)))),
    );
    for name in sample.topology.namespaces.keys().chain(added_namespaces(sample)) {
        all.push(edited(sample, |case| without_namespace(case, name)));
    }
    for name in pods(sample) {
        all.push(edited(sample, |case| without_pods(case, |pod| *pod == name)));
    }
    for name in sample.topology.externals.keys() {
        all.push(edited(sample, |case| drop(case.topology.externals.remove(name))));
    }
    for name in policies(sample) {
        all.push(edited(sample, |case| without_policies(case, |policy| *policy == name)));
    }
    for name in &sample.services {
        all.push(edited(sample, |case| case.services.retain(|other| other != name)));
    }
    for (at, step) in sample.steps.iter().enumerate() {
        for number in 0..step.len() {
            all.push(edited(sample, |case| drop(case.steps[at].remove(number))));
        }
    }
    all.extend(with_less_of_one(sample));
    let whole = size(sample);
    all.retain(|case| size(case) < whole && case.specified().is_ok());
    all
}

/// Cases that keep, of everything, what a cell needs at most, where they can be run: the smallest
/// are first. They fail more often than not where the cell does, and spare most of the way.
pub(super) fn leaps(sample: &Sample, step: usize, cell: &Cell) -> Vec<Sample> {
    let ends = [&cell.source, &cell.destination];
    let until = edited(sample, |case| case.steps.truncate(step + 1));
    let alone = edited(&until, |case| {
        without_pods(case, |pod| !ends.iter().any(|end| end.as_pod() == Some(pod)));
        let is_end = |name: &Name| ends.contains(&&Endpoint::External(name.clone()));
        case.topology.externals.retain(|name, _| is_end(name));
        case.topology.nodes.values_mut().for_each(|node| node.ports.clear());
    });
    let bare = edited(&alone, |case| {
        each_pod(case, |pod| {
            let here = cell.destination.as_pod() == Some(&pod.name);
            pod.ports
                .retain(|port| here && (port.number, port.protocol) == (cell.port, cell.protocol));
        });
        for host in case.topology.externals.values_mut() {
            let here = cell.destination == Endpoint::External(host.name.clone());
            host.ports
                .retain(|port| here && (port.number, port.protocol) == (cell.port, cell.protocol));
        }
        case.services.retain(|_| cell.via == Via::Service);
    });
    let mut all = Vec::new();
    for case in [bare, alone, until] {
        for name in policies(&case) {
            all.push(edited(&case, |case| without_policies(case, |policy| *policy != name)));
        }
        all.push(case);
    }
    let whole = size(sample);
    all.retain(|case| size(case) < whole && case.specified().is_ok());
    all
}

/// The case, changed: without steps that do nothing any more, but with at least one step.
fn edited(sample: &Sample, edit: impl FnOnce(&mut Sample)) -> Sample {
    let mut case = sample.clone();
    edit(&mut case);
    case.steps.retain(|step| !step.is_empty());
    if case.steps.is_empty() {
        case.steps.push(Vec::new());
    }
    let there = pods(&case);
    case.services.retain(|pod| there.contains(pod));
    case
}

/// The case that begins with what there is after a step, if it can be declared: pods that ended
/// or are about to go cannot.
fn begun_after(sample: &Sample, step: usize) -> Option<Sample> {
    let mut world = World::new(sample.topology.clone());
    for change in sample.steps.iter().take(step + 1).flatten() {
        world.change(change).ok()?;
    }
    let declared = |pod: &Pod| pod.phase == Phase::Running && !pod.terminating;
    if !world.topology.pods.values().all(declared) {
        return None;
    }
    let first = world.policies.into_values().map(Change::ApplyPolicy).collect();
    Some(edited(sample, |case| {
        case.topology = world.topology;
        case.steps.splice(..=step, [first]);
    }))
}

fn added_namespaces(sample: &Sample) -> impl Iterator<Item = &Name> {
    let added = sample.steps.iter().flatten().filter_map(|change| match change {
        Change::AddNamespace(namespace) => Some(&namespace.name),
        _ => None,
    });
    added.filter(|name| !sample.topology.namespaces.contains_key(*name))
}

/// The pods that there ever are, by name.
fn pods(sample: &Sample) -> BTreeSet<PodName> {
    let added = sample.steps.iter().flatten().filter_map(|change| match change {
        Change::AddPod(pod) => Some(&pod.name),
        _ => None,
    });
    sample.topology.pods.keys().chain(added).cloned().collect()
}

/// The policies that are ever applied.
fn policies(sample: &Sample) -> BTreeSet<PolicyName> {
    let applied = sample.steps.iter().flatten().filter_map(|change| match change {
        Change::ApplyPolicy(policy) => Some(policy.name.clone()),
        _ => None,
    });
    applied.collect()
}

fn without_pods(case: &mut Sample, gone: impl Fn(&PodName) -> bool) {
    case.topology.pods.retain(|name, _| !gone(name));
    for step in &mut case.steps {
        step.retain(|change| match change {
            Change::AddPod(pod) => !gone(&pod.name),
            Change::RemovePod(pod) | Change::EndPod(pod) | Change::TerminatePod(pod) => !gone(pod),
            Change::LabelPod { pod, .. } => !gone(pod),
            _ => true,
        });
    }
}

fn without_policies(case: &mut Sample, gone: impl Fn(&PolicyName) -> bool) {
    for step in &mut case.steps {
        step.retain(|change| match change {
            Change::ApplyPolicy(policy) => !gone(&policy.name),
            Change::DeletePolicy(name) => !gone(name),
            _ => true,
        });
    }
}

fn without_namespace(case: &mut Sample, gone: &Name) {
    without_pods(case, |pod| pod.namespace == *gone);
    without_policies(case, |policy| policy.namespace == *gone);
    case.topology.namespaces.remove(gone);
    for step in &mut case.steps {
        step.retain(|change| match change {
            Change::AddNamespace(namespace) => namespace.name != *gone,
            Change::RemoveNamespace(name) => name != gone,
            Change::LabelNamespace { namespace, .. } => namespace != gone,
            _ => true,
        });
    }
}

fn each_pod(case: &mut Sample, edit: impl Fn(&mut Pod)) {
    case.topology.pods.values_mut().for_each(&edit);
    for change in case.steps.iter_mut().flatten() {
        if let Change::AddPod(pod) = change {
            edit(pod);
        }
    }
}

/// Cases in which one thing is smaller.
fn with_less_of_one(sample: &Sample) -> Vec<Sample> {
    let mut all = Vec::new();
    for (at, step) in sample.steps.iter().enumerate() {
        for (number, change) in step.iter().enumerate() {
            for less in changes(change) {
                all.push(edited(sample, |case| case.steps[at][number] = less));
            }
        }
    }
    let topology = &sample.topology;
    for less in topology.pods.values().flat_map(trim::pods) {
        all.push(edited(sample, |case| drop(case.topology.pods.insert(less.name.clone(), less))));
    }
    for less in topology.namespaces.values().flat_map(trim::namespaces) {
        let name = less.name.clone();
        all.push(edited(sample, |case| drop(case.topology.namespaces.insert(name, less))));
    }
    for less in topology.externals.values().flat_map(trim::externals) {
        let name = less.name.clone();
        all.push(edited(sample, |case| drop(case.topology.externals.insert(name, less))));
    }
    for name in topology.nodes.keys() {
        all.push(edited(sample, |case| {
            case.topology.nodes.entry(name.clone()).and_modify(|node| node.ports.clear());
        }));
    }
    all
}

/// Changes that change one thing less.
fn changes(change: &Change) -> Vec<Change> {
    let fewer = |labels: &LabelChanges| -> Vec<LabelChanges> {
        let without = |key: &String| {
            let mut less = labels.clone();
            less.remove(key);
            less
        };
        if labels.len() > 1 { labels.keys().map(without).collect() } else { Vec::new() }
    };
    match change {
        Change::ApplyPolicy(policy) => {
            let applied = |policy: NetworkPolicy| Change::ApplyPolicy(Arc::new(policy));
            trim::policies(policy).into_iter().map(applied).collect()
        }
        Change::AddPod(pod) => trim::pods(pod).into_iter().map(Change::AddPod).collect(),
        Change::AddNamespace(namespace) => {
            trim::namespaces(namespace).into_iter().map(Change::AddNamespace).collect()
        }
        Change::LabelPod { pod, labels } => {
            let less = |labels| Change::LabelPod { pod: pod.clone(), labels };
            fewer(labels).into_iter().map(less).collect()
        }
        Change::LabelNamespace { namespace, labels } => {
            let less = |labels| Change::LabelNamespace { namespace: namespace.clone(), labels };
            fewer(labels).into_iter().map(less).collect()
        }
        _ => Vec::new(),
    }
}
