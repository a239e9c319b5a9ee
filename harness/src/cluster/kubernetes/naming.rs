//! The names that a scenario's namespaces have in a cluster.
//!
//! Several scenarios run at once on one cluster, some of which is not the run's at
//! all. So a slot's namespaces get the prefix `rf-RUN-SLOT-`. No two names of one
//! slot become the same, nor do two of different slots: a run's identifier has a
//! fixed length and a slot's number no hyphen.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::owner::Owner;
use crate::model::Name;

/// The longest that a namespace's name, a label's value and a Service's name may be
/// (RFC 1123 and RFC 1035 labels).
pub const LIMIT: usize = 63;

/// How much is kept of a name that is too long. The rest is of its hash: 48 bits at least.
const KEPT: usize = 50;

/// How namespaces are named in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// As they are declared: the cluster is the scenario's alone.
    Exact,
    /// With the prefix of a slot.
    Prefixed(Owner),
}

impl Naming {
    /// What stands before every name; empty for [`Naming::Exact`].
    pub fn prefix(&self) -> String {
        match self {
            Self::Exact => String::new(),
            Self::Prefixed(Owner { run, slot }) => format!("rf-{run}-{slot}-"),
        }
    }

    /// The name in the cluster of a namespace that is called so in the scenario.
    pub fn namespace(&self, declared: &str) -> Name {
        match self {
            Self::Exact => Name::from(declared),
            Self::Prefixed(_) => Name::from(fit(&(self.prefix() + declared))),
        }
    }

    /// The way back: which of the scenario's namespaces is called so in the cluster.
    /// A name that was cut cannot be told without them.
    pub fn declared<'n>(
        &self,
        in_cluster: &str,
        among: impl IntoIterator<Item = &'n Name>,
    ) -> Option<&'n Name> {
        among.into_iter().find(|name| *self.namespace(name) == *in_cluster)
    }
}

/// A text as it is, or, where it has [`LIMIT`] characters or more, its beginning and
/// its hash, [`LIMIT`] long together: what was cut and what was not cannot be the same.
/// The text is ASCII, as every name in the API is.
pub(super) fn fit(text: &str) -> String {
    if text.len() < LIMIT {
        return text.to_owned();
    }
    hashed(text)
}

/// The beginning of a text and enough of its hash to be [`LIMIT`] long.
pub(super) fn hashed(text: &str) -> String {
    let mut name: String = text.chars().take(KEPT).collect();
    name.push('-');
    for byte in Sha256::digest(text) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.truncate(LIMIT);
    name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn prefixed(run: &str, slot: u32) -> Naming {
        Naming::Prefixed(Owner { run: run.parse().unwrap(), slot })
    }

    #[test]
    fn names_get_the_prefix_of_their_slot() {
        assert_eq!(&*Naming::Exact.namespace("prod"), "prod");
        assert_eq!(&*prefixed("k3x9q", 4).namespace("prod"), "rf-k3x9q-4-prod");
        // 62 characters with the prefix are kept; from 63 on a name ends in its hash.
        let naming = prefixed("k3x9q", 4);
        let kept = "a".repeat(62 - naming.prefix().len());
        assert_eq!(&*naming.namespace(&kept), format!("rf-k3x9q-4-{kept}"));
        let cut = naming.namespace(&(kept + "a"));
        assert_eq!(
            &*cut,
            format!("rf-k3x9q-4-{}-{}", "a".repeat(39), &cut[cut.len() - 12..]),
            "{cut}"
        );
        assert_eq!(cut.len(), LIMIT);
    }

    #[test]
    fn the_way_back_knows_names_that_were_cut() {
        let naming = prefixed("k3x9q", 4);
        let names = ["prod".to_owned(), "x".repeat(63), format!("{}y", "x".repeat(62))];
        let names = names.map(Name::from);
        for name in &names {
            assert_eq!(naming.declared(&naming.namespace(name), &names), Some(name));
        }
        assert_eq!(naming.declared("rf-k3x9q-5-prod", &names), None);
        assert_eq!(naming.declared("kube-system", &names), None);
        assert_eq!(Naming::Exact.declared("prod", &names), Some(&names[0]));
    }

    proptest! {
        /// Every name stays a DNS label, and names of one or of several slots stay apart.
        #[test]
        fn different_names_stay_different(
            names in prop::collection::btree_set("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", 2..8),
            slots in prop::collection::btree_set(0_u32..200, 1..4),
        ) {
            let mut seen = BTreeSet::new();
            for slot in &slots {
                for name in &names {
                    let name = prefixed("ab3de", *slot).namespace(name);
                    prop_assert!(name.len() <= LIMIT && !name.ends_with('-'), "{}", name);
                    prop_assert!(name.starts_with("rf-ab3de-"), "{}", name);
                    seen.insert(name);
                }
            }
            prop_assert_eq!(seen.len(), names.len() * slots.len());
        }
    }
}
