//! `topology.external`: hosts outside the cluster, and which addresses they can have.

use std::net::IpAddr;

use super::field::{Field, Reader};
use super::listener::ports;
use super::manifest::names;
use crate::model::{External, Family, Name, Topology};

/// Reads `topology.external`.
pub(super) fn externals(reader: &mut Reader<'_>, field: Field<'_>, topology: &mut Topology) {
    let Some(object) = reader.map(field) else { return };
    for entry in object.entries {
        let child = object.field.child(entry);
        for why in names::dns_label(&entry.key) {
            let message = format!("{child}: Invalid value: {:?}: {why}", entry.key);
            reader.error_at("invalid-name", &child.path, child.key_place, message);
        }
        let mut origin = reader.origin(&child);
        (origin.line, origin.column) = (child.key_place.line, child.key_place.column);
        let Some(body) = reader.object(child, &["address", "addresses", "ports"]) else { continue };
        let mut fields: Vec<Field<'_>> = body.get("address").into_iter().collect();
        if let Some(field) = body.get("addresses") {
            fields.extend(reader.list(&field).unwrap_or_default());
        }
        if fields.is_empty() {
            let message = format!("{}: expected `address` or `addresses`", body.field);
            let place = body.field.key_place;
            reader.error_at("missing-field", &body.field.path, place, message);
        }
        let mut addresses: Vec<IpAddr> = Vec::new();
        for field in fields {
            let Some(address) = address(reader, &field, topology, &addresses) else { continue };
            addresses.push(address);
        }
        let ports = ports(reader, &body);
        let name = Name::from(entry.key.as_str());
        let external = External { name: name.clone(), addresses, ports, origin };
        topology.externals.insert(name, external);
    }
}

fn address(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    topology: &Topology,
    own: &[IpAddr],
) -> Option<IpAddr> {
    let text = reader.string(field)?;
    let Ok(address) = text.parse::<IpAddr>() else {
        let message = format!("expected an IP address, found `{text}`");
        reader.error("bad-address", field, message);
        return None;
    };
    if let Some(why) = reserved(address) {
        let message = format!("`{address}` cannot be an external host's: it is {why}");
        reader
            .error("address-reserved", field, message)
            .hint("the documentation ranges are free: 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32");
        return None;
    }
    let taken = topology.externals.values().find(|host| host.addresses.contains(&address));
    if let Some(host) = taken {
        let message = format!("`{address}` belongs to `{}` already", host.name);
        let help = format!("declared at {}", host.origin);
        reader.error("address-taken", field, message).hint(&help);
        return None;
    }
    if own.iter().any(|other| Family::of(*other) == Family::of(address)) {
        let message = format!("a second {} address, expected at most one", Family::of(address));
        reader.error("address-taken", field, message).hint("declare another external host");
        return None;
    }
    Some(address)
}

/// Why no host beyond a router can have an address (IANA special-purpose registries).
fn reserved(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => match v4.octets() {
            [0, ..] => Some("in 0.0.0.0/8, \"this network\" (RFC 791)"),
            [127, ..] => Some("a loopback address (RFC 1122)"),
            [169, 254, ..] => Some("a link-local address (RFC 3927)"),
            [224..=239, ..] => Some("a multicast address (RFC 5771)"),
            [255, 255, 255, 255] => Some("the broadcast address (RFC 919)"),
            [240..=255, ..] => Some("in class E, reserved (RFC 1112)"),
            _ => None,
        },
        IpAddr::V6(v6) => {
            if v6.is_unspecified() {
                Some("the unspecified address (RFC 4291)")
            } else if v6.is_loopback() {
                Some("the loopback address (RFC 4291)")
            } else if v6.is_multicast() {
                Some("a multicast address (RFC 4291)")
            } else if v6.is_unicast_link_local() {
                Some("a link-local address (RFC 4291)")
            } else if v6.to_ipv4_mapped().is_some() {
                Some("an IPv4-mapped address (RFC 4291): write the IPv4 address")
            } else if v6.segments()[..6] == [0; 6] {
                Some("an IPv4-compatible address, deprecated (RFC 4291)")
            } else {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_addresses_are_known() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "::ffff:1.2.3.4",
            "::1.2.3.4",
        ] {
            assert!(reserved(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in ["203.0.113.7", "192.168.5.10", "10.0.0.1", "2001:db8::10", "fd00::1"] {
            assert_eq!(reserved(text.parse().unwrap()), None, "{text}");
        }
    }
}
