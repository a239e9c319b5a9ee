//! Whether this machine can make kind clusters, prerequisite by prerequisite.

use std::path::Path;

use super::action::Program;
use super::machine::inotify;
use super::plan::{INOTIFY_INSTANCES, INOTIFY_WATCHES};
use super::process;
use crate::cluster::ClusterError;
use crate::cluster::embedded::doctor::{Check, CheckState};

/// The programs and the kernel's limits, beside Docker Engine itself.
pub async fn checks() -> Vec<Check> {
    let programs = [
        ("kind", Program::Kind, CheckState::Missing),
        ("Docker's client", Program::Docker, CheckState::Missing),
        // Only some CNIs are charts.
        ("helm", Program::Helm, CheckState::Warn),
    ];
    let mut checks = Vec::with_capacity(programs.len() + 1);
    for (name, program, without) in programs {
        checks.push(check(name, process::version(program, None).await, without));
    }
    let limits = inotify(Path::new("/proc/sys/fs/inotify"), INOTIFY_WATCHES, INOTIFY_INSTANCES);
    let found = limits.map(|()| "the limits are high enough".to_owned());
    checks.push(check("inotify", found, CheckState::Missing));
    checks
}

fn check(name: &str, found: Result<String, ClusterError>, without: CheckState) -> Check {
    let (state, found) = match found {
        Ok(found) => (CheckState::Ok, found),
        // What is missing is told with its remedy.
        Err(error) => (without, error.to_string()),
    };
    Check { name: name.to_owned(), state, found, remedy: None }
}
