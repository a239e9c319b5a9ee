//! Streams to agents by exec: a WebSocket to `ringfence-agent bridge` in the pod.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use futures_util::FutureExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, Join, ReadBuf, ReadHalf, SimplexStream, WriteHalf, join,
};
use tokio::task::JoinHandle;

use super::call::{Asked, asked, refused};
use super::mirror::Key;
use super::objects::pod::CONTAINER;
use super::site::{Site, path};
use super::trouble::{has_ended, trouble};
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
        let gone = self.site.pods.look(|pods| match pods.get(&self.key) {
            Some(pod)
                if pod.metadata.uid.as_ref() == Some(&self.uid)
                    && pod.metadata.deletion_timestamp.is_none() =>
            {
                let trouble = trouble(pod).filter(|_| has_ended(pod))?;
                Some(format!("the pod `{}` does not run: {}", path(&self.key), trouble.what))
            }
            _ => Some(format!("there is no pod `{}` any more", path(&self.key))),
        });
        if let Some(why) = gone {
            return Err(DialError::Gone(why));
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
        let asked = asked("create", "pods/exec", path(&self.key));
        let process = pods.exec(name, command, &params).await;
        let mut process = process.map_err(|error| failed(&asked, error))?;
        let status = process.take_status().context("expected an exec to end with a status")?;
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
        let end: End = Box::pin(status.map(|status| status.is_some()));
        let pipes = join(output, input);
        Ok(Box::new(Bridge { pipes, said: Some(said), end: Some(end), _process: process }))
    }
}

/// Why there is no exec: in what the server said of it, without the rest of its status.
fn failed(asked: &Asked, error: kube::Error) -> DialError {
    let failed = match error {
        kube::Error::Api(status) => match refused(asked, &status) {
            Some(denied) if status.code == 403 => return DialError::Denied(denied.into()),
            _ => anyhow!("{} ({})", status.message, status.code),
        },
        other => other.into(),
    };
    failed.context(asked.to_string()).into()
}

/// Whether an exec ended as it should, once it has: with a status.
type End = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A bridge's standard input and output. Its end is an error where it said why on its
/// standard error.
struct Bridge {
    pipes: Join<ReadHalf<SimplexStream>, WriteHalf<SimplexStream>>,
    said: Option<JoinHandle<String>>,
    /// `None` once it has ended with a status: the end of the output follows.
    end: Option<End>,
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
        // Where the WebSocket breaks, nobody closes the pipes: that there will be no
        // status is all that tells of it.
        let mut read = Pin::new(&mut self.pipes).poll_read(context, buffer)?;
        if read.is_pending()
            && let Some(end) = &mut self.end
        {
            if !ready!(end.as_mut().poll(context)) {
                let broken = "the WebSocket of the exec broke";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, broken)));
            }
            self.end = None;
            read = Pin::new(&mut self.pipes).poll_read(context, buffer)?;
        }
        ready!(read);
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
