//! Peers and subjects of policies of the cluster.

use std::collections::BTreeSet;

use super::super::cidr::{self, Flaw};
use super::super::selector::selector;
use super::super::validate::{invalid, required};
use super::Form;
use super::form::{items, one_of};
use crate::model::{Cidr, ClusterAction, ClusterPeer, ClusterPolicyVersion, LabelSelector, Name};
use crate::scenario::field::{Field, Reader};

/// "Networks can have up to 25 CIDRs specified", and as many domain names.
const MOST: usize = 25;

/// The most characters of a CIDR (`CIDR`, `MaxLength`).
const CIDR_LENGTH: usize = 43;

/// `NamespacedPod`: "NamespaceSelector follows standard label selector semantics; if empty,
/// it selects all Namespaces", which since `v1alpha2` may be absent.
pub(super) fn namespaced_pod(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    form: Form,
) -> Option<(LabelSelector, LabelSelector)> {
    let object = reader.object(field, &["namespaceSelector", "podSelector"])?;
    let mut one = |key: &str, optional: bool| match object.get(key) {
        Some(field) => Some(selector(reader, field)),
        None if optional => Some(LabelSelector::everything()),
        None => {
            required(reader, &object.field, key, "").hint(&format!("`{key}: {{}}` selects all"));
            None
        }
    };
    let namespaces = one("namespaceSelector", !form.is_first());
    let pods = one("podSelector", false);
    Some((namespaces?, pods?))
}

/// One entry of `from` or `to`. Names of domains are not looked up: that goes to `aside`.
pub(super) fn peer(
    reader: &mut Reader<'_>,
    field: Field<'_>,
    egress: bool,
    action: Option<ClusterAction>,
    form: Form,
    aside: &mut Vec<String>,
) -> Option<ClusterPeer> {
    let origin = reader.origin(&field);
    let known = form.peers(egress);
    let object = reader.structure(field, known)?;
    let (key, field) = one_of(reader, &object, known)?;
    Some(match key {
        "namespaces" => ClusterPeer::Namespaces { selector: selector(reader, field), origin },
        "nodes" => ClusterPeer::Nodes { selector: selector(reader, field), origin },
        "networks" => {
            let mut cidrs = Vec::new();
            for (item, text) in texts(reader, &field) {
                cidrs.extend(range(reader, &item, text, form));
            }
            ClusterPeer::Networks { cidrs, origin }
        }
        "domainNames" => {
            let mut names = Vec::new();
            for (item, text) in texts(reader, &field) {
                if !is_domain_name(text) {
                    let why = "must be a domain name, or one after `*.`";
                    invalid(reader, "domain-name", &item, text, why);
                }
                names.push(Name::from(text));
            }
            if action.is_some_and(|action| action != ClusterAction::Accept) {
                // The CRD lets it pass.
                let message = format!("{field}: DomainNames is only supported for Accept rules");
                reader.error("domain-names-action", &field, message);
            }
            let sentence = format!("domain names are not looked up ({origin})");
            reader
                .warn("domain-names", &field, format!("{field}: domain names are not looked up"))
                .hint("nothing is judged that they are a part of");
            aside.push(sentence);
            ClusterPeer::DomainNames { names, origin }
        }
        _ => {
            let (namespace_selector, pod_selector) = namespaced_pod(reader, field, form)?;
            ClusterPeer::Pods { namespace_selector, pod_selector, origin }
        }
    })
}

/// The texts of a set (`listType=set`), of which each is there once.
fn texts<'n>(reader: &mut Reader<'_>, field: &Field<'n>) -> Vec<(Field<'n>, &'n str)> {
    let mut seen = BTreeSet::new();
    let mut texts = Vec::new();
    for item in items(reader, field, 1, MOST) {
        let Some(text) = reader.string(&item) else { continue };
        if !seen.insert(text) {
            let message = format!("{item}: Duplicate value: {text:?}");
            reader.error("duplicate-value", &item, message);
        }
        texts.push((item, text));
    }
    texts
}

/// `isCIDR(self)`, which takes host bits and no other flaw; `v1beta1` refuses those too:
/// "cidr(self) == cidr(self).masked()".
fn range(reader: &mut Reader<'_>, field: &Field<'_>, text: &str, form: Form) -> Option<Cidr> {
    let parsed = cidr::parse(text);
    let flaw = parsed.as_ref().and_then(cidr::Parsed::flaw);
    let strict = form.version == ClusterPolicyVersion::V1beta1;
    match (parsed, flaw) {
        (Some(parsed), None) if text.len() <= CIDR_LENGTH => {
            Some(Cidr { text: text.to_owned(), net: parsed.net })
        }
        (Some(parsed), Some(Flaw::HostBits)) if !strict => {
            let (net, single) = (parsed.net, parsed.single());
            let message = format!("{field}: {text:?} has bits set beyond the prefix length");
            reader
                .warn("cidr-host-bits", field, message)
                .hint(&format!("use `{net}` for the range or `{single}` for the one address"));
            Some(Cidr { text: text.to_owned(), net })
        }
        (parsed, _) => {
            let diagnostic =
                invalid(reader, "cidr-invalid", field, text, "Invalid CIDR format provided");
            match parsed {
                Some(parsed) => diagnostic.hint(&format!("use `{}`", parsed.net)),
                None if text.parse::<std::net::Ipv4Addr>().is_ok() => {
                    diagnostic.hint(&format!("a single address is `{text}/32`"));
                }
                None if text.parse::<std::net::Ipv6Addr>().is_ok() => {
                    diagnostic.hint(&format!("a single address is `{text}/128`"));
                }
                None => {}
            }
            None
        }
    }
}

/// The pattern of `DomainName`: at least two labels, perhaps behind `*.` and before a dot.
/// (That of the alpha versions takes some punctuation for letters by mistake, `A-z`.)
fn is_domain_name(text: &str) -> bool {
    let text = text.strip_prefix("*.").unwrap_or(text);
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
    };
    text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of `DomainName`'s own text, and what its pattern refuses.
    #[test]
    fn domain_names_have_two_labels_and_a_star_in_front_alone() {
        for text in ["kubernetes.io", "blog.kubernetes.io", "*.kubernetes.io", "my_a-b.io."] {
            assert!(is_domain_name(text), "{text}");
        }
        for text in ["", "io", "*", "*.io", "www.*.io", "a*.io", "-a.io", "a..io", "a.io.."] {
            assert!(!is_domain_name(text), "{text}");
        }
    }
}
