//! What a cluster holds: namespaces, pods, nodes, and hosts outside it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfence_probe::{Family, Protocol};
use serde::{Deserialize, Serialize};

use super::{Endpoint, Labels, NAMESPACE_NAME_LABEL, Name, Origin, PodName};

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name.
    pub name: Name,
    /// Its labels, with [`NAMESPACE_NAME_LABEL`] as the API server sets it.
    pub labels: Labels,
    /// Where it was declared.
    pub origin: Origin,
}

impl Namespace {
    /// A namespace with these labels and the automatic label of its name.
    ///
    /// The automatic label always carries the name, whatever the labels said:
    /// the API server overwrites it.
    pub fn new(name: &str, mut labels: Labels, origin: Origin) -> Self {
        labels.insert(NAMESPACE_NAME_LABEL.to_owned(), name.to_owned());
        Self { name: Name::from(name), labels, origin }
    }
}

/// A port that something listens on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// The name of the container port, which a policy may use in place of the number.
    pub name: Option<Name>,
    /// The number, from 1.
    pub number: u16,
    /// The transport protocol.
    pub protocol: Protocol,
}

/// Where a pod is in its life (`core/v1` `PodStatus.phase`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Phase {
    /// Accepted, not yet running.
    Pending,
    /// Running.
    #[default]
    Running,
    /// Every container ended well; its address may already belong to another pod.
    Succeeded,
    /// A container ended badly; its address may already belong to another pod.
    Failed,
}

/// A pod, or a workload taken as one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Namespace and name.
    pub name: PodName,
    /// Its labels.
    pub labels: Labels,
    /// The ports of its containers and restartable init containers. Only these
    /// resolve a named port; every one gets a listener.
    pub ports: Vec<Port>,
    /// The node it runs on; `None` until it is placed.
    pub node: Option<Name>,
    /// Its addresses (`podIPs`), at most one of each family; empty until they are known.
    pub addresses: Vec<IpAddr>,
    /// Whether it shares its node's network.
    pub host_network: bool,
    /// Where it is in its life.
    pub phase: Phase,
    /// Whether it has a deletion timestamp and still runs.
    pub terminating: bool,
    /// Where it was declared.
    pub origin: Origin,
}

impl Serialize for PodName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PodName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(Endpoint::Pod(pod)) => Ok(pod),
            _ => Err(serde::de::Error::custom(format!("expected `namespace/pod`, found `{text}`"))),
        }
    }
}

impl Pod {
    /// A running pod that has a name and nothing else yet.
    pub fn new(name: PodName, origin: Origin) -> Self {
        Self {
            name,
            labels: Labels::new(),
            ports: Vec::new(),
            node: None,
            addresses: Vec::new(),
            host_network: false,
            phase: Phase::Running,
            terminating: false,
            origin,
        }
    }

    /// Whether the pod has a network to speak of: pods that ended have none.
    pub fn has_network(&self) -> bool {
        !matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }
}

/// "The Kubelet populates this label with the hostname of the node", which is mostly the node's
/// name (<https://kubernetes.io/docs/reference/labels-annotations-taints/>).
pub const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: Name,
    /// Its addresses; empty until they are known.
    pub addresses: Vec<IpAddr>,
    /// Ports that the run listens on there, when a scenario names the node as a destination.
    pub ports: Vec<Port>,
    /// Its labels, by which a [`super::ClusterPeer::Nodes`] selects it; `None` until they
    /// are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
}

impl Node {
    /// A node of which nothing is known but its name.
    pub fn new(name: Name) -> Self {
        Self { name, addresses: Vec::new(), ports: Vec::new(), labels: None }
    }

    /// A node of a scenario, which has the label that every kubelet gives its node
    /// ([`HOSTNAME_LABEL`]) and no other that a scenario may know of.
    pub fn of_scenario(name: Name) -> Self {
        let hostname = (HOSTNAME_LABEL.to_owned(), name.to_string());
        Self { labels: Some([hostname].into()), ..Self::new(name) }
    }
}

/// A host outside the cluster, always one of the run's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// Its name in the scenario.
    pub name: Name,
    /// Its declared addresses, at most one of each family.
    pub addresses: Vec<IpAddr>,
    /// The ports it listens on.
    pub ports: Vec<Port>,
    /// Where it was declared.
    pub origin: Origin,
}

/// Everything that policies can be about, in a fixed order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Namespaces by name.
    pub namespaces: BTreeMap<Name, Namespace>,
    /// Pods by namespace and name.
    pub pods: BTreeMap<PodName, Pod>,
    /// Nodes by name.
    pub nodes: BTreeMap<Name, Node>,
    /// Hosts outside the cluster by name.
    pub externals: BTreeMap<Name, External>,
}

impl Topology {
    /// The same without the places where it was written: what a cluster makes of it.
    pub fn shape(&self) -> Self {
        let nowhere = Origin::synthetic("anywhere");
        let mut shape = self.clone();
        shape.namespaces.values_mut().for_each(|found| found.origin = nowhere.clone());
        shape.pods.values_mut().for_each(|found| found.origin = nowhere.clone());
        shape.externals.values_mut().for_each(|found| found.origin = nowhere.clone());
        shape
    }

    /// The addresses of an endpoint; empty where it is unknown or has none yet.
    pub fn addresses(&self, endpoint: &Endpoint) -> &[IpAddr] {
        match endpoint {
            Endpoint::Pod(pod) => self.pods.get(pod).map(|pod| pod.addresses.as_slice()),
            Endpoint::External(name) => {
                self.externals.get(name).map(|host| host.addresses.as_slice())
            }
            Endpoint::Node(name) => self.nodes.get(name).map(|node| node.addresses.as_slice()),
        }
        .unwrap_or_default()
    }

    /// The endpoint's address of this family, where it is known.
    pub fn address(&self, endpoint: &Endpoint, family: Family) -> Option<IpAddr> {
        self.addresses(endpoint).iter().copied().find(|address| Family::of(*address) == family)
    }

    /// The ports on which an endpoint listens.
    pub fn ports(&self, endpoint: &Endpoint) -> &[Port] {
        match endpoint {
            Endpoint::Pod(pod) => self.pods.get(pod).map(|pod| pod.ports.as_slice()),
            Endpoint::External(name) => self.externals.get(name).map(|host| host.ports.as_slice()),
            Endpoint::Node(name) => self.nodes.get(name).map(|node| node.ports.as_slice()),
        }
        .unwrap_or_default()
    }
}
