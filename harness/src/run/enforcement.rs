//! Whether a cluster was ever seen to enforce a policy: what its scenarios tell each other.
//!
//! A cluster that enforces nothing, and is not declared so, would cost every step of every
//! scenario its whole deadline, and always for the same reason. So once a whole deadline
//! has passed in which no sentinel flipped, and none ever did on this cluster, later steps
//! wait for [`Settings::vain_deadline`] only. A single flip, whenever and wherever it comes,
//! ends that. Nothing passes by it: where the sentinel does not flip, nothing agrees.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Settings;

/// What is known of one cluster.
#[derive(Debug, Default)]
pub(super) struct Enforcement {
    /// Some node has shown a sentinel's flip to deny.
    seen: AtomicBool,
    /// A whole deadline has passed without one.
    vain: AtomicBool,
}

impl Enforcement {
    /// Some node enforced the sentinel's policy.
    pub(super) fn saw(&self) {
        self.seen.store(true, Ordering::Relaxed);
    }

    /// No node did within a step's whole deadline. Returns whether that is news: none ever
    /// had, and nobody has said so before.
    pub(super) fn waited_in_vain(&self) -> bool {
        !self.seen.load(Ordering::Relaxed) && !self.vain.swap(true, Ordering::Relaxed)
    }

    /// Whether a whole deadline has passed and no node ever enforced anything.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.vain.load(Ordering::Relaxed) && !self.seen.load(Ordering::Relaxed)
    }

    /// How long a step may take from the acceptance of its changes.
    pub(super) fn deadline(&self, settings: &Settings) -> Duration {
        match self.is_in_doubt() {
            true => settings.step_deadline.min(settings.vain_deadline),
            false => settings.step_deadline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_wait_in_vain_is_whole_and_a_flip_ends_that() {
        let settings = Settings::default();
        let cluster = Enforcement::default();
        assert_eq!(cluster.deadline(&settings), settings.step_deadline);
        assert!(cluster.waited_in_vain());
        assert!(!cluster.waited_in_vain());
        assert_eq!(cluster.deadline(&settings), settings.vain_deadline);
        cluster.saw();
        assert!(!cluster.is_in_doubt());
        assert_eq!(cluster.deadline(&settings), settings.step_deadline);
    }

    #[test]
    fn one_that_enforced_once_is_given_whole_deadlines() {
        let cluster = Enforcement::default();
        cluster.saw();
        assert!(!cluster.waited_in_vain());
        assert!(!cluster.is_in_doubt());
    }

    #[test]
    fn a_step_is_never_given_more_than_its_deadline() {
        let settings =
            Settings { step_deadline: Duration::from_millis(500), ..Settings::default() };
        let cluster = Enforcement::default();
        assert!(cluster.waited_in_vain());
        assert_eq!(cluster.deadline(&settings), settings.step_deadline);
    }
}
