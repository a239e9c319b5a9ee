//! The trials of the prerequisites that need a user namespace: each really makes what
//! a cluster would make.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use ringfence_probe::sctp_support;
use ringfence_probe::wire::Sctp;

use super::check::{Check, CheckState};
use super::dataplane::{Dataplane, DropLog, NodeView, compile, try_services};
use super::facts::{SERVICES_REMEDY, TRIAL, ipv6_reason};
use super::namespace::{Namespace, forward_ipv6};
use super::netlink::route::{self, VethEnd};
use super::netlink::{Family, NetlinkError, Socket};
use super::obstacle::{Obstacle, Part, settings};
use crate::model::{Name, World};

/// A pod takes about six descriptors, an attempt in flight one.
const FEW_FILES: u64 = 4096;

/// The checks that need a user namespace. The calling thread ends up in another
/// network namespace.
pub(super) fn examine() -> Vec<Check> {
    vec![
        network_namespaces(),
        veth(),
        nf_tables(),
        services(),
        packet_log(),
        ipv6(),
        sctp(),
        open_files(),
    ]
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

fn services() -> Check {
    let name = "Services";
    match try_services(&TRIAL) {
        Ok(()) => Check::ok(name, "connections can be led to other addresses"),
        Err(error) => {
            let remedy = format!("`{SERVICES_REMEDY}`; without it, cells via service are skipped");
            Check::not(name, CheckState::Warn, error.to_string(), &remedy)
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
