//! Puts an address that only exists at run time into a policy's field.

use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use crate::model::{Change, Cidr, Endpoint, Family, NetworkPolicy, Peer, Rule, Topology};
use crate::scenario::Binding;

/// Why an address could not be put into a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// The endpoint has no such address yet.
    #[error("`{endpoint}` has no {family} address before this step, which `{field}` is bound to")]
    NoAddress {
        /// Whose address.
        endpoint: Endpoint,
        /// Of which family.
        family: Family,
        /// The field that wants it.
        field: String,
    },
    /// The policy has no such field.
    #[error(
        "expected `{field}` to be a `cidr` or an entry of `except` in `{policy}`, such as `spec.egress[0].to[0].ipBlock.cidr`"
    )]
    NoField {
        /// The policy.
        policy: String,
        /// The field's path.
        field: String,
    },
    /// The step does not apply the policy.
    #[error("expected this step to apply `{policy}`, which a binding is for")]
    NoPolicy {
        /// The policy.
        policy: String,
    },
}

/// Puts a step's addresses into the policies that it applies.
///
/// # Errors
/// Where an address is not known, or a binding names no field of a policy that
/// the step applies.
pub fn bind_all(
    changes: &[Change],
    bindings: &[Binding],
    topology: &Topology,
) -> Result<Vec<Change>, BindingError> {
    let mut bound = changes.to_vec();
    for binding in bindings {
        let mut applied = bound.iter_mut().filter_map(|change| match change {
            Change::ApplyPolicy(policy) if policy.name == binding.policy => Some(policy),
            _ => None,
        });
        let policy = applied
            .next_back()
            .ok_or_else(|| BindingError::NoPolicy { policy: binding.policy.to_string() })?;
        *policy = Arc::new(bind(policy, binding, topology)?);
    }
    Ok(bound)
}

/// The policy with one address put in, as a range of that address alone: in
/// its typed form and in the manifest that a cluster is given.
///
/// # Errors
/// Where the address is not known, or the policy has no such field.
pub fn bind(
    policy: &NetworkPolicy,
    binding: &Binding,
    topology: &Topology,
) -> Result<NetworkPolicy, BindingError> {
    let address = topology.address(&binding.address_of, binding.family).ok_or_else(|| {
        BindingError::NoAddress {
            endpoint: binding.address_of.clone(),
            family: binding.family,
            field: binding.field.clone(),
        }
    })?;
    let net = IpNet::from(address);
    let range = Cidr { text: net.to_string(), net };
    let mut bound = policy.clone();
    let no_field =
        || BindingError::NoField { policy: policy.name.to_string(), field: binding.field.clone() };
    let path = Path::parse(&binding.field).ok_or_else(no_field)?;
    *path.in_manifest(&mut bound.manifest).ok_or_else(no_field)? = Value::from(range.text.clone());
    *path.in_policy(&mut bound).ok_or_else(no_field)? = range;
    Ok(bound)
}

/// `spec.DIRECTION[RULE].PEERS[PEER].ipBlock.cidr`, or `….ipBlock.except[INDEX]`.
struct Path<'a> {
    direction: &'a str,
    rule: usize,
    peers: &'a str,
    peer: usize,
    except: Option<usize>,
}

impl<'a> Path<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        let ["spec", direction, peers, "ipBlock", field] = parts[..] else { return None };
        let (direction, rule) = entry(direction)?;
        let (peers, peer) = entry(peers)?;
        let except = match field {
            "cidr" => None,
            _ => match entry(field)? {
                ("except", index) => Some(index),
                _ => return None,
            },
        };
        matches!((direction, peers), ("ingress", "from") | ("egress", "to")).then_some(Self {
            direction,
            rule,
            peers,
            peer,
            except,
        })
    }

    fn in_manifest(&self, manifest: &'a mut Value) -> Option<&'a mut Value> {
        let block = manifest
            .get_mut("spec")?
            .get_mut(self.direction)?
            .get_mut(self.rule)?
            .get_mut(self.peers)?
            .get_mut(self.peer)?
            .get_mut("ipBlock")?;
        match self.except {
            None => block.get_mut("cidr"),
            Some(index) => block.get_mut("except")?.get_mut(index),
        }
    }

    fn in_policy<'p>(&self, policy: &'p mut NetworkPolicy) -> Option<&'p mut Cidr> {
        let rules: &mut Vec<Rule> = match self.direction {
            "ingress" => policy.ingress.as_mut()?,
            _ => policy.egress.as_mut()?,
        };
        let peer = rules.get_mut(self.rule)?.peers.as_mut()?.get_mut(self.peer)?;
        let Peer::IpBlock { cidr, except, .. } = peer else { return None };
        match self.except {
            None => Some(cidr),
            Some(index) => except.get_mut(index),
        }
    }
}

