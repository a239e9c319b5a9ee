//! Agents as processes on this machine, and bridges to them: this program, started again.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use ringfence::cluster::agents::{Agents, BoxStream, Dial, DialError, Patience};
use ringfence::model::Endpoint;
use ringfence_probe::agent::{arguments, bridge, serve};

/// Set where this program is to be `ringfence-agent`.
const ROLE: &str = "RINGFENCE_TEST_AGENT";

/// Does what `ringfence-agent` does, where this program was started for that. Comes first in
/// `main`: the agent has to be alone in its process.
pub(crate) fn play() -> Option<ExitCode> {
    std::env::var_os(ROLE)?;
    let command = arguments::parse(std::env::args_os(), |name| std::env::var(name).ok());
    let done = match command.expect("arguments of an agent") {
        arguments::Command::Serve(options) => serve(&options),
        arguments::Command::Bridge { socket } => bridge(&socket),
        other => panic!("no part of a test: {other:?}"),
    };
    // A bridge to an agent that was killed says so, and the test expects it.
    Some(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env(ROLE, "1").stderr(Stdio::null());
    command
}

/// An agent; killed when it goes out of scope.
pub(crate) struct Agent {
    pub(crate) child: Child,
    pub(crate) name: String,
    pub(crate) socket: String,
    /// It listens here, with TCP and with UDP, on every address.
    pub(crate) port: u16,
}

impl Agent {
    pub(crate) fn start(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let socket = format!("ringfence-test-agents-{}-{number}", std::process::id());
        let port = free_port();
        Self { child: Self::spawn(name, &socket, port), name: name.to_owned(), socket, port }
    }

    pub(crate) fn spawn(name: &str, socket: &str, port: u16) -> Child {
        Self::spawn_with(name, socket, port, &[])
    }

    /// The same, with these variables.
    pub(crate) fn spawn_with(
        name: &str,
        socket: &str,
        port: u16,
        variables: &[(&str, &str)],
    ) -> Child {
        let (identity, listen) = (format!("a/{name}"), format!("{port}/TCP,{port}/UDP"));
        let arguments = ["serve", "--identity", &identity, "--socket", socket, "--listen", &listen];
        let mut command = command(&arguments);
        command.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::pod("a", &self.name)
    }

    pub(crate) fn identity(&self) -> String {
        format!("a/{}", self.name)
    }

    pub(crate) fn bridges(&self) -> Bridges {
        Bridges { socket: self.socket.clone(), newest: Mutex::new(None) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a bridge for each stream, as an exec does.
pub(crate) struct Bridges {
    socket: String,
    /// Killed when another takes its place.
    pub(crate) newest: Mutex<Option<tokio::process::Child>>,
}

#[async_trait]
impl Dial for Bridges {
    async fn dial(&self) -> Result<BoxStream, DialError> {
        let mut command =
            tokio::process::Command::from(command(&["bridge", "--socket", &self.socket]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("expected to start a bridge")?;
        let pipes = child.stdout.take().zip(child.stdin.take());
        let (output, input) = pipes.ok_or_else(|| anyhow!("expected pipes to the bridge"))?;
        *self.newest.lock().unwrap() = Some(child);
        Ok(Box::new(tokio::io::join(output, input)))
    }
}

/// No agents yet, and leave to dial loopback addresses.
pub(crate) fn agents(answer: Duration) -> Agents {
    let patience = Patience { connect: Duration::from_secs(10), answer };
    let mut agents = Agents::new("tests".to_owned(), patience);
    agents.allow_targets((1..=9).map(|last| Ipv4Addr::new(127, 0, 0, last).into()));
    agents
}

/// A port on which nobody listens.
pub(crate) fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}
