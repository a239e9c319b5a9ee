//! The catalogue: cases that test a dataplane on the whole of the specification.
//!
//! Cases are generated from a declared space of features (`axis`), not written one by one.
//! What can occur together is said in `possible`; `covering` chooses each feature by itself
//! and every pair; `cases` makes a scenario folder of each combination, and writes out by hand
//! what stands outside the axes. What is meant of every cell is put together from what was said
//! of each feature by hand (`selection`, `opening`), without the semantics engine, so that the
//! catalogue tests the engine too. Policies of the cluster have a space of their own
//! ([`cluster_tier`]).

mod api;
mod axis;
mod case;
mod cases;
pub mod cluster_tier;
mod covering;
mod expect;
mod feature;
mod kind;
mod opening;
mod policy;
mod possible;
mod scene;
mod selection;
mod space;
mod specification;
mod topic;
mod town;
mod writing;

pub use axis::{Change, Path, Peer, Port, Rules, Stacking, Target, Types};
pub use case::{Case, Decider, Deciding, Folder, Level, Reason};
pub use cases::{IN_TREE, InTree, UPSTREAM, Upstream, cases};
pub use covering::{Pair, covers, pairs, possible};
pub use feature::{Combination, Feature};
pub use kind::Kind;
pub use specification::ApiSentence;
pub use topic::Topic;
