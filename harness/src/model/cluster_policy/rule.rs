//! What a rule of a policy of the cluster says.

use ringfence_probe::Protocol;
use serde::{Deserialize, Serialize};

use super::super::{Cidr, LabelSelector, Name, Origin};

/// What becomes of the traffic that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterAction {
    /// It is let through, and nobody else is asked; `Allow` in `v1alpha1`.
    Accept,
    /// It is dropped, and nobody else is asked.
    Deny,
    /// The rest of the tier is skipped, and the next one asked.
    Pass,
}

/// One entry of `ingress` or `egress`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRule {
    /// `name`, which serves people alone; `None` where absent or empty.
    pub name: Option<Name>,
    /// `action`.
    pub action: ClusterAction,
    /// `from` or `to`, which is never empty: "If any element matches … then the specified
    /// action is applied."
    pub peers: Vec<ClusterPeer>,
    /// `ports` (`v1alpha1`) or `protocols`, any of which must match. Empty where absent: the
    /// rule then matches every protocol and port.
    pub ports: Vec<ClusterPort>,
    /// Where the rule starts.
    pub origin: Origin,
}

/// One entry of `from` or `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ClusterPeer {
    /// Every pod of these namespaces, but for hostNetwork pods.
    Namespaces {
        /// The namespaces' labels.
        selector: LabelSelector,
        /// Where the peer starts.
        origin: Origin,
    },
    /// These pods of these namespaces, but for hostNetwork pods.
    Pods {
        /// The namespaces' labels; an absent selector is an empty one.
        namespace_selector: LabelSelector,
        /// The pods' labels.
        pod_selector: LabelSelector,
        /// Where the peer starts.
        origin: Origin,
    },
    /// Ranges of addresses, those of pods and nodes too; in egress alone.
    Networks {
        /// The ranges, any of which must hold the address.
        cidrs: Vec<Cidr>,
        /// Where the peer starts.
        origin: Origin,
    },
    /// Nodes by their labels, with all that shares their network; in egress alone,
    /// experimental.
    Nodes {
        /// The nodes' labels.
        selector: LabelSelector,
        /// Where the peer starts.
        origin: Origin,
    },
    /// Hosts by their names in the DNS; in egress alone, experimental.
    DomainNames {
        /// The names, in which a first label may be `*`.
        names: Vec<Name>,
        /// Where the peer starts.
        origin: Origin,
    },
    /// No field is set that is understood: "it should fail closed. For "Accept" rules,
    /// "fail closed" means: "treat the rule as matching no traffic". For "Deny" and "Pass"
    /// rules, "fail closed" means: "treat the rule as a 'Deny all' rule"."
    /// (`ClusterNetworkPolicyIngressPeer`) It is the whole rule that is treated so,
    /// whatever its other peers and its ports.
    Unknown {
        /// Where the peer starts.
        origin: Origin,
    },
}

impl ClusterPeer {
    /// Where the peer starts.
    pub const fn origin(&self) -> &Origin {
        match self {
            Self::Namespaces { origin, .. }
            | Self::Pods { origin, .. }
            | Self::Networks { origin, .. }
            | Self::Nodes { origin, .. }
            | Self::DomainNames { origin, .. }
            | Self::Unknown { origin } => origin,
        }
    }
}

/// One entry of `ports` or `protocols`. It is always about the port at the receiving end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ClusterPort {
    /// One port: `portNumber`, or `destinationPort.number`.
    Number {
        /// The protocol.
        protocol: Protocol,
        /// The number.
        port: u16,
        /// Where the entry starts.
        origin: Origin,
    },
    /// Ports from `first` to `last`: `portRange`, or `destinationPort.range`.
    Range {
        /// The protocol.
        protocol: Protocol,
        /// The first of them.
        first: u16,
        /// The last of them.
        last: u16,
        /// Where the entry starts.
        origin: Origin,
    },
    /// A container port of the receiving pod by its name, in the protocol that it has
    /// there: `namedPort`, or `destinationNamedPort`; experimental.
    Name {
        /// The name.
        name: Name,
        /// Where the entry starts.
        origin: Origin,
    },
    /// Every port of a protocol. The overview has it ("If `destinationPort` is omitted, all
    /// ports for the specified protocol match"), while the CRDs so far refuse it.
    Protocol {
        /// The protocol.
        protocol: Protocol,
        /// Where the entry starts.
        origin: Origin,
    },
}

impl ClusterPort {
    /// Where the entry starts.
    pub const fn origin(&self) -> &Origin {
        match self {
            Self::Number { origin, .. }
            | Self::Range { origin, .. }
            | Self::Name { origin, .. }
            | Self::Protocol { origin, .. } => origin,
        }
    }
}
