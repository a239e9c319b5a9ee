//! `NetworkPolicyPeer` and `IPBlock`.

use super::cidr::{self, Flaw, Parsed};
use super::selector::selector;
use super::validate::{invalid, required_string};
use crate::model::{Cidr, Peer};
use crate::scenario::KubernetesVersion;
use crate::scenario::field::{Field, Reader};
use crate::scenario::yaml::Value;

/// One entry of `from` or `to` (`ValidateNetworkPolicyPeer`).
pub(super) fn peer(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    version: KubernetesVersion,
) -> Option<Peer> {
    let origin = reader.origin(&field);
    let nobody = |reader: &mut Reader<'_>, field: &Field<'_>| {
        reader
            .error("empty-peer", field, format!("{field}: Required value: must specify a peer"))
            .hint("give `podSelector`, `namespaceSelector` or `ipBlock`; `podSelector: {}` is every pod of the policy's namespace");
    };
    if field.node.value == Value::Null {
        nobody(reader, &field);
        return None;
    }
    let object = reader.object(field, &["podSelector", "namespaceSelector", "ipBlock"])?;
    let pod_selector = object.get("podSelector").map(|field| selector(reader, field));
    let namespace_selector = object.get("namespaceSelector").map(|field| selector(reader, field));
    let has_selector = pod_selector.is_some() || namespace_selector.is_some();
    let Some(block_field) = object.get("ipBlock") else {
        if !has_selector {
            nobody(reader, &object.field);
            return None;
        }
        return Some(Peer::Pods { pod_selector, namespace_selector, origin });
    };
    if has_selector {
        let field = &object.field;
        let message = format!("{field}: Forbidden: may not specify both ipBlock and another peer");
        reader
            .error("ip-block-and-selector", field, message)
            .hint("write two entries if either may match");
    }
    let block = reader.object(block_field, &["cidr", "except"])?;
    let outer = required_string(reader, &block, "cidr", "")
        .and_then(|(field, text)| Some((text, range(reader, &field, text, version)?)));
    let mut except = Vec::new();
    for item in block.get("except").and_then(|field| reader.list(&field)).unwrap_or_default() {
        let Some(text) = reader.string(&item) else { continue };
        // Without the range there is nothing to hold it against (`ValidateIPBlock`).
        if outer.is_none() {
            continue;
        }
        let Some(inner) = range(reader, &item, text, version) else { continue };
        if let Some((cidr, outer)) = &outer
            && !inner.is_strict_subset_of(outer)
        {
            let family = |net: &ipnet::IpNet| if net.addr().is_ipv4() { "IPv4" } else { "IPv6" };
            let (own, other) = (family(&inner.net), family(&outer.net));
            let diagnostic =
                invalid(reader, "except-outside", &item, text, "must be a strict subset of `cidr`");
            diagnostic.hint(&if own == other {
                format!("`cidr` is `{cidr}`")
            } else {
                format!("`cidr` is `{cidr}`, which is {other}, and this is {own}")
            });
        }
        except.push(Cidr { text: text.to_owned(), net: inner.net });
    }
    let (text, outer) = outer?;
    Some(Peer::IpBlock { cidr: Cidr { text: text.to_owned(), net: outer.net }, except, origin })
}

/// A CIDR, with the errors and warnings of the version.
fn range(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    text: &str,
    version: KubernetesVersion,
) -> Option<Parsed> {
    let Some(parsed) = cidr::parse(text) else {
        let why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
        let diagnostic = invalid(reader, "cidr-invalid", field, text, why);
        if text.parse::<std::net::Ipv4Addr>().is_ok() {
            diagnostic.hint(&format!("a single address is `{text}/32`"));
        } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
            diagnostic.hint(&format!("a single address is `{text}/128`"));
        }
        return None;
    };
    if version >= cidr::STRICT_SINCE {
        refuse(reader, field, text, &parsed);
    } else {
        doubt(reader, field, text, &parsed);
    }
    if parsed.flaw().is_none()
        && let Some(canonical) = parsed.canonical(text)
    {
        let message = format!(
            "{field}: IPv6 CIDR value {text:?} should be in RFC 5952 canonical format ({canonical:?})"
        );
        reader.warn("cidr-not-canonical", field, message);
    }
    Some(parsed)
}

const fn code(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::LeadingZeros => "cidr-leading-zeros",
        Flaw::Mapped => "cidr-ipv4-mapped",
        Flaw::HostBits => "cidr-host-bits",
    }
}

/// Strict validation (`IsValidCIDRForLegacyField`).
fn refuse(reader: &mut Reader<'_>, field: &Field<'_>, text: &str, parsed: &Parsed) {
    let Some(flaw) = parsed.flaw() else { return };
    let net = parsed.net;
    let why = match flaw {
        Flaw::LeadingZeros => "must not have leading 0s in IP or prefix length",
        Flaw::Mapped => "must not have an IPv4-mapped IPv6 address",
        Flaw::HostBits => "must not have bits set beyond the prefix length",
    };
    let help = match flaw {
        Flaw::HostBits => {
            let single = parsed.single();
            format!("use `{net}` for the range or `{single}` for the one address")
        }
        _ => format!("use `{net}`"),
    };
    invalid(reader, code(flaw), field, text, why).hint(&help);
}

/// The warnings before it (`GetWarningsForCIDR`), which may be two.
fn doubt(reader: &mut Reader<'_>, field: &Field<'_>, text: &str, parsed: &Parsed) {
    let net = parsed.net;
    let mut warn = |flaw: Flaw, message: String| {
        reader
            .warn(code(flaw), field, format!("{field}: {message}"))
            .hint(&format!("Kubernetes {} and later refuse it", cidr::STRICT_SINCE));
    };
    if parsed.has_host_bits() {
        let single = parsed.single();
        let message = format!(
            "CIDR value {text:?} is ambiguous in this context (should be \"{net}\" or \"{single}\"?)"
        );
        warn(Flaw::HostBits, message);
    }
    if let Some(flaw @ (Flaw::LeadingZeros | Flaw::Mapped)) = parsed.flaw() {
        warn(flaw, format!("non-standard CIDR value {text:?} is invalid: use \"{net}\""));
    }
}
