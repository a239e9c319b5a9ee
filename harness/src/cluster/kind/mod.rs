//! Ephemeral clusters by `kind`: one list of actions, and what executes it.
//!
//! `kind` itself is called as a process, and so is `helm` where a CNI is a chart; everything
//! else that touches Docker or the cluster goes through their APIs.

mod action;
mod apply;
mod chart;
mod config;
mod execute;
mod fetch;
mod machine;
mod node;
mod plan;
mod process;
mod retry;
mod rollout;
mod state;

pub use action::{Action, Program, Step};
pub use execute::{Hands, Told, close, open};
pub use fetch::{Fetched, fetch};
pub use machine::{AgentArchive, AgentBuilder, Machine, client};
pub use plan::{Plan, PlanOptions, asset_path, host_arch, image_path};
pub use state::{ClusterFolder, State, check_name, clusters_folder, kind_name, list};
