//! The agent's image, on its way into nodes.

use async_trait::async_trait;

use crate::cluster::ClusterError;

/// The agent's image, as `ctr images import` takes it.
#[derive(Debug, Clone)]
pub struct AgentArchive {
    /// Its name, as pods ask for it.
    pub reference: String,
    /// The archive, in the form of `docker save`.
    pub archive: Vec<u8>,
}

/// Builds the agent's image.
#[async_trait]
pub trait AgentBuilder: Send + Sync {
    /// Builds it, or takes it from where it was built before.
    ///
    /// # Errors
    /// What to do where it cannot be built.
    async fn build(&self) -> Result<AgentArchive, ClusterError>;
}
