//! Policies of the whole cluster, `policy.networking.k8s.io`, in one form.
//!
//! AdminNetworkPolicy and BaselineAdminNetworkPolicy (`v1alpha1`) and
//! ClusterNetworkPolicy (`v1alpha2`, `v1beta1`) say the same things in different words.
//! What they differ in beyond words is kept: the kind, and with it the version's text.
//! Types and fields are those of kubernetes-sigs/network-policy-api, `apis/`.

mod api;
mod name;
mod rule;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Direction, LabelSelector, Origin};
pub use api::{ClusterPolicyApi, GROUP};
pub use name::{ClusterPolicyKind, ClusterPolicyName, ParseClusterPolicyNameError};
pub use rule::{ClusterAction, ClusterPeer, ClusterPort, ClusterRule};

/// A version of `policy.networking.k8s.io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterPolicyVersion {
    /// AdminNetworkPolicy and BaselineAdminNetworkPolicy.
    V1alpha1,
    /// ClusterNetworkPolicy.
    V1alpha2,
    /// ClusterNetworkPolicy, which says the same there.
    V1beta1,
}

/// Before or after the NetworkPolicies.
///
/// "Policy tiers are evaluated in the following order: Admin tier, NetworkPolicy tier,
/// Baseline tier. ClusterNetworkPolicy can use 2 of these tiers: Admin and Baseline."
/// (`ClusterNetworkPolicySpec.tier`)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Before them: an AdminNetworkPolicy, or `tier: Admin`.
    Admin,
    /// After them: a BaselineAdminNetworkPolicy, or `tier: Baseline`.
    Baseline,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Admin => "Admin",
            Self::Baseline => "Baseline",
        })
    }
}

/// A policy of the cluster.
///
/// "Any well-defined ClusterNetworkPolicy rules should be read as-is, i.e. there will not
/// be any implicit isolation effects for the Pods selected" (the API's overview): a policy
/// without rules for a direction has no effect there, and absent and empty rules are one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterPolicy {
    /// Kind and name.
    pub name: ClusterPolicyName,
    /// The version that it is written in.
    pub version: ClusterPolicyVersion,
    /// Its tier.
    pub tier: Tier,
    /// `spec.priority`, from 0, which is asked first, to 1000; `None` for a
    /// BaselineAdminNetworkPolicy, which is alone.
    pub priority: Option<u16>,
    /// `spec.subject`: the pods that it is about.
    pub subject: ClusterSubject,
    /// `spec.ingress`, in order: the first rule that matches decides.
    pub ingress: Vec<ClusterRule>,
    /// `spec.egress`, in order: the first rule that matches decides.
    pub egress: Vec<ClusterRule>,
    /// Where the object starts.
    pub origin: Origin,
    /// The object as it was written, for clusters that are given it unchanged.
    pub manifest: serde_json::Value,
}

impl ClusterPolicy {
    /// The kind and version that it is written in.
    pub const fn api(&self) -> ClusterPolicyApi {
        match (self.name.kind, self.version) {
            (ClusterPolicyKind::AdminNetworkPolicy, _) => ClusterPolicyApi::AdminV1alpha1,
            (ClusterPolicyKind::BaselineAdminNetworkPolicy, _) => {
                ClusterPolicyApi::BaselineV1alpha1
            }
            (ClusterPolicyKind::ClusterNetworkPolicy, ClusterPolicyVersion::V1beta1) => {
                ClusterPolicyApi::ClusterV1beta1
            }
            (ClusterPolicyKind::ClusterNetworkPolicy, _) => ClusterPolicyApi::ClusterV1alpha2,
        }
    }

    /// Its rules for a direction.
    pub fn rules(&self, direction: Direction) -> &[ClusterRule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// Which pods a policy is about; "host-networked pods are not included in subject
/// selection" (`ClusterNetworkPolicySubject`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ClusterSubject {
    /// Every pod of these namespaces.
    Namespaces {
        /// The namespaces' labels.
        selector: LabelSelector,
        /// Where it starts.
        origin: Origin,
    },
    /// These pods of these namespaces.
    Pods {
        /// The namespaces' labels; an absent selector is an empty one.
        namespace_selector: LabelSelector,
        /// The pods' labels.
        pod_selector: LabelSelector,
        /// Where it starts.
        origin: Origin,
    },
}
