//! Whether this machine can carry an embedded cluster, prerequisite by prerequisite.
//!
//! Every check really tries, in a helper process, what a cluster would do.

use std::fs;

pub use super::check::{Check, CheckState};

use super::CHANGE;
use super::obstacle::settings;
use super::process::{Process, refusal};
use super::protocol::{Reply, Request};
use crate::cluster::ClusterError;

/// Every prerequisite of an embedded cluster, in the order in which they are needed.
///
/// # Errors
/// Where the helper process could not be asked: [`init`](super::init) was not called
/// first, or it ended. What this machine lacks is a check, not an error.
pub async fn checks() -> Result<Vec<Check>, ClusterError> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    let release = release.unwrap_or_else(|error| format!("of an unknown release ({error})"));
    let mut checks = vec![Check::ok("Linux", release.trim())];
    let settings = settings();
    match Process::start().await {
        Ok(mut process) => {
            let limit = settings.max_user_namespaces;
            let found = limit.map_or("they can be made".to_owned(), |limit| {
                format!("they can be made (`user.max_user_namespaces` is {limit})")
            });
            checks.push(Check::ok("user namespaces", found));
            match process.ask(&Request::Examine, CHANGE, "the checks to end").await? {
                Reply::Checks(more) => checks.extend(more),
                other => return Err(refusal(other)),
            }
            process.end().await.map_err(|what| ClusterError::Lost(what.clone()))?;
        }
        Err(ClusterError::Unsupported(found)) => {
            let remedy = "nothing else can be tried before this one is there";
            checks.push(Check::not("user namespaces", CheckState::Missing, found, remedy));
        }
        Err(error) => return Err(error),
    }
    Ok(checks)
}
