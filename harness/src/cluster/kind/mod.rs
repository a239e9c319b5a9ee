//! Ephemeral clusters by `kind`: one list of actions, and what executes it.
//!
//! `kind` itself is called as a process, and so is `helm` where a CNI is a chart; everything
//! else that touches Docker or the cluster goes through their APIs.

mod action;
mod agent;
mod apply;
mod chart;
mod config;
pub mod doctor;
mod execute;
mod fetch;
mod machine;
mod node;
mod options;
mod outside;
mod plan;
mod process;
mod retry;
mod rollout;
mod source;
mod state;
mod tenure;

pub use action::{Action, Program, Step};
pub use agent::{AgentArchive, AgentBuilder, BuiltAgent};
pub use execute::{Hands, Noting, Told, close, open};
pub use fetch::{Fetched, fetch};
pub use machine::{Machine, client};
pub use node::{DockerImage, pull, reach, saved};
pub use options::KindOptions;
pub use plan::{Plan, PlanOptions, asset_path, host_arch, image_path};
pub use source::KindSource;
pub use state::{ClusterFolder, State, check_name, clusters_folder, kind_name, list, own_names};
pub use tenure::Tenure;
