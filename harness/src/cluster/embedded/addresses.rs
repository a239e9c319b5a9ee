//! Which addresses pods and nodes get: ranges that nothing else of the scenario names.
//!
//! What an `ipBlock` does to pod addresses is undefined (`networking.k8s.io/v1`,
//! "Network Policies": "cluster ingress and egress mechanisms often require
//! rewriting the source or destination IP of packets"), so a scenario's ranges and
//! the cluster's own must not overlap by accident.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What the pods of one node have room for, at least: as many as a kubelet's default
/// range of /24 has.
const SMALLEST_BLOCK: u32 = 256;
const POD_RANGE: u8 = 16;
const NODE_RANGE: u8 = 24;
const SERVICE_RANGE: u8 = POD_RANGE;

/// The addresses of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddressPlan {
    pods: Ipv4Net,
    nodes: Ipv4Net,
    services: Ipv4Net,
    ipv6: Option<Ipv6Ranges>,
    block: u8,
    gateway: Ipv4Addr,
}

/// The IPv6 ranges of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ipv6Ranges {
    pods: Ipv6Net,
    nodes: Ipv6Net,
    services: Ipv6Net,
}

/// No address is left to give.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAddress {
    /// Every candidate overlaps a range that the scenario names.
    #[error(
        "expected a free {family} range for {what} beside the {avoided} ranges that external hosts and ipBlocks name, found none; name narrower ranges"
    )]
    Range {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// `pods`, `nodes` or `Services`.
        what: &'static str,
        /// How many ranges were to be avoided.
        avoided: usize,
    },
    /// More than the ranges have room for.
    #[error("expected at most {room} {what}, found {found}")]
    Room {
        /// `nodes`, `pods on each of … nodes`, or the like.
        what: String,
        /// How many there is room for.
        room: u32,
        /// How many were asked for.
        found: usize,
    },
}

impl AddressPlan {
    /// Chooses ranges for so many nodes with so many pods each, disjoint from
    /// `avoid` (save ranges of length 0, which contain everything).
    pub(super) fn choose(
        avoid: &[IpNet],
        nodes: usize,
        pods_per_node: usize,
        ipv6: bool,
    ) -> Result<Self, NoAddress> {
        let mut avoid: Vec<IpNet> =
            avoid.iter().map(IpNet::trunc).filter(|range| range.prefix_len() > 0).collect();
        let avoided = avoid.len();
        let room = (1u32 << (32 - NODE_RANGE)) - 2;
        if nodes > room as usize {
            return Err(NoAddress::Room { what: "nodes".to_owned(), room, found: nodes });
        }
        // Twice the room: addresses of removed pods are not given again.
        let wanted = (pods_per_node as u64 * 2 + 64).max(u64::from(SMALLEST_BLOCK));
        let block = 32 - wanted.next_power_of_two().trailing_zeros() as u8;
        let room = (1u64 << (32 - POD_RANGE)) / nodes.max(1).next_power_of_two() as u64;
        if block < POD_RANGE || 1u64 << (32 - block) > room {
            let what = format!("pods on each of {nodes} nodes");
            let room = (room.saturating_sub(64) / 2) as u32;
            return Err(NoAddress::Room { what, room, found: pods_per_node });
        }
        let none = |family, what| NoAddress::Range { family, what, avoided };

        let pods = pod_ranges().find(|range| is_free(&avoid, (*range).into()));
        let pods = pods.ok_or(none("IPv4", "pods"))?;
        avoid.push(pods.into());
        let nodes = node_ranges().find(|range| is_free(&avoid, (*range).into()));
        let nodes = nodes.ok_or(none("IPv4", "nodes"))?;
        avoid.push(nodes.into());
        let services = service_ranges().find(|range| is_free(&avoid, (*range).into()));
        let services = services.ok_or(none("IPv4", "Services"))?;
        avoid.push(services.into());
        let ipv6 = if ipv6 {
            let mut free = ipv6_ranges().filter(|range| is_free(&avoid, (*range).into()));
            let mut next = |what| free.next().ok_or(none("IPv6", what));
            let (pods, nodes) = (next("pods")?, next("nodes")?);
            Some(Ipv6Ranges { pods, nodes, services: next("Services")? })
        } else {
            None
        };
        let gateway = (1..=254)
            .map(|last| Ipv4Addr::new(169, 254, 1, last))
            .find(|gateway| is_free(&avoid, Ipv4Net::from(*gateway).into()))
            // A declared range may hold them all: then no host may have this one.
            .unwrap_or(Ipv4Addr::new(169, 254, 1, 1));
        Ok(Self { pods, nodes, services, ipv6, block, gateway })
    }

