//! The static `ringfence-agent`: built from the workspace, or given.
//!
//! A `ringfence` that was built from a workspace which is still there builds the agent from it,
//! so that both are of one version. One that was installed elsewhere is given the agent by
//! `--agent-binary`, or the name of a finished image by `--agent-image`.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::architecture::Architecture;
use super::elf::static_executable;

/// The ways out where the agent cannot be built here.
const WAYS_OUT: &str =
    "or give a static one by `--agent-binary PATH`, or a finished image by `--agent-image REF`";

/// Where an agent comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentSource {
    /// A file.
    File(PathBuf),
    /// Built from a workspace by cargo.
    Workspace(PathBuf),
}

/// Why there is no agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// This program does not know its workspace.
    #[error(
        "expected the workspace that this `ringfence` was built from at `{0}`, found none: run `cargo build` there from a checkout, {WAYS_OUT}"
    )]
    NoWorkspace(PathBuf),
    /// Cargo is not there.
    #[error(
        "expected `cargo` to build the agent with: install Rust and run `{command}`, {WAYS_OUT}"
    )]
    NoCargo {
        /// What would have been run.
        command: String,
        /// Why not.
        source: io::Error,
    },
    /// The target's standard library is not there.
    #[error(
        "expected Rust's standard library for `{target}`: run `rustup target add {target}`, {WAYS_OUT}"
    )]
    NoTarget {
        /// Rust's name of the target.
        target: String,
    },
    /// It does not compile.
    #[error("the agent could not be built: run `{command}` to see why, {WAYS_OUT}\n{said}")]
    Build {
        /// What was run.
        command: String,
        /// The end of what it said.
        said: String,
    },
    /// The file cannot be read.
    #[error("cannot read the agent `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is something else.
    #[error("expected a static executable for {wanted} at `{path}`, found {found}; {remedy}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What it should run on.
        wanted: Architecture,
        /// What was found.
        found: String,
        /// What to do.
        remedy: String,
    },
}

/// A static agent that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentBinary {
    /// The executable.
    pub bytes: Vec<u8>,
    /// What it runs on.
    pub architecture: Architecture,
}

impl AgentSource {
    /// The file that was given, or else the workspace that this program was built from.
    ///
    /// # Errors
    /// Where neither is there.
    pub fn find(given: Option<&Path>) -> Result<Self, AgentError> {
        if let Some(path) = given {
            return Ok(Self::File(path.to_owned()));
        }
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = own.parent().unwrap_or(own);
        let there = ["Cargo.lock", "probes/Cargo.toml"].map(|file| workspace.join(file).is_file());
        if there == [true, true] {
            Ok(Self::Workspace(workspace.to_owned()))
        } else {
            Err(AgentError::NoWorkspace(workspace.to_owned()))
        }
    }

    /// The command that builds the agent, as a shell would take it; `None` where it is a file.
    pub fn command(&self, architecture: Architecture) -> Option<String> {
        let Self::Workspace(workspace) = self else { return None };
        let words = arguments(workspace, architecture);
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        Some(format!("RUSTFLAGS='{}' cargo {}", architecture.flags(), words.join(" ")))
    }

    /// Reads the agent, or builds it, which takes under a minute the first time and a moment
    /// afterwards; and checks what it is.
    ///
    /// # Errors
    /// All of [`AgentError`].
    pub async fn agent(&self, architecture: Architecture) -> Result<AgentBinary, AgentError> {
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Workspace(workspace) => build(self, workspace, architecture).await?,
        };
        let bytes = tokio::fs::read(&path).await;
        let bytes = bytes.map_err(|source| AgentError::Read { path: path.clone(), source })?;
        let found = match static_executable(&bytes) {
            Ok(found) if found == architecture => return Ok(AgentBinary { bytes, architecture }),
            Ok(found) => format!("one for {found}"),
            Err(found) => found,
        };
        let remedy = match Self::find(None) {
            Ok(workspace @ Self::Workspace(_)) if *self != workspace => {
                let command = workspace.command(architecture).unwrap_or_default();
                format!("build it with `{command}`")
            }
            _ => {
                "a static C library is missing (`glibc-static`, or part of `libc6-dev`)".to_owned()
            }
        };
        Err(AgentError::Wrong { path, wanted: architecture, found, remedy })
    }
}

fn arguments(workspace: &Path, architecture: Architecture) -> Vec<String> {
    let manifest = workspace.join("Cargo.toml");
    [
        "build",
        "--release",
        "--locked",
        "--package=ringfence-probe",
        "--bin=ringfence-agent",
        "--config=profile.release.strip=\"symbols\"",
        "--target",
        &architecture.target(),
        "--manifest-path",
        &manifest.to_string_lossy(),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=+:".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// Builds the agent, and returns where it is, as cargo says it.
async fn build(
    source: &AgentSource,
    workspace: &Path,
    architecture: Architecture,
) -> Result<PathBuf, AgentError> {
    let command = source.command(architecture).unwrap_or_default();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments(workspace, architecture))
        .arg("--message-format=json-render-diagnostics")
        .env("RUSTFLAGS", architecture.flags())
        // It would go before `RUSTFLAGS`.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output =
        output.map_err(|source| AgentError::NoCargo { command: command.clone(), source })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        if said.contains("can't find crate for `std`")
            || said.contains("can't find crate for `core`")
        {
            return Err(AgentError::NoTarget { target: architecture.target() });
        }
        let lines: Vec<&str> = said.lines().collect();
        let end = lines[lines.len().saturating_sub(12)..].join("\n");
        return Err(AgentError::Build { command, said: end });
    }
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let executable = messages
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back();
    executable.ok_or_else(|| AgentError::Build {
        command,
        said: "expected cargo to name the executable that it built, found none".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_given_to_a_shell() {
        let source = AgentSource::Workspace("/src/ringfence".into());
        let own = Architecture::here().expect("tests run where there are agents");
        let other = match own {
            Architecture::Amd64 => Architecture::Arm64,
            Architecture::Arm64 => Architecture::Amd64,
        };
        let told = source.command(own).unwrap();
        assert!(
            told.starts_with(
                "RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --package=ringfence-probe --bin=ringfence-agent '--config=profile.release.strip=\"symbols\"' --target "
            ),
            "{told}"
        );
        assert!(told.ends_with("-linux-gnu --manifest-path /src/ringfence/Cargo.toml"), "{told}");
        let told = source.command(other).unwrap();
        assert!(
            told.contains("-C linker=rust-lld' cargo") && told.contains("-linux-musl"),
            "{told}"
        );
        assert_eq!(AgentSource::File("agent".into()).command(own), None);
    }

    #[tokio::test]
    async fn a_file_that_is_no_agent_is_refused() {
        let own = Architecture::here().expect("tests run where there are agents");
        let source = AgentSource::find(Some(Path::new("/proc/self/exe"))).unwrap();
        let told = source.agent(own).await.unwrap_err().to_string();
        let expected = format!(
            "expected a static executable for {own} at `/proc/self/exe`, found an executable that needs a dynamic linker; build it with `RUSTFLAGS="
        );
        assert!(told.starts_with(&expected), "{told}");
        let source = AgentSource::find(Some(Path::new("/nowhere"))).unwrap();
        let told = source.agent(own).await.unwrap_err().to_string();
        assert_eq!(told, "cannot read the agent `/nowhere`");
    }
}
