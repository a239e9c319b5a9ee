//! What a cluster can do, and what is known of its dataplane.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{ClusterPolicyApi, Family, Protocol, Via};

/// What a cluster can do. What it cannot is skipped aloud, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The cluster's kind and version, such as `embedded`.
    pub name: String,
    /// The address families that pods have.
    pub families: BTreeSet<Family>,
    /// The protocols that can be probed.
    pub protocols: BTreeSet<Protocol>,
    /// The ways by which a destination can be addressed.
    #[serde(default = "direct")]
    pub ways: BTreeSet<Via>,
    /// Whether hostNetwork pods can be made.
    pub host_network: bool,
    /// Whether hosts outside the cluster can be made.
    pub external_hosts: bool,
    /// The policies of the cluster's scope that it can be given, by kind and version. Whether
    /// its dataplane enforces them is for that to declare ([`Feature::AdminNetworkPolicies`],
    /// [`Feature::ClusterNetworkPolicies`]).
    #[serde(default)]
    pub cluster_policies: BTreeSet<ClusterPolicyApi>,
    /// Whether the dataplane reports each drop by itself.
    pub evidence: bool,
    /// What is said of its dataplane.
    #[serde(default)]
    pub dataplane: Box<Dataplane>,
    /// What is missing and why, in sentences: `no SCTP: …`.
    pub missing: Vec<String>,
}

/// Only by the pod's own address.
fn direct() -> BTreeSet<Via> {
    [Via::Pod].into()
}

/// What is said of a dataplane in advance: by its CNI file, or nothing.
///
/// None of it weakens an expectation. A deviation stays an enforcement fault, and a
/// report shows it as known; one that a case ran and did not meet is news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataplane {
    /// Its name and version, such as `calico v3.31.0`; empty where nothing is known.
    pub name: String,
    /// Whether it enforces NetworkPolicies. Where it does not, it is a negative
    /// control: a run passes only if every deny is seen to fail.
    pub enforces: bool,
    /// The features that it lacks, which the API makes optional.
    pub lacks: BTreeSet<Feature>,
    /// The features that it declares. Those of the cluster tier, an API that is installed
    /// apart from Kubernetes, none is taken to have that does not declare them.
    #[serde(default)]
    pub declares: BTreeSet<Feature>,
    /// Where it is known to part from the specification.
    pub deviations: Vec<Known>,
    /// What it is known to do where the API leaves it open.
    pub choices: Vec<Known>,
    /// What it was told to do wrong. What fails on such a dataplane says nothing of any
    /// other, and that something does is what it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub induced: Vec<Induced>,
}

/// A mistake that a dataplane was told to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Induced {
    /// Its name, such as `egress-ignored`.
    pub name: String,
    /// What is wrong, as a sentence.
    pub sentence: String,
}

impl Dataplane {
    /// Whether it has a feature that must be declared.
    pub fn has(&self, feature: Feature) -> bool {
        self.declares.contains(&feature) && !self.lacks.contains(&feature)
    }
}

impl Default for Dataplane {
    /// Nothing is known: it is taken to enforce everything.
    fn default() -> Self {
        Self {
            name: String::new(),
            enforces: true,
            lacks: BTreeSet::new(),
            declares: BTreeSet::new(),
            deviations: Vec::new(),
            choices: Vec::new(),
            induced: Vec::new(),
        }
    }
}

/// A part of the API that a cluster may lack and still conform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Ranges of ports (`endPort`).
    EndPort,
    /// SCTP in rules.
    Sctp,
    /// Pods with IPv4 addresses.
    Ipv4,
    /// Pods with IPv6 addresses.
    Ipv6,
    /// Connections from hosts outside the cluster to a pod's own address.
    ExternalToPod,
    /// AdminNetworkPolicy and BaselineAdminNetworkPolicy (`policy.networking.k8s.io`).
    AdminNetworkPolicies,
    /// ClusterNetworkPolicy, which took their place.
    ClusterNetworkPolicies,
    /// Services with a ClusterIP.
    Services,
    /// Named ports in policies of the cluster tier.
    ClusterTierNamedPorts,
    /// Nodes as egress peers in policies of the cluster tier.
    ClusterTierNodePeers,
}

impl Feature {
    /// Every feature, in order.
    pub const ALL: [Self; 10] = [
        Self::EndPort,
        Self::Sctp,
        Self::Ipv4,
        Self::Ipv6,
        Self::ExternalToPod,
        Self::AdminNetworkPolicies,
        Self::ClusterNetworkPolicies,
        Self::Services,
        Self::ClusterTierNamedPorts,
        Self::ClusterTierNodePeers,
    ];

    /// As it is written in files: `end-port`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndPort => "end-port",
            Self::Sctp => "sctp",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::ExternalToPod => "external-to-pod",
            Self::AdminNetworkPolicies => "admin-network-policies",
            Self::ClusterNetworkPolicies => "cluster-network-policies",
            Self::Services => "services",
            Self::ClusterTierNamedPorts => "cluster-tier-named-ports",
            Self::ClusterTierNodePeers => "cluster-tier-node-peers",
        }
    }
}

/// What becomes of connections: the two words of a policy; or, of one that was there before a
/// change came that would deny it, whether it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// It connects.
    Allow,
    /// It does not.
    Deny,
    /// It was there before, and lasts.
    Survive,
    /// It was there before, and does not.
    Cut,
}

impl Seen {
    /// Whether it is said of connections that were there before a change.
    pub const fn is_of_established(self) -> bool {
        matches!(self, Self::Survive | Self::Cut)
    }
}

/// A behaviour that is known of a dataplane: a deviation or a choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its stable identifier, such as `named-port-differing-numbers`.
    pub id: String,
    /// The feature it is about: a tag of scenarios, such as `named-port`.
    pub feature: String,
    /// What happens, in a sentence.
    pub what: String,
    /// Where it shows.
    #[serde(default)]
    pub seen: Vec<Sighting>,
    /// Where it is described.
    pub link: String,
}

/// Cells in which a known behaviour shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The identifier of the scenario; with `*` at its end, of all whose identifiers begin so.
    pub scenario: String,
    /// The cells, as an `expect` rule writes them without its intent: `a/b -> c/d:80`.
    pub cells: String,
    /// What becomes of them.
    pub outcome: Seen,
}
