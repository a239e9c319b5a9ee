//! How a stream to an agent's bridge is opened.

use anyhow::Error;
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes in both directions: a WebSocket, a process' pipes, a socket.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Any [`Stream`].
pub type BoxStream = Box<dyn Stream>;

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The pod or container is not there any more: it is no use to try again.
    #[error("it is gone: {0}")]
    Gone(String),
    /// It is not allowed: it is no use to try again.
    #[error(transparent)]
    Denied(Error),
    /// It may be tried again.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Opens streams to one agent: each is the standard input and output of a
/// `ringfence-agent bridge` that runs where the agent does.
#[async_trait]
pub trait Dial: Send + Sync {
    /// Opens a stream. The one before may still seem to be alive; it is not used any more. A call
    /// that takes too long is dropped.
    async fn dial(&self) -> Result<BoxStream, DialError>;
}
