//! Ringfence proves with real connections that Kubernetes network policies hold.
//!
//! Three matrices carry it: what people *intended* (a scenario's `expect`
//! rules), what the policies *specify* (the semantics engine), and what was
//! *observed* (real connections). Intended ≠ specified is a policy fault;
//! specified ≠ observed is an enforcement fault; whatever is not certain is
//! inconclusive, never a pass.
//!
//! ```text
//! scenario.yaml, manifests
//!        │ scenario: checked, every finding with its line
//!        ▼
//!    Scenario ──────────────► semantics ─────── specified ─┐
//!        │                                                 │
//!        └─► run ◄──► cluster: pods, policies, probes      │
//!             │          └───────────────────── observed ──┤
//!             │ judges each cell: intended ────────────────┘
//!             ▼
//!        lines of the record ─► report ─► cli: what is shown, the exit code
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`model`] | plain data: topologies, policies, cells, decisions, observations |
//! | [`semantics`] | what policies mean: a decision for each cell, and the rules that made it |
//! | [`scenario`] | text → checked scenarios and manifests, or diagnostics |
//! | [`catalogue`] | the cases of the conformance run, generated from a space of features |
//! | [`sample`] | random cases beyond it, and how one that fails is shrunk |
//! | [`cluster`] | the trait [`Cluster`](cluster::Cluster), and the embedded cluster behind it |
//! | [`run`] | control, apply, settle, judge; every step of it is an [`Event`](run::Event) |
//! | [`report`] | pure folds over the record's lines |
//! | [`selftest`] | which faults of a dataplane are caught, and by which cases |
//! | [`cli`], [`exit`] | the command line, and every exit code |
//!
//! Imports go one way: [`model`] → {[`semantics`], [`scenario`]} → [`catalogue`] →
//! [`sample`] → [`cluster`] → [`run`] → [`report`] → [`selftest`] → [`cli`]. The embedded
//! cluster's packet filter shares nothing with [`semantics`] but the model, so that their
//! agreement is evidence.
//!
//! A program that embeds the library calls [`init`] first: an embedded cluster
//! starts that program again as its helper.

pub mod catalogue;
pub mod cli;
pub mod cluster;
pub mod exit;
pub mod model;
pub mod report;
pub mod run;
pub mod sample;
pub mod scenario;
pub mod selftest;
pub mod semantics;

pub use cluster::embedded::init;
