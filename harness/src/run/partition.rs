//! A part of the scenarios, for several machines that run one suite together.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// `hash:K/N`: the `K`th of `N` parts, from 1.
///
/// A scenario belongs to the part `1 + h mod N`, where `h` are the first eight bytes of the
/// SHA-256 of its identifier in UTF-8, as a number whose highest byte comes first. So it depends on nothing
/// but the identifier: it is the same on every machine and in every version, and a scenario
/// that is added moves no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Partition {
    part: NonZeroU32,
    of: NonZeroU32,
}

/// A text that is no partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `hash:K/N` with K from 1 to N, as in `hash:2/5`, found `{0}`")]
pub struct NoPartition(String);

impl Partition {
    /// Which part it is, from 1.
    pub const fn part(&self) -> u32 {
        self.part.get()
    }

    /// How many parts there are.
    pub const fn of(&self) -> u32 {
        self.of.get()
    }

    /// Every part of as many, this one too.
    pub fn all(self) -> impl Iterator<Item = Self> {
        let of = self.of;
        (1..=of.get()).filter_map(NonZeroU32::new).map(move |part| Self { part, of })
    }

    /// Whether a scenario belongs to it.
    pub fn holds(&self, id: &str) -> bool {
        let digest = Sha256::digest(id.as_bytes());
        let number = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        number % u64::from(self.of.get()) == u64::from(self.part.get() - 1)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hash:{}/{}", self.part, self.of)
    }
}

impl FromStr for Partition {
    type Err = NoPartition;

    fn from_str(text: &str) -> Result<Self, NoPartition> {
        let parts = || {
            let (part, of) = text.strip_prefix("hash:")?.split_once('/')?;
            let (part, of): (NonZeroU32, NonZeroU32) = (part.parse().ok()?, of.parse().ok()?);
            (part <= of).then_some(Self { part, of })
        };
        parts().ok_or_else(|| NoPartition(text.to_owned()))
    }
}

impl TryFrom<String> for Partition {
    type Error = NoPartition;

    fn try_from(text: String) -> Result<Self, NoPartition> {
        text.parse()
    }
}

impl From<Partition> for String {
    fn from(partition: Partition) -> Self {
        partition.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(of: u32) -> Vec<Partition> {
        (1..=of).map(|part| format!("hash:{part}/{of}").parse().unwrap()).collect()
    }

    /// The parts are an interface: shards of different versions and machines are merged.
    #[test]
    fn the_parts_of_known_identifiers_never_change() {
        let part = |id: &str, of: u32| {
            parts(of).iter().find(|part| part.holds(id)).map(Partition::part).unwrap()
        };
        // `printf %s ID | sha256sum | cut -c-16`, modulo N, plus 1.
        let told = ["tiered-database", "ingress/plain", "special/own-node"]
            .map(|id| [part(id, 2), part(id, 5), part(id, 964)]);
        assert_eq!(told, [[1, 1, 933], [1, 5, 467], [2, 2, 898]]);
    }

    #[test]
    fn every_identifier_belongs_to_one_part() {
        for of in [1, 2, 3, 7] {
            let mut sizes = vec![0; of as usize];
            for number in 0..1000 {
                let id = format!("ingress/case-{number}");
                let own: Vec<_> = parts(of).into_iter().filter(|part| part.holds(&id)).collect();
                let [part] = own.as_slice() else { panic!("`{id}` belongs to {own:?}") };
                sizes[part.part() as usize - 1] += 1;
            }
            let even = 1000 / of;
            assert!(sizes.iter().all(|size| (even / 2..=even * 2).contains(size)), "{sizes:?}");
        }
    }

    #[test]
    fn what_is_no_partition_is_told() {
        for text in ["2/5", "hash:0/5", "hash:6/5", "hash:1/0", "hash:1", "count:1/2", "hash:-1/2"]
        {
            let error = text.parse::<Partition>().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("expected `hash:K/N` with K from 1 to N, as in `hash:2/5`, found `{text}`")
            );
        }
        let partition: Partition = "hash:2/5".parse().unwrap();
        assert_eq!(serde_json::to_string(&partition).unwrap(), "\"hash:2/5\"");
        assert_eq!(serde_json::from_str::<Partition>("\"hash:2/5\"").unwrap(), partition);
    }
}
