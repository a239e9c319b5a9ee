//! Which cases are meant to catch which fault.

use std::time::Duration;

use crate::catalogue::cluster_tier::{self, Action, Beside, Tier};
use crate::catalogue::{Case, Change, Feature, Level, Path, Peer, Port, Rules, Stacking, Target};
use crate::catalogue::{Topic, Types};
use crate::cluster::embedded::Fault;
use crate::model::{Direction, Family, Protocol, Via};

/// What is meant to catch a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detector {
    /// A case is one of those meant if it has every feature of one of these lists.
    pub cases: &'static [&'static [Feature]],
    /// The level that it must have: what the difference is said to mean.
    pub level: Level,
    /// How long a step may take to be enforced: what is not by then is a fault.
    pub bound: Duration,
}

/// How long a step may take unless a fault is about time. The embedded cluster enforces
/// within a millisecond, and no loaded machine was seen to take a second.
pub const BOUND: Duration = Duration::from_secs(5);

/// The bound of faults that are about time.
const PROMPT: Duration = Duration::from_millis(1500);

impl Detector {
    const fn of(level: Level, cases: &'static [&'static [Feature]]) -> Self {
        Self { cases, level, bound: BOUND }
    }

    const fn must(cases: &'static [&'static [Feature]]) -> Self {
        Self::of(Level::Must, cases)
    }

    const fn if_declared(cases: &'static [&'static [Feature]]) -> Self {
        Self::of(Level::MustIfDeclared, cases)
    }

    /// Whether the case is one of those meant.
    pub fn wants(&self, case: &Case) -> bool {
        let has = |features: &&[Feature]| features.iter().all(|f| case.features.contains(f));
        case.level == self.level && self.cases.iter().any(has)
    }

    /// The cases that are meant, the plainest first: what they show is easiest to read. Those
    /// of NetworkPolicy, which every cluster has, come before those of the cluster tier.
    pub fn choose<'c>(&self, cases: &'c [Case]) -> Vec<&'c Case> {
        let mut chosen: Vec<&Case> = cases.iter().filter(|case| self.wants(case)).collect();
        let told = |case: &Case| case.features.iter().filter(|f| !f.is_plain()).count();
        let is_of_tier =
            |case: &Case| case.features.iter().any(|f| matches!(f, Feature::Cluster(_)));
        chosen.sort_by_key(|case| (is_of_tier(case), told(case), &case.id));
        chosen
    }
}

const INGRESS: Feature = Feature::Direction(Direction::Ingress);
const EGRESS: Feature = Feature::Direction(Direction::Egress);
const BETWEEN_NODES: Feature = Feature::Path(Path::OtherNode);
const BASELINE: Feature = Feature::Cluster(cluster_tier::Feature::Tier(Tier::Baseline));
const DENY: Feature = Feature::Cluster(cluster_tier::Feature::Action(Action::Deny));
const PASS: Feature = Feature::Cluster(cluster_tier::Feature::Action(Action::Pass));

