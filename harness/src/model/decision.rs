//! What the policies mean for one cell, and which rules make it so.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClusterAction, ClusterPolicyName, Name, Origin, PolicyName, Tier};

/// One direction of traffic, from the point of view of the pod that a policy selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the destination.
    Ingress,
    /// Out of the source.
    Egress,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

/// What a cell means as a whole.
///
/// Both directions must allow. A deny in one direction decides, whatever the
/// other leaves open; otherwise an undefined or unknown side keeps the cell open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "why", rename_all = "kebab-case")]
pub enum Verdict {
    /// The connection must work.
    Allow,
    /// The connection must not work.
    Deny,
    /// The API leaves it open; the clause carries its sentence.
    Undefined(Clause),
    /// A fact is missing that the decision needs.
    Unknown(MissingFact),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undefined(_) => "undefined",
            Self::Unknown(_) => "unknown",
        })
    }
}

/// The places where the API leaves behaviour open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clause {
    /// A pod that connects to itself.
    PodToItself,
    /// A pod that connects to the node it runs on.
    PodToOwnNode,
    /// A hostNetwork pod as the subject of a policy.
    HostNetworkSubject,
    /// A hostNetwork pod as the peer of a rule.
    HostNetworkPeer,
    /// An ipBlock that contains a pod's address.
    IpBlockOnPod,
    /// An ipBlock judged against an address that a Service or node rewrote.
    RewrittenAddress,
    /// Policies of the cluster with one priority that disagree.
    EqualPriorities,
    /// The same of two AdminNetworkPolicies, which are `v1alpha1`'s.
    EqualAdminPriorities,
    /// Policies of the cluster of two versions of their API that disagree.
    MixedVersions,
    /// A pod that connects to itself, under a policy of `v1alpha1`.
    AdminPolicyOnItself,
    /// A node, or a hostNetwork pod of it, that connects to its own pod, under a rule that
    /// denies all.
    DenyAllOnOwnNode,
}

impl Clause {
    /// The sentence that leaves it open, quoted, with its source; all are of the concept
    /// page `concepts/services-networking/network-policies` unless they say otherwise.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::PodToItself => {
                "\"a pod cannot block access to itself\" (concepts/services-networking/network-policies), while for an isolated pod \"the only allowed connections into the pod are those from the pod's node and those allowed by the `ingress` list\" (there)"
            }
            Self::PodToOwnNode => {
                "\"traffic to and from the node where a Pod is running is always allowed\" (concepts/services-networking/network-policies), while the API reference says so of ingress only: \"OR if the traffic source is the pod's local node\" (NetworkPolicySpec.ingress)"
            }
            Self::HostNetworkSubject => {
                "\"NetworkPolicy behaviour for `hostNetwork` pods is undefined, but it should be limited to 2 possibilities\"; it applies when \"a `hostNetwork` pod is selected by `spec.podSelector`\" (concepts/services-networking/network-policies)"
            }
            Self::HostNetworkPeer => {
                "\"NetworkPolicy behaviour for `hostNetwork` pods is undefined\": a plugin that \"cannot properly distinguish `hostNetwork` pod traffic\" \"ignores `hostNetwork` pods when matching `podSelector` and `namespaceSelector`\" (concepts/services-networking/network-policies)"
            }
            Self::IpBlockOnPod => {
                "of ipBlock: \"These should be cluster-external IPs, since Pod IPs are ephemeral and unpredictable.\" (concepts/services-networking/network-policies)"
            }
            Self::RewrittenAddress => {
                "\"Cluster ingress and egress mechanisms often require rewriting the source or destination IP of packets. In cases where this happens, it is not defined whether this happens before or after NetworkPolicy processing\" (concepts/services-networking/network-policies)"
            }
            Self::EqualPriorities => {
                "\"If two (or more) policies in the same tier with the same priority could match a connection, then the implementation can apply any of the matching policies to the connection\" (ClusterNetworkPolicySpec.priority)"
            }
            Self::EqualAdminPriorities => {
                "\"If two (or more) policies with the same priority could both match a connection, then the implementation can apply any of the matching policies to the connection\" (AdminNetworkPolicySpec.priority)"
            }
            Self::MixedVersions => {
                "ClusterNetworkPolicy \"combines the previously separate AdminNetworkPolicy and BaselineAdminNetworkPolicy resources\" (network-policy-api, CHANGELOG, v0.2.0), and how those of both are ordered where they meet is not said"
            }
            Self::AdminPolicyOnItself => {
                "\"A Pod connecting to its own Pod IP is not subject to CNP\" (network-policy-api, API overview), of which `v1alpha1` says nothing"
            }
            Self::DenyAllOnOwnNode => {
                "\"treat the rule as a 'Deny all' rule\" (ClusterNetworkPolicyIngressPeer), while \"traffic to and from the node where a Pod is running is always allowed\" (concepts/services-networking/network-policies)"
            }
        }
    }
}

/// A fact without which a cell cannot be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingFact {
    /// An ipBlock rule might match, and the address is not known.
    Address,
    /// Own-node traffic or node peers are in question, and the pod is not placed.
    Node,
    /// A rule selects nodes by labels, and those of the node are not known.
    NodeLabels,
    /// A rule names domains, and which addresses they have is not known.
    DomainNames,
    /// One end is a pod that is not running.
    NotRunning,
    /// One end is not in the topology.
    NoSuchEndpoint,
}

