//! Changes as one step of a scenario can make them.

use crate::model::{Change, World};

/// In which order a scenario makes the changes of a step: `remove`, `end`, `terminate`,
/// `delete`, `add`, `label`, `apply`.
pub(super) const fn rank(change: &Change) -> u8 {
    match change {
        Change::RemoveNamespace(_) | Change::RemovePod(_) => 0,
        Change::EndPod(_) => 1,
        Change::TerminatePod(_) => 2,
        Change::DeletePolicy(_) | Change::DeleteClusterPolicy(_) => 3,
        Change::AddNamespace(_) | Change::AddPod(_) => 4,
        Change::LabelNamespace { .. } | Change::LabelPod { .. } => 5,
        Change::ApplyPolicy(_) | Change::ApplyClusterPolicy(_) => 6,
    }
}

/// The changes as one step of a scenario can make them: in its order, and none of one kind
/// about one thing twice. Where they cannot be made like that, the first of them alone.
pub(super) fn written_order(changes: Vec<Change>, world: &World) -> Vec<Change> {
    let first = changes.first().cloned();
    let mut ordered: Vec<Change> = Vec::with_capacity(changes.len());
    for change in changes {
        if !ordered
            .iter()
            .any(|other| rank(other) == rank(&change) && about(other) == about(&change))
        {
            ordered.push(change);
        }
    }
    ordered.sort_by_key(rank);
    let mut tried = world.clone();
    match ordered.iter().all(|change| tried.change(change).is_ok()) {
        true => ordered,
        false => first.into_iter().collect(),
    }
}

/// What a change is about, among those of its kind.
pub(super) fn about(change: &Change) -> String {
    match change {
        Change::ApplyPolicy(policy) => policy.name.to_string(),
        Change::DeletePolicy(name) => name.to_string(),
        Change::ApplyClusterPolicy(policy) => policy.name.to_string(),
        Change::DeleteClusterPolicy(name) => name.to_string(),
        Change::AddNamespace(namespace) => format!("namespace/{}", namespace.name),
        Change::RemoveNamespace(name) => format!("namespace/{name}"),
        Change::LabelNamespace { namespace, .. } => format!("namespace/{namespace}"),
        Change::AddPod(pod) => pod.name.to_string(),
        Change::RemovePod(pod) | Change::EndPod(pod) | Change::TerminatePod(pod) => pod.to_string(),
        Change::LabelPod { pod, .. } => pod.to_string(),
    }
}
