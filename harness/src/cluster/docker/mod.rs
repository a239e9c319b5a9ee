//! Docker, through the Engine's own API: the agent's image, hosts outside the cluster, and
//! what a run that was killed left behind.
//!
//! Everything made here carries the label [`RUN`]; [`prune`] finds it by that alone.

mod agent_binary;
mod architecture;
mod claims;
mod container;
pub mod doctor;
mod elf;
mod engine;
mod exec;
mod external;
mod image;
mod prune;
mod ranges;

pub use agent_binary::{AgentBinary, AgentError, AgentSource};
pub use architecture::{Architecture, UnknownArchitecture};
pub use engine::{Engine, EngineError};
pub use exec::Attached;
pub use external::{Deployment, DockerHosts, ExternalHosts, Host, NodeContainer};
pub use image::{AgentImage, Loaded, PushError, SIZE_TARGET};
pub use prune::{Pruned, Scope, prune, runs};

/// The label that names the run by which an object was made.
pub const RUN: &str = "ringfence.dev/run";

/// The label that says what an object is: `external-host`, `network`, `agent-image`, `node`, or
/// `configuration`, a container that lives for a moment.
pub const KIND: &str = "ringfence.dev/kind";

/// The user and group as which agents run: nobody in particular, and not root.
pub const AGENT_USER: i64 = 65_532;
