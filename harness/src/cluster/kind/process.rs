//! Programs that are called as processes.

use std::ffi::OsString;
use std::process::Stdio;

use anyhow::{Context, anyhow, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use super::action::Program;
use super::execute::Told;
use crate::cluster::ClusterError;

/// How much of what a program said is kept for its error.
const KEPT_LINES: usize = 40;

/// Looks a program up by asking for its version, and returns the first line that it says.
///
/// # Errors
/// What is to be installed.
pub(super) async fn version(
    program: Program,
    path: Option<&OsString>,
) -> Result<String, ClusterError> {
    let (arguments, remedy) = program.probe();
    let name = program.name();
    let missing = |why: String| {
        ClusterError::Unsupported(format!("expected the program `{name}`, {why}: {remedy}"))
    };
    match command(program, path).args(arguments).output().await {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            Ok(said.lines().next().unwrap_or_default().trim().to_owned())
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(missing(format!("found one that fails ({}): {said}", output.status)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(missing("found none on the search path".to_owned()))
        }
        Err(error) => Err(missing(format!("which cannot be started ({error})"))),
    }
}

fn command(program: Program, path: Option<&OsString>) -> Command {
    let mut command = Command::new(program.name());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    // Nodes are containers of Docker on kind's own network, whatever a shell has set.
    command.env("KIND_EXPERIMENTAL_PROVIDER", "docker");
    command.env_remove("KIND_EXPERIMENTAL_DOCKER_NETWORK");
    command.env_remove("KUBECONFIG");
    command
}

/// Runs a program to its end, and returns what it printed. It is killed where this is dropped.
///
/// # Errors
/// The last that it said, where it fails.
pub(super) async fn run(
    program: Program,
    arguments: &[String],
    path: Option<&OsString>,
    told: &Told,
) -> anyhow::Result<String> {
    let name = program.name();
    let mut child = command(program, path)
        .args(arguments)
        .spawn()
        .with_context(|| format!("`{name}` cannot be started"))?;
    let out = child.stdout.take().context("a pipe of a child is gone")?;
    let err = child.stderr.take().context("a pipe of a child is gone")?;
    let silent = Told::default();
    let (out, err, status) =
        tokio::join!(lines(out, &silent, usize::MAX), lines(err, told, KEPT_LINES), child.wait());
    let status = status.with_context(|| format!("`{name}` cannot be waited for"))?;
    if status.success() {
        return Ok(out.join("\n"));
    }
    let mut said: Vec<String> = err;
    if said.is_empty() {
        said = out;
    }
    let shown = format!("{name} {}", arguments.join(" "));
    let said = said.join("\n  | ");
    if said.contains("privileged") || said.contains("could not find a log line") {
        bail!(
            "`{shown}` failed ({status}); its nodes are privileged containers with systemd, \
             which Docker must be able to run:\n  | {said}"
        );
    }
    Err(anyhow!("`{shown}` failed ({status}):\n  | {said}"))
}

/// The last lines of a stream, each told as it comes.
async fn lines(stream: impl AsyncRead + Unpin, told: &Told, kept: usize) -> Vec<String> {
    let mut reader = BufReader::new(stream).lines();
    let mut all = std::collections::VecDeque::new();
    // A stream that breaks or is no text has ended for our purpose: the status decides.
    while let Ok(Some(line)) = reader.next_line().await {
        told.tell(line.trim());
        if all.len() == kept {
            all.pop_front();
        }
        all.push_back(line);
    }
    all.into()
}
