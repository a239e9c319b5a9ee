//! Mistakes that the embedded cluster can be told to make, to see whether they are noticed.
//!
//! | part | where a mistake bites |
//! |---|---|
//! | `perception`: `reading`, `tiers`, `memory` | what the dataplane believes of the world: policies misread, changes missed |
//! | [`Flaws`] | what becomes of policies on the way to the kernel, and how packets are led to them |
//! | `schedule` | when a ruleset lands, and on which node |
//! | [`Impairment`] | all of them together |
//!
//! None of them gives a packet a way out of the machine: there is no route to anywhere.
//! A cluster without faults and delay has none of this: rulesets are compiled from the world
//! as it is, and land at once.

mod impairment;
mod memory;
mod perception;
mod reading;
mod schedule;
mod tiers;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(super) use self::impairment::{Impairment, Instruction};
pub use self::schedule::Delay;
use crate::scenario::nearby::did_you_mean;

/// Where a plugin made the same mistake, or a like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The plugin.
    pub plugin: &'static str,
    /// A link.
    pub link: &'static str,
}

/// Declares the faults: variant, name, what the dataplane does wrong, where it was seen.
macro_rules! faults {
    ($($fault:ident = $name:literal, $sentence:literal, [$($plugin:literal $link:literal),*];)+) => {
        /// A mistake of a dataplane.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Fault { $(#[doc = $sentence] #[serde(rename = $name)] $fault,)+ }

        impl Fault {
            /// Every fault. Several are made in this order.
            pub const ALL: &'static [Self] = &[$(Self::$fault,)+];

            /// Its name, for `--fault`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$fault => $name,)+ }
            }

            /// What the dataplane does wrong, as a sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$fault => $sentence,)+ }
            }

            /// Where plugins have done it.
            pub const fn seen(self) -> &'static [Seen] {
                match self { $(Self::$fault => &[$(Seen { plugin: $plugin, link: $link },)*],)+ }
            }
        }
    };
}

