//! What cases are about that stand outside the axes.

use std::fmt;

use super::kind::Kind;

/// Declares what cases are about that stand outside a space's axes: an enum of topics, each
/// with its name in identifiers and tags.
macro_rules! topics {
    ($($(#[$of:meta])* $topic:ident = $text:literal,)+) => {
        $crate::catalogue::axis::axis! {
            #[doc = "What a case is about that stands outside the axes."]
            Topic { $($(#[$of])* $topic = $text,)+ }
        }

        impl Topic {
            /// What stands in the place of an axis.
            pub(in crate::catalogue) const fn axis(self) -> &'static str {
                "topic"
            }

            /// Its name, as a feature's.
            pub(in crate::catalogue) fn value(self) -> String {
                self.to_string()
            }

            /// No topic is plain.
            pub(in crate::catalogue) const fn is_plain(self) -> bool {
                false
            }
        }
    };
}

pub(super) use topics;

topics! {
    /// A rule for one protocol opens neither of the others.
    OneProtocol = "one-protocol",
    /// One port number is open to another peer in each protocol.
    SamePortEachProtocol = "same-port-each-protocol",
    /// Rules of a direction that `policyTypes` does not name.
    RulesOfOtherDirection = "rules-of-other-direction",
    /// `egress: []` without `policyTypes`.
    EmptyEgressByDefault = "empty-egress-by-default",
    /// Both types and no rule.
    EverythingDenied = "everything-denied",
    /// The one policy is deleted.
    LastPolicyDeleted = "last-policy-deleted",
    /// The source's egress and the destination's ingress.
    BothEndsDecide = "both-ends-decide",
    /// A pod that may send nothing answers.
    RepliesOfIsolated = "replies-of-isolated",
    /// A policy is replaced by one of its name for other pods.
    SelectorReplaced = "selector-replaced",
    /// A peer goes, and another pod comes that is none.
    PodReplaced = "pod-replaced",
    /// A peer ends, and another pod gets its address.
    AddressReused = "address-reused",
    /// A policy's pod is being deleted.
    TerminatingTarget = "terminating-target",
    /// A namespace of peers goes.
    NamespaceRemoved = "namespace-removed",
    /// Two rules of one range, of which one names ports.
    SameRangeTwice = "same-range-twice",
    /// The node of an isolated pod connects to it.
    OwnNode = "own-node",
    /// An isolated pod connects to its node.
    ToOwnNode = "to-own-node",
    /// A pod connects to itself.
    Itself = "itself",
    /// An ipBlock contains a pod's address.
    IpBlockOnPod = "ip-block-on-pod",
    /// A rule selects a pod in its node's network.
    HostNetworkPeer = "host-network-peer",
    /// A policy selects a pod in its node's network.
    HostNetworkTarget = "host-network-target",
    /// A connection, and a policy that comes and denies it.
    NewDeny = "new-deny",
    /// A connection, and the rule goes that allows it.
    RuleWithdrawn = "rule-withdrawn",
    /// A connection, and its peer loses the label by which it is allowed.
    ConnectedPeerRelabelled = "peer-relabelled",
    /// A connection, and the policy goes that allowed it.
    PolicyLifted = "policy-lifted",
    /// A connection, and another rule comes to allow it.
    AllowedByAnotherRule = "allowed-by-another-rule",
    /// A connection, and a policy for other pods.
    PolicyElsewhere = "policy-elsewhere",
    /// A connection, and labels of others.
    LabelElsewhere = "label-elsewhere",
    /// A connection, and a pod that comes elsewhere.
    PodElsewhere = "pod-elsewhere",
    /// A pod comes whose policy is there before.
    IsolatedStart = "isolated",
    /// A pod comes that is no peer of a policy that is there before.
    StrangerStarts = "stranger",
    /// A pod comes that a policy lets peers through to.
    AllowedStart = "allowed",
    /// A pod and its policy come together.
    PolicyWithPod = "policy-with-pod",
    /// A policy is replaced by one that agrees with it here and there.
    PolicyReplaced = "replaced",
    /// A policy is replaced by one that turns peers over.
    PolicyTurned = "turned",
    /// A policy comes beside another, which goes.
    PolicySucceeded = "succeeded",
    /// A pod gets the label of another policy.
    TargetRelabelled = "target-relabelled",
}

impl Topic {
    /// How its cases are run.
    pub const fn kind(self) -> Kind {
        match self {
            Self::NewDeny
            | Self::RuleWithdrawn
            | Self::ConnectedPeerRelabelled
            | Self::PolicyLifted
            | Self::AllowedByAnotherRule
            | Self::PolicyElsewhere
            | Self::LabelElsewhere
            | Self::PodElsewhere => Kind::Established,
            Self::IsolatedStart
            | Self::StrangerStarts
            | Self::AllowedStart
            | Self::PolicyWithPod => Kind::StartWindow,
            Self::PolicyReplaced
            | Self::PolicyTurned
            | Self::PolicySucceeded
            | Self::TargetRelabelled => Kind::SwapWindow,
            _ => Kind::Matrix,
        }
    }
}
