//! What one condition of a rule says of a connection.

use serde::{Deserialize, Serialize};

use crate::model::{Clause, MissingFact};

/// How a peer, a port entry or a whole rule answers to one connection.
///
/// The order is the order of weight when alternatives are combined: what
/// matches for certain settles it, then what the API leaves open, then what
/// a missing fact leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "why", rename_all = "kebab-case")]
pub enum Answer {
    /// It matches.
    Yes,
    /// The API leaves open whether it matches.
    Open(Clause),
    /// Whether it matches hangs on a fact that is missing.
    Missing(MissingFact),
    /// It does not match.
    No,
}

impl Answer {
    /// Lower settles more. Clauses and facts weigh by their own order, so that the order
    /// of rules does not choose between them.
    const fn weight(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::Open(clause) => 1 + clause as u8,
            Self::Missing(fact) => 0x40 + fact as u8,
            Self::No => u8::MAX,
        }
    }

    /// Either of two alternatives: "Each item in this list is combined using a
    /// logical OR" (`NetworkPolicyIngressRule.ports`, and likewise `from` and `to`).
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if other.weight() < self.weight() { other } else { self }
    }

    /// Both of two conditions: "The traffic must match both ports and from."
    /// (`NetworkPolicyIngressRule`)
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, other) | (other, Self::Yes) => other,
            (one, other) => one.or(other),
        }
    }

    /// The strongest of several alternatives and which one gave it first;
    /// `No` and `None` where there is none that might match.
    pub(super) fn strongest(answers: impl Iterator<Item = Self>) -> (Self, Option<usize>) {
        let mut best = (Self::No, None);
        for (index, answer) in answers.enumerate() {
            if answer.weight() < best.0.weight() {
                best = (answer, Some(index));
                if answer == Self::Yes {
                    break;
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_take_the_strongest_and_conditions_the_weakest() {
        let open = Answer::Open(Clause::IpBlockOnPod);
        let missing = Answer::Missing(MissingFact::Address);
        for (left, right, or, and) in [
            (Answer::Yes, Answer::No, Answer::Yes, Answer::No),
            (Answer::Yes, open, Answer::Yes, open),
            (open, missing, open, open),
            (missing, Answer::No, missing, Answer::No),
            (Answer::No, Answer::No, Answer::No, Answer::No),
            (missing, Answer::Yes, Answer::Yes, missing),
        ] {
            assert_eq!(left.or(right), or, "{left:?} or {right:?}");
            assert_eq!(right.or(left), or, "{right:?} or {left:?}");
            assert_eq!(left.and(right), and, "{left:?} and {right:?}");
            assert_eq!(right.and(left), and, "{right:?} and {left:?}");
        }
        let (best, index) = Answer::strongest([Answer::No, missing, open, open].into_iter());
        assert_eq!((best, index), (open, Some(2)));
        assert_eq!(Answer::strongest(std::iter::empty()), (Answer::No, None));
    }
}
