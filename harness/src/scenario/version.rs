//! Which Kubernetes version's rules apply.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Kubernetes version, as far as its API rules depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KubernetesVersion {
    /// The major version, 1 so far.
    pub major: u32,
    /// The minor version.
    pub minor: u32,
}

impl KubernetesVersion {
    /// `1.minor`.
    pub const fn v1(minor: u32) -> Self {
        Self { major: 1, minor }
    }
}

impl Default for KubernetesVersion {
    /// 1.36, the version whose validation this crate follows most closely.
    fn default() -> Self {
        Self::v1(36)
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is no Kubernetes version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a Kubernetes version such as `1.36` or `v1.36.2`, found `{0}`")]
pub struct ParseVersionError(pub String);

impl FromStr for KubernetesVersion {
    type Err = ParseVersionError;

    /// Reads `1.36`, `v1.36` and `v1.36.2`; a patch version and what follows it changes no rule.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseVersionError(text.to_owned());
        let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad);
        let version = Self { major: number()?, minor: number()? };
        match parts.next() {
            Some(patch) if !patch.starts_with(|c: char| c.is_ascii_digit()) => Err(bad()),
            _ => Ok(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for text in ["1.36", "v1.36", "1.36.2", "v1.36.2", "v1.36.2-gke.100"] {
            assert_eq!(text.parse(), Ok(KubernetesVersion::v1(36)), "{text}");
        }
        for text in ["", "1", "1.x", "v", "1.36.", "latest"] {
            assert!(text.parse::<KubernetesVersion>().is_err(), "{text}");
        }
        assert!(KubernetesVersion::v1(9) < KubernetesVersion::v1(36));
    }
}
