//! Signals that end a run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{BINARY, command};

/// How long a helper may take to end after its run.
const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn an_interrupted_run_ends_with_3_and_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut run = command(BINARY).args(["run", "--jobs", "1"]).spawn().unwrap();
        let process = Pid::from_raw(run.id().try_into().unwrap());
        let mut out = BufReader::new(run.stdout.take().unwrap());
        let mut said = String::new();
        // The first scenario is over, most have not begun.
        out.read_line(&mut said).unwrap();
        let helpers = children(process);
        kill(process, signal).unwrap();
        out.read_to_string(&mut said).unwrap();
        let ended = run.wait_with_output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        let interrupted = "interrupted: tearing down; again to end without\n";
        assert_eq!(
            (ended.status.code(), err.as_str()),
            (Some(3), interrupted),
            "{signal}:\n{said}"
        );
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("not started: the run was interrupted"), "{signal}:\n{said}");
        assert!(words.contains(" errored "), "{signal}:\n{said}");
        // The kernel ends it when it has closed what the run held.
        let end = Instant::now() + DEADLINE;
        for helper in helpers {
            while is_alive(helper) {
                assert!(
                    Instant::now() < end,
                    "{signal}: expected helper {helper} to have ended within {DEADLINE:?}"
                );
                std::thread::yield_now();
            }
        }
    }
}

/// The fields of `/proc/PID/stat` after the name, which may hold anything: the state and the
/// parent are the first two (`proc_pid_stat(5)`).
fn stat(process: Pid) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let of = |process: &Pid| stat(*process).is_some_and(|(_, found)| found == parent.as_raw());
    numbers.map(Pid::from_raw).filter(of).collect()
}

/// Whether a process runs: one that has ended may wait for whoever reaps it.
fn is_alive(process: Pid) -> bool {
    stat(process).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}
