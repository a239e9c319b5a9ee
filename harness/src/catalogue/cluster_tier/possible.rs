//! Which values of the cluster tier's axes can occur together.

use super::axis::{Action, Api, Beside, Change, Peer, Port, Subject, Tier};
use super::feature::Partial;
use super::surroundings::surroundings;
use crate::catalogue::axis::Path;
use crate::model::{Direction, Protocol};

impl Peer {
    /// Whether its deciding end is a host outside the cluster.
    pub const fn is_outside(self) -> bool {
        matches!(self, Self::Network | Self::NetworkOfEachFamily | Self::NetworkOrPods)
    }

    /// Whether its deciding end is a node.
    pub const fn is_node(self) -> bool {
        matches!(self, Self::Node | Self::EveryNode)
    }

    /// Whether it names addresses, and so one family or both.
    pub const fn is_of_addresses(self) -> bool {
        self.is_outside() || matches!(self, Self::EveryAddress)
    }

    /// Whether the labels of pods decide about its deciding end.
    const fn asks_pod_labels(self) -> bool {
        matches!(
            self,
            Self::Pods | Self::PodsEverywhere | Self::SelectorAbsent | Self::PodsDoNotExist
        )
    }

    /// Whether the labels of namespaces decide about its deciding end.
    const fn asks_namespace_labels(self) -> bool {
        matches!(
            self,
            Self::Pods
                | Self::PodsDoNotExist
                | Self::Namespaces
                | Self::NamespacesNotIn
                | Self::Several
        )
    }
}

impl Subject {
    /// Whether the labels of pods decide who it is.
    const fn asks_pod_labels(self) -> bool {
        matches!(self, Self::Pods | Self::PodsEverywhere | Self::SelectorAbsent)
    }
}

/// Why values cannot occur together.
type Sentence = &'static str;

/// Why these values cannot occur together, as far as it is settled by them already.
pub(super) fn exclusion(values: &Partial) -> Option<Sentence> {
    of_version(values)
        .or_else(|| of_ends(values))
        .or_else(|| of_tiers(values))
        .or_else(|| of_change(values))
}

fn of_version(values: &Partial) -> Option<Sentence> {
    let Partial { api, tier, action, beside, subject, peer, port, .. } = *values;
    let first = api.map(|api| api == Api::V1alpha1);
    if first == Some(false) && port == Some(Port::NoProtocol) {
        return Some("since `v1alpha2` a port is written within its protocol");
    }
    let absent = subject == Some(Subject::SelectorAbsent) || peer == Some(Peer::SelectorAbsent);
    if first == Some(true) && absent {
        return Some("in `v1alpha1` the `namespaceSelector` is required");
    }
    if first != Some(true) || tier != Some(Tier::Baseline) {
        // The other tier of a tested AdminNetworkPolicy is the BaselineAdminNetworkPolicy.
        let passes = first == Some(true) && tier == Some(Tier::Admin);
        return (passes && beside == Some(Beside::OtherTierPasses))
            .then_some("a BaselineAdminNetworkPolicy does not pass");
    }
    if action == Some(Action::Pass) {
        return Some("a BaselineAdminNetworkPolicy does not pass");
    }
    matches!(beside, Some(Beside::PriorityBelow | Beside::PriorityAbove))
        .then_some("there is one BaselineAdminNetworkPolicy, which has no priority")
}

fn of_ends(values: &Partial) -> Option<Sentence> {
    let Partial { direction, peer, path, port, protocol, .. } = *values;
    if port == Some(Port::NoProtocol) && protocol.is_some_and(|of| of != Protocol::Tcp) {
        return Some("an entry without a protocol is about TCP");
    }
    let peer = peer?;
    if direction == Some(Direction::Ingress) && (peer.is_of_addresses() || peer.is_node()) {
        return Some("peers of ingress rules are namespaces and pods");
    }
    if port == Some(Port::Name) && (peer.is_of_addresses() || peer.is_node()) {
        return Some("a named port may not accompany networks or nodes");
    }
    match path? {
        Path::Outside if !peer.is_outside() => {
            Some("a host outside the cluster is named by networks alone")
        }
        Path::OtherNode | Path::SameNode if peer.is_outside() => {
            Some("a host outside the cluster runs on no node")
        }
        Path::SameNode if peer.is_node() => {
            Some("whether the way to a pod's own node can be shut, the API does not say")
        }
        _ => None,
    }
}

fn of_tiers(values: &Partial) -> Option<Sentence> {
    let Partial { tier, action, beside, .. } = *values;
    surroundings(tier?, action?, beside?).err()
}

fn of_change(values: &Partial) -> Option<Sentence> {
    let Partial { peer, subject, beside, change, .. } = *values;
    let whom = |asks: fn(Peer) -> bool| peer.is_some_and(|peer| !asks(peer));
    match change? {
        Change::RelabelPeer if whom(Peer::asks_pod_labels) => {
            Some("the labels of pods do not decide about this peer")
        }
        Change::RelabelNamespace if whom(Peer::asks_namespace_labels) => {
            Some("labels of namespaces do not decide about this peer")
        }
        Change::RelabelSubject if subject.is_some_and(|of| !of.asks_pod_labels()) => {
            Some("the labels of pods do not decide about this subject")
        }
        Change::AddPeer if whom(|peer| !peer.is_outside() && !peer.is_node()) => {
            Some("nodes and hosts outside the cluster are there from the start")
        }
        Change::Priority
            if beside
                .is_some_and(|of| !matches!(of, Beside::PriorityBelow | Beside::PriorityAbove)) =>
        {
            Some("without a second policy of the tier a priority decides nothing")
        }
        _ => None,
    }
}
