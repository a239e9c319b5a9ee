//! The objects that a cluster is given for a topology.
//!
//! They are pure functions of the model: what differs between clusters, such as the
//! agent's image, is an argument.

pub mod namespace;
pub mod pod;
pub mod service;

pub use namespace::Level;
pub use pod::Agent;
pub use service::Exposure;
