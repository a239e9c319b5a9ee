//! Which values of the axes can occur together.

use super::axis::{Change, Path, Peer, Port, Rules, Target, Types};
use super::feature::Partial;
use crate::model::{Direction, Protocol, Via};

impl Peer {
    /// Whether its deciding end is a host outside the cluster.
    pub const fn is_outside(self) -> bool {
        matches!(
            self,
            Self::Address
                | Self::Range
                | Self::Except
                | Self::NestedExcept
                | Self::EveryAddress
                | Self::RangeOfEachFamily
                | Self::RangeOrPod
        )
    }

    /// Whether its deciding end is in the policy's own namespace.
    pub const fn is_own_namespace(self) -> bool {
        matches!(
            self,
            Self::PodLabels
                | Self::EveryPod
                | Self::PodIn
                | Self::PodNotIn
                | Self::PodExists
                | Self::PodDoesNotExist
                | Self::PodLabelsAndExpressions
        )
    }

    /// Whether the labels of pods decide about its deciding end.
    const fn asks_pod_labels(self) -> bool {
        matches!(
            self,
            Self::PodLabels
                | Self::PodIn
                | Self::PodNotIn
                | Self::PodExists
                | Self::PodDoesNotExist
                | Self::PodLabelsAndExpressions
                | Self::NamespaceAndPod
                | Self::PodInEveryNamespace
        )
    }

    /// Whether the labels of namespaces decide about its deciding end, and can change.
    const fn asks_namespace_labels(self) -> bool {
        matches!(
            self,
            Self::NamespaceLabels
                | Self::NamespaceIn
                | Self::NamespaceNotIn
                | Self::NamespaceExists
                | Self::NamespaceDoesNotExist
                | Self::NamespaceAndPod
                | Self::NamespaceOrPod
        )
    }

    /// Whether it leaves nobody out.
    pub const fn is_anybody(self) -> bool {
        matches!(self, Self::Absent | Self::EmptyList)
    }
}

impl Port {
    /// Whether it leaves no port out.
    pub const fn is_any(self) -> bool {
        matches!(self, Self::Absent | Self::EmptyList)
    }
}

impl Types {
    /// Whether the other direction is isolated as well.
    pub const fn isolates_other(self, direction: Direction) -> bool {
        match self {
            Self::Written => false,
            Self::Both => true,
            // "If no `policyTypes` are specified on a NetworkPolicy then by default `Ingress`
            // will always be set".
            Self::Absent | Self::EmptyList => matches!(direction, Direction::Egress),
        }
    }
}

/// Why values cannot occur together.
type Sentence = &'static str;

/// Why these values cannot occur together, as far as it is settled by them already.
pub(super) fn exclusion(values: &Partial) -> Option<Sentence> {
    let Partial { direction, rules, peer, port, protocol, .. } = *values;
    let unwritten = rules.is_some_and(|rules| !rules.is_written());
    if unwritten
        && (peer.is_some_and(|peer| peer != Peer::Absent)
            || port.is_some_and(|port| port != Port::Absent))
    {
        return Some("without a rule, or with an empty one, there are no peers and no ports");
    }
    if rules.is_some_and(Rules::is_written)
        && peer == Some(Peer::Absent)
        && port == Some(Port::Absent)
    {
        return Some("a rule that names neither peers nor ports is the empty rule");
    }
    if matches!(port, Some(Port::NoProtocol | Port::EmptyEntry))
        && protocol.is_some_and(|protocol| protocol != Protocol::Tcp)
    {
        return Some("an entry without a protocol is about TCP");
    }
    if direction == Some(Direction::Egress)
        && port == Some(Port::Name)
        && peer.is_some_and(Peer::is_outside)
    {
        return Some("a host outside the cluster has no names for its ports");
    }
    of_ends(values).or_else(|| of_isolation(values)).or_else(|| of_change(values))
}

fn of_ends(values: &Partial) -> Option<Sentence> {
    let Partial { peer, path, via, .. } = *values;
    let outside = peer.map(Peer::is_outside);
    match (path, outside) {
        (Some(Path::Outside), Some(false)) => {
            return Some("a host outside the cluster is named by an ipBlock alone");
        }
        (Some(Path::OtherNode | Path::SameNode), Some(true)) => {
            return Some("a host outside the cluster runs on no node");
        }
        _ => {}
    }
    (via == Some(Via::Service) && (outside == Some(true) || path == Some(Path::Outside))).then_some(
        "of connections by a Service, the API leaves open what address an ipBlock is judged by",
    )
}

fn of_isolation(values: &Partial) -> Option<Sentence> {
    let Partial { direction, target, types, rules, peer, .. } = *values;
    let defaulted = matches!(types, Some(Types::Absent | Types::EmptyList));
    if direction == Some(Direction::Egress)
        && defaulted
        && matches!(rules, Some(Rules::Absent | Rules::EmptyList))
    {
        return Some("without egress rules the default for `policyTypes` is ingress alone");
    }
    let both = types.zip(direction).is_some_and(|(types, of)| types.isolates_other(of));
    (both && target == Some(Target::Every) && peer.is_some_and(Peer::is_own_namespace)).then_some(
        "where the peer is isolated too, its own direction would decide along with the tested one",
    )
}

fn of_change(values: &Partial) -> Option<Sentence> {
    let Partial { peer, target, rules, change, .. } = *values;
    let whom = |asks: fn(Peer) -> bool| peer.is_some_and(|peer| !asks(peer));
    match change? {
        Change::RelabelPeer if whom(Peer::asks_pod_labels) => {
            Some("the labels of pods do not decide about this peer")
        }
        Change::RelabelNamespace if whom(Peer::asks_namespace_labels) => {
            Some("labels of namespaces that could change do not decide about this peer")
        }
        Change::RelabelTarget if target == Some(Target::Every) => {
            Some("`{}` selects pods whatever their labels")
        }
        Change::AddPeer | Change::ReturnPeer if whom(|peer| !peer.is_outside()) => {
            Some("a host outside the cluster is there from the start")
        }
        Change::AddNamespace if whom(|peer| !peer.is_outside() && !peer.is_own_namespace()) => {
            Some("the peer has no namespace other than the policy's")
        }
        Change::Delete if rules == Some(Rules::EmptyRule) => {
            Some("a policy that allows everything leaves nothing for another to allow")
        }
        _ => None,
    }
}
