//! `networking.k8s.io/v1` NetworkPolicy, with the difference between absent and empty kept.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use ringfence_probe::Protocol;
use serde::{Deserialize, Serialize};

use super::{LabelSelector, Name, Origin};

/// A policy's namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PolicyName {
    /// The namespace whose pods it selects.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
}

impl PolicyName {
    /// A policy's name from its two parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: Name::from(namespace), name: Name::from(name) }
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An entry of `policyTypes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PolicyType {
    /// The policy isolates its pods for ingress.
    Ingress,
    /// The policy isolates its pods for egress.
    Egress,
}

/// A NetworkPolicy as written: no default is filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkPolicy {
    /// Namespace and name.
    pub name: PolicyName,
    /// `spec.podSelector`.
    pub pod_selector: LabelSelector,
    /// `spec.policyTypes`: `None` where absent, which is not the same as empty.
    pub policy_types: Option<Vec<PolicyType>>,
    /// `spec.ingress`: `None` where absent.
    pub ingress: Option<Vec<Rule>>,
    /// `spec.egress`: `None` where absent.
    pub egress: Option<Vec<Rule>>,
    /// Where the object starts.
    pub origin: Origin,
    /// The object as it was written, for clusters that are given it unchanged.
    pub manifest: serde_json::Value,
}

/// One entry of `ingress` or `egress`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `from` or `to`: `None` where absent. Absent and empty both mean "any peer".
    pub peers: Option<Vec<Peer>>,
    /// `ports`: `None` where absent. Absent and empty both mean "any port".
    pub ports: Option<Vec<PolicyPort>>,
    /// Where the rule starts.
    pub origin: Origin,
}

/// One entry of `from` or `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Peer {
    /// Pods by selectors; at least one of the two is present.
    Pods {
        /// `podSelector`: `None` where absent, which means every pod of the namespaces.
        pod_selector: Option<LabelSelector>,
        /// `namespaceSelector`: `None` where absent, which means the policy's own namespace.
        namespace_selector: Option<LabelSelector>,
        /// Where the peer starts.
        origin: Origin,
    },
    /// A range of addresses.
    IpBlock {
        /// `ipBlock.cidr`.
        cidr: Cidr,
        /// `ipBlock.except`; absent and empty mean the same.
        except: Vec<Cidr>,
        /// Where the peer starts.
        origin: Origin,
    },
}

impl Peer {
    /// Where the peer starts.
    pub const fn origin(&self) -> &Origin {
        match self {
            Self::Pods { origin, .. } | Self::IpBlock { origin, .. } => origin,
        }
    }
}

/// A range of addresses, with the text as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cidr {
    /// The text in the manifest.
    pub text: String,
    /// The range, host bits cleared and IPv4-mapped IPv6 taken as IPv4.
    pub net: IpNet,
}

impl Cidr {
    /// A range from a well-formed text such as `10.0.0.0/8`; validation with the
    /// API server's rules is the loader's.
    pub fn new(text: &str) -> Result<Self, ipnet::AddrParseError> {
        Ok(Self { text: text.to_owned(), net: text.parse::<IpNet>()?.trunc() })
    }

    /// Whether the address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.net.contains(&address)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One entry of a rule's `ports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPort {
    /// `protocol`: `None` where absent, which means TCP.
    pub protocol: Option<Protocol>,
    /// `port`: `None` where absent, which means every port of the protocol.
    pub port: Option<PortRef>,
    /// `endPort`: the last port of the range that starts at `port`.
    pub end_port: Option<u16>,
    /// Where the entry starts.
    pub origin: Origin,
}

/// `port` of a NetworkPolicyPort: a number or a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub enum PortRef {
    /// A number.
    Number(u16),
    /// The name of a container port of the pod at the receiving end.
    Name(Name),
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
