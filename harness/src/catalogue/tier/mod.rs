//! Cases of the cluster tier: policies of the cluster before and after the NetworkPolicies.
//!
//! Built as the others are: a space of features of its own, every pair of it, and what is
//! meant put together from sets that were said by hand. The town, the ports and the text of a
//! folder are the others'.

mod api;
mod axis;
mod construction;
mod covering;
mod deciding;
mod expect;
mod feature;
mod judgement;
mod policy;
mod possible;
mod script;
mod selection;
mod sentence;
mod special;
mod surroundings;
mod topic;
mod upstream;

use anyhow::Result;

use super::case::Case;
use crate::model::Direction;

pub use axis::{Action, Api, Beside, Change, Peer, Port, Subject, Tier};
pub use covering::{PAIRED, Pair, covers, pairs, possible};
pub(super) use expect::expected;
pub use feature::{Combination, Feature};
pub(super) use policy::ClusterPolicy;
pub use topic::Topic;
pub use upstream::{UPSTREAM, Upstream};

/// Every case of the cluster tier.
pub(super) fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for api in Api::ALL {
            for combination in covering::combinations(direction, *api) {
                cases.push(construction::case(&combination)?);
            }
        }
    }
    cases.extend(special::cases()?);
    Ok(cases)
}