/// What is meant to catch a fault. There is no fault without.
pub fn detector(fault: Fault) -> Detector {
    use Detector as D;
    use Fault as F;
    use Feature::Cluster as C;
    use cluster_tier::Feature as T;
    match fault {
        F::PoliciesIgnored | F::IngressIgnored => D::must(&[&[INGRESS]]),
        F::EgressIgnored => D::must(&[&[EGRESS]]),
        F::PolicyDeleteIgnored => D::must(&[
            &[Feature::Change(Change::Delete)],
            &[Feature::Topic(Topic::LastPolicyDeleted)],
            &[C(T::Change(cluster_tier::Change::Delete))],
            &[C(T::Topic(cluster_tier::Topic::LastPolicyDeleted))],
        ]),
        F::PolicyUpdateKeepsOldSelector => D::must(&[
            &[Feature::Change(Change::Replace)],
            &[Feature::Topic(Topic::SelectorReplaced)],
            &[C(T::Change(cluster_tier::Change::Replace))],
        ]),
        F::PodLabelChangeIgnored => D::must(&[
            &[Feature::Change(Change::RelabelPeer)],
            &[Feature::Change(Change::RelabelTarget)],
        ]),
        F::NamespaceLabelChangeIgnored => D::must(&[&[Feature::Change(Change::RelabelNamespace)]]),
        F::CompletedPodAddressKept => D::must(&[&[Feature::Topic(Topic::AddressReused)]]),
        F::RestartedPodAddressKept => D::must(&[&[Feature::Change(Change::ReturnPeer)]]),
        F::NamedPortOfAnotherPod => D::must(&[&[Feature::Port(Port::Name)]]),
        F::PolicyTypesDefaultWrong => D::must(&[
            &[EGRESS, Feature::Types(Types::Absent)],
            &[EGRESS, Feature::Types(Types::EmptyList)],
        ]),
        F::IngressRulesUnderEgress => {
            D::must(&[&[INGRESS, Feature::Topic(Topic::RulesOfOtherDirection)]])
        }
        F::DefaultIsolationMissing => {
            D::must(&[&[Feature::Rules(Rules::Absent)], &[Feature::Rules(Rules::EmptyList)]])
        }
        F::EmptyPeersMatchNobody => D::must(&[&[Feature::Peer(Peer::EmptyList)]]),
        F::AndReadAsOr => D::must(&[
            &[Feature::Peer(Peer::NamespaceAndPod)],
            &[Feature::Peer(Peer::PodInEveryNamespace)],
        ]),
        F::OrReadAsAnd => D::must(&[&[Feature::Peer(Peer::NamespaceOrPod)]]),
        F::NamespaceSelectorIgnored => D::must(&[&[Feature::Peer(Peer::NamespaceLabels)]]),
        F::PodSelectorCrossesNamespaces => D::must(&[&[Feature::Peer(Peer::PodLabels)]]),
        F::MatchExpressionsIgnored => D::must(&[
            &[Feature::Peer(Peer::PodIn)],
            &[Feature::Peer(Peer::NamespaceIn)],
            &[Feature::Target(Target::In)],
            &[Feature::Target(Target::Exists)],
        ]),
        F::NotInNeedsKey => D::must(&[
            &[Feature::Peer(Peer::PodNotIn)],
            &[Feature::Peer(Peer::NamespaceNotIn)],
            &[Feature::Target(Target::NotIn)],
        ]),
        F::ExceptIgnored => D::must(&[&[Feature::Peer(Peer::Except)]]),
        F::SameRangeRulesMerged => D::must(&[&[Feature::Topic(Topic::SameRangeTwice)]]),
        F::PortsIgnored => D::must(&[&[Feature::Port(Port::Number)]]),
        F::EmptyPortEntryDropped => D::must(&[&[Feature::Port(Port::EmptyEntry)]]),
        F::FirstPortOfRange => D::if_declared(&[&[Feature::Port(Port::Range)]]),
        F::SctpReadAsTcp => D::if_declared(&[&[Feature::Protocol(Protocol::Sctp)]]),
        F::ProtocolIgnored => D::must(&[
            &[Feature::Topic(Topic::OneProtocol)],
            &[Feature::Topic(Topic::SamePortEachProtocol)],
        ]),
        F::PoliciesIntersected => D::must(&[
            &[Feature::Stacking(Stacking::Deny)],
            &[Feature::Stacking(Stacking::OtherRule)],
        ]),
        F::PassReadAsDeny => D::must(&[&[PASS, C(T::Tier(Tier::Admin))]]),
        F::PassReadAsAccept => D::must(&[
            &[PASS, C(T::Beside(Beside::NetworkPolicyDenies))],
            &[PASS, C(T::Beside(Beside::OtherTierDenies))],
        ]),
        F::PriorityInverted => D::must(&[
            &[C(T::Beside(Beside::PriorityBelow))],
            &[C(T::Beside(Beside::PriorityAbove))],
            &[C(T::Change(cluster_tier::Change::Priority))],
        ]),
        F::TiersInverted => D::must(&[
            &[C(T::Beside(Beside::NetworkPolicyAllows))],
            &[C(T::Beside(Beside::NetworkPolicyDenies))],
            &[C(T::Beside(Beside::OtherTierAccepts))],
            &[C(T::Beside(Beside::OtherTierDenies))],
        ]),
        F::UnknownPeerFailsOpen => D::if_declared(&[
            &[DENY, C(T::Peer(cluster_tier::Peer::Node))],
            &[DENY, C(T::Peer(cluster_tier::Peer::EveryNode))],
        ]),
        F::BaselineOverNetworkPolicy => D::must(&[
            &[BASELINE, C(T::Beside(Beside::NetworkPolicyAllows))],
            &[BASELINE, C(T::Beside(Beside::NetworkPolicyDenies))],
        ]),
        F::ClusterPolicyWithoutRulesIsolates => {
            D::must(&[&[C(T::Topic(cluster_tier::Topic::NoRules))]])
        }
        F::HostNetworkPodIsSubject => {
            D::must(&[&[C(T::Topic(cluster_tier::Topic::HostNetworkSubject))]])
        }
        F::TerminatingPodUnfiltered => D::must(&[&[Feature::Topic(Topic::TerminatingTarget)]]),
        F::Ipv6Unfiltered => D::if_declared(&[&[Feature::Family(Family::Ipv6)]]),
        F::CrossNodeUnfiltered | F::NodeNeverUpdated => D::must(&[&[BETWEEN_NODES]]),
        F::ServicePortJudged => D::must(&[&[EGRESS, Feature::Via(Via::Service)]]),
        F::OwnNodeBlocked => D::must(&[&[Feature::Topic(Topic::OwnNode)]]),
        F::RepliesDropped => D::must(&[&[Feature::Topic(Topic::RepliesOfIsolated)]]),
        F::ConnectionsCutByAnyChange => D::must(&[
            &[Feature::Topic(Topic::PolicyElsewhere)],
            &[Feature::Topic(Topic::LabelElsewhere)],
            &[Feature::Topic(Topic::PodElsewhere)],
        ]),
        F::PodSourceRewritten => D::must(&[&[INGRESS, BETWEEN_NODES]]),
        F::NodeUpdatedLate => Detector { bound: PROMPT, ..D::must(&[&[BETWEEN_NODES]]) },
        F::NewPodIsolatedLate => D::must(&[&[Feature::Topic(Topic::IsolatedStart)]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::cases;

    #[test]
    fn every_fault_has_cases_that_are_meant_to_catch_it() {
        let cases = cases().unwrap();
        for fault in Fault::ALL {
            let detector = detector(*fault);
            assert!(matches!(detector.level, Level::Must | Level::MustIfDeclared), "{fault}");
            for features in detector.cases {
                let alone = Detector { cases: std::slice::from_ref(features), ..detector };
                assert!(!alone.choose(&cases).is_empty(), "{fault}: no case has {features:?}");
            }
        }
    }

    #[test]
    fn the_plainest_case_comes_first() {
        let cases = cases().unwrap();
        for (fault, first) in [
            (Fault::EgressIgnored, "egress/plain"),
            (Fault::FirstPortOfRange, "ingress/port=range"),
            (Fault::OwnNodeBlocked, "special/own-node"),
            (Fault::ExceptIgnored, "ingress/peer=except,path=outside"),
        ] {
            assert_eq!(detector(fault).choose(&cases)[0].id, first, "{fault}");
        }
    }
}
