//! Containers: this program again, in the pod's network, as the real agent.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::IpAddr;
use std::process::{ExitCode, Stdio};

use nix::ifaddrs::getifaddrs;
use nix::sched::{CloneFlags, setns};
use ringfence_probe::agent::arguments::{Command as Agent, parse};
use ringfence_probe::agent::{WATCH, bridge, serve};
use tokio::process::{Child, Command};

/// Set where this program is what runs in a container.
pub(crate) const ROLE: &str = "RINGFENCE_TEST_CONTAINER";
/// The process that holds the pods' networks.
const HELPER: &str = "RINGFENCE_TEST_HELPER";
/// The file that the image has.
pub(super) const PROGRAM: &str = "/ringfence-agent";

/// Where a container is to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The process that holds the pods' networks.
    pub(super) helper: u32,
    /// An address that only the wanted network has.
    pub(super) address: IpAddr,
}

/// Starts a process in a pod's network, with what it is to watch from its start. It ends when
/// its standard input does.
pub(super) fn start(
    place: Place,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    watch: Option<&str>,
    output: fn() -> Stdio,
) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .args(arguments)
        .env(ROLE, place.address.to_string())
        .env(HELPER, place.helper.to_string())
        .env(WATCH, watch.unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(output())
        .stderr(output())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Is a container's process. It must come first in `main`: only a process with a single
/// thread may enter a user namespace (setns(2)).
pub(crate) fn play() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringfence-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let variable = |name| std::env::var(name).map_err(io::Error::other);
    let address = variable(ROLE)?.parse().map_err(io::Error::other)?;
    enter(&variable(HELPER)?, address)?;
    // The container's own environment has nothing else.
    let environment = |name: &str| std::env::var(name).ok().filter(|_| name == WATCH);
    match parse(std::env::args_os(), environment).map_err(io::Error::other)? {
        Agent::Serve(options) => {
            // Whoever started it has ended, or wants it to.
            std::thread::spawn(|| {
                let _ = io::stdin().read(&mut [0]);
                std::process::exit(0);
            });
            serve(&options)
        }
        Agent::Bridge { socket } => bridge(&socket),
        Agent::Network(_) => Err(io::Error::other("a pod configures no network")),
        Agent::Help | Agent::Version => Ok(()),
    }
}

/// Moves into the one of a process' networks that has an address.
fn enter(process: &str, address: IpAddr) -> io::Result<()> {
    let folder = fs::read_dir(format!("/proc/{process}/fd"))?;
    let is_network = |target: &std::path::Path| target.to_string_lossy().starts_with("net:[");
    let networks: Vec<File> = folder
        .flatten()
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| is_network(&target)))
        .filter_map(|entry| File::open(entry.path()).ok())
        .collect();
    setns(File::open(format!("/proc/{process}/ns/user"))?, CloneFlags::CLONE_NEWUSER)?;
    for network in networks {
        setns(network, CloneFlags::CLONE_NEWNET)?;
        let mut addresses = getifaddrs()?.filter_map(|interface| {
            let found = interface.address?;
            let v4 = found.as_sockaddr_in().map(|found| IpAddr::V4(found.ip()));
            v4.or_else(|| found.as_sockaddr_in6().map(|found| IpAddr::V6(found.ip())))
        });
        if addresses.any(|found| found == address) {
            return Ok(());
        }
    }
    Err(io::Error::other(format!("expected a network with the address {address}, found none")))
}
