//! A rule's `ports`, with what the API fills in.

use std::collections::BTreeSet;

use crate::model::{ClusterPort, Name, Pod, PolicyPort, PortRef, Protocol};

/// What a rule's `ports` admit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ports<'a> {
    /// "If this field is empty or missing, this rule matches all ports (traffic not
    /// restricted by port)" (`NetworkPolicyIngressRule.ports`, and the same for egress).
    Any,
    /// "Each item in this list is combined using a logical OR."
    Some(SomePorts<'a>),
}

/// The entries of `ports` by their kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SomePorts<'a> {
    /// Single ports.
    pub(super) exact: BTreeSet<(Protocol, u16)>,
    /// Ports from the first up to the last.
    pub(super) ranges: BTreeSet<(Protocol, u16, u16)>,
    /// Every port of a protocol.
    pub(super) protocols: BTreeSet<Protocol>,
    /// Ports that pods give a number to.
    pub(super) named: BTreeSet<(Protocol, &'a Name)>,
}

impl<'a> Ports<'a> {
    pub(super) fn read(ports: Option<&'a [PolicyPort]>) -> Self {
        let entries = ports.unwrap_or_default();
        if entries.is_empty() {
            return Self::Any;
        }
        let mut some = SomePorts::default();
        for entry in entries {
            // "protocol … which traffic must match. If not specified, this field defaults to TCP."
            let protocol = entry.protocol.unwrap_or(Protocol::Tcp);
            match (&entry.port, entry.end_port) {
                // "If this field is not provided, this matches all port names and numbers."
                (None, _) => {
                    some.protocols.insert(protocol);
                }
                (Some(PortRef::Number(number)), None) => {
                    some.exact.insert((protocol, *number));
                }
                // "the range of ports from port to endPort if set, inclusive"
                (Some(PortRef::Number(first)), Some(last)) => {
                    some.ranges.insert((protocol, *first, last));
                }
                // "endPort … cannot be defined … if the port field is defined as a named
                // (string) port": the loader refuses that.
                (Some(PortRef::Name(name)), _) => {
                    some.named.insert((protocol, name));
                }
            }
        }
        Self::Some(some)
    }

    /// The same of a policy of the cluster. "If unspecified, protocol-specific attributes will
    /// not be used to match traffic" (`ClusterNetworkPolicyIngressRule.protocols`): then every
    /// protocol is meant, ICMP too.
    pub(super) fn of_cluster(entries: &'a [ClusterPort]) -> Self {
        if entries.is_empty() {
            return Self::Any;
        }
        let mut some = SomePorts::default();
        for entry in entries {
            match entry {
                ClusterPort::Number { protocol, port, .. } => {
                    some.exact.insert((*protocol, *port));
                }
                ClusterPort::Range { protocol, first, last, .. } => {
                    some.ranges.insert((*protocol, *first, *last));
                }
                ClusterPort::Protocol { protocol, .. } => {
                    some.protocols.insert(*protocol);
                }
                // "a destination port on a pod based on the ContainerPort name"
                // (`DestinationNamedPort`): its protocol is the container port's.
                ClusterPort::Name { name, .. } => {
                    some.named.extend(Protocol::ALL.map(|protocol| (protocol, name)));
                }
            }
        }
        Self::Some(some)
    }

    /// Whether an entry has a name in place of a number.
    pub(super) fn any_named(&self) -> bool {
        matches!(self, Self::Some(some) if !some.named.is_empty())
    }

    /// The same with the names read as this pod's own.
    pub(super) fn resolved_on(&self, pod: &Pod) -> Self {
        let Self::Some(some) = self else { return Self::Any };
        let mut resolved = SomePorts { named: BTreeSet::new(), ..some.clone() };
        for (protocol, name) in &some.named {
            let numbers = numbers_of(pod, *protocol, name);
            resolved.exact.extend(numbers.map(|number| (*protocol, number)));
        }
        Self::Some(resolved)
    }
}

/// The numbers of the pod's ports of this name and protocol: a TCP rule does not open a
/// UDP port of the same name.
pub(super) fn numbers_of<'p>(
    pod: &'p Pod,
    protocol: Protocol,
    name: &'p Name,
) -> impl Iterator<Item = u16> + 'p {
    pod.ports
        .iter()
        .filter(move |port| port.protocol == protocol && port.name.as_ref() == Some(name))
        .map(|port| port.number)
}