    /// The next hop of everything: on every link, and nobody's address.
    pub(super) fn gateways(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let ipv6 = self.ipv6.map(|_| IpAddr::from(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)));
        std::iter::once(IpAddr::from(self.gateway)).chain(ipv6)
    }

    /// Whether pods have IPv6 addresses.
    pub(super) fn has_ipv6(&self) -> bool {
        self.ipv6.is_some()
    }

    /// The addresses of a node, by its number from 0.
    pub(super) fn node(&self, node: u16) -> Vec<IpAddr> {
        within(self.nodes, self.ipv6.map(|ranges| ranges.nodes), node + 1)
    }

    /// The addresses of a Service, by its number from 0.
    pub(super) fn service(&self, service: u16) -> Result<Vec<IpAddr>, NoAddress> {
        let room = (1u32 << (32 - SERVICE_RANGE)) - 2;
        if u32::from(service) >= room {
            let what = "Services, removed ones counted".to_owned();
            return Err(NoAddress::Room { what, room, found: usize::from(service) + 1 });
        }
        Ok(within(self.services, self.ipv6.map(|ranges| ranges.services), service + 1))
    }

    /// The ranges from which a node's pods get their addresses.
    pub(super) fn node_blocks(&self, node: u16) -> Vec<IpNet> {
        let ipv4 = u32::from(node) << (32 - self.block) | self.pods.network().to_bits();
        let ipv4 = Ipv4Net::new_assert(Ipv4Addr::from_bits(ipv4), self.block);
        let ipv6 = self.ipv6.map(|Ipv6Ranges { pods, .. }| {
            let bits = pods.network().to_bits() | u128::from(node) << 64;
            Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), 64)
        });
        std::iter::once(ipv4.into()).chain(ipv6.map(IpNet::from)).collect()
    }

    /// The addresses of a node's pod, by its number from 0.
    pub(super) fn pod(&self, node: u16, pod: u16) -> Result<Vec<IpAddr>, NoAddress> {
        // The first and the last address of a range are left out, as people expect.
        let room = (1u32 << (32 - self.block)) - 2;
        if u32::from(pod) >= room {
            let what = "pods on one node, removed ones counted".to_owned();
            return Err(NoAddress::Room { what, room, found: usize::from(pod) + 1 });
        }
        let host = |block: IpNet| match block {
            IpNet::V4(block) => {
                Ipv4Addr::from_bits(block.network().to_bits() | (u32::from(pod) + 1)).into()
            }
            IpNet::V6(block) => {
                Ipv6Addr::from_bits(block.network().to_bits() | (u128::from(pod) + 1)).into()
            }
        };
        Ok(self.node_blocks(node).into_iter().map(host).collect())
    }
}

/// The addresses of this number in ranges of both families.
fn within(ipv4: Ipv4Net, ipv6: Option<Ipv6Net>, number: u16) -> Vec<IpAddr> {
    let ipv4 = Ipv4Addr::from_bits(ipv4.network().to_bits() | u32::from(number));
    let ipv6 =
        ipv6.map(|range| Ipv6Addr::from_bits(range.network().to_bits() | u128::from(number)));
    std::iter::once(ipv4.into()).chain(ipv6.map(IpAddr::from)).collect()
}

fn is_free(avoid: &[IpNet], range: IpNet) -> bool {
    !avoid.iter().any(|other| other.contains(&range) || range.contains(other))
}

/// Private ranges first (RFC 1918), then the shared one (RFC 6598); then, since no
/// packet can leave the machine, whatever is unicast.
fn pod_ranges() -> impl Iterator<Item = Ipv4Net> {
    let slash16 = |a, b| Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), POD_RANGE);
    std::iter::once(slash16(10, 244))
        .chain((0..=255).map(move |b| slash16(10, b)))
        .chain((16..=31).map(move |b| slash16(172, b)))
        .chain(std::iter::once(slash16(192, 168)))
        .chain((64..=127).map(move |b| slash16(100, b)))
        .chain(unicast().flat_map(move |a| (0..=255).map(move |b| slash16(a, b))))
}

/// The range that kubeadm takes for Services first, then those of pods.
fn service_ranges() -> impl Iterator<Item = Ipv4Net> {
    let usual = Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), SERVICE_RANGE);
    std::iter::once(usual).chain(pod_ranges())
}

fn node_ranges() -> impl Iterator<Item = Ipv4Net> {
    let slash24 = |a, b, c| Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), NODE_RANGE);
    (18..=31)
        .chain(16..=17)
        .map(move |b| slash24(172, b, 0))
        .chain((0..=255).map(move |b| slash24(10, b, 0)))
        .chain((0..=255).map(move |c| slash24(192, 168, c)))
        .chain((64..=127).map(move |b| slash24(100, b, 0)))
        .chain(unicast().flat_map(move |a| (0..=255).map(move |b| slash24(a, b, 0))))
}

/// First octets of unicast addresses but the host's own, loopback and link-local ones.
fn unicast() -> impl Iterator<Item = u8> {
    (1..=223).filter(|first| !matches!(first, 10 | 127 | 169))
}

