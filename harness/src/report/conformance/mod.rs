//! Conformance: what a run of the catalogue says of each cluster, by profile and feature.
//!
//! [`Conformance::of`] folds a [`Run`](super::Run) into a report, which is rendered for a
//! terminal, as Markdown, as JSON with a schema, and as the ConformanceReport of the
//! network-policy-api project.

mod broken;
mod choice;
#[cfg(test)]
mod fixture;
mod fold;
pub mod markdown;
mod model;
mod outcome;
mod phrase;
mod profile;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod upstream;

pub use fold::covers_catalogue;
pub use model::{
    Broken, BrokenCase, Choice, ClusterReport, Conformance, Extended, FaultCell, FeatureRow, Known,
    KnownKind, Measured, Part, Profile, SCHEMA, Sentence, Skipped, Standing, Tally, Unjudged,
    Verdict, schema,
};
