//! The agent's image, on its way into nodes.

use async_trait::async_trait;

use crate::cluster::ClusterError;
use crate::cluster::docker::{AgentImage, AgentSource, Engine};

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

/// The agent of this version, built for what the Engine runs on, as nodes do too.
#[derive(Debug, Clone)]
pub struct BuiltAgent;

#[async_trait]
impl AgentBuilder for BuiltAgent {
    async fn build(&self) -> Result<AgentArchive, ClusterError> {
        let engine = Engine::connect().await?;
        let architecture = engine.architecture().ok_or_else(|| {
            ClusterError::Unsupported(
                "expected a Docker Engine on `amd64` or `arm64`, for which there are agents, found another: name an image by `--agent-image`"
                    .to_owned(),
            )
        })?;
        let source = AgentSource::find(None).map_err(anyhow::Error::from)?;
        let agent = source.agent(architecture).await.map_err(anyhow::Error::from)?;
        let image = AgentImage::new(&agent).map_err(anyhow::Error::from)?;
        // Hosts outside the cluster are containers of it.
        engine.load(&image).await?;
        Ok(AgentArchive { reference: image.reference, archive: image.archive })
    }
}