/// `name[3]` as its name and index.
fn entry(text: &str) -> Option<(&str, usize)> {
    let (name, index) = text.strip_suffix(']')?.split_once('[')?;
    Some((name, index.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{External, LabelSelector, Name, Origin, PolicyName};

    fn policy() -> NetworkPolicy {
        let origin = Origin::synthetic("test");
        NetworkPolicy {
            name: PolicyName::new("a", "p"),
            pod_selector: LabelSelector::everything(),
            policy_types: None,
            ingress: None,
            egress: Some(vec![Rule {
                peers: Some(vec![Peer::IpBlock {
                    cidr: Cidr::new("192.0.2.0/24").unwrap(),
                    except: vec![Cidr::new("192.0.2.1/32").unwrap()],
                    origin: origin.clone(),
                }]),
                ports: None,
                origin: origin.clone(),
            }]),
            origin,
            manifest: json!({"spec": {"podSelector": {}, "egress": [
                {"to": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}}]}
            ]}}),
        }
    }

    fn topology() -> Topology {
        let host = External {
            name: Name::from("host"),
            addresses: vec!["203.0.113.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
            ports: vec![],
            origin: Origin::synthetic("test"),
        };
        Topology { externals: [(host.name.clone(), host)].into(), ..Topology::default() }
    }

    fn binding(field: &str, of: &str, family: Family) -> Binding {
        Binding {
            policy: PolicyName::new("a", "p"),
            field: field.into(),
            address_of: of.parse().unwrap(),
            family,
            origin: Origin::synthetic("test"),
        }
    }

    #[test]
    fn an_address_goes_into_the_policy_and_its_manifest() {
        for (field, family, pointer, range) in [
            (
                "spec.egress[0].to[0].ipBlock.cidr",
                Family::Ipv4,
                "/spec/egress/0/to/0/ipBlock/cidr",
                "203.0.113.7/32",
            ),
            (
                "spec.egress[0].to[0].ipBlock.except[0]",
                Family::Ipv6,
                "/spec/egress/0/to/0/ipBlock/except/0",
                "2001:db8::7/128",
            ),
        ] {
            let bound = bind(&policy(), &binding(field, "host", family), &topology()).unwrap();
            assert_eq!(bound.manifest.pointer(pointer).unwrap(), range);
            let Some([Peer::IpBlock { cidr, except, .. }]) =
                bound.egress.as_ref().unwrap()[0].peers.as_deref()
            else {
                panic!("{bound:?}")
            };
            let typed = if field.ends_with("cidr") { cidr } else { &except[0] };
            assert_eq!(*typed, Cidr::new(range).unwrap());
        }
    }

    #[test]
    fn a_bad_path_or_address_is_told() {
        for field in [
            "",
            "spec.egress[0]",
            "spec.egress[0].from[0].ipBlock.cidr",
            "spec.egress[1].to[0].ipBlock.cidr",
            "spec.egress[0].to[0].ipBlock.except[1]",
            "spec.egress[0].to[0].ipBlock.except",
            "spec.ingress[0].from[0].ipBlock.cidr",
            "spec.egress[-1].to[0].ipBlock.cidr",
        ] {
            let error =
                bind(&policy(), &binding(field, "host", Family::Ipv4), &topology()).unwrap_err();
            assert!(matches!(error, BindingError::NoField { .. }), "{field}: {error}");
        }
        let binding = binding("spec.egress[0].to[0].ipBlock.cidr", "a/b", Family::Ipv6);
        assert_eq!(
            bind(&policy(), &binding, &topology()).unwrap_err().to_string(),
            "`a/b` has no ipv6 address before this step, which `spec.egress[0].to[0].ipBlock.cidr` is bound to"
        );
        let error = bind_all(&[], &[binding], &topology()).unwrap_err();
        assert_eq!(error.to_string(), "expected this step to apply `a/p`, which a binding is for");
    }
}
