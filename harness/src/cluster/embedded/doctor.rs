//! Whether this machine can carry an embedded cluster, prerequisite by prerequisite.
//!
//! Every check really tries, in a helper process, what a cluster would do.

use std::fs;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use ringfence_probe::sctp_support;
use ringfence_probe::wire::Sctp;
use serde::{Deserialize, Serialize};

use super::CHANGE;
use super::dataplane::{Dataplane, DropLog, NodeView, compile};
use super::facts::ipv6_reason;
use super::namespace::{Namespace, forward_ipv6};
use super::netlink::route::{self, VethEnd};
use super::netlink::{Family, NetlinkError, Socket};
use super::obstacle::{Obstacle, Part, settings};
use super::process::{Process, refusal};
use super::protocol::{Reply, Request};
use crate::cluster::ClusterError;
use crate::model::{Name, World};

/// How a prerequisite stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// It is there.
    Ok,
    /// It is not there, and nothing works without it.
    Missing,
    /// It is not there, and something is skipped for want of it.
    Warn,
}

/// One prerequisite of an embedded cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What it is, such as `user namespaces`.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// What to do where it is not there; `None` where nothing has to be done.
    pub remedy: Option<String>,
}

impl Check {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: CheckState::Ok, found: found.into(), remedy: None }
    }

    fn not(name: &str, state: CheckState, found: impl Into<String>, remedy: &str) -> Self {
        let remedy = Some(remedy.to_owned());
        Self { name: name.to_owned(), state, found: found.into(), remedy }
    }
}

/// A pod takes about six descriptors, an attempt in flight one.
const FEW_FILES: u64 = 4096;

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

/// The checks that need a user namespace. The calling thread ends up in another
/// network namespace.
pub(super) fn examine() -> Vec<Check> {
    vec![network_namespaces(), veth(), nf_tables(), packet_log(), ipv6(), sctp(), open_files()]
}

fn network_namespaces() -> Check {
    let name = "network namespaces";
    match Namespace::create() {
        Ok(_) => Check::ok(name, "they can be made"),
        Err(error) => missing(name, &Obstacle::meet(Part::NetworkNamespace, error)),
    }
}

fn veth() -> Check {
    let name = "veth links";
    let attempt = || -> Result<(), NetlinkError> {
        let links = Socket::open(Family::Route)?;
        let here = Namespace::current()?;
        let mut messages = links.messages();
        let end = |name, index| VethEnd { name, index, mac: [2, 0, 0, 0, 0, index as u8] };
        route::veth(&mut messages, end("trial1", 11), end("trial2", 12), here.as_fd());
        links.execute(&mut messages)
    };
    match Obstacle::links(attempt()) {
        Ok(()) => Check::ok(name, "a pair can be made"),
        Err(error) => missing(name, &error),
    }
}

const NF_TABLES: &str = "nf_tables";

fn nf_tables() -> Check {
    let name = NF_TABLES;
    let attempt = || -> Result<(), NetlinkError> {
        let view = NodeView { name: Name::from("trial"), pods: Vec::new() };
        let mut dataplane = Dataplane::open()?;
        dataplane.install(&compile(&World::default(), &view, true))?;
        dataplane.flush_conntrack()
    };
    match Obstacle::netlink(Part::Filter, attempt()) {
        Ok(()) => Check::ok(name, "a ruleset can be installed, connections are tracked"),
        Err(error) => missing(name, &error),
    }
}

fn missing(name: &str, error: &anyhow::Error) -> Check {
    match error.downcast_ref::<Obstacle>() {
        Some(Obstacle { part, errno, remedy }) => {
            Check::not(name, CheckState::Missing, part.not_given(*errno), remedy)
        }
        // The kernel refused a part of it and gave no reason that is known here.
        None => {
            let remedy = settings().remedy(Part::Filter, Errno::ENOENT);
            let remedy = if name == NF_TABLES { &remedy } else { "see the kernel's log (`dmesg`)" };
            Check::not(name, CheckState::Missing, format!("{error:#}"), remedy)
        }
    }
}

fn packet_log() -> Check {
    let name = "NFLOG";
    match DropLog::open(Name::from("trial")) {
        Ok(_) => Check::ok(name, "drops are reported at once"),
        Err(error) => {
            let remedy = "`modprobe nfnetlink_log nft_log`; until then drops are known by silence, as with `--evidence none`";
            Check::not(name, CheckState::Warn, error.to_string(), remedy)
        }
    }
}

fn ipv6() -> Check {
    let name = "IPv6 forwarding";
    match forward_ipv6() {
        Ok(()) => Check::ok(name, "it can be switched on"),
        Err(error) => {
            let remedy = "without it, cells over IPv6 are skipped";
            Check::not(name, CheckState::Warn, ipv6_reason(&error), remedy)
        }
    }
}

fn sctp() -> Check {
    let name = "SCTP";
    match sctp_support() {
        Sctp::Kernel => Check::ok(name, "the kernel has sockets"),
        Sctp::Raw => {
            Check::ok(name, "by a handshake on raw sockets; the kernel has none of its own")
        }
        Sctp::None => Check::not(
            name,
            CheckState::Warn,
            "neither sockets nor raw ones",
            "`modprobe sctp`; without it, cells over SCTP are skipped",
        ),
    }
}

fn open_files() -> Check {
    let name = "open files";
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if hard < FEW_FILES => Check::not(
            name,
            CheckState::Warn,
            format!("at most {hard}"),
            "raise the hard limit (`ulimit -Hn 65536`): large topologies need more",
        ),
        Ok((_, hard)) => Check::ok(name, format!("at most {hard}")),
        Err(errno) => Check::not(name, CheckState::Warn, errno.desc(), "see getrlimit(2)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_apart_from_what_to_do() {
        let error = Obstacle::meet(Part::Links, Errno::EOPNOTSUPP.into());
        let check = missing("veth links", &error);
        assert!(
            check.found.starts_with("expected a veth pair from this machine, found `EOPNOTSUPP")
        );
        assert_eq!(
            check.remedy.as_deref(),
            Some("the kernel has no veth links: `modprobe veth`, or `CONFIG_VETH`")
        );
        assert!(!check.found.contains("modprobe"), "{}", check.found);
        // Nothing is missing without a word of what to do.
        for name in ["veth links", NF_TABLES] {
            assert!(missing(name, &anyhow::anyhow!("unforeseen")).remedy.is_some());
        }
    }
}
