//! Clusters of Kubernetes, ephemeral or not: every object of a run, and its names.

pub mod access;
pub mod naming;
pub mod objects;
pub mod owner;
pub mod rbac;
pub mod reserved;
pub mod rewrite;
pub mod role;
