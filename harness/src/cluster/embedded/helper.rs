//! The helper process: enters a user namespace of its own and serves one cluster
//! until the run lets go of it.
//!
//! Its lifeline is the end of the connection, which the kernel brings about however
//! the run ends. `PR_SET_PDEATHSIG` would fire when the *thread* that started the
//! helper ends, and test runners' threads end.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{close, getegid, geteuid};

use super::deployment::Deployment;
use super::obstacle::{Obstacle, Part, settings};
use super::protocol::{self, Reply, Request};
use super::{EmbeddedOptions, facts, trial};

/// Serves one cluster over the standard input, which is a socket; the exit code.
pub(super) fn main() -> i32 {
    match serve() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error:#}");
            1
        }
    }
}

fn serve() -> anyhow::Result<()> {
    // Else `ps` would show `exe`, the name that the program was started by.
    prctl::set_name(c"ringfence-helper").context("name the process")?;
    let input = io::stdin().as_fd().try_clone_to_owned().context("take the connection")?;
    let mut stream = UnixStream::from(input);
    if let Err(error) = enter_namespaces() {
        return Ok(protocol::write(&mut stream, &failed(&error))?);
    }
    raise_open_files().context("raise the limit of open files")?;
    let lifeline = stream.try_clone()?;
    std::thread::Builder::new().name("lifeline".to_owned()).spawn(move || {
        wait_for_end(lifeline.as_fd());
        std::process::exit(0);
    })?;
    protocol::write(&mut stream, &Reply::Entered)?;
    let mut session = Session::default();
    while let Some(request) = protocol::read(&mut stream).context("read a request")? {
        let reply = session.answer(request).unwrap_or_else(|error| failed(&error));
        protocol::write(&mut stream, &reply).context("write an answer")?;
    }
    Ok(())
}

/// What the helper knows between requests.
#[derive(Default)]
struct Session {
    options: EmbeddedOptions,
    ipv6: bool,
    deployment: Option<Deployment>,
}

impl Session {
    fn answer(&mut self, request: Request) -> anyhow::Result<Reply> {
        Ok(match request {
            Request::Start(options) => {
                let capabilities = facts::capabilities(&options);
                self.ipv6 = capabilities.families.contains(&crate::model::Family::Ipv6);
                self.options = options;
                Reply::Ready(capabilities)
            }
            Request::Examine => Reply::Checks(trial::examine()),
            Request::Deploy(demand) => {
                let standing = self.deployment.take().filter(|standing| standing.fits(&demand));
                let deployment = match standing {
                    Some(mut standing) => {
                        standing.populate(demand)?;
                        standing
                    }
                    None => Deployment::create(&self.options, self.ipv6, demand)?,
                };
                Reply::Topology(self.deployment.insert(deployment).topology().clone())
            }
            Request::Change(changes) => {
                let deployment = self.deployed("change")?;
                deployment.change(&changes)?;
                Reply::Topology(deployment.topology().clone())
            }
            Request::Watch(watch, changes) => {
                Reply::Timeline(Box::new(self.deployed("watch")?.watch(&watch, &changes)?))
            }
            Request::Describe => Reply::Artifacts(self.deployed("describe")?.describe()?),
            Request::Probe(cells) => {
                let deadline = cells.deadline_us;
                let cells = cells.expand().context("expected each cell to name known endpoints")?;
                Reply::Observations(self.deployed("probe")?.probe(&cells, deadline)?)
            }
        })
    }

    fn deployed(&mut self, what: &str) -> anyhow::Result<&mut Deployment> {
        self.deployment.as_mut().with_context(|| {
            format!("expected a cluster before `{what}`, found none: deploy it first")
        })
    }
}

fn failed(error: &anyhow::Error) -> Reply {
    Reply::Failed {
        unsupported: error.downcast_ref::<Obstacle>().is_some(),
        message: format!("{error:#}"),
    }
}

/// Moves the process into a user namespace in which it is root, and into an empty
/// network namespace there: whatever comes later, no packet can leave the machine.
///
/// The kernel asks for a single thread, and wants the maps written from outside or
/// by the process itself with its own id alone and without `setgroups`
/// (`user_namespaces(7)`).
fn enter_namespaces() -> anyhow::Result<()> {
    // The limits are those of the user namespace that the process starts in.
    settings();
    let threads = fs::read_dir("/proc/self/task").context("count the threads")?.count();
    if threads != 1 {
        bail!(
            "expected `ringfence::init()` to be called before the program has a second thread, \
             found {threads} threads: make it the first line of `main`, above any async runtime \
             (`#[tokio::main]` starts one before `main` does)"
        );
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|errno| Obstacle::meet(Part::UserNamespace, errno.into()))?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        let path = format!("/proc/self/{file}");
        fs::write(&path, text)
            .map_err(|error| Obstacle::meet(Part::IdMap, error))
            .with_context(|| format!("write `{path}`"))?;
    }
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| Obstacle::meet(Part::NetworkNamespace, errno.into()))
}

/// Allows as many open files as the process may have: pods and their sockets all live here.
///
/// It also makes the table of open files as large as it will ever be. The kernel doubles the
/// table when it is full, and with more than one thread it waits for a grace period of RCU each
/// time (`expand_fdtable`), which takes as long as making several pods.
fn raise_open_files() -> nix::Result<()> {
    const LARGEST_TABLE: u64 = 1 << 16;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let highest = i32::try_from(hard.clamp(1, LARGEST_TABLE) - 1).unwrap_or(i32::MAX);
    // Where it cannot be had, the table grows as usual.
    fcntl(io::stdin(), FcntlArg::F_DUPFD_CLOEXEC(highest)).and_then(close).or(Ok(()))
}

/// Returns when the other end of a connection is closed.
fn wait_for_end(fd: BorrowedFd<'_>) {
    loop {
        // No event is asked for: a hang-up is told all the same.
        let mut fds = [PollFd::new(fd, PollFlags::empty())];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) if fds[0].revents().is_some_and(|events| !events.is_empty()) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}
