//! Which addresses an agent has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;

use crate::wire::Whereabouts;

/// Where this process is, as its network says it now (getifaddrs(3)). It takes no right.
pub(super) fn whereabouts() -> Whereabouts {
    match getifaddrs() {
        Ok(found) => {
            let addresses: BTreeSet<IpAddr> = found.filter_map(|it| address(&it)).collect();
            Whereabouts { addresses: addresses.into_iter().collect(), unseen: None }
        }
        Err(error) => {
            let unseen = Some(format!("expected to list its network's interfaces: {error}"));
            Whereabouts { addresses: Vec::new(), unseen }
        }
    }
}

/// An address that tells this network from others. What is on an interface that is down is not
/// answered for: a node keeps every Service's address on one (`kube-ipvs0`).
fn address(found: &InterfaceAddress) -> Option<IpAddr> {
    if !found.flags.contains(InterfaceFlags::IFF_UP) {
        return None;
    }
    let address = found.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    let address = v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))?;
    let everywhere = match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    (!everywhere).then_some(address)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn what_is_listed_can_be_bound_and_is_nowhere_else() {
        let found = whereabouts();
        assert_eq!(found.unseen, None);
        assert!(found.addresses.is_sorted());
        for address in found.addresses {
            assert!(!address.is_loopback());
            let bound = UdpSocket::bind((address, 0));
            assert!(bound.is_ok(), "{address}: {bound:?}");
        }
    }
}
