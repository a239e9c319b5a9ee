//! The space of cases of the cluster tier: policies of the cluster before and after the
//! NetworkPolicies.
//!
//! A space of its own, with what its values are written as and whom they mean; the town and
//! the ports are the others'.

mod api;
mod axis;
mod covering;
mod feature;
mod policy;
mod possible;
mod selection;
mod surroundings;
mod topic;

pub use axis::{Action, Api, Beside, Change, Peer, Port, Subject, Tier};
pub(super) use covering::combinations;
pub use covering::{PAIRED, Pair, covers, pairs, possible};
pub use feature::{Combination, Feature};
pub(super) use policy::{ClusterPolicy, Rule, number, openings};
pub(super) use selection::{
    Entry, Meant, NODES, Subjects, another_subject, entries, everybody, subjects, third,
};
pub(super) use surroundings::{Surroundings, surroundings};
pub use topic::Topic;
