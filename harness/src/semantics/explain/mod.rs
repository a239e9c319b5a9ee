//! Decisions in words: one sentence with [`why`], everything that was weighed with [`trace`].

mod cluster;
mod display;
mod explanation;
mod reason;
mod sentence;
mod trace;

pub use explanation::{
    ClusterPolicyTrace, ClusterRuleTrace, EntryTrace, Explanation, PolicyTrace, RuleTrace,
    SideTrace, Standing,
};
pub use sentence::why;
pub use trace::trace;
