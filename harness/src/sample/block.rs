//! Random ranges of addresses, around those that there are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::draw::Draw;
use crate::model::{Cidr, Origin, Peer, Topology};

/// How long the prefixes of ranges are, by family: from an address alone to all there are.
const LENGTHS_V4: [u8; 10] = [32, 32, 31, 31, 30, 29, 28, 25, 24, 0];
const LENGTHS_V6: [u8; 9] = [128, 128, 127, 126, 125, 64, 49, 48, 0];

/// Where no host is: documentation ranges (RFC 5737, RFC 3849).
const NOBODY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 7)),
];

/// A range around an external host's address, or a node's where it is known, at times its
/// neighbour's; with narrower ranges left out, which may hold the address or its neighbour.
pub(super) fn block(draw: &mut Draw, topology: &Topology, origin: &Origin) -> Peer {
    let addresses = known(topology);
    let address = match addresses.is_empty() || draw.once_in(12) {
        true => *draw.pick(&NOBODY),
        false => *draw.pick(&addresses),
    };
    let around = if draw.once_in(6) { neighbour(address) } else { address };
    let range = range(draw, around, 0);
    let mut except: Vec<Cidr> = Vec::new();
    if draw.once_in(2) {
        for _ in 0..draw.between(1, 3) {
            let inside: Vec<IpAddr> =
                addresses.iter().copied().filter(|known| range.contains(known)).collect();
            let Some(hole) = draw.choose(inside) else { break };
            let hole = if draw.once_in(3) { neighbour(hole) } else { hole };
            // "Except values will be rejected if they are outside the cidr range"
            // (`IPBlock.except`), and the range itself is none inside it.
            if range.contains(&hole) && range.prefix_len() < range.max_prefix_len() {
                except.push(cidr(self::range(draw, hole, range.prefix_len() + 1)));
            }
        }
        except.sort_by_key(|hole| hole.net);
        except.dedup();
    }
    Peer::IpBlock { cidr: cidr(range), except, origin: origin.clone() }
}

/// What ranges can be about: pods' addresses are not, since what that means is left open.
fn known(topology: &Topology) -> Vec<IpAddr> {
    let hosts = topology.externals.values().flat_map(|host| &host.addresses);
    let nodes = topology.nodes.values().flat_map(|node| &node.addresses);
    hosts.chain(nodes).copied().collect()
}

/// The address that differs in the last bit alone.
fn neighbour(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) ^ 1).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) ^ 1).to_be_bytes()),
    }
}

/// A range that holds an address, its prefix at least so long.
fn range(draw: &mut Draw, address: IpAddr, shortest: u8) -> IpNet {
    let lengths: &[u8] = if address.is_ipv4() { &LENGTHS_V4 } else { &LENGTHS_V6 };
    let long_enough = lengths.iter().copied().filter(|length| *length >= shortest);
    let length = draw.choose(long_enough).unwrap_or(lengths[0]);
    IpNet::new(address, length).map_or(IpNet::from(address), |net| net.trunc())
}

fn cidr(net: IpNet) -> Cidr {
    Cidr { text: net.to_string(), net }
}
