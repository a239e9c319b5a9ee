//! Which kinds of policies of the cluster there are, in which versions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClusterPolicyKind, ClusterPolicyVersion};

/// The API group of every policy of the cluster.
pub const GROUP: &str = "policy.networking.k8s.io";

impl ClusterPolicyVersion {
    /// Every version, in order.
    pub const ALL: [Self; 3] = [Self::V1alpha1, Self::V1alpha2, Self::V1beta1];

    /// As `apiVersion` has it behind the group.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1alpha1 => "v1alpha1",
            Self::V1alpha2 => "v1alpha2",
            Self::V1beta1 => "v1beta1",
        }
    }
}

/// A kind in one of its versions: what a cluster serves, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterPolicyApi {
    /// AdminNetworkPolicy.
    AdminV1alpha1,
    /// BaselineAdminNetworkPolicy.
    BaselineV1alpha1,
    /// ClusterNetworkPolicy as it was first.
    ClusterV1alpha2,
    /// ClusterNetworkPolicy as it is since.
    ClusterV1beta1,
}

impl ClusterPolicyApi {
    /// Every kind in every version that it has, in order.
    pub const ALL: [Self; 4] =
        [Self::AdminV1alpha1, Self::BaselineV1alpha1, Self::ClusterV1alpha2, Self::ClusterV1beta1];

    /// The kind.
    pub const fn kind(self) -> ClusterPolicyKind {
        match self {
            Self::AdminV1alpha1 => ClusterPolicyKind::AdminNetworkPolicy,
            Self::BaselineV1alpha1 => ClusterPolicyKind::BaselineAdminNetworkPolicy,
            Self::ClusterV1alpha2 | Self::ClusterV1beta1 => ClusterPolicyKind::ClusterNetworkPolicy,
        }
    }

    /// The version.
    pub const fn version(self) -> ClusterPolicyVersion {
        match self {
            Self::AdminV1alpha1 | Self::BaselineV1alpha1 => ClusterPolicyVersion::V1alpha1,
            Self::ClusterV1alpha2 => ClusterPolicyVersion::V1alpha2,
            Self::ClusterV1beta1 => ClusterPolicyVersion::V1beta1,
        }
    }
}

impl fmt::Display for ClusterPolicyApi {
    /// `AdminNetworkPolicy v1alpha1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.version().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_every_version_is_among_them() {
        let all = ClusterPolicyApi::ALL;
        let has = |kind| all.iter().any(|api| api.kind() == kind);
        assert!(all.is_sorted() && ClusterPolicyKind::ALL.into_iter().all(has));
        for version in ClusterPolicyVersion::ALL {
            assert!(all.iter().any(|api| api.version() == version), "{version:?}");
        }
        assert_eq!(ClusterPolicyApi::ClusterV1beta1.to_string(), "ClusterNetworkPolicy v1beta1");
    }
}
