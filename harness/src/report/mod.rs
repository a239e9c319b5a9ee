//! Reports: pure folds over the record's lines. Nothing here reads or writes
//! but [`live::Live`], which is handed what it writes to.

mod comparison;
pub mod conformance;
mod difference;
mod findings;
#[cfg(test)]
pub(crate) mod fixture;
mod grid;
mod induced;
mod known;
mod list;
pub mod live;
mod look;
mod mark;
pub mod merge;
mod news;
mod not_judged;
mod open;
pub mod prerequisites;
pub mod specified;
mod summary;
pub mod terminal;
mod totals;
mod watched;

pub use findings::findings;
pub use list::list;
pub(crate) use look::{BAD, DOUBTFUL, FAINT, GOOD, count, duration};
pub use look::{Look, tame};
pub use summary::{
    BundleRun, ClusterRun, Finished, FoldError, Preparation, Run, ScenarioRun, Stage, Started,
    StepRun,
};
