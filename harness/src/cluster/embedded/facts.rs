//! What an embedded cluster can do on this machine.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringfence_probe::sctp_support;
use ringfence_probe::wire::Sctp;

use super::EmbeddedOptions;
use super::dataplane::{DropLog, try_services};
use super::namespace::{IPV6_FORWARDING, forward_ipv6};
use crate::cluster::{Capabilities, Dataplane, Feature, Induced};
use crate::model::{ClusterPolicyApi, Family, Name, Protocol, Via};

/// What gives a kernel that has modules what Services need.
pub(super) const SERVICES_REMEDY: &str = "modprobe nft_chain_nat nft_nat";

/// A node's addresses, IPv4 first, for a trial (RFC 5737, RFC 3849). No packet meets them.
pub(super) const TRIAL: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// All of the cluster tier that can be declared.
const CLUSTER_TIER: [Feature; 4] = [
    Feature::AdminNetworkPolicies,
    Feature::ClusterNetworkPolicies,
    Feature::ClusterTierNamedPorts,
    Feature::ClusterTierNodePeers,
];

/// Finds out by trying, in the calling thread's network namespace.
pub(super) fn capabilities(options: &EmbeddedOptions) -> Capabilities {
    let mut missing = Vec::new();
    let mut families = BTreeSet::from([Family::Ipv4]);
    match forward_ipv6() {
        Ok(()) => {
            families.insert(Family::Ipv6);
        }
        Err(error) => missing.push(format!("no IPv6: {}", ipv6_reason(&error))),
    }
    let mut protocols = BTreeSet::from([Protocol::Tcp, Protocol::Udp]);
    match sctp_support() {
        Sctp::Kernel | Sctp::Raw => {
            protocols.insert(Protocol::Sctp);
        }
        Sctp::None => missing.push(
            "no SCTP: the kernel has no SCTP sockets (`modprobe sctp`), and gives no raw ones"
                .to_owned(),
        ),
    }
    let mut ways = BTreeSet::from([Via::Pod]);
    match try_services(&TRIAL[..families.len()]) {
        Ok(()) => {
            ways.insert(Via::Service);
        }
        Err(error) => missing.push(format!("no Services: {error} (`{SERVICES_REMEDY}`)")),
    }
    let evidence = options.evidence
        && match DropLog::open(Name::from("trial")) {
            Ok(_) => true,
            Err(error) => {
                missing.push(format!("no evidence of drops: {error} (`modprobe nfnetlink_log`)"));
                false
            }
        };
    let induced = options.faults.iter().map(|fault| Induced {
        name: fault.name().to_owned(),
        sentence: fault.sentence().to_owned(),
    });
    let induced = induced.collect();
    Capabilities {
        name: "embedded".to_owned(),
        families,
        protocols,
        ways,
        host_network: true,
        external_hosts: true,
        cluster_policies: ClusterPolicyApi::ALL.into(),
        evidence,
        dataplane: Box::new(Dataplane {
            declares: CLUSTER_TIER.into(),
            induced,
            ..Dataplane::default()
        }),
        missing,
    }
}

/// Why IPv6 packets cannot be passed on, and what to do.
pub(super) fn ipv6_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("the kernel has none (`{IPV6_FORWARDING}` does not exist)")
        }
        std::io::ErrorKind::ReadOnlyFilesystem => format!(
            "`{IPV6_FORWARDING}` is read-only, as in a container: start it with \
             `docker run --security-opt systempaths=unconfined`"
        ),
        _ => format!("`{IPV6_FORWARDING}` cannot be written ({error})"),
    }
}
