//! What `--on` names.

use std::fmt;
use std::str::FromStr;

/// A cluster that scenarios can run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClusterKind {
    /// Network namespaces of the run's own.
    Embedded,
    /// A cluster that exists already, by a context of the kubeconfig; by default its current one.
    Kubeconfig(Option<String>),
    /// A kind cluster with a CNI, as in `calico` or `calico@v3.32.1`.
    Kind(String),
}

impl fmt::Display for ClusterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Kubeconfig(None) => f.write_str("kubeconfig"),
            Self::Kubeconfig(Some(context)) => write!(f, "kubeconfig:{context}"),
            Self::Kind(cni) => write!(f, "kind:{cni}"),
        }
    }
}

/// A text that names no cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `embedded`, `kind:CNI[@VERSION]` or `kubeconfig[:CONTEXT]` as the cluster to run on, found `{0}`"
)]
pub(super) struct UnknownCluster(String);

impl FromStr for ClusterKind {
    type Err = UnknownCluster;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "embedded" => Ok(Self::Embedded),
            None if text == "kubeconfig" => Ok(Self::Kubeconfig(None)),
            // Contexts may hold colons, as those of EKS do.
            Some(("kubeconfig", context)) if !context.is_empty() => {
                Ok(Self::Kubeconfig(Some(context.to_owned())))
            }
            Some(("kind", cni)) if !cni.is_empty() => Ok(Self::Kind(cni.to_owned())),
            _ => Err(UnknownCluster(text.to_owned())),
        }
    }
}
