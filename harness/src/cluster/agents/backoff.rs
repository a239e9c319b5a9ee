//! How long to wait before the next try.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The first wait, at most.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double. Those of different agents differ, so that hundreds which were cut together
/// do not come back together; the same agent's are the same in every run.
#[derive(Debug)]
pub(super) struct Backoff {
    identity: String,
    tries: u32,
}

impl Backoff {
    /// The waits of the agent with this identity.
    pub(super) fn new(identity: impl Into<String>) -> Self {
        Self { identity: identity.into(), tries: 0 }
    }

    /// The next wait: between a half and the whole of what doubling gives.
    pub(super) fn next(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        let mut hasher = DefaultHasher::new();
        (&self.identity, self.tries).hash(&mut hasher);
        // The upper bits of a hash are as good as its lower ones, and no more are needed.
        let share = f64::from((hasher.finish() >> 32) as u32) / f64::from(u32::MAX);
        self.tries = self.tries.saturating_add(1);
        doubled.mul_f64(0.5 + share / 2.0)
    }

    /// It worked: the next wait is a first one again.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_begin_again() {
        let mut backoff = Backoff::new("prod/db");
        let waits: Vec<Duration> = (0..40).map(|_| backoff.next()).collect();
        for (number, wait) in waits.iter().enumerate() {
            let whole = FIRST.saturating_mul(1 << number.min(16)).min(LONGEST);
            assert!((whole / 2..=whole).contains(wait), "{number}: {wait:?}");
        }
        backoff.reset();
        assert_eq!(backoff.next(), waits[0]);
    }

    #[test]
    fn agents_wait_differently_and_the_same_in_every_run() {
        let first = |number| Backoff::new(format!("prod/db-{number}")).next();
        let waits: std::collections::BTreeSet<Duration> = (0..100).map(first).collect();
        assert!(waits.len() > 90, "{waits:?}");
        assert_eq!(first(7), first(7));
    }
}
