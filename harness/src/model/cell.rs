//! A cell: one question that all three matrices answer.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ringfence_probe::{Family, Protocol};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name of a Kubernetes object or of an external host; cheap to clone.
pub type Name = Arc<str>;

/// A pod's namespace and name. A workload is one such row, whatever its replicas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodName {
    /// The namespace.
    pub namespace: Name,
    /// The pod's or workload's name.
    pub name: Name,
}

impl PodName {
    /// A pod's name from its two parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: Arc::from(namespace), name: Arc::from(name) }
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One end of a cell: a row or a column of the matrix.
///
/// Its text form is `namespace/pod`, `node/NAME` for a node and a bare `NAME`
/// for an external host; `node` is therefore no name for a namespace in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A pod, or a workload taken as one pod.
    Pod(PodName),
    /// A host outside the cluster.
    External(Name),
    /// A node of the cluster.
    Node(Name),
}

impl Endpoint {
    /// A pod endpoint from its two parts.
    pub fn pod(namespace: &str, name: &str) -> Self {
        Self::Pod(PodName::new(namespace, name))
    }

    /// The pod's name, if this is a pod.
    pub fn as_pod(&self) -> Option<&PodName> {
        match self {
            Self::Pod(pod) => Some(pod),
            Self::External(_) | Self::Node(_) => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(pod) => write!(f, "{pod}"),
            Self::External(name) => f.write_str(name),
            Self::Node(name) => write!(f, "node/{name}"),
        }
    }
}

/// A text that names no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `namespace/pod`, `node/NAME` or the name of an external host, found `{0}`")]
pub struct ParseEndpointError(pub String);

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseEndpointError(text.to_owned());
        match text.split_once('/') {
            None if text.is_empty() => Err(bad()),
            None => Ok(Self::External(Arc::from(text))),
            Some((left, right)) if left.is_empty() || right.is_empty() || right.contains('/') => {
                Err(bad())
            }
            Some(("node", name)) => Ok(Self::Node(Arc::from(name))),
            Some((namespace, name)) => Ok(Self::pod(namespace, name)),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a destination is addressed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// By the pod's (or host's) own address.
    #[default]
    Pod,
    /// By the ClusterIP of a Service in front of it.
    Service,
    /// By the address of a node that is not the pod's, where there is one, and the
    /// NodePort of a Service with `externalTrafficPolicy: Cluster`: whichever node is
    /// asked, the connection is passed on, from an address of that node's choice.
    NodePort,
    /// By the address of the pod's node, and the NodePort of a Service with
    /// `externalTrafficPolicy: Local`: no other node answers, and the client's address
    /// is kept.
    LocalNodePort,
}

impl Via {
    /// Every way, in order.
    pub const ALL: [Self; 4] = [Self::Pod, Self::Service, Self::NodePort, Self::LocalNodePort];

    /// Whether it is by a node's address.
    pub const fn is_node_port(self) -> bool {
        matches!(self, Self::NodePort | Self::LocalNodePort)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pod => "pod",
            Self::Service => "service",
            Self::NodePort => "nodeport",
            Self::LocalNodePort => "nodeport-local",
        })
    }
}

/// One cell of a matrix: who, to whom, by which way, family, protocol and port.
///
/// Its text form, which is also how it stands in the record, is
/// `prod/web -> prod/db:3306/TCP over ipv4`, with ` via service` where it is not
/// the pod itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Who connects.
    pub source: Endpoint,
    /// Who is connected to.
    pub destination: Endpoint,
    /// The destination's port, as its listener has it.
    pub port: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The address family.
    pub family: Family,
    /// How the destination is addressed.
    pub via: Via,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, port, protocol, family, via } = self;
        write!(f, "{source} -> {destination}:{port}/{protocol} over {family}")?;
        if *via != Via::Pod {
            write!(f, " via {via}")?;
        }
        Ok(())
    }
}

/// A text that is no cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `SOURCE -> DESTINATION:PORT/PROTOCOL over FAMILY`, found `{0}`")]
pub struct ParseCellError(pub String);

impl FromStr for Cell {
    type Err = ParseCellError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParseCellError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Cell> {
    let (source, rest) = text.split_once(" -> ")?;
    let (target, way) = rest.split_once(" over ")?;
    let (destination, port) = target.rsplit_once(':')?;
    let (port, protocol) = port.split_once('/')?;
    let (family, via) = way.split_once(" via ").unwrap_or((way, "pod"));
    Some(Cell {
        source: source.parse().ok()?,
        destination: destination.parse().ok()?,
        port: port.parse().ok()?,
        protocol: protocol.parse().ok()?,
        family: Family::ALL.into_iter().find(|known| known.to_string() == family)?,
        via: Via::ALL.into_iter().find(|known| known.to_string() == via)?,
    })
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_round_trip() {
        for text in ["prod/web", "node/worker-1", "backup"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in ["", "a/", "/b", "a/b/c"] {
            assert_eq!(text.parse::<Endpoint>(), Err(ParseEndpointError(text.into())));
        }
    }

    #[test]
    fn a_cell_reads_like_a_sentence() {
        let cell = Cell {
            source: Endpoint::pod("prod", "web"),
            destination: Endpoint::pod("prod", "db"),
            port: 3306,
            protocol: Protocol::Tcp,
            family: Family::Ipv4,
            via: Via::Service,
        };
        let text = "prod/web -> prod/db:3306/TCP over ipv4 via service";
        assert_eq!(cell.to_string(), text);
        assert_eq!(text.parse(), Ok(cell.clone()));
        for via in Via::ALL {
            let cell = Cell { via, ..cell.clone() };
            assert_eq!(cell.to_string().parse(), Ok(cell));
        }
        for text in
            ["", "a/b -> c/d:80/TCP", "a/b -> c/d:80/tcp over ipv4", "a/b -> c:x/TCP over ipv4"]
        {
            assert_eq!(text.parse::<Cell>(), Err(ParseCellError(text.into())));
        }
    }
}
