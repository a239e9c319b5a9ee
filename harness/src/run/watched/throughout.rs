//! What the policies mean for a cell all the time while changes are made.
//!
//! A cluster is given changes one after the other, so it may be in every state on the way.
//! Where all of them deny a cell it must never open, and where all allow it it must never
//! close. Where they differ, when the cell turns is a matter of time, which the API leaves
//! open.

use std::fmt;

use anyhow::{Context as _, Result};

use crate::model::{Cell, Change, Decision, Intent, Topology, Verdict, World};
use crate::semantics::Engine;

use super::super::plan::has_ends;

/// Every state that there may be.
#[derive(Debug)]
pub(super) struct States {
    /// Before the changes, and after each of them.
    way: Vec<World>,
    /// Before the changes, with the pods that come.
    early: Option<World>,
}

/// Every state that there may be on the way. `found` is the topology in the end, with the
/// nodes and addresses of the pods that come.
///
/// A pod may come before what is changed with it is handled: the state before the changes,
/// with the pods that come, is among them.
pub(super) fn states(before: &World, changes: &[Change], found: &Topology) -> Result<States> {
    let apply = |world: &mut World, change: &Change| {
        world.change(change).context("the scenario's changes do not apply")
    };
    let mut way = vec![before.clone()];
    let mut world = before.clone();
    for change in changes {
        apply(&mut world, change)?;
        way.push(world.clone());
    }
    let mut early = before.clone();
    let adds = |change: &&Change| matches!(change, Change::AddPod(_) | Change::AddNamespace(_));
    // What is removed first and made again under its name is not there twice.
    let came = changes.iter().filter(adds).try_for_each(|change| early.change(change)).is_ok();
    let mut early = came.then_some(early);
    for world in way.iter_mut().chain(&mut early) {
        for (name, pod) in &mut world.topology.pods {
            if let Some(found) = found.pods.get(name).filter(|_| pod.addresses.is_empty()) {
                pod.node.clone_from(&found.node);
                pod.addresses.clone_from(&found.addresses);
            }
        }
        world.topology.nodes.clone_from(&found.nodes);
    }
    Ok(States { way, early })
}

/// What the policies mean for a cell all the time while changes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Throughout {
    /// What all states say; `any` where they differ or leave it open, `None` where one of them
    /// cannot be decided.
    pub(super) specified: Option<Intent>,
    /// What the first state in which both ends are there says, and the last.
    pub(super) ends: Option<[Verdict; 2]>,
}

impl Throughout {
    /// What the policies specify at an end, where that alone is against an intent for all the
    /// time: a cell that is allowed before the changes or after them cannot stay shut, and one
    /// that is denied cannot stay open. What lies between the ends a cluster may pass over.
    ///
    /// A pod that comes with the changes has no state before them: only the last counts.
    pub(super) fn against(self, intended: Intent, comes: bool) -> Option<(Verdict, When)> {
        let other = match intended {
            Intent::Allow => Verdict::Deny,
            Intent::Deny => Verdict::Allow,
            Intent::Any => return None,
        };
        let [first, last] = self.ends?;
        if last == other {
            Some((other, When::After))
        } else if first == other && !comes {
            Some((other, When::Before))
        } else {
            None
        }
    }
}

/// An end of the time while changes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Before the changes.
    Before,
    /// After them.
    After,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before the changes",
            Self::After => "after the changes",
        })
    }
}

/// What all states of [`states`] say of a cell.
///
/// A pod that comes may be without what it is allowed for a while: "Allow rules will be
/// applied eventually after the isolation rules"
/// (`concepts/services-networking/network-policies`, Pod lifecycle). Of the denies of the
/// cluster's policies nothing is said: to be denied by a rule it has to be known first.
pub(super) fn throughout(cell: &Cell, states: &States, comes: bool) -> Throughout {
    let decide = |worlds: &[World]| -> Vec<Decision> {
        let there = worlds.iter().filter(|world| has_ends(&world.topology, cell));
        there.map(|world| Engine::new(world).decide(cell)).collect()
    };
    let mut decisions = decide(&states.way);
    let verdict = |decision: Option<&Decision>| Some(decision?.verdict);
    let ends = verdict(decisions.first()).zip(verdict(decisions.last()));
    decisions.extend(decide(states.early.as_slice()));
    let all = |verdict| !decisions.is_empty() && decisions.iter().all(|one| one.verdict == verdict);
    let specified = if decisions.iter().any(|one| matches!(one.verdict, Verdict::Unknown(_))) {
        None
    } else if all(Verdict::Deny) && (!comes || decisions.iter().all(Decision::is_by_isolation)) {
        Some(Intent::Deny)
    } else if all(Verdict::Allow) && !comes {
        Some(Intent::Allow)
    } else {
        Some(Intent::Any)
    };
    Throughout { specified, ends: ends.map(<[Verdict; 2]>::from) }
}
