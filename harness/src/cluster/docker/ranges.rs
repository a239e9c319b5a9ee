//! Ranges of addresses that the run's own networks may have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::engine::{Engine, EngineError, refused};

/// The first of the ranges of IPv4 that are tried: 198.18.0.0/15 is set aside for tests of
/// networks (RFC 2544), so hardly any network uses it; 10.0.0.0/8 is private (RFC 1918).
const FIRST: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 18, 0, 0), Ipv4Addr::new(10, 0, 0, 0)];

/// How many /24 each of them has.
const COUNT: [u32; 2] = [512, 65_536];

/// The ranges of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranges {
    /// Those of the Docker network that carries it.
    pub(super) below: Ipv4Net,
    /// Those of its ends.
    pub(super) ipv4: Ipv4Net,
    /// Those of its ends, which IPv4 carries too.
    pub(super) ipv6: Ipv6Net,
}

/// Chooses ranges that are disjoint from those that are taken, the same ones for the same seed.
pub(super) fn choose(seed: u64, taken: &[IpNet]) -> Option<Ranges> {
    let free = |range: &IpNet| !taken.iter().any(|taken| overlap(taken, range));
    let candidates = FIRST.into_iter().zip(COUNT).flat_map(|(first, count)| {
        (0..count).filter_map(move |step| {
            let number = (step + (seed % u64::from(count)) as u32) % count;
            let address = Ipv4Addr::from(u32::from(first) + (number << 8));
            Ipv4Net::new(address, 24).ok()
        })
    });
    let mut candidates = candidates.filter(|range| free(&IpNet::V4(*range)));
    let (below, ipv4) = (candidates.next()?, candidates.next()?);
    // A unique local range (RFC 4193): 40 bits that nobody else has. Steps are of the golden
    // ratio, so that no single range which is taken holds all that are tried.
    let ipv6 = (0..1_000_u64).find_map(|step| {
        let number = seed.wrapping_add(step.wrapping_mul(0x9e_3779_b97f));
        let bits = u128::from(number) & ((1 << 40) - 1);
        let range = Ipv6Net::new(Ipv6Addr::from((0xfd_u128 << 120) | (bits << 80)), 64).ok()?;
        free(&IpNet::V6(range)).then_some(range)
    })?;
    Some(Ranges { below, ipv4, ipv6 })
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

/// The address of this number within a range.
pub(super) fn nth(range: IpNet, number: u32) -> IpAddr {
    match range.network() {
        IpAddr::V4(first) => Ipv4Addr::from(u32::from(first) + number).into(),
        IpAddr::V6(first) => Ipv6Addr::from(u128::from(first) + u128::from(number)).into(),
    }
}

impl Engine {
    /// The ranges of every Docker network that there is.
    pub(super) async fn ranges(&self) -> Result<Vec<IpNet>, EngineError> {
        let networks = self.api.list_networks(None).await.map_err(refused("list networks"))?;
        let configurations =
            networks.into_iter().filter_map(|network| network.ipam?.config).flatten();
        Ok(configurations.filter_map(|range| range.subnet?.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_out_of_what_is_taken() {
        let nothing = choose(511, &[]).unwrap();
        assert_eq!(nothing.below.to_string(), "198.19.255.0/24");
        assert_eq!(nothing.ipv4.to_string(), "198.18.0.0/24");
        assert_eq!(nothing.ipv6.to_string(), "fd00:0:1ff::/64");
        let taken = ["198.18.0.0/15", "10.0.1.128/25", "fd00::/9"];
        let taken = taken.map(|range| range.parse().unwrap());
        let chosen = choose(0, &taken).unwrap();
        assert_eq!(chosen.below.to_string(), "10.0.0.0/24");
        assert_eq!(chosen.ipv4.to_string(), "10.0.2.0/24");
        assert_eq!(chosen.ipv6.to_string(), "fd9e:3779:b97f::/64");
        let everything = ["0.0.0.0/0".parse().unwrap()];
        assert_eq!(choose(0, &everything), None);
        assert_eq!(nth(chosen.ipv4.into(), 3).to_string(), "10.0.2.3");
        assert_eq!(nth(chosen.ipv6.into(), 3).to_string(), "fd9e:3779:b97f::3");
    }
}
