//! Ringfence proves with real connections that Kubernetes network policies hold.
//!
//! Three matrices carry it: what people *intended* (a scenario's `expect`
//! rules), what the policies *specify* (the semantics engine), and what was
//! *observed* (real connections). Intended ≠ specified is a policy fault;
//! specified ≠ observed is an enforcement fault; whatever is not certain is
//! inconclusive, never a pass.
//!
//! Imports go one way: [`model`] → {[`semantics`], [`scenario`]} → [`cluster`] →
//! [`run`] → [`report`] → [`cli`].

pub mod cli;
pub mod cluster;
pub mod exit;
pub mod model;
pub mod report;
pub mod run;
pub mod scenario;
pub mod semantics;

pub use cluster::embedded::init;
