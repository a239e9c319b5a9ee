//! The dataplane's tests: what policies compile to, what of it is in the kernel after
//! loading, and what packets do there.

mod cluster_policies;
mod kernel;
mod lab;
mod packets;
mod rulesets;
mod scale;
mod tiers;
mod world;
