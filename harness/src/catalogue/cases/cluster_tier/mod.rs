//! Cases of the cluster tier, built as the others are: every pair of their space
//! ([`crate::catalogue::cluster_tier`]), and what is meant put together from sets that were
//! said by hand.

mod construction;
mod deciding;
mod script;
mod sentence;
mod special;
mod upstream;

use anyhow::Result;

use crate::catalogue::case::Case;
use crate::catalogue::cluster_tier::{Api, combinations};
use crate::model::Direction;

pub use upstream::{UPSTREAM, Upstream};

/// Every case of the cluster tier.
pub(super) fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for api in Api::ALL {
            for combination in combinations(direction, *api) {
                cases.push(construction::case(&combination)?);
            }
        }
    }
    cases.extend(special::cases()?);
    Ok(cases)
}
