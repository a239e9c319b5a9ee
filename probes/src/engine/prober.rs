//! A prober: makes rounds of attempts from one thread.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use nix::sys::epoll::{Epoll, EpollCreateFlags};

use crate::wire::{AttemptResult, Round};

use super::Environment;
use super::descriptors;
use super::options::ProberOptions;
use super::ports::SourcePorts;
use super::round::{Air, Equipment};

/// Makes rounds of attempts from the thread that calls it.
///
/// Several probers work side by side, each on a thread of its own with sources
/// of its own; they share the process' limit of open files.
///
/// # How an outcome is reached
///
/// 1. The result of the attempt's own socket: an answer, a reset, an ICMP error.
/// 2. Else a [`Report`](super::Report) with the attempt's source address, port and protocol:
///    `Dropped` with evidence, at once. Its target may differ, because the address of a
///    Service is rewritten on the way. A report of a packet that was on its way *back*
///    proves that the request arrived: `ReplyLost`, with evidence.
/// 3. Else, after half the deadline, one retry ([`ProberOptions::retry`]).
/// 4. Else the deadline, counted from the attempt's start: `Dropped` without evidence.
///    [`correlate`](crate::correlate) tells later whether it was `ReplyLost`.
///
/// A TCP handshake that completed, but whose exchange stayed silent, is no
/// connection: data did not pass. It counts as silence, and only the server's
/// word that the nonce arrived makes it `ReplyLost`. A reset after the handshake
/// is `Refused`, like one before it.
///
/// Whatever ran out on this machine (descriptors, memory, ports) is waited for, and is `Broken`
/// when it does not come; so is a missing route, which is told from an ICMP error that came
/// back by the origin that the kernel's error queue names.
#[derive(Debug)]
pub struct Prober {
    equipment: Equipment,
}

impl Prober {
    /// A prober that may dial nothing yet. Raises the process' soft limit of open files to its
    /// hard limit.
    ///
    /// # Errors
    /// When epoll is not to be had; a limit that cannot be raised is lived with.
    pub fn new(options: ProberOptions) -> io::Result<Self> {
        let _ = descriptors::raise_limit();
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let (allowed, ports) = (HashSet::new(), SourcePorts::default());
        Ok(Self { equipment: Equipment { options, allowed, ports, epoll } })
    }

    /// Allows these targets from now on, and no others. Everything else is `Broken`, not dialled.
    pub fn allow_targets(&mut self, targets: impl IntoIterator<Item = IpAddr>) {
        self.equipment.allowed = targets.into_iter().collect();
    }

    /// Makes a round of attempts; one result for each, in order of `id`.
    ///
    /// The calling thread is left in the network namespace that was entered last.
    pub fn round(&mut self, round: &Round, env: &mut dyn Environment) -> Vec<AttemptResult> {
        Air::new(&mut self.equipment, round).fly(env)
    }
}
