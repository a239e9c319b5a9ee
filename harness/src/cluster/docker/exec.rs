//! A command in a container, as a stream of bytes in both directions.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::StreamReader;

use super::engine::{Engine, EngineError, refused};

/// Bytes that are read from the Engine at once.
const CAPACITY: usize = 64 << 10;

type Output = Pin<Box<dyn Stream<Item = io::Result<bytes::Bytes>> + Send>>;

/// A command that runs in a container: its standard output can be read, its standard input
/// written to. What it says on standard error is the error with which reading ends.
pub struct Attached {
    output: StreamReader<Output, bytes::Bytes>,
    input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attached")
    }
}

impl Engine {
    /// Runs a command in a container that runs.
    ///
    /// # Errors
    /// Where the container is gone ([`EngineError::is_not_found`]) or the Engine refuses. A
    /// command that fails is told by reading.
    pub async fn exec(&self, container: &str, command: &[&str]) -> Result<Attached, EngineError> {
        let what = || format!("run `{}` in the container `{container}`", command.join(" "));
        let options = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..CreateExecOptions::default()
        };
        let exec = self.api.create_exec(container, options).await.map_err(refused(what()))?;
        let options = StartExecOptions { output_capacity: Some(CAPACITY), ..Default::default() };
        let started = self.api.start_exec(&exec.id, Some(options)).await;
        match started.map_err(refused(what()))? {
            StartExecResults::Attached { output, input } => {
                let output = output.map_err(io::Error::other).map(|chunk| standard_output(chunk?));
                Ok(Attached { output: StreamReader::new(Box::pin(output)), input })
            }
            StartExecResults::Detached => {
                let source = io::Error::other("it was started detached");
                Err(refused(what())(source.into()))
            }
        }
    }
}

/// What belongs to standard output.
fn standard_output(chunk: LogOutput) -> io::Result<bytes::Bytes> {
    match chunk {
        LogOutput::StdErr { message } => {
            Err(io::Error::other(String::from_utf8_lossy(&message).trim().to_owned()))
        }
        LogOutput::StdOut { message }
        | LogOutput::StdIn { message }
        | LogOutput::Console { message } => Ok(message),
    }
}

impl AsyncRead for Attached {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(context, buffer)
    }
}

impl AsyncWrite for Attached {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.input.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_shutdown(context)
    }
}
