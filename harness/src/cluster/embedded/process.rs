//! The helper process, as the run sees it: starting it, asking it, ending it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use super::protocol::{self, Reply, Request};
use crate::cluster::ClusterError;

/// Set in the environment of a helper.
const MARKER: &str = "RINGFENCE_EMBEDDED_HELPER";
/// The program that is started again, also where its file was replaced or removed since.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// The helper's name in process lists.
const NAME: &str = "ringfence-embedded";
/// From the start of a process to its first frame. Machines under load are slow to start one.
const START: Duration = Duration::from_secs(20);
/// From the end of the connection to the end of the process.
const END: Duration = Duration::from_secs(5);
/// How much of what a helper says on its standard error is kept.
const TAIL: usize = 4 << 10;

static INITIALISED: AtomicBool = AtomicBool::new(false);

/// Makes a program able to have embedded clusters. It must be the first thing that
/// `main` does, in every program that uses the library, test programs included:
///
/// ```no_run
/// use ringfence::cluster::embedded::{Embedded, EmbeddedOptions};
/// use ringfence::cluster::{Cluster, ClusterError};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     ringfence::init();
///     let runtime = tokio::runtime::Runtime::new()?;
///     runtime.block_on(async {
///         match Embedded::start(EmbeddedOptions::default()).await {
///             Ok(mut cluster) => Ok(cluster.teardown().await?),
///             // It names the setting that forbids it, and what to do.
///             Err(ClusterError::Unsupported(why)) => Ok(println!("skipped: {why}")),
///             Err(error) => Err(error.into()),
///         }
///     })
/// }
/// ```
///
/// An embedded cluster lives in a helper process, which is the same program started
/// again: in a helper this function serves the cluster and never returns, else it
/// returns at once. It has to come first because a process can make a user namespace
/// only while it has a single thread (`unshare(2)`, `CLONE_NEWUSER`): before any
/// thread, and before an async runtime, so not below `#[tokio::main]`. A test program
/// needs `harness = false`, because the standard test harness has the `main`.
pub fn init() {
    INITIALISED.store(true, Ordering::Relaxed);
    if std::env::var_os(MARKER).is_none() {
        return;
    }
    let code = super::helper::main();
    std::process::exit(code);
}

/// A helper process and the connection to it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    stream: UnixStream,
    said: Arc<Mutex<VecDeque<u8>>>,
    /// Whether a request was given up half way: the stream is out of step then.
    spoilt: bool,
}

impl Process {
    /// Starts a helper that is in a user namespace of its own.
    pub(super) async fn start() -> Result<Self, ClusterError> {
        if !INITIALISED.load(Ordering::Relaxed) {
            return Err(ClusterError::Other(anyhow!(
                "expected `ringfence::init()` to have been called, found that it was not: make it \
                 the first line of `main` (an embedded cluster starts this program again as its \
                 helper; a test program needs `harness = false`)"
            )));
        }
        if !Path::new(OWN_PROGRAM).exists() {
            return Err(ClusterError::Unsupported(format!(
                "expected this program at `{OWN_PROGRAM}`, found nothing: mount `/proc` (`mount -t \
                 proc proc /proc`)"
            )));
        }
        let mut process = Self::spawn().context("start the helper process")?;
        match process.receive(START, "the helper process to start").await? {
            Reply::Entered => Ok(process),
            other => Err(refusal(other)),
        }
    }

    fn spawn() -> anyhow::Result<Self> {
        let mut own = Command::new(OWN_PROGRAM);
        own.arg0(NAME).env(MARKER, "1");
        Self::of(own)
    }

    /// A program at the other end of a connection.
    pub(super) fn of(mut program: Command) -> anyhow::Result<Self> {
        let (ours, theirs) = BlockingStream::pair()?;
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
        let mut child = program
            // The connection is the standard input: the only descriptor that a helper
            // inherits besides the other two.
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A Ctrl-C is the run's to handle: the helper ends when the run lets go of it.
            .process_group(0)
            .current_dir("/")
            .kill_on_drop(true)
            .spawn()
            .context("start this program again")?;
        let said = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(listen(stderr, said.clone()));
        }
        Ok(Self { child, stream, said, spoilt: false })
    }

    /// The helper's process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it still runs. One that has ended is reaped.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks for something and waits for the answer. A refusal is the error.
    ///
    /// One request at a time: where the future is dropped before it is done, every
    /// later request fails with [`ClusterError::Lost`].
    pub(super) async fn ask(
        &mut self,
        request: &Request,
        deadline: Duration,
        what: &str,
    ) -> Result<Reply, ClusterError> {
        if self.spoilt {
            return Err(ClusterError::Lost(
                "an earlier request was given up before its answer came".to_owned(),
            ));
        }
        self.spoilt = true;
        let frame = protocol::encode(request).context("write a request")?;
        // An error here means that the helper is gone; reading tells why.
        let sent = timeout(deadline, self.stream.write_all(&frame)).await;
        if sent.is_err() {
            return Err(ClusterError::Deadline { what: what.to_owned(), deadline });
        }
        let reply = self.receive(deadline, what).await?;
        self.spoilt = false;
        match reply {
            failed @ Reply::Failed { .. } => Err(refusal(failed)),
            reply => Ok(reply),
        }
    }

    async fn receive(&mut self, deadline: Duration, what: &str) -> Result<Reply, ClusterError> {
        match timeout(deadline, read(&mut self.stream)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(self.lost(&error).await),
            Err(_) => Err(ClusterError::Deadline { what: what.to_owned(), deadline }),
        }
    }

    /// The helper is gone: how it ended, and its last words.
    async fn lost(&mut self, error: &io::Error) -> ClusterError {
        self.spoilt = true;
        let ended = match timeout(END, self.child.wait()).await {
            Ok(Ok(status)) => format!("its helper process ended with {status}"),
            _ => format!("its helper process does not answer ({error})"),
        };
        let said = self.said.lock().expect("no holder panics").iter().copied().collect::<Vec<_>>();
        let said = String::from_utf8_lossy(&said);
        match said.trim() {
            "" => ClusterError::Lost(ended),
            said => ClusterError::Lost(format!("{ended}; its last words: {said}")),
        }
    }

    /// Ends the helper, and the cluster with it, and waits until it has ended.
    pub(super) async fn end(self) -> Result<(), String> {
        let Self { mut child, stream, .. } = self;
        drop(stream);
        if timeout(END, child.wait()).await.is_ok_and(|ended| ended.is_ok()) {
            return Ok(());
        }
        child.kill().await.map_err(|error| {
            format!("expected the helper process {:?} to end, found: {error}", child.id())
        })
    }
}

/// The error that a reply of another kind than the one asked for is.
pub(super) fn refusal(reply: Reply) -> ClusterError {
    match reply {
        Reply::Failed { unsupported: true, message } => ClusterError::Unsupported(message),
        Reply::Failed { unsupported: false, message } => ClusterError::Other(anyhow!(message)),
        other => {
            ClusterError::Other(anyhow!("expected another answer of the helper, found {other:?}"))
        }
    }
}

async fn read(stream: &mut UnixStream) -> io::Result<Reply> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    let mut body = vec![0; protocol::length(header)?];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// Keeps the end of what the helper says.
async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        let mut said = said.lock().expect("no holder panics");
        said.extend(&buffer[..length]);
        let excess = said.len().saturating_sub(TAIL);
        said.drain(..excess);
    }
}
