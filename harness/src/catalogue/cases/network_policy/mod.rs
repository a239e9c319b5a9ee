//! Cases of NetworkPolicy: every pair of their space, and special ones.

pub(super) mod construction;
pub(super) mod deciding;
mod in_tree;
mod script;
mod sentence;
mod special;

use anyhow::Result;

use crate::catalogue::case::Case;
use crate::catalogue::covering::combinations;
use crate::model::Direction;

pub use in_tree::{IN_TREE, InTree};

/// Every case of NetworkPolicy.
pub(super) fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for combination in combinations(direction) {
            cases.push(construction::case(&combination)?);
        }
    }
    cases.extend(special::cases()?);
    Ok(cases)
}
