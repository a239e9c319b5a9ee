//! CIDRs of an ipBlock: read as the API server's lenient parser does, then
//! judged by the rules of the version asked for.
//!
//! `IsValidCIDRForLegacyField` and `GetWarningsForCIDR` in
//! `k8s.io/apimachinery/pkg/util/validation/ip.go`; strict since Kubernetes
//! 1.36 (KEP-4858, feature `StrictIPCIDRValidation`), warnings before.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The version from which malformed but readable CIDRs are refused.
pub(super) const STRICT_SINCE: crate::scenario::KubernetesVersion =
    crate::scenario::KubernetesVersion::v1(36);

/// A CIDR that the lenient parser takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The range: host bits cleared, IPv4-mapped IPv6 taken as IPv4.
    pub(super) net: IpNet,
    /// The address before the `/`, IPv4-mapped taken as IPv4.
    pub(super) address: IpAddr,
    /// The prefix length as written.
    pub(super) prefix: u8,
    /// Whether the address or the prefix length has leading zeros.
    pub(super) leading_zeros: bool,
    /// Whether it was written as an IPv4-mapped IPv6 address.
    pub(super) mapped: bool,
}

/// Something that is wrong with a CIDR that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    LeadingZeros,
    Mapped,
    HostBits,
}

/// `ParseCIDRSloppy`: `None` where even that cannot read it.
pub(super) fn parse(text: &str) -> Option<Parsed> {
    let (address_text, prefix_text) = text.split_once('/')?;
    let prefix: u8 = decimal(prefix_text)?;
    let mut leading_zeros = has_leading_zeros(prefix_text);
    let (address, zeros) = if address_text.contains(':') {
        let (address, zeros) = ipv6(address_text)?;
        (IpAddr::V6(address), zeros)
    } else {
        let (address, zeros) = ipv4(address_text)?;
        (IpAddr::V4(address), zeros)
    };
    leading_zeros |= zeros;
    let (net, address, mapped) = match address {
        IpAddr::V4(v4) => (IpNet::V4(Ipv4Net::new(v4, prefix).ok()?), address, false),
        IpAddr::V6(v6) => {
            let net = Ipv6Net::new(v6, prefix).ok()?;
            match v6.to_ipv4_mapped() {
                // A range wider than all mapped addresses is one of IPv6.
                Some(v4) if prefix >= 96 => {
                    (IpNet::V4(Ipv4Net::new(v4, prefix - 96).ok()?), IpAddr::V4(v4), true)
                }
                Some(_) => (IpNet::V6(net), address, true),
                None => (IpNet::V6(net), address, false),
            }
        }
    };
    Some(Parsed { net: net.trunc(), address, prefix, leading_zeros, mapped })
}

impl Parsed {
    /// What strict validation says first, in its order.
    pub(super) fn flaw(&self) -> Option<Flaw> {
        if self.leading_zeros {
            Some(Flaw::LeadingZeros)
        } else if self.mapped {
            Some(Flaw::Mapped)
        } else if self.has_host_bits() {
            Some(Flaw::HostBits)
        } else {
            None
        }
    }

    /// Whether bits are set beyond the prefix length.
    pub(super) fn has_host_bits(&self) -> bool {
        self.address != self.net.addr()
    }

    /// The one address as a range. Of a mapped one the API server shows IPv4
    /// with the length of IPv6, and so does this.
    pub(super) fn single(&self) -> String {
        let bits = if self.mapped { 128 } else { self.net.max_prefix_len() };
        format!("{}/{bits}", self.address.to_canonical())
    }

    /// The canonical text, if this one is not it (RFC 5952; a warning in every version).
    pub(super) fn canonical(&self, text: &str) -> Option<String> {
        let canonical = format!("{}/{}", self.address, self.prefix);
        (matches!(self.address, IpAddr::V6(_)) && canonical != text).then_some(canonical)
    }

    /// Whether this is a strict subset, as `ValidateIPBlock` reckons it.
    pub(super) fn is_strict_subset_of(&self, outer: &Self) -> bool {
        outer.net.contains(&self.net.addr()) && outer.prefix < self.prefix
    }
}

fn has_leading_zeros(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0')
}

/// A decimal number of at most 255, with as many leading zeros as one likes.
fn decimal(text: &str) -> Option<u8> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match text.trim_start_matches('0') {
        "" => Some(0),
        digits => digits.parse().ok(),
    }
}

fn ipv4(text: &str) -> Option<(Ipv4Addr, bool)> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    let mut zeros = false;
    for octet in &mut octets {
        let part = parts.next()?;
        *octet = decimal(part)?;
        zeros |= has_leading_zeros(part);
    }
    parts.next().is_none().then(|| (Ipv4Addr::from(octets), zeros))
}

/// Leading zeros that the strict parser refuses are taken away before it is asked.
fn ipv6(text: &str) -> Option<(Ipv6Addr, bool)> {
    let mut zeros = false;
    let groups: Vec<String> = text
        .split(':')
        .map(|group| {
            if group.contains('.') {
                let (v4, bad) = ipv4(group)?;
                zeros |= bad;
                Some(v4.to_string())
            } else if group.len() > 4 {
                zeros = true;
                let digits = group.trim_start_matches('0');
                Some(if digits.is_empty() { "0" } else { digits }.to_owned())
            } else {
                Some(group.to_owned())
            }
        })
        .collect::<Option<_>>()?;
    Some((groups.join(":").parse().ok()?, zeros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cidrs_are_read_as_leniently_as_the_api_server_reads_them() {
        for (text, net, flaw) in [
            ("10.0.0.0/8", "10.0.0.0/8", None),
            ("10.1.2.3/8", "10.0.0.0/8", Some(Flaw::HostBits)),
            ("010.0.0.0/8", "10.0.0.0/8", Some(Flaw::LeadingZeros)),
            ("10.0.0.0/08", "10.0.0.0/8", Some(Flaw::LeadingZeros)),
            ("0.0.0.0/0", "0.0.0.0/0", None),
            ("::/0", "::/0", None),
            ("2001:db8::/32", "2001:db8::/32", None),
            ("2001:db8::1/32", "2001:db8::/32", Some(Flaw::HostBits)),
            ("2001:DB8:0::/32", "2001:db8::/32", None),
            ("02001:db8::/32", "2001:db8::/32", Some(Flaw::LeadingZeros)),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8", Some(Flaw::Mapped)),
            ("::ffff:10.1.2.3/128", "10.1.2.3/32", Some(Flaw::Mapped)),
            ("::ffff:010.1.2.3/128", "10.1.2.3/32", Some(Flaw::LeadingZeros)),
        ] {
            let parsed = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(parsed.net.to_string(), net, "{text}");
            assert_eq!(parsed.flaw(), flaw, "{text}");
        }
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0.0/8",
            "256.0.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "::/129",
            "fe80::1%eth0/64",
            "a/8",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn subsets_are_strict() {
        for (inner, outer, is) in [
            ("10.1.0.0/16", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.0.0.0/8", false),
            ("11.0.0.0/16", "10.0.0.0/8", false),
            ("2001:db8::/32", "10.0.0.0/8", false),
            ("2001:db8:1::/48", "2001:db8::/32", true),
            ("0.0.0.0/0", "10.0.0.0/8", false),
        ] {
            let (inner, outer) = (parse(inner).unwrap(), parse(outer).unwrap());
            assert_eq!(inner.is_strict_subset_of(&outer), is, "{inner:?} {outer:?}");
        }
    }
}
