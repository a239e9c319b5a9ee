//! Helper processes: how they start, and that nothing is left when they end.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use ringfence::cluster::embedded::doctor::{self, CheckState};
use ringfence::cluster::{Cluster, ClusterError};
use ringfence::model::{Outcome, Protocol, Via};

use crate::town::*;
use crate::{Outcome as Trial, block_on, start};

/// Names the part that this program plays when a test starts it.
pub(crate) const ROLE: &str = "RINGFENCE_TEST_ROLE";
const TCP: &[(u16, Protocol)] = &[(80, Protocol::Tcp)];

pub(crate) async fn again() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP)]);
    for _ in 0..2 {
        cluster.deploy(&town, 2, &[]).await?;
        assert_eq!(outcomes(&mut cluster, &[("a/one", "a/two")]).await?, [Outcome::Connected]);
        let helper = cluster.helper_id().expect("a helper runs");
        cluster.teardown().await.map_err(|error| ClusterError::Other(error.into()))?;
        assert!(!Path::new(&format!("/proc/{helper}")).exists(), "the helper has ended");
        let error = outcomes(&mut cluster, &[("a/one", "a/two")]).await.unwrap_err();
        assert_eq!(error.to_string(), "the cluster is gone: it was torn down");
    }
    Ok(())
}

pub(crate) async fn dead_helper() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP)]);
    cluster.deploy(&town, 2, &[]).await?;
    kill(cluster.helper_id().expect("a helper runs"));
    for _ in 0..2 {
        let error = outcomes(&mut cluster, &[("a/one", "a/two")]).await.unwrap_err();
        assert!(matches!(error, ClusterError::Lost(_)), "{error:?}");
    }
    cluster.teardown().await.map_err(|error| ClusterError::Other(error.into()))?;
    cluster.deploy(&town, 1, &[]).await?;
    Ok(())
}

fn kill(process: u32) {
    let process = nix::unistd::Pid::from_raw(process as i32);
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).expect("it can be killed");
}

pub(crate) async fn killed_run() -> Trial {
    // Learn whether this machine can have clusters at all.
    drop(start().await?);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut run = Command::new("/proc/self/exe")
        .env(ROLE, "run")
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again");
    let mut line = String::new();
    let mut said = BufReader::new(run.stdout.take().expect("it is piped"));
    said.read_line(&mut line).expect("it can be read");
    let helper: u32 = line.trim().parse().unwrap_or_else(|_| panic!("found `{line}`"));
    let namespaces = namespaces_of(helper);
    assert!(namespaces.len() > 4, "router, two nodes and two pods: found {namespaces:?}");

    kill(run.id());
    run.wait().expect("it can be waited for");
    // The helper holds no end of this pipe, so its end says nothing; the process table does.
    let deadline = Instant::now() + Duration::from_secs(10);
    while alive(helper) {
        assert!(Instant::now() < deadline, "expected the helper {helper} to end within 10 s");
        std::thread::yield_now();
    }
    let left: Vec<_> = everybodys_namespaces().intersection(&namespaces).cloned().collect();
    assert!(left.is_empty(), "expected no namespace, found {left:?}");
    let files: Vec<_> = fs::read_dir(folder.path()).expect("it is there").collect();
    assert!(files.is_empty(), "expected no file, found {files:?}");
    Ok(())
}

/// Whether a process runs: one that has ended may wait for whoever reaps it.
fn alive(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
        !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
    })
}

/// The network namespaces that a process holds by file descriptors.
fn namespaces_of(process: u32) -> BTreeSet<String> {
    let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else { return BTreeSet::new() };
    let threads = fs::read_link(format!("/proc/{process}/ns/net"));
    files
        .flatten()
        .map(|file| fs::read_link(file.path()))
        .chain([threads])
        .flatten()
        .map(|target| target.to_string_lossy().into_owned())
        .filter(|target| target.starts_with("net:["))
        .collect()
}

/// The network namespaces that any process holds, by descriptor, by being in them, or by a mount.
fn everybodys_namespaces() -> BTreeSet<String> {
    let processes = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let mut found: BTreeSet<String> = BTreeSet::new();
    for process in numbers {
        found.extend(namespaces_of(process));
        let mounts = fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap_or_default();
        let named = mounts.split_whitespace().filter(|word| word.starts_with("net:["));
        found.extend(named.map(str::to_owned));
    }
    found
}

