//! The catalogue: cases that test a dataplane on the whole of the specification.
//!
//! Cases are generated from a declared space of features (`axis`), not written one by one.
//! What can occur together is said in `possible`; `covering` chooses each feature by itself
//! and every pair; `construction` makes a scenario folder of each combination. What is meant
//! of every cell is put together from what was said of each feature by hand (`selection`,
//! `opening`), without the semantics engine, so that the catalogue tests the engine too.

mod api;
mod axis;
mod case;
mod construction;
mod covering;
mod deciding;
mod expect;
mod feature;
mod in_tree;
mod kind;
mod opening;
mod policy;
mod possible;
mod scene;
mod script;
mod selection;
mod sentence;
mod space;
mod special;
mod specification;
pub mod tier;
mod tiered;
mod topic;
mod town;
mod writing;
mod written;

use anyhow::Result;

use crate::model::Direction;

pub use axis::{Change, Path, Peer, Port, Rules, Stacking, Target, Types};
pub use case::{Case, Decider, Deciding, Folder, Level, Reason};
pub use covering::{Pair, covers, pairs, possible};
pub use feature::{Combination, Feature};
pub use in_tree::{IN_TREE, InTree};
pub use kind::Kind;
pub use specification::ApiSentence;
pub use tiered::{UPSTREAM, Upstream};
pub use topic::Topic;

/// Every case, in order of its identifier. The same at every call.
///
/// # Errors
/// Where a manifest cannot be written.
pub fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for combination in covering::combinations(direction) {
            cases.push(construction::case(&combination)?);
        }
    }
    cases.extend(special::cases()?);
    cases.extend(tiered::cases()?);
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(cases)
}
