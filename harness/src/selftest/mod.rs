//! Whether the harness would notice: which faults of a dataplane are caught, and by what.
//!
//! | part | holds |
//! |---|---|
//! | [`detector`] | for each fault the cases that are meant to catch it, their level, and the bound by which they must |
//! | [`Plan`] | what is run: faults with their cases, cases without a fault, pairs of faults |
//! | [`Sight`], [`Verdict`] | what a run says of a fault |
//! | [`Selftest`], [`render`] | the result, its exit code, and how it is shown |
//!
//! Runs are made elsewhere, by [`run_all`](crate::run::run_all); this folds their records. The
//! dataplane knows nothing of cases, and the catalogue nothing of faults.

mod detector;
mod plan;
mod result;
mod table;
mod verdict;

pub use detector::{BOUND, Detector, detector};
pub use plan::{Plan, Trial};
pub use result::{Caught, FaultFree, Judged, Pair, Report, SCHEMA, Selftest, Sweep};
pub use table::{list, render};
pub use verdict::{Sight, Verdict, sight, verdict};