faults! {
    PoliciesIgnored = "policies-ignored",
        "No policy is enforced.",
        ["Flannel" "https://github.com/flannel-io/flannel/issues/2503",
         "kindnet" "https://github.com/kubernetes-sigs/kind/issues/842"];
    PolicyDeleteIgnored = "policy-delete-ignored",
        "A policy that was deleted stays in force.",
        ["Antrea" "https://github.com/antrea-io/antrea/issues/4985"];
    PolicyUpdateKeepsOldSelector = "policy-update-keeps-old-selector",
        "A policy that was replaced goes on selecting the pods that it selected at first.",
        ["AWS" "https://github.com/aws/aws-network-policy-agent/issues/643"];
    PodLabelChangeIgnored = "pod-label-change-ignored",
        "Pods keep the labels that they started with.",
        ["Kube-OVN" "https://github.com/kubeovn/kube-ovn/issues/1920"];
    NamespaceLabelChangeIgnored = "namespace-label-change-ignored",
        "Namespaces keep the labels that they were made with.", [];
    CompletedPodAddressKept = "completed-pod-address-kept",
        "A pod that has ended is still taken to have its address, which is another's by now.", [];
    RestartedPodAddressKept = "restarted-pod-address-kept",
        "A pod that returns is still taken to have the address that it had before.",
        ["k3s" "https://github.com/k3s-io/k3s/issues/10053"];
    NamedPortOfAnotherPod = "named-port-of-another-pod",
        "A named port is looked up at another pod that has one of that name.",
        ["Cilium" "https://github.com/cilium/cilium/issues/30003"];
    PolicyTypesDefaultWrong = "policy-types-default-wrong",
        "Without `policyTypes` a policy is about ingress alone, also where it has egress rules.",
        [];
    IngressRulesUnderEgress = "ingress-rules-under-egress",
        "Ingress rules isolate their pods, though `policyTypes` names egress alone.", [];
    IngressIgnored = "ingress-ignored",
        "No pod is isolated for ingress.", [];
    EgressIgnored = "egress-ignored",
        "No pod is isolated for egress.", [];
    DefaultIsolationMissing = "default-isolation-missing",
        "A policy without a rule for a direction isolates nobody in it.", [];
    EmptyPeersMatchNobody = "empty-peers-match-nobody",
        "`from: []` and `to: []` are read as nobody, not as everybody.", [];
    AndReadAsOr = "and-read-as-or",
        "The two selectors of one peer are read as two peers, of which either may match.", [];
    OrReadAsAnd = "or-read-as-and",
        "Two peers, one with a namespaceSelector and one with a podSelector, are read as one.",
        [];
    NamespaceSelectorIgnored = "namespace-selector-ignored",
        "A namespaceSelector finds every namespace.", [];
    PodSelectorCrossesNamespaces = "pod-selector-crosses-namespaces",
        "A podSelector by itself finds pods in every namespace, not in the policy's own alone.",
        [];
    MatchExpressionsIgnored = "match-expressions-ignored",
        "Selectors are read without their `matchExpressions`.",
        ["kube-router" "https://github.com/cloudnativelabs/kube-router/issues/614"];
    NotInNeedsKey = "not-in-needs-key",
        "`NotIn` does not match where the label is absent.", [];
    ExceptIgnored = "except-ignored",
        "An ipBlock is read without its `except`.",
        ["kube-router" "https://github.com/cloudnativelabs/kube-router/issues/326",
         "AWS" "https://github.com/aws/aws-network-policy-agent/issues/78"];
    SameRangeRulesMerged = "same-range-rules-merged",
        "Of two rules with one CIDR the second is lost.",
        ["AWS" "https://github.com/aws/amazon-network-policy-controller-k8s/issues/197"];
    PortsIgnored = "ports-ignored",
        "Rules are read without their `ports`.", [];
    EmptyPortEntryDropped = "empty-port-entry-dropped",
        "The entry of `ports: [{}]` is dropped.",
        ["Cilium" "https://github.com/cilium/cilium/issues/14678",
         "Calico" "https://github.com/projectcalico/calico/issues/4373"];
    FirstPortOfRange = "first-port-of-range",
        "Of a range of ports only the first is open: `endPort` is ignored.",
        ["Cilium" "https://github.com/cilium/cilium/issues/28684",
         "Azure NPM" "https://github.com/Azure/AKS/issues/2857"];
    SctpReadAsTcp = "sctp-read-as-tcp",
        "A rule for SCTP is read as one for TCP.", [];
    ProtocolIgnored = "protocol-ignored",
        "A port is open in every protocol, whichever is named.", [];
    PoliciesIntersected = "policies-intersected",
        "Where several policies select a pod, all of them must allow, not one.", [];
    PassReadAsDeny = "pass-read-as-deny",
        "`Pass` in a policy of the cluster denies.",
        ["Calico" "https://github.com/projectcalico/calico/issues/13208"];
    PassReadAsAccept = "pass-read-as-accept",
        "`Pass` in a policy of the cluster accepts: NetworkPolicies are not asked any more.", [];
    PriorityInverted = "priority-inverted",
        "Of the policies of a tier the one with the highest number for its priority is asked first.",
        ["Antrea" "https://github.com/antrea-io/antrea/security/advisories/GHSA-86x4-wp9f-wrr9"];
    TiersInverted = "tiers-inverted",
        "The Baseline tier is asked before NetworkPolicies, and the Admin tier after them.", [];
    UnknownPeerFailsOpen = "unknown-peer-fails-open",
        "A peer that is not understood is left out of its rule, though the rule denies: here `nodes`.",
        [];
    BaselineOverNetworkPolicy = "baseline-over-network-policy",
        "The Baseline tier is asked before NetworkPolicies, also about pods that one isolates.", [];
    ClusterPolicyWithoutRulesIsolates = "cluster-policy-without-rules-isolates",
        "A policy of the cluster without rules isolates its pods, as a NetworkPolicy would.", [];
    HostNetworkPodIsSubject = "host-network-pod-is-subject",
        "Policies of the cluster are enforced on hostNetwork pods, by their node's address.",
        ["kube-network-policies" "https://github.com/kubernetes-sigs/kube-network-policies/issues/380"];
    TerminatingPodUnfiltered = "terminating-pod-unfiltered",
        "A pod that is being deleted is isolated no more while it still runs.", [];
    Ipv6Unfiltered = "ipv6-unfiltered",
        "Policies are enforced for IPv4 alone.",
        ["AWS" "https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html"];
    CrossNodeUnfiltered = "cross-node-unfiltered",
        "What passes between pods of two nodes is not filtered.", [];
    ServicePortJudged = "service-port-judged",
        "On the node that it comes from, a connection to a Service is judged by the Service's port.", [];
    OwnNodeBlocked = "own-node-blocked",
        "The node of an isolated pod is kept from it like anybody else.",
        ["Calico" "https://github.com/projectcalico/calico/issues/4469"];
    RepliesDropped = "replies-dropped",
        "Replies are judged like connections of their own.",
        ["Cilium" "https://github.com/cilium/cilium/issues/27709"];
    ConnectionsCutByAnyChange = "connections-cut-by-any-change",
        "Every change, whatever it is about, cuts the connections that are there.", [];
    PodSourceRewritten = "pod-source-rewritten",
        "Between nodes a pod's address is replaced by its node's.", [];
    NodeNeverUpdated = "node-never-updated",
        "The first node never gets a policy.",
        ["Cilium" "https://github.com/cilium/cilium/issues/45233"];
    NodeUpdatedLate = "node-updated-late",
        "The first node gets every change three seconds late.",
        ["Cilium" "https://github.com/cilium/cilium/issues/47727"];
    NewPodIsolatedLate = "new-pod-isolated-late",
        "A pod runs for some hundred milliseconds before policies isolate it that were there before it.",
        ["AWS" "https://github.com/aws/aws-network-policy-agent/issues/271",
         "kube-router" "https://github.com/cloudnativelabs/kube-router/issues/873"];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a fault, found `{found}`: {hint}")]
pub struct NoSuchFault {
    found: String,
    hint: String,
}

impl FromStr for Fault {
    type Err = NoSuchFault;

    fn from_str(text: &str) -> Result<Self, NoSuchFault> {
        let names = Self::ALL.iter().map(|fault| fault.name());
        Self::ALL.iter().copied().find(|fault| fault.name() == text).ok_or_else(|| {
            let listed = || "`ringfence selftest --list` shows them".to_owned();
            let hint = did_you_mean(text, names).unwrap_or_else(listed);
            NoSuchFault { found: text.to_owned(), hint }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_kebab_case_and_read_back() {
        let names: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        for fault in Fault::ALL {
            let name = fault.name();
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            assert_eq!(name.parse::<Fault>().as_ref(), Ok(fault));
            assert_eq!(serde_json::to_value(fault).unwrap(), name);
            assert!(fault.sentence().ends_with('.'), "{name}");
            assert!(fault.seen().iter().all(|seen| seen.link.starts_with("https://")), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_none_gets_a_hint() {
        for (text, told) in [
            (
                "egress-ignore",
                "expected a fault, found `egress-ignore`: did you mean `egress-ignored`?",
            ),
            ("flood", "expected a fault, found `flood`: `ringfence selftest --list` shows them"),
        ] {
            assert_eq!(text.parse::<Fault>().unwrap_err().to_string(), told);
        }
    }
}
