//! Network namespaces, each held by a file descriptor alone: when that is closed,
//! and the sockets in it are, the kernel removes the namespace. No mount names it,
//! so a killed process leaves none behind (`network_namespaces(7)`).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    fd: OwnedFd,
}

impl Namespace {
    /// Makes a namespace and moves the calling thread into it.
    pub(super) fn create() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Self::current()
    }

    /// The namespace that the calling thread is in.
    pub(super) fn current() -> io::Result<Self> {
        Ok(Self { fd: File::open("/proc/thread-self/ns/net")?.into() })
    }

    /// Moves the calling thread into the namespace.
    pub(super) fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.fd, CloneFlags::CLONE_NEWNET)?)
    }

    /// Another descriptor of the same namespace.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()? })
    }

    /// The descriptor, for messages that name the namespace.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Where IPv6 forwarding is set. `/proc/sys/net` shows the namespace of the thread that looks.
pub(super) const IPV6_FORWARDING: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// Lets the calling thread's namespace pass on IPv6 packets.
pub(super) fn forward_ipv6() -> io::Result<()> {
    std::fs::write(IPV6_FORWARDING, "1")
}
