//! Sets of addresses as sorted, disjoint ranges.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Cidr, Family};

/// Addresses of one family: ranges with both bounds included, sorted, and neither
/// overlapping nor touching. The same addresses always have the same ranges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Addresses {
    family: Family,
    ranges: Vec<(u128, u128)>,
}

impl Addresses {
    /// The family.
    pub(super) const fn family(&self) -> Family {
        self.family
    }

    /// The union of single addresses and of blocks; those of another family are left out.
    pub(super) fn of(
        family: Family,
        singles: impl IntoIterator<Item = IpAddr>,
        blocks: impl IntoIterator<Item = Self>,
    ) -> Self {
        let mut ranges: Vec<(u128, u128)> = singles
            .into_iter()
            .filter(|address| Family::of(*address) == family)
            .map(|address| (number(address), number(address)))
            .collect();
        for block in blocks.into_iter().filter(|block| block.family == family) {
            ranges.extend(block.ranges);
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last)
                }
                _ => merged.push((first, last)),
            }
        }
        Self { family, ranges: merged }
    }

    /// The addresses of an ipBlock: those in `cidr` and in none of `except`.
    ///
    /// "except is a slice of CIDRs that should not be included within an IPBlock"
    /// (`networking.k8s.io/v1` `IPBlock`).
    pub(super) fn of_block(cidr: &Cidr, except: &[Cidr]) -> Self {
        let (family, whole) = bounds(cidr);
        let mut left = vec![whole];
        for (_, (first, last)) in except.iter().map(bounds).filter(|(other, _)| *other == family) {
            left = left.into_iter().flat_map(|range| without(range, first, last)).collect();
        }
        Self::of(family, [], [Self { family, ranges: left }])
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether these are all addresses of the family.
    pub(super) fn is_everything(&self) -> bool {
        self.ranges == [(0, highest(self.family))]
    }

    /// Each address, where that is no longer a list than the bounds of the ranges would be.
    pub(super) fn singles(&self) -> Option<impl Iterator<Item = IpAddr>> {
        let count = self.ranges.iter().fold(0u128, |count, (first, last)| {
            count.saturating_add(last - first).saturating_add(1)
        });
        let all = || self.ranges.iter().flat_map(|(first, last)| *first..=*last);
        (count <= 2 * self.ranges.len() as u128)
            .then(|| all().map(|number| address(self.family, number)))
    }

    /// Whether the address is among them.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let wanted = number(address);
        let after = self.ranges.partition_point(|(first, _)| *first <= wanted);
        Family::of(address) == self.family && after > 0 && wanted <= self.ranges[after - 1].1
    }

    /// The ranges in order. The second address is the first one behind the range; the
    /// last range may have none.
    pub(super) fn bounds(&self) -> impl Iterator<Item = (IpAddr, Option<IpAddr>)> {
        self.ranges.iter().map(|(first, last)| {
            let behind = (*last != highest(self.family)).then(|| address(self.family, last + 1));
            (address(self.family, *first), behind)
        })
    }
}

/// What is left of a range without `first..=last`.
fn without(range: (u128, u128), first: u128, last: u128) -> impl Iterator<Item = (u128, u128)> {
    let before = (range.0 < first).then(|| (range.0, range.1.min(first - 1)));
    let behind = (range.1 > last).then(|| (range.0.max(last + 1), range.1));
    before.into_iter().chain(behind)
}

fn bounds(cidr: &Cidr) -> (Family, (u128, u128)) {
    let first = cidr.net.network();
    let family = Family::of(first);
    let host_bits = u32::from(cidr.net.max_prefix_len() - cidr.net.prefix_len());
    let size_less_one = 1u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
    (family, (number(first), number(first) | size_less_one))
}

const fn highest(family: Family) -> u128 {
    match family {
        Family::Ipv4 => u32::MAX as u128,
        Family::Ipv6 => u128::MAX,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The inverse of [`number`]; numbers of IPv4 addresses fit 32 bits by construction.
fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::from_bits(number as u32).into(),
        Family::Ipv6 => Ipv6Addr::from_bits(number).into(),
    }
}

