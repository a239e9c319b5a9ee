//! What the policies mean for a cell all the time while changes are made.
//!
//! A cluster is given changes one after the other, so it may be in every state on the way.
//! Where all of them deny a cell it must never open, and where all allow it it must never
//! close. Where they differ, when the cell turns is a matter of time, which the API leaves
//! open.

use anyhow::{Context as _, Result};

use crate::model::{Cell, Change, Decision, Intent, Topology, Verdict, World};
use crate::semantics::Engine;

use super::super::plan::has_ends;

/// Every state that there may be on the way. `found` is the topology in the end, with the
/// nodes and addresses of the pods that come.
///
/// A pod may come before what is changed with it is handled: the state before the changes,
/// with the pods that come, is among them.
pub(super) fn states(before: &World, changes: &[Change], found: &Topology) -> Result<Vec<World>> {
    let apply = |world: &mut World, change: &Change| {
        world.change(change).context("the scenario's changes do not apply")
    };
    let mut states = vec![before.clone()];
    let mut world = before.clone();
    for change in changes {
        apply(&mut world, change)?;
        states.push(world.clone());
    }
    let mut early = before.clone();
    let adds = |change: &&Change| matches!(change, Change::AddPod(_) | Change::AddNamespace(_));
    // What is removed first and made again under its name is not there twice.
    if changes.iter().filter(adds).try_for_each(|change| early.change(change)).is_ok() {
        states.push(early);
    }
    for world in &mut states {
        for (name, pod) in &mut world.topology.pods {
            if let Some(found) = found.pods.get(name).filter(|_| pod.addresses.is_empty()) {
                pod.node.clone_from(&found.node);
                pod.addresses.clone_from(&found.addresses);
            }
        }
        world.topology.nodes.clone_from(&found.nodes);
    }
    Ok(states)
}

/// What all states say of a cell; `None` where one of them cannot be decided.
///
/// A pod that comes may be without what it is allowed for a while: "Allow rules will be
/// applied eventually after the isolation rules"
/// (`concepts/services-networking/network-policies`, Pod lifecycle). Of the denies of the
/// cluster's policies nothing is said: to be denied by a rule it has to be known first.
pub(super) fn specified(cell: &Cell, states: &[World], comes: bool) -> Option<Intent> {
    let there = states.iter().filter(|world| has_ends(&world.topology, cell));
    let decisions: Vec<Decision> = there.map(|world| Engine::new(world).decide(cell)).collect();
    let all = |verdict| !decisions.is_empty() && decisions.iter().all(|one| one.verdict == verdict);
    if decisions.iter().any(|one| matches!(one.verdict, Verdict::Unknown(_))) {
        None
    } else if all(Verdict::Deny) && (!comes || decisions.iter().all(Decision::is_by_isolation)) {
        Some(Intent::Deny)
    } else if all(Verdict::Allow) && !comes {
        Some(Intent::Allow)
    } else {
        Some(Intent::Any)
    }
}
