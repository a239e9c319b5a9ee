//! What a range of addresses and a port's name hold, whoever asks.

use std::net::IpAddr;

use crate::model::{Cidr, Family, Pod, Protocol};

/// Whether the pod calls this port by this name, in this protocol: "only traffic on the
/// specified protocol AND port will be matched" (`NetworkPolicyPort.port`).
pub(super) fn names_port(pod: &Pod, name: &str, number: u16, protocol: Protocol) -> bool {
    pod.ports.iter().any(|port| {
        port.number == number && port.protocol == protocol && port.name.as_deref() == Some(name)
    })
}

/// How a range of addresses relates to those that an end has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coverage {
    /// It holds every address of the family, so also one that is not known.
    Always,
    /// It holds every known address of the end.
    Here,
    /// It holds none of them.
    Never,
    /// No address is known, or the end has several and it holds some.
    Unknown,
}

/// Whether the range is of this family.
pub(super) fn of_family(cidr: &Cidr, family: Family) -> bool {
    Family::of(cidr.net.addr()) == family
}

/// How `cidr` without `except` relates to the addresses of this family.
///
/// "except is a slice of CIDRs that should not be included within an IPBlock"
/// (`IPBlock.except`).
pub(super) fn coverage(
    cidr: &Cidr,
    except: &[Cidr],
    addresses: &[IpAddr],
    family: Family,
) -> Coverage {
    if !of_family(cidr, family) {
        return Coverage::Never;
    }
    if cidr.net.prefix_len() == 0 && except.is_empty() {
        return Coverage::Always;
    }
    let holds = |address: &IpAddr| {
        cidr.contains(*address) && !except.iter().any(|hole| hole.contains(*address))
    };
    let mut known = addresses.iter().filter(|address| Family::of(**address) == family).map(holds);
    match known.next() {
        None => Coverage::Unknown,
        Some(first) if known.any(|other| other != first) => Coverage::Unknown,
        Some(true) => Coverage::Here,
        Some(false) => Coverage::Never,
    }
}
