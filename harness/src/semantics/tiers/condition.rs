//! Peers and ports: what one rule of a policy of the cluster says of a connection.

use crate::model::{
    Clause, ClusterAction, ClusterPeer, ClusterPort, Direction, LabelSelector, MissingFact, Name,
    Via,
};

use super::super::Engine;
use super::super::answer::Answer;
use super::super::coverage::{Coverage, coverage, names_port, of_family};
use super::super::flow::{End, Flow};
use super::ready::{PeerPods, ReadyClusterPolicy, is_of_first_version};

/// What a rule answered.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct RuleMatch {
    /// Which rule.
    pub(in super::super) rule: usize,
    /// Whether it matches.
    pub(in super::super) answer: Answer,
    /// What it does then: its action, or `Deny` where a peer is not understood.
    pub(in super::super) action: ClusterAction,
    /// The entry of `from` or `to`; `None` where none might match.
    pub(in super::super) peer: Option<usize>,
    /// The entry of `ports` or `protocols`; `None` where none is asked or might match.
    pub(in super::super) port: Option<usize>,
}

impl Engine {
    /// "If any element matches the source of incoming traffic then the specified action is
    /// applied." (`ClusterNetworkPolicyIngressRule.from`, and likewise `to`), and "protocols
    /// allows for more fine-grain matching of traffic" (`protocols`).
    pub(in super::super) fn cluster_rule_answer(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        ready: &ReadyClusterPolicy,
        index: usize,
    ) -> RuleMatch {
        let rule = &ready.policy.rules(direction)[index];
        let no = RuleMatch {
            rule: index,
            answer: Answer::No,
            action: rule.action,
            peer: None,
            port: None,
        };
        let unknown = |peer: &ClusterPeer| matches!(peer, ClusterPeer::Unknown { .. });
        if let Some(peer) = rule.peers.iter().position(unknown) {
            // "For "Accept" rules, "fail closed" means: "treat the rule as matching no
            // traffic". For "Deny" and "Pass" rules, "fail closed" means: "treat the rule as
            // a 'Deny all' rule"." (`ClusterNetworkPolicyIngressPeer`)
            return match rule.action {
                ClusterAction::Accept => no,
                ClusterAction::Deny | ClusterAction::Pass => RuleMatch {
                    answer: self.own_sides(flow, direction, ready).and(deny_all(flow, direction)),
                    action: ClusterAction::Deny,
                    peer: Some(peer),
                    ..no
                },
            };
        }
        let sets = &ready.peers[direction][index];
        let (peers, peer) = Answer::strongest(
            rule.peers
                .iter()
                .zip(sets)
                .map(|(peer, set)| self.cluster_peer_answer(flow, direction, peer, set)),
        );
        let (ports, port) = match rule.ports.as_slice() {
            [] => (Answer::Yes, None),
            ports => Answer::strongest(
                ports.iter().map(|port| self.cluster_port_answer(flow, direction, port)),
            ),
        };
        let answer = peers.and(ports).and(self.own_sides(flow, direction, ready));
        RuleMatch { answer, peer, port, ..no }
    }

    /// What is left open where a pod connects to itself: "A Pod connecting to its own Pod IP
    /// is not subject to CNP" (API overview) is said of one kind alone.
    fn own_sides(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        ready: &ReadyClusterPolicy,
    ) -> Answer {
        let own = flow.subject(direction).pod().map(|(index, _)| index);
        let other = flow.peer(direction).pod().map(|(index, _)| index);
        if own == other && is_of_first_version(&ready.policy) {
            Answer::Open(Clause::AdminPolicyOnItself)
        } else {
            Answer::Yes
        }
    }

    /// Whether an entry of `from` or `to` covers the other end.
    pub(in super::super) fn cluster_peer_answer(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        peer: &ClusterPeer,
        pods: &PeerPods,
    ) -> Answer {
        match peer {
            ClusterPeer::Namespaces { .. } | ClusterPeer::Pods { .. } => {
                match (flow.peer(direction), pods) {
                    (End::Pod(index, _), Some(pods)) if pods.contains(index) => {
                        if flow.hides_peer(direction) {
                            Answer::Open(Clause::RewrittenAddress)
                        } else {
                            Answer::Yes
                        }
                    }
                    _ => Answer::No,
                }
            }
            // "cluster-internal traffic will be checked against the rule as well"
            // (`ClusterNetworkPolicyEgressPeer.networks`).
            ClusterPeer::Networks { cidrs, .. } => {
                let addresses = self.addresses(flow.peer(direction));
                let one = |cidr| match coverage(cidr, &[], addresses, flow.cell.family) {
                    Coverage::Always => Answer::Yes,
                    // Which address of a Service's connection is meant is not said.
                    _ if flow.cell.via != Via::Pod && of_family(cidr, flow.cell.family) => {
                        Answer::Open(Clause::RewrittenAddress)
                    }
                    Coverage::Here => Answer::Yes,
                    Coverage::Never => Answer::No,
                    Coverage::Unknown => Answer::Missing(MissingFact::Address),
                };
                Answer::strongest(cidrs.iter().map(one)).0
            }
            ClusterPeer::Nodes { selector, .. } => self.nodes_answer(flow, direction, selector),
            ClusterPeer::DomainNames { .. } => Answer::Missing(MissingFact::DomainNames),
            ClusterPeer::Unknown { .. } => Answer::Yes,
        }
    }

