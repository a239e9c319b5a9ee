//! Addresses that exist only at run time, and ports that rules imply.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::{Binding, EndpointPattern, ExpectRule, PortPattern};
use crate::model::{Cidr, NetworkPolicy, Peer, Port, Topology};

impl Binding {
    /// The policy with the address, as a range of its own, in the bound field:
    /// in the model and in the manifest alike. `None` where the policy does
    /// not have the field.
    pub fn bind(&self, policy: &NetworkPolicy, address: IpAddr) -> Option<Arc<NetworkPolicy>> {
        let mut policy = policy.clone();
        let net = IpNet::from(address);
        let text = net.to_string();
        let mut at = &mut policy.manifest;
        for (key, index) in segments(&self.field)? {
            at = at.get_mut(key)?;
            if let Some(index) = index {
                at = at.get_mut(index)?;
            }
        }
        *at = serde_json::Value::String(text.clone());
        *range(&mut policy, &self.field)? = Cidr { text, net };
        Some(Arc::new(policy))
    }
}

/// The keys of a field's path, each with the index that may follow it.
fn segments(path: &str) -> Option<Vec<(&str, Option<usize>)>> {
    path.split('.')
        .map(|segment| match segment.strip_suffix(']') {
            None => Some((segment, None)),
            Some(rest) => {
                let (key, index) = rest.split_once('[')?;
                Some((key, Some(index.parse().ok()?)))
            }
        })
        .collect()
}

/// The range that a field's path names in a policy.
pub(super) fn range<'p>(policy: &'p mut NetworkPolicy, path: &str) -> Option<&'p mut Cidr> {
    let segments = segments(path)?;
    let [("spec", None), (direction, Some(rule)), (peers, Some(peer)), ("ipBlock", None), last] =
        segments[..]
    else {
        return None;
    };
    let rules = match (direction, peers) {
        ("ingress", "from") => policy.ingress.as_mut()?,
        ("egress", "to") => policy.egress.as_mut()?,
        _ => return None,
    };
    let peer = rules.get_mut(rule)?.peers.as_mut()?.get_mut(peer)?;
    let Peer::IpBlock { cidr, except, .. } = peer else { return None };
    match last {
        ("cidr", None) => Some(cidr),
        ("except", Some(index)) => except.get_mut(index),
        _ => None,
    }
}

/// Makes a node listen on the one port that a rule names there.
pub(super) fn listen(rule: &ExpectRule, topology: &mut Topology) {
    let (EndpointPattern::Node(name), Some(PortPattern::Numbers { first, last, protocol })) =
        (&rule.destination, &rule.port)
    else {
        return;
    };
    if first != last {
        return;
    }
    for node in topology.nodes.values_mut() {
        let named = name.as_ref().is_none_or(|name| *name == node.name);
        let there =
            node.ports.iter().any(|port| port.number == *first && port.protocol == *protocol);
        if named && !there {
            node.ports.push(Port { name: None, number: *first, protocol: *protocol });
        }
    }
}
