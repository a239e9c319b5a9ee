//! What the scenarios of a run were chosen from: runs with the same suite can be resumed and merged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::partition::Partition;
use crate::scenario::digest_of_list;

/// What the scenarios of a run were chosen from, and by which options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteInfo {
    /// How many scenarios there are, those of all parts.
    pub scenarios: usize,
    /// The digest of all of them: [`digest_of_list`] of their own
    /// ([`Scenario::digest`](crate::scenario::Scenario::digest)), by identifier.
    pub digest: String,
    /// By which options they were chosen from all that there are; empty: they are all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selection: String,
    /// Which part of them the run has; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// The parts that are missing, where the records of others were put together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Partition>,
    /// Why the records that were put together may not be those of one whole run, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// The options that results depend on, by name, and their values; those with their default are
    /// not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

impl SuiteInfo {
    /// Of the identifiers and digests of all scenarios, whatever part of them a run has.
    pub fn new<'a>(
        scenarios: impl Iterator<Item = (&'a str, &'a str)>,
        selection: String,
        partition: Option<Partition>,
        options: BTreeMap<String, String>,
    ) -> Self {
        let own = |(id, digest): (&str, &str)| (id.to_owned(), digest.to_owned());
        let all: BTreeMap<String, String> = scenarios.map(own).collect();
        Self {
            scenarios: all.len(),
            digest: digest_of_list(&all),
            selection,
            partition,
            missing: Vec::new(),
            doubts: Vec::new(),
            options,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_known_by_its_scenarios_whatever_their_order() {
        let suite = |all: &[(&'static str, &'static str)]| {
            SuiteInfo::new(all.iter().copied(), String::new(), None, BTreeMap::new())
        };
        let both = suite(&[("a", "1"), ("b", "2")]);
        assert_eq!((both.scenarios, &both), (2, &suite(&[("b", "2"), ("a", "1")])));
        for other in [&[("a", "1")][..], &[("a", "1"), ("b", "3")], &[("a", "1"), ("c", "2")]] {
            assert_ne!(suite(other).digest, both.digest);
        }
    }
}
