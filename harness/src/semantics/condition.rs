//! Peers and ports: what one entry of a rule says of a connection.

use std::net::IpAddr;

use crate::model::{
    Cidr, Clause, Direction, Family, MissingFact, Origin, PolicyPort, PortRef, Via,
};

use super::Engine;
use super::answer::Answer;
use super::coverage::{Coverage, coverage, names_port, of_family};
use super::engine::{PeerSet, ReadyRule};
use super::flow::{End, Flow, same_node};

impl Engine {
    /// Whether an entry of `from` or `to` covers the other end.
    pub(super) fn peer_answer(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        peer: &PeerSet,
    ) -> Answer {
        match peer {
            PeerSet::Pods(pods) => match flow.peer(direction) {
                End::Pod(index, _) if !pods.contains(index) => Answer::No,
                End::Pod(_, pod) => {
                    if flow.hides_peer(direction) {
                        Answer::Open(Clause::RewrittenAddress)
                    } else if pod.host_network {
                        self.host_network_peer(flow, direction)
                    } else {
                        Answer::Yes
                    }
                }
                // "podSelector is a label selector which selects pods" and
                // "namespaceSelector … selects all pods in the namespaces"
                // (`NetworkPolicyPeer`): nothing else has labels to select by.
                End::External(_) | End::Node(_) => Answer::No,
            },
            PeerSet::Block { cidr, except, .. } => self.block_answer(flow, direction, cidr, except),
        }
    }

    /// A selector that matches a hostNetwork pod: the plugin applies it "just like
    /// it does to pod-network pods", or "ignores `hostNetwork` pods when matching
    /// `podSelector` and `namespaceSelector`"
    /// (concepts/services-networking/network-policies). Both come to the same where
    /// the second would let the connection pass anyway: because the pod sits on the
    /// destination's own node, or because the policies' own pod is not policed then.
    fn host_network_peer(&self, flow: &Flow<'_>, direction: Direction) -> Answer {
        let ends = flow.source.pod().zip(flow.destination.pod());
        let together = ends
            .and_then(|((_, one), (_, other))| same_node(one.node.as_ref(), other.node.as_ref()));
        if flow.subject(direction).on_host_network()
            || direction == Direction::Ingress && together == Some(true)
        {
            Answer::Yes
        } else {
            Answer::Open(Clause::HostNetworkPeer)
        }
    }

    /// "ipBlock: This selects particular IP CIDR ranges to allow as ingress sources or
    /// egress destinations. These should be cluster-external IPs, since Pod IPs are
    /// ephemeral and unpredictable." (concepts/services-networking/network-policies)
    fn block_answer(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        cidr: &Cidr,
        except: &[Cidr],
    ) -> Answer {
        let end = flow.peer(direction);
        let family = flow.cell.family;
        if !of_family(cidr, family) {
            return Answer::No;
        }
        let coverage = coverage(cidr, except, self.addresses(end), family);
        if flow.cell.via != Via::Pod {
            // "it is not defined whether this happens before or after NetworkPolicy
            // processing" (there), but a range of everything holds any address.
            let pod = end.pod().is_some();
            return if coverage == Coverage::Always && !pod {
                Answer::Yes
            } else {
                Answer::Open(Clause::RewrittenAddress)
            };
        }
        match (coverage, end) {
            (Coverage::Never, _) => Answer::No,
            (Coverage::Unknown, _) => Answer::Missing(MissingFact::Address),
            (Coverage::Always | Coverage::Here, End::Pod(_, pod)) => {
                Answer::Open(if pod.host_network {
                    Clause::HostNetworkPeer
                } else {
                    Clause::IpBlockOnPod
                })
            }
            (Coverage::Always | Coverage::Here, End::External(_) | End::Node(_)) => Answer::Yes,
        }
    }

    /// The entry of a rule's peers whose exception alone keeps the other end out, and the
    /// exception. "except is a slice of CIDRs that should not be included within an IPBlock"
    /// (`IPBlock.except`).
    pub(super) fn exception<'r>(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        rule: &'r ReadyRule,
    ) -> Option<(usize, &'r Cidr, &'r Origin)> {
        let peers = rule.peers.as_ref()?;
        let family = flow.cell.family;
        let known = self.addresses(flow.peer(direction)).iter();
        let known: Vec<&IpAddr> = known.filter(|ip| Family::of(**ip) == family).collect();
        let found = peers.iter().enumerate().find_map(|(number, peer)| {
            let PeerSet::Block { cidr, except, origin } = peer else { return None };
            let inside = |hole: &&Cidr| known.iter().any(|ip| hole.contains(**ip));
            let holds = known.iter().any(|ip| cidr.contains(**ip));
            let hole = except.iter().find(inside).filter(|_| holds)?;
            Some((number, hole, origin))
        })?;
        let covers = |entry| self.port_answer(flow, direction, entry) != Answer::No;
        let asked = rule.ports.as_ref().is_none_or(|ports| ports.iter().any(covers));
        asked.then_some(found)
    }

    /// Whether an entry of `ports` covers the destination's port.
    pub(super) fn port_answer(
        &self,
        flow: &Flow<'_>,
        direction: Direction,
        entry: &PolicyPort,
    ) -> Answer {
        // "If not specified, this field defaults to TCP."
        // (`NetworkPolicyPort.protocol`)
        if entry.protocol.unwrap_or_default() != flow.cell.protocol {
            return Answer::No;
        }
        // Egress to a NodePort may be judged by the port of the node or of the pod.
        let seen = if direction == Direction::Egress && flow.cell.via.is_node_port() {
            Answer::Open(Clause::RewrittenAddress)
        } else {
            Answer::Yes
        };
        match &entry.port {
            // "If this field is not provided, this matches all port names and
            // numbers." (`NetworkPolicyPort.port`)
            None => Answer::Yes,
            // "The range of ports from port to endPort if set, inclusive, should be
            // allowed by the policy." (`NetworkPolicyPort.endPort`)
            Some(PortRef::Number(first)) => {
                let last = entry.end_port.unwrap_or(*first);
                if (*first..=last).contains(&flow.cell.port) { seen } else { Answer::No }
            }
            Some(PortRef::Name(name)) => match flow.destination {
                End::Pod(_, pod) if names_port(pod, name, flow.cell.port, flow.cell.protocol) => {
                    // A plugin that takes a hostNetwork pod for its node knows no names of it.
                    let node_too = pod.host_network && !flow.subject(direction).on_host_network();
                    seen.and(if node_too {
                        Answer::Open(Clause::HostNetworkPeer)
                    } else {
                        Answer::Yes
                    })
                }
                // "This can either be a numerical or named port on a pod." (there)
                End::Pod(..) | End::External(_) | End::Node(_) => Answer::No,
            },
        }
    }
}
