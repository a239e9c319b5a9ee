//! What a policy of the cluster is called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::Name;
use super::rule::ClusterAction;

/// The kinds of policies of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterPolicyKind {
    /// `v1alpha1`, with priorities.
    AdminNetworkPolicy,
    /// `v1alpha1`; there is one, named `default`.
    BaselineAdminNetworkPolicy,
    /// `v1alpha2` and `v1beta1`, of either tier.
    ClusterNetworkPolicy,
}

impl ClusterPolicyKind {
    /// Every kind, in order.
    pub const ALL: [Self; 3] =
        [Self::AdminNetworkPolicy, Self::BaselineAdminNetworkPolicy, Self::ClusterNetworkPolicy];

    /// As a manifest has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AdminNetworkPolicy => "AdminNetworkPolicy",
            Self::BaselineAdminNetworkPolicy => "BaselineAdminNetworkPolicy",
            Self::ClusterNetworkPolicy => "ClusterNetworkPolicy",
        }
    }

    /// The kind's word for an action: what `v1alpha1` calls `Allow` is `Accept` since.
    pub const fn word(self, action: ClusterAction) -> &'static str {
        match (action, self) {
            (ClusterAction::Accept, Self::ClusterNetworkPolicy) => "Accept",
            (ClusterAction::Accept, _) => "Allow",
            (ClusterAction::Deny, _) => "Deny",
            (ClusterAction::Pass, _) => "Pass",
        }
    }
}

impl fmt::Display for ClusterPolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A policy's kind and name; it has no namespace.
///
/// Its text form is `AdminNetworkPolicy/NAME`: no namespace has capital letters, so it
/// cannot be mistaken for a [`crate::model::PolicyName`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterPolicyName {
    /// Its kind.
    pub kind: ClusterPolicyKind,
    /// Its name.
    pub name: Name,
}

impl ClusterPolicyName {
    /// A policy's name from its two parts.
    pub fn new(kind: ClusterPolicyKind, name: &str) -> Self {
        Self { kind, name: Name::from(name) }
    }
}

impl fmt::Display for ClusterPolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A text that names no policy of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `KIND/NAME` with a kind such as `ClusterNetworkPolicy`, found `{0}`")]
pub struct ParseClusterPolicyNameError(pub String);

impl FromStr for ClusterPolicyName {
    type Err = ParseClusterPolicyNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/').and_then(|(kind, name)| {
            let kind = ClusterPolicyKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
            (!name.is_empty() && !name.contains('/')).then(|| Self::new(kind, name))
        });
        parts.ok_or_else(|| ParseClusterPolicyNameError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in ["AdminNetworkPolicy/a.b", "BaselineAdminNetworkPolicy/default"] {
            assert_eq!(text.parse::<ClusterPolicyName>().unwrap().to_string(), text);
        }
        for text in ["", "AdminNetworkPolicy", "AdminNetworkPolicy/", "prod/a", "NetworkPolicy/a"] {
            assert_eq!(
                text.parse::<ClusterPolicyName>(),
                Err(ParseClusterPolicyNameError(text.to_owned()))
            );
        }
    }
}
