//! Streams to agents by exec: a WebSocket to `ringfence-agent bridge` in the pod.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, Join, ReadBuf, ReadHalf, SimplexStream, WriteHalf, join,
};
use tokio::task::JoinHandle;

use super::mirror::Key;
use super::objects::pod::CONTAINER;
use super::site::{Site, path};
use crate::cluster::agents::{BoxStream, Dial, DialError};

/// The agent's program in its image.
const PROGRAM: &str = "/ringfence-agent";

/// How many bytes wait in each direction: a round of a thousand attempts and its answers
/// go through in a few pieces.
const BUFFER: usize = 64 << 10;

/// How much of what a bridge says on its standard error is kept.
const MOST_SAID: u64 = 4096;

/// Dials the agent of one pod.
pub(super) struct PodDial {
    pub(super) site: Arc<Site>,
    /// The pod's namespace and name in the cluster.
    pub(super) key: Key,
    /// Its identity: another pod of the same name is not the one.
    pub(super) uid: String,
    /// The agent's socket.
    pub(super) socket: String,
}

#[async_trait]
impl Dial for PodDial {
    async fn dial(&self) -> Result<BoxStream, DialError> {
        let there = self.site.pods.look(|pods| {
            pods.get(&self.key).is_some_and(|pod| {
                pod.metadata.uid.as_ref() == Some(&self.uid)
                    && pod.metadata.deletion_timestamp.is_none()
            })
        });
        if !there {
            return Err(DialError::Gone(format!("there is no pod `{}` any more", path(&self.key))));
        }
        let (namespace, name) = &self.key;
        let pods: Api<Pod> = Api::namespaced(self.site.client.clone(), namespace);
        let params = AttachParams::default()
            .container(CONTAINER)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .max_stdin_buf_size(BUFFER)
            .max_stdout_buf_size(BUFFER);
        let command = [PROGRAM, "bridge", "--socket", &self.socket];
        let mut process = pods
            .exec(name, command, &params)
            .await
            .with_context(|| format!("`create` of `pods/exec` for `{}`", path(&self.key)))?;
        let (Some(input), Some(output), Some(errors)) =
            (process.stdin(), process.stdout(), process.stderr())
        else {
            return Err(
                anyhow!("expected the streams of an exec, found that one is missing").into()
            );
        };
        let said = tokio::spawn(async move {
            let mut said = Vec::new();
            // What was said before the stream broke is all there is.
            let _ = errors.take(MOST_SAID).read_to_end(&mut said).await;
            String::from_utf8_lossy(&said).trim().to_owned()
        });
        Ok(Box::new(Bridge { pipes: join(output, input), said: Some(said), _process: process }))
    }
}

/// A bridge's standard input and output. Its end is an error where it said why on its
/// standard error.
struct Bridge {
    pipes: Join<ReadHalf<SimplexStream>, WriteHalf<SimplexStream>>,
    said: Option<JoinHandle<String>>,
    /// Its WebSocket is closed when it is dropped.
    _process: AttachedProcess,
}

impl AsyncRead for Bridge {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.pipes).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        let Some(said) = &mut self.said else { return Poll::Ready(Ok(())) };
        let text = ready!(Pin::new(said).poll(context)).unwrap_or_default();
        self.said = None;
        Poll::Ready(if text.is_empty() { Ok(()) } else { Err(io::Error::other(text)) })
    }
}

impl AsyncWrite for Bridge {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipes).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipes).poll_shutdown(context)
    }
}
