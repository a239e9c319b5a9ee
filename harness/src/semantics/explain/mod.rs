//! Decisions in words: one sentence with [`why`], everything that was weighed with [`trace`].

mod display;
mod reason;
mod sentence;
mod trace;

pub use sentence::why;
pub use trace::{EntryTrace, Explanation, PolicyTrace, RuleTrace, SideTrace, Standing, trace};
