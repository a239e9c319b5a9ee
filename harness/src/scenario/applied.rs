//! The policies of a manifest, of namespaces and of the cluster alike.

use std::sync::Arc;

use super::manifest::{Manifest, Object};
use crate::model::{Change, ClusterPolicy, NetworkPolicy, Origin};

/// A policy that a step may apply.
#[derive(Debug, Clone)]
pub(super) enum Applied {
    OfNamespace(Arc<NetworkPolicy>),
    OfCluster(Arc<ClusterPolicy>),
}

impl Applied {
    /// Every policy of a manifest, in order.
    pub(super) fn all(manifest: &Manifest) -> Vec<Self> {
        manifest.objects.iter().filter_map(Self::of).collect()
    }

    /// The object, if it is a policy.
    pub(super) fn of(object: &Object) -> Option<Self> {
        match object {
            Object::Policy(policy) => Some(Self::OfNamespace(policy.clone())),
            Object::ClusterPolicy(policy) => Some(Self::OfCluster(policy.clone())),
            Object::Namespace(_) | Object::Pod(..) => None,
        }
    }

    /// Its name alone.
    pub(super) fn short_name(&self) -> String {
        match self {
            Self::OfNamespace(policy) => policy.name.name.to_string(),
            Self::OfCluster(policy) => policy.name.name.to_string(),
        }
    }

    /// `NAMESPACE/NAME`, or `KIND/NAME`.
    pub(super) fn name(&self) -> String {
        match self {
            Self::OfNamespace(policy) => policy.name.to_string(),
            Self::OfCluster(policy) => policy.name.to_string(),
        }
    }

    /// Where it starts.
    pub(super) fn origin(&self) -> &Origin {
        match self {
            Self::OfNamespace(policy) => &policy.origin,
            Self::OfCluster(policy) => &policy.origin,
        }
    }

    /// The change that applies it.
    pub(super) fn change(self) -> Change {
        match self {
            Self::OfNamespace(policy) => Change::ApplyPolicy(policy),
            Self::OfCluster(policy) => Change::ApplyClusterPolicy(policy),
        }
    }

    /// The sentence for a policy that takes another's place.
    pub(super) fn replaces(&self, first: &Origin) -> String {
        format!(
            "the policy `{}` at {} replaces the one of the same name at {first}",
            self.name(),
            self.origin()
        )
    }
}
