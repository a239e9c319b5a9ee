//! What belongs to a run: the labels by which its objects are known.
//!
//! A run changes and deletes nothing that does not carry its own label. The keys
//! are under a domain that no scenario may use ([`super::reserved`]), so that no
//! selector of a policy sees them. `app.kubernetes.io/managed-by` is a label that
//! users' pods and policies do carry; it is put only on objects that no policy
//! selects.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use crate::model::Labels;

/// The domain of the keys that are the run's own.
pub const DOMAIN: &str = "ringfence.dev/";

/// The label with the run's identifier; whatever carries it was made by a run.
pub const RUN: &str = "ringfence.dev/run";

/// The label with the number of the slot.
pub const SLOT: &str = "ringfence.dev/slot";

/// The label that pods have for the selectors of their Services.
pub const POD: &str = "ringfence.dev/pod";

/// The recommended label that names the tool which manages an object
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>).
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The value of [`MANAGED_BY`], and the field manager of server-side apply.
pub const MANAGER: &str = "ringfence";

/// How many characters a run's identifier has.
const LENGTH: usize = 5;

/// What the characters of a run's identifier are.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A run's identifier: five lowercase letters or digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

/// A text that is no run's identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected five lowercase letters or digits such as `k3x9q`, found `{0}`")]
pub struct ParseRunIdError(String);

impl RunId {
    /// One of 36⁵ identifiers. It does not come from the run's seed: two runs of the
    /// same seed may be on one cluster at the same time.
    pub fn random() -> Self {
        let mut number = RandomState::new().hash_one(());
        let mut text = String::with_capacity(LENGTH);
        for _ in 0..LENGTH {
            let index = number % ALPHABET.len() as u64;
            text.push(char::from(ALPHABET[index as usize]));
            number /= ALPHABET.len() as u64;
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, ParseRunIdError> {
        if text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseRunIdError(text.to_owned()))
        }
    }
}

/// A slot of a run: one of the parts of a cluster in which scenarios run side by
/// side, and so whom an object belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The run.
    pub run: RunId,
    /// The slot's number within the run.
    pub slot: u32,
}

impl Owner {
    /// The labels of everything that belongs to the slot.
    pub fn labels(&self) -> Labels {
        Labels::from([
            (RUN.to_owned(), self.run.to_string()),
            (SLOT.to_owned(), self.slot.to_string()),
        ])
    }

    /// The labels of objects that no policy selects, neither pods nor namespaces:
    /// those of the slot, and the recommended [`MANAGED_BY`].
    pub fn managed_labels(&self) -> Labels {
        let mut labels = self.labels();
        labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
        labels
    }

    /// The slot whose labels these are; `None` where they are no slot's.
    pub fn of(labels: &BTreeMap<String, String>) -> Option<Self> {
        let run = labels.get(RUN)?.parse().ok()?;
        let slot = labels.get(SLOT)?.parse().ok()?;
        Some(Self { run, slot })
    }

    /// Whether an object with these labels belongs to the slot.
    pub fn owns(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        labels.and_then(Self::of).is_some_and(|owner| owner == *self)
    }

    /// The label selector of everything that belongs to the slot.
    pub fn selector(&self) -> String {
        format!("{RUN}={},{SLOT}={}", self.run, self.slot)
    }
}

/// The label selector of everything that belongs to a run.
pub fn run_selector(run: &RunId) -> String {
    format!("{RUN}={run}")
}

/// The label selector of everything that belongs to any run.
pub const fn any_run_selector() -> &'static str {
    RUN
}

/// The run whose labels these are; `None` where they are no run's.
pub fn run_of(labels: Option<&BTreeMap<String, String>>) -> Option<RunId> {
    labels?.get(RUN)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { run: "k3x9q".parse().unwrap(), slot: 12 }
    }

    #[test]
    fn an_identifier_is_five_lowercase_letters_or_digits() {
        for _ in 0..100 {
            let run = RunId::random();
            assert_eq!(run.to_string().parse(), Ok(run));
        }
        assert_ne!(RunId::random(), RunId::random());
        for text in ["", "abcd", "abcdef", "ABCDE", "ab-de", "abcdé"] {
            let error = text.parse::<RunId>().unwrap_err();
            let expected = "expected five lowercase letters or digits such as `k3x9q`, found";
            assert_eq!(error.to_string(), format!("{expected} `{text}`"));
        }
    }

    #[test]
    fn a_slot_knows_its_own_and_nothing_else() {
        let owner = owner();
        assert!(owner.owns(Some(&owner.labels())));
        assert!(owner.owns(Some(&owner.managed_labels())));
        assert_eq!(Owner::of(&owner.labels()), Some(owner.clone()));
        assert_eq!(run_of(Some(&owner.labels())), Some(owner.run.clone()));
        for (key, value) in [(RUN, "k3x9p"), (SLOT, "1"), (RUN, "not a run"), (SLOT, "x")] {
            let mut labels = owner.labels();
            labels.insert(key.to_owned(), value.to_owned());
            assert!(!owner.owns(Some(&labels)), "{key}={value}");
            labels.remove(key);
            assert!(!owner.owns(Some(&labels)), "no {key}");
        }
        assert!(!owner.owns(None));
        assert_eq!(owner.selector(), "ringfence.dev/run=k3x9q,ringfence.dev/slot=12");
        assert_eq!(run_selector(&owner.run), "ringfence.dev/run=k3x9q");
    }
}