pub(crate) async fn ordinary_user() -> Trial {
    // An ordinary user shows it as what it is; root becomes nobody first.
    let root = nix::unistd::geteuid().is_root();
    let user = if root { 65534 } else { nix::unistd::geteuid().as_raw() };
    let said = say("ordinary user", |command| {
        if root {
            command.uid(user).gid(user);
        }
    });
    match said.split_once(' ') {
        Some(("unsupported", reason)) => Err(ClusterError::Unsupported(reason.to_owned())),
        _ => {
            assert_eq!(said, format!("{user} Connected"));
            Ok(())
        }
    }
}

pub(crate) async fn without_init() -> Trial {
    let said = say("without init", |_| {});
    assert!(said.starts_with("expected `ringfence::init()` to have been called"), "{said}");
    Ok(())
}

pub(crate) async fn late_init() -> Trial {
    let said = say("late init", |_| {});
    assert!(said.contains("before the program has a second thread, found 2 threads"), "{said}");
    Ok(())
}

/// Starts this program in a role; what it says.
fn say(role: &str, adjust: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new("/proc/self/exe");
    command.env(ROLE, role).current_dir("/").stdout(Stdio::piped());
    adjust(&mut command);
    let mut child = command.spawn().expect("this program can be started again");
    let mut said = String::new();
    let pipe = child.stdout.as_mut().expect("it is piped");
    pipe.read_to_string(&mut said).expect("it can be read");
    child.wait().expect("it can be waited for");
    said.trim().to_owned()
}

/// Plays a part in a process of its own. Its helper is started with the same part, so a
/// part calls `init` or does not, as the program that it plays would.
pub(crate) fn play(role: &str) -> ExitCode {
    let thread = (role == "late init").then(|| {
        let (keep, wait) = std::sync::mpsc::channel::<()>();
        (std::thread::spawn(move || wait.recv()), keep)
    });
    if role != "without init" {
        ringfence::init();
    }
    block_on(async {
        let said = match role {
            "run" => run().await,
            "ordinary user" => ordinary().await,
            _ => start().await.map(|_| "it started".to_owned()),
        };
        match said {
            Ok(said) => println!("{said}"),
            Err(ClusterError::Unsupported(reason)) => println!("unsupported {reason}"),
            Err(error) => println!("{error:#}"),
        }
    });
    drop(thread);
    ExitCode::SUCCESS
}

/// Has a cluster, says so, and waits to be killed.
async fn run() -> Result<String, ClusterError> {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP)]);
    cluster.deploy(&town, 2, &[]).await?;
    println!("{}", cluster.helper_id().expect("a helper runs"));
    std::future::pending().await
}

async fn ordinary() -> Result<String, ClusterError> {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", TCP), pod("a", "two", TCP)]);
    cluster.deploy(&town, 2, &[]).await?;
    let found = outcomes(&mut cluster, &[("a/one", "a/two")]).await?;
    Ok(format!("{} {:?}", nix::unistd::geteuid(), found[0]))
}

pub(crate) async fn doctor() -> Trial {
    let can = start().await?.capabilities().clone();
    let checks = doctor::checks().await?;
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Linux",
            "user namespaces",
            "network namespaces",
            "veth links",
            "nf_tables",
            "Services",
            "NFLOG",
            "IPv6 forwarding",
            "SCTP",
            "open files",
        ]
    );
    for check in &checks {
        assert_ne!(check.state, CheckState::Missing, "{check:?}");
        assert_eq!(check.state == CheckState::Ok, check.remedy.is_none(), "{check:?}");
    }
    let warned = |name: &str| checks.iter().any(|c| c.name == name && c.state == CheckState::Warn);
    assert_eq!(warned("IPv6 forwarding"), can.families.len() == 1);
    assert_eq!(warned("Services"), !can.ways.contains(&Via::Service));
    assert_eq!(warned("NFLOG"), !can.evidence);
    assert_eq!(warned("SCTP"), !can.protocols.contains(&Protocol::Sctp));
    Ok(())
}
