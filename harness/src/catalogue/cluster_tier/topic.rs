//! What cases of the cluster tier are about that stand outside the axes.

use std::fmt;

use crate::catalogue::topic::topics;

topics! {
    /// A policy without rules has no effect.
    NoRules = "no-rules",
    /// As many rules as a policy may have, of which the last decides.
    MostRules = "most-rules",
    /// The one policy is deleted.
    LastPolicyDeleted = "last-policy-deleted",
    /// What one end accepts, the other may deny.
    BothEndsDecide = "both-ends-decide",
    /// A pod that may send nothing answers.
    RepliesOfDenied = "replies-of-denied",
    /// Policies of equal priority that are about different peers.
    EqualPrioritiesApart = "equal-priorities-apart",
    /// Policies of equal priority that decide otherwise.
    EqualPrioritiesDisagree = "equal-priorities-disagree",
    /// Policies of two versions of the API that decide otherwise.
    MixedVersions = "mixed-versions",
    /// A pod connects to its own address.
    Itself = "itself",
    /// A policy's subject has a pod in its node's network.
    HostNetworkSubject = "host-network-subject",
    /// A rule's peers have a pod in its node's network.
    HostNetworkPeer = "host-network-peer",
    /// A rule names the node in whose network a pod is.
    HostNetworkNode = "host-network-node",
    /// A rule names hosts by their domain names.
    DomainNames = "domain-names",
}