impl fmt::Display for Addresses {
    /// `10.0.0.1, 10.0.1.0-10.0.1.255`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (first, last)) in self.ranges.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", address(self.family, *first))?;
            if first != last {
                write!(f, "-{}", address(self.family, *last))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::new(text).unwrap()
    }

    #[test]
    fn blocks_without_their_exceptions() {
        let cases: [(&str, &[&str], &str); 8] = [
            ("10.0.0.0/24", &[], "10.0.0.0-10.0.0.255"),
            ("10.0.0.7/32", &[], "10.0.0.7"),
            ("10.0.0.0/24", &["10.0.0.0/25"], "10.0.0.128-10.0.0.255"),
            ("10.0.0.0/24", &["10.0.0.128/25"], "10.0.0.0-10.0.0.127"),
            (
                "10.0.0.0/24",
                &["10.0.0.64/26", "10.0.0.96/27"],
                "10.0.0.0-10.0.0.63, 10.0.0.128-10.0.0.255",
            ),
            ("0.0.0.0/0", &["0.0.0.0/1", "128.0.0.0/1"], ""),
            ("::/0", &["8000::/1"], "::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::/64", &["10.0.0.0/8"], "2001:db8::-2001:db8::ffff:ffff:ffff:ffff"),
        ];
        for (block, except, expected) in cases {
            let except: Vec<Cidr> = except.iter().map(|text| cidr(text)).collect();
            let found = Addresses::of_block(&cidr(block), &except);
            assert_eq!(found.to_string(), expected, "{block} without {except:?}");
        }
        assert!(Addresses::of_block(&cidr("0.0.0.0/0"), &[]).is_everything());
        assert!(Addresses::of_block(&cidr("::/0"), &[]).is_everything());
    }

    #[test]
    fn neighbours_are_merged_and_the_last_range_is_open() {
        let found = Addresses::of(
            Family::Ipv4,
            ["10.0.0.9", "10.0.0.8", "10.0.0.8", "fd00::1"].map(|text| text.parse().unwrap()),
            [Addresses::of_block(&cidr("255.0.0.0/8"), &[])],
        );
        assert_eq!(found.to_string(), "10.0.0.8-10.0.0.9, 255.0.0.0-255.255.255.255");
        assert_eq!(
            found.bounds().collect::<Vec<_>>(),
            [
                ("10.0.0.8".parse().unwrap(), Some("10.0.0.10".parse().unwrap())),
                ("255.0.0.0".parse().unwrap(), None)
            ]
        );
        assert!(found.singles().is_none());
        let few = ["10.0.0.9", "10.0.0.8"].map(|text| text.parse().unwrap());
        let found = Addresses::of(Family::Ipv4, few, []);
        assert_eq!(found.singles().unwrap().collect::<Vec<_>>(), [few[1], few[0]]);
    }

    proptest! {
        /// Whatever the blocks, an address is among them exactly if it lies in one and in
        /// none of that one's exceptions.
        #[test]
        fn containment_is_that_of_the_blocks(
            blocks in prop::collection::vec((0u32..64, 26u8..=32, prop::collection::vec((0u32..64, 27u8..=32), 0..3)), 0..4)
        ) {
            let net = |(host, length): (u32, u8)| {
                cidr(&format!("{}/{length}", Ipv4Addr::from_bits(0x0a00_0000 | host)))
            };
            let blocks: Vec<(Cidr, Vec<Cidr>)> = blocks
                .into_iter()
                .map(|(host, length, except)| (net((host, length)), except.into_iter().map(net).collect()))
                .collect();
            let all = Addresses::of(
                Family::Ipv4,
                [],
                blocks.iter().map(|(cidr, except)| Addresses::of_block(cidr, except)),
            );
            for host in 0..70 {
                let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | host));
                let expected = blocks.iter().any(|(cidr, except)| {
                    cidr.contains(address) && !except.iter().any(|cidr| cidr.contains(address))
                });
                prop_assert_eq!(all.contains(address), expected, "{}", address);
            }
        }
    }
}
