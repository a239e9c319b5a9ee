//! How input files are read.

use super::KubernetesVersion;

/// How input files are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// The Kubernetes version whose rules apply.
    pub kubernetes: KubernetesVersion,
}
