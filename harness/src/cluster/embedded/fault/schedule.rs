//! When what was decided lands on a node.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Fault;

/// Enforcement that comes late at random, and at another time on every node: that of a slow
/// dataplane without a fault. New pods wait for the policies that were enforced before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// What the delays follow from, with the node and the number of the change.
    pub seed: u64,
    /// The longest, in milliseconds.
    pub longest_ms: u64,
}

/// How late [`Fault::NodeUpdatedLate`] is.
const LATE: Duration = Duration::from_secs(3);

/// For how long [`Fault::NewPodIsolatedLate`] leaves a pod open.
const OPEN: Duration = Duration::from_millis(400);

/// The node of the faults that are about one.
const NODE: usize = 0;

/// When rulesets land.
#[derive(Debug)]
pub(super) struct Schedule {
    delay: Option<Delay>,
    never: bool,
    late: bool,
    new_pods_open: bool,
}

impl Schedule {
    pub(super) fn new(faults: &[Fault], delay: Option<Delay>) -> Self {
        Self {
            delay,
            never: faults.contains(&Fault::NodeNeverUpdated),
            late: faults.contains(&Fault::NodeUpdatedLate),
            new_pods_open: faults.contains(&Fault::NewPodIsolatedLate),
        }
    }

    /// How long a node takes to enforce a change, by their numbers; `None`: for ever.
    pub(super) fn after(&self, node: usize, change: u64) -> Option<Duration> {
        if node == NODE && self.never {
            return None;
        }
        let slow = self.delay.map_or(Duration::ZERO, |delay| delay.of(node, change));
        Some(if node == NODE && self.late { LATE + slow } else { slow })
    }

    /// How long pods run without isolation.
    pub(super) fn new_pods_open(&self) -> Option<Duration> {
        self.new_pods_open.then_some(OPEN)
    }
}

impl Delay {
    fn of(self, node: usize, change: u64) -> Duration {
        let place = (node as u64) << 32 | change;
        // Neighbouring seeds have similar first numbers: each draws from another's stream.
        let seed = fastrand::Rng::with_seed(self.seed).u64(..) ^ place;
        Duration::from_millis(fastrand::Rng::with_seed(seed).u64(0..=self.longest_ms))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn delays_follow_from_seed_node_and_change() {
        let delay = Delay { seed: 7, longest_ms: 800 };
        let drawn: Vec<Duration> =
            (0..50).flat_map(|change| (0..2).map(move |node| delay.of(node, change))).collect();
        assert!(drawn.iter().all(|delay| *delay <= Duration::from_millis(800)));
        assert!(drawn.iter().collect::<BTreeSet<_>>().len() > 80, "{drawn:?}");
        assert_eq!(drawn[3], delay.of(1, 1));
        assert_ne!(drawn[3], Delay { seed: 8, ..delay }.of(1, 1));
    }

    #[test]
    fn only_the_first_node_is_left_out_or_late() {
        let none = Schedule::new(&[], None);
        assert_eq!((none.after(0, 1), none.new_pods_open()), (Some(Duration::ZERO), None));
        let never = Schedule::new(&[Fault::NodeNeverUpdated, Fault::NodeUpdatedLate], None);
        assert_eq!((never.after(0, 1), never.after(1, 1)), (None, Some(Duration::ZERO)));
        let late = Schedule::new(&[Fault::NodeUpdatedLate], None);
        assert_eq!((late.after(0, 1), late.after(1, 1)), (Some(LATE), Some(Duration::ZERO)));
        assert!(Schedule::new(&[Fault::NewPodIsolatedLate], None).new_pods_open().is_some());
    }
}