    /// "It selects the nodeIPs as the peer type by matching on the IPs present in the
    /// node.Status.Addresses field of the node" (`ClusterNetworkPolicyEgressPeer.nodes`), so
    /// also "traffic towards host-networked pods on that node" (NPEP-126).
    fn nodes_answer(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        selector: &LabelSelector,
    ) -> Answer {
        if flow.cell.via.is_node_port() {
            let any = self.nodes.keys().map(|node| self.node_answer(node, selector));
            return match Answer::strongest(any).0 {
                Answer::No => Answer::No,
                _ => Answer::Open(Clause::RewrittenAddress),
            };
        }
        match flow.peer(direction) {
            End::Node(node) => self.node_answer(&node.name, selector),
            End::Pod(_, pod) if pod.host_network => match &pod.node {
                Some(node) => self.node_answer(node, selector),
                None if selector.is_empty() => Answer::Yes,
                None => Answer::Missing(MissingFact::Node),
            },
            End::Pod(..) | End::External(_) => Answer::No,
        }
    }

    fn node_answer(&self, node: &Name, selector: &LabelSelector) -> Answer {
        // "if present but empty, it selects all Nodes" (there).
        if selector.is_empty() {
            return Answer::Yes;
        }
        match self.nodes.get(node).and_then(|node| node.labels.as_ref()) {
            Some(labels) if selector.matches(labels) => Answer::Yes,
            Some(_) => Answer::No,
            None => Answer::Missing(MissingFact::NodeLabels),
        }
    }

    /// Whether an entry of `ports` or `protocols` covers the destination's port.
    pub(in super::super) fn cluster_port_answer(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        entry: &ClusterPort,
    ) -> Answer {
        let cell = flow.cell;
        // Egress to a NodePort may be judged by the port of the node or of the pod.
        let seen = if direction == Direction::Egress && cell.via.is_node_port() {
            Answer::Open(Clause::RewrittenAddress)
        } else {
            Answer::Yes
        };
        let (fits, answer) = match entry {
            ClusterPort::Number { protocol, port, .. } => {
                (*protocol == cell.protocol && *port == cell.port, seen)
            }
            // "an inclusive range of ports" (`PortRange`).
            ClusterPort::Range { protocol, first, last, .. } => {
                (*protocol == cell.protocol && (*first..=*last).contains(&cell.port), seen)
            }
            // "selects a destination port on a pod based on the ContainerPort name"
            // (`ClusterNetworkPolicyProtocol.destinationNamedPort`).
            ClusterPort::Name { name, .. } => match flow.destination {
                End::Pod(_, pod) => (names_port(pod, name, cell.port, cell.protocol), seen),
                End::External(_) | End::Node(_) => (false, seen),
            },
            ClusterPort::Protocol { protocol, .. } => (*protocol == cell.protocol, Answer::Yes),
        };
        if fits { answer } else { Answer::No }
    }
}

/// Whether a rule that denies all denies this: of a pod's own node NetworkPolicy says that
/// it is always let in, and no other rule can be about it. The packets of a hostNetwork pod
/// are its node's.
fn deny_all(flow: &Flow<'_>, direction: Direction) -> Answer {
    if direction == Direction::Egress {
        return Answer::Yes;
    }
    let from = match flow.peer(direction) {
        End::Node(node) => Some(&node.name),
        End::Pod(_, pod) if pod.host_network => pod.node.as_ref(),
        End::Pod(..) | End::External(_) => return Answer::Yes,
    };
    let own = flow.subject(direction).pod().and_then(|(_, pod)| pod.node.as_ref());
    match (from, own) {
        (Some(node), Some(own)) if node == own => Answer::Open(Clause::DenyAllOnOwnNode),
        (Some(_), Some(_)) => Answer::Yes,
        (None, _) | (_, None) => Answer::Missing(MissingFact::Node),
    }
}
