//! What cases are about that stand outside the axes.

use std::fmt;

use super::kind::Kind;

macro_rules! topics {
    ($($(#[$doc:meta])* $topic:ident = $text:literal,)+) => {
        /// What a case of a special family is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Topic { $($(#[$doc])* $topic,)+ }

        impl Topic {
            /// Every topic.
            pub const ALL: &'static [Self] = &[$(Self::$topic,)+];

            /// Its name in identifiers and tags.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$topic => $text,)+ }
            }
        }
    };
}

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

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}