/// Unique local ranges first (RFC 4193), then documentation (RFC 3849), then global unicast.
fn ipv6_ranges() -> impl Iterator<Item = Ipv6Net> {
    let slash48 = |a, b, c| Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), 48);
    (0x10..=0xff)
        .flat_map(move |b| [slash48(0xfd00, b, 0x244), slash48(0xfd00, b, 0x18)])
        .chain((0..=0xff).map(move |c| slash48(0x2001, 0xdb8, c)))
        .chain((0x2000..=0x3fff).map(move |a| slash48(a, 0x10, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_usual_addresses() {
        let plan =
            AddressPlan::choose(&nets(&["203.0.113.7/32", "0.0.0.0/0"]), 2, 3, true).unwrap();
        let text = |addresses: Vec<IpAddr>| {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(plan.node(0)), "172.18.0.1 fd00:10:18::1");
        assert_eq!(text(plan.service(6).unwrap()), "10.96.0.7 fd00:11:244::7");
        assert_eq!(text(plan.pod(0, 0).unwrap()), "10.244.0.1 fd00:10:244::1");
        assert_eq!(text(plan.pod(1, 4).unwrap()), "10.244.1.5 fd00:10:244:1::5");
        assert_eq!(plan.node_blocks(1), nets(&["10.244.1.0/24", "fd00:10:244:1::/64"]));
    }

    #[test]
    fn ranges_that_are_named_are_left_alone() {
        let cases: &[(&[&str], &str)] = &[
            (&["10.244.3.0/24"], "10.0.0.0/16"),
            (&["10.0.0.0/8"], "172.16.0.0/16"),
            (&["10.0.0.0/8", "172.16.0.0/12"], "192.168.0.0/16"),
            (&["10.0.0.0/8", "172.16.0.0/12", "192.168.5.10/32"], "100.64.0.0/16"),
            (&["0.0.0.0/1"], "172.16.0.0/16"),
        ];
        for (avoid, pods) in cases {
            let plan = AddressPlan::choose(&nets(avoid), 2, 1, false).unwrap();
            assert_eq!(plan.pods.to_string(), *pods, "{avoid:?}");
        }
        let ipv6 = AddressPlan::choose(&nets(&["fc00::/7"]), 1, 1, true).unwrap();
        assert_eq!(ipv6.node(0)[1].to_string(), "2001:db8:1::1");
    }

    #[test]
    fn where_nothing_is_free_the_error_says_so() {
        let error = AddressPlan::choose(&nets(&["0.0.0.0/1", "128.0.0.0/1"]), 1, 1, false);
        assert_eq!(
            error.unwrap_err().to_string(),
            "expected a free IPv4 range for pods beside the 2 ranges that external hosts and \
             ipBlocks name, found none; name narrower ranges"
        );
    }

    #[test]
    fn room_is_checked() {
        assert!(AddressPlan::choose(&[], 1, 16_000, true).is_ok());
        let many = AddressPlan::choose(&[], 4, 16_000, true).unwrap_err();
        assert_eq!(many.to_string(), "expected at most 8160 pods on each of 4 nodes, found 16000");
        let plan = AddressPlan::choose(&[], 1, 1, true).unwrap();
        assert!(plan.pod(0, 253).is_ok());
        assert!(plan.pod(0, 254).is_err());
        assert!(plan.service(65_533).is_ok());
        let many = plan.service(65_534).unwrap_err().to_string();
        assert_eq!(many, "expected at most 65534 Services, removed ones counted, found 65535");
    }

    proptest! {
        #[test]
        fn all_addresses_differ_and_lie_outside(
            avoid in prop::collection::vec((any::<[u8; 4]>(), 1u8..=32), 0..12),
            nodes in 1u16..5,
        ) {
            let avoid: Vec<IpNet> = avoid
                .into_iter()
                .map(|(octets, length)| Ipv4Net::new(octets.into(), length).unwrap().trunc().into())
                .collect();
            let Ok(plan) = AddressPlan::choose(&avoid, nodes.into(), 20, true) else {
                return Ok(());
            };
            let services = (0..40).flat_map(|service| plan.service(service).unwrap());
            let mut all: Vec<IpAddr> = (0..nodes)
                .flat_map(|node| {
                    let pods = (0..40).flat_map(|pod| plan.pod(node, pod).unwrap());
                    plan.node(node).into_iter().chain(pods.collect::<Vec<_>>())
                })
                .chain(services)
                .collect();
            for address in &all {
                prop_assert!(!avoid.iter().any(|range| range.contains(address)));
            }
            for node in 0..nodes {
                let blocks = plan.node_blocks(node);
                for address in plan.pod(node, 7).unwrap() {
                    prop_assert_eq!(blocks.iter().filter(|b| b.contains(&address)).count(), 1);
                }
            }
            let count = all.len();
            all.sort();
            all.dedup();
            prop_assert_eq!(all.len(), count);
        }
    }
}