impl fmt::Display for MissingFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "an ipBlock decides, and the address is not known",
            Self::Node => "the node that the pod runs on is not known",
            Self::NodeLabels => "a rule selects nodes, and the labels of this one are not known",
            Self::DomainNames => "a rule names domains, whose addresses are not known",
            Self::NotRunning => "one end is a pod that is not running",
            Self::NoSuchEndpoint => "one end is not in the topology",
        })
    }
}

/// A policy, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PolicyRef {
    /// The policy.
    pub name: PolicyName,
    /// Where the policy starts.
    pub origin: Origin,
}

/// A rule of a policy, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleRef {
    /// The policy.
    pub policy: PolicyName,
    /// `ingress` or `egress`.
    pub direction: Direction,
    /// Which rule of that list, from 0.
    pub rule: usize,
    /// Which entry of `from` or `to` matched, from 0; `None` where the rule has none.
    pub peer: Option<usize>,
    /// Which entry of `ports` matched, from 0; `None` where the rule has none.
    pub port: Option<usize>,
    /// Where the rule starts.
    pub origin: Origin,
}

/// What keeps an address out of a rule that would else allow it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Exception {
    /// The policy.
    pub policy: PolicyName,
    /// `ingress` or `egress`.
    pub direction: Direction,
    /// Which rule of that list, from 0.
    pub rule: usize,
    /// Which entry of `from` or `to` holds the ipBlock, from 0.
    pub peer: usize,
    /// The entry of its `except` that holds the address, as it was written.
    pub range: String,
    /// Where the entry of `from` or `to` starts.
    pub origin: Origin,
}

/// A rule of a policy of the cluster, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterRuleRef {
    /// The policy.
    pub policy: ClusterPolicyName,
    /// Its tier.
    pub tier: Tier,
    /// Its priority; `None` for a BaselineAdminNetworkPolicy.
    pub priority: Option<u16>,
    /// What the rule does with what it matches: its action, or `Deny` where it has a peer
    /// that is not understood.
    pub action: ClusterAction,
    /// The rule's own name.
    pub name: Option<Name>,
    /// `ingress` or `egress`.
    pub direction: Direction,
    /// Which rule of that list, from 0.
    pub rule: usize,
    /// Which entry of `from` or `to` matched, from 0.
    pub peer: usize,
    /// Which entry of `ports` or `protocols` matched, from 0; `None` where the rule has none,
    /// or none was asked.
    pub port: Option<usize>,
    /// Where the rule starts.
    pub origin: Origin,
}

/// Why a side needs no rule to allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exemption {
    /// The end is no pod, so no policy selects it.
    NotAPod,
    /// "traffic to and from the node where a Pod is running is always allowed"
    OwnNode,
}

/// What one direction makes of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "why", rename_all = "kebab-case")]
pub enum Effect {
    /// No policy is asked.
    Exempt(Exemption),
    /// No policy selects the pod in this direction.
    NotIsolated,
    /// The pod is isolated, and at least one rule allows.
    Allowed,
    /// The pod is isolated, and no rule allows.
    Denied,
    /// A rule of this tier accepts.
    AcceptedBy(Tier),
    /// A rule of this tier denies.
    DeniedBy(Tier),
    /// The API leaves it open.
    Undefined(Clause),
    /// A fact is missing.
    Unknown(MissingFact),
}

/// One direction's part of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What the direction makes of the cell.
    pub effect: Effect,
    /// The policies that isolate the pod in this direction, in order of name.
    pub isolating: Vec<PolicyRef>,
    /// The rules that allow; where the effect is undefined or unknown, the rules it hangs on.
    pub rules: Vec<RuleRef>,
    /// The rules of the cluster's policies that matched, in the order in which they are
    /// asked: those that passed the connection on, then the one that decides. Where the
    /// effect is undefined or unknown, those that may match are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster: Vec<ClusterRuleRef>,
    /// Where no rule allows: the exceptions without which one would.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excepted: Vec<Exception>,
}

impl Side {
    /// A side on which no policy has a say.
    pub const fn of(effect: Effect) -> Self {
        Self {
            effect,
            isolating: Vec::new(),
            rules: Vec::new(),
            cluster: Vec::new(),
            excepted: Vec::new(),
        }
    }
}

/// What the policies mean for one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Both directions taken together.
    pub verdict: Verdict,
    /// The source's side.
    pub egress: Side,
    /// The destination's side.
    pub ingress: Side,
}

impl Decision {
    /// Whether a NetworkPolicy isolates one of the ends against the other: then it takes no
    /// knowledge of the other to deny, as it does to deny by a rule that names it.
    pub fn is_by_isolation(&self) -> bool {
        [&self.egress, &self.ingress].iter().any(|side| side.effect == Effect::Denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolation_denies_without_knowing_the_other_end() {
        let decision = |egress, ingress| Decision {
            verdict: Verdict::Deny,
            egress: Side::of(egress),
            ingress: Side::of(ingress),
        };
        let by_rule = Effect::DeniedBy(Tier::Admin);
        assert!(decision(Effect::Denied, by_rule).is_by_isolation());
        assert!(decision(Effect::NotIsolated, Effect::Denied).is_by_isolation());
        assert!(!decision(by_rule, Effect::Allowed).is_by_isolation());
    }
}
