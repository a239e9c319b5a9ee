//! A cell with its ends looked up.

use std::net::IpAddr;

use crate::model::{Cell, Direction, Endpoint, External, MissingFact, Name, Node, Phase, Pod, Via};

use super::Engine;

/// One end of a connection, looked up.
#[derive(Debug, Clone, Copy)]
pub(super) enum End<'e> {
    /// A pod, with its index in the engine.
    Pod(usize, &'e Pod),
    /// A host outside the cluster.
    External(&'e External),
    /// A node.
    Node(&'e Node),
}

impl<'e> End<'e> {
    pub(super) const fn pod(self) -> Option<(usize, &'e Pod)> {
        match self {
            Self::Pod(index, pod) => Some((index, pod)),
            Self::External(_) | Self::Node(_) => None,
        }
    }

    /// Whether it is a pod that shares its node's network.
    pub(super) fn on_host_network(self) -> bool {
        self.pod().is_some_and(|(_, pod)| pod.host_network)
    }
}

/// A cell with both its ends looked up; both exist, and pods among them run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow<'e> {
    pub(super) cell: &'e Cell,
    pub(super) source: End<'e>,
    pub(super) destination: End<'e>,
}

impl<'e> Flow<'e> {
    /// The end whose policies are asked in this direction.
    pub(super) const fn subject(&self, direction: Direction) -> End<'e> {
        match direction {
            Direction::Egress => self.source,
            Direction::Ingress => self.destination,
        }
    }

    /// The other end.
    pub(super) const fn peer(&self, direction: Direction) -> End<'e> {
        match direction {
            Direction::Egress => self.destination,
            Direction::Ingress => self.source,
        }
    }

    /// Whether what the direction's policies get to see may not be the peer at all.
    ///
    /// A connection to a node's address and NodePort leaves the source for a node,
    /// and reaches the pod from whatever address that node gave it: "the "source IP"
    /// that the NetworkPolicy acts on may be the IP of a `LoadBalancer` or of the
    /// Pod's node" (concepts/services-networking/network-policies) – and from the
    /// pod's node everything is allowed. The same holds for an external client of a
    /// Service's address. A pod's connection to a ClusterIP, though, is taken to keep
    /// its source and to be judged by the pod that it ends up at.
    pub(super) fn hides_peer(&self, direction: Direction) -> bool {
        match self.cell.via {
            Via::Pod => false,
            Via::NodePort | Via::LocalNodePort => true,
            Via::Service => {
                direction == Direction::Ingress && matches!(self.source, End::External(_))
            }
        }
    }
}

/// Whether two things sit on one node; `None` where one is not placed.
pub(super) fn same_node(one: Option<&Name>, other: Option<&Name>) -> Option<bool> {
    Some(one? == other?)
}

impl Engine {
    /// Looks both ends up.
    ///
    /// A pod that is not running has no connection that could be judged: one that
    /// ended may have lost its address to another pod, and so matches nothing.
    pub(super) fn flow<'e>(&'e self, cell: &'e Cell) -> Result<Flow<'e>, MissingFact> {
        let source = self.end(&cell.source).ok_or(MissingFact::NoSuchEndpoint)?;
        let destination = self.end(&cell.destination).ok_or(MissingFact::NoSuchEndpoint)?;
        for end in [source, destination] {
            if end.pod().is_some_and(|(_, pod)| pod.phase != Phase::Running) {
                return Err(MissingFact::NotRunning);
            }
        }
        Ok(Flow { cell, source, destination })
    }

    fn end(&self, endpoint: &Endpoint) -> Option<End<'_>> {
        match endpoint {
            Endpoint::Pod(name) => {
                let index = self.pod_index(name)?;
                Some(End::Pod(index, &self.pods[index]))
            }
            Endpoint::External(name) => self.externals.get(name).map(End::External),
            Endpoint::Node(name) => self.nodes.get(name).map(End::Node),
        }
    }

    /// The addresses under which an end is seen, of both families.
    ///
    /// "`hostNetwork` pods have the same IP addresses as the nodes they reside on"
    /// (concepts/services-networking/network-policies).
    pub(super) fn addresses<'e>(&'e self, end: End<'e>) -> &'e [IpAddr] {
        match end {
            End::Pod(_, pod) if pod.host_network && pod.addresses.is_empty() => {
                let node = pod.node.as_ref().and_then(|node| self.nodes.get(node));
                node.map(|node| node.addresses.as_slice()).unwrap_or_default()
            }
            End::Pod(_, pod) => &pod.addresses,
            End::External(host) => &host.addresses,
            End::Node(node) => &node.addresses,
        }
    }
}
