//! The meaning of policies under the Kubernetes API: pure, without a cluster.
//!
//! [`Engine::decide`] answers for one cell, with the policies and rules that make
//! it so; [`Engine::pairs`] answers for all pairs of pods at once; [`why`] says a
//! decision in a sentence, and [`trace`] shows everything that was weighed.
//!
//! Every rule in here quotes the sentence that it implements: of the API reference
//! (`networking.k8s.io/v1`, named by type and field) or of the concept page
//! (`concepts/services-networking/network-policies`). What neither settles is
//! [`Verdict::Undefined`](crate::model::Verdict::Undefined) with its
//! [`Clause`](crate::model::Clause); where both possible behaviours come to the
//! same, the answer is plain.
//!
//! Policies of the cluster (`policy.networking.k8s.io`) come before and after those of
//! namespaces (`tiers`); their sentences are of that API, named by type and field, or of
//! its overview.

mod answer;
mod condition;
mod coverage;
mod engine;
pub mod explain;
mod flow;
mod isolation;
mod pairs;
mod selection;
mod side;
mod tiers;

pub use answer::Answer;
pub use engine::Engine;
pub use explain::{Explanation, trace, why};
pub use isolation::isolates;
pub use pairs::{Pairs, Row};
