//! What arrived at the listeners, until it is taken.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::wire::Arrival;

/// Arrivals kept until they are taken; about 60 MB. A run takes them after every round, and a
/// round of 300 × 300 pods and two ports leaves 180,000.
const MOST_ARRIVALS: usize = 1 << 20;

/// What arrived and was not taken yet.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub(super) kept: VecDeque<(Arc<str>, Arrival)>,
    pub(super) lost: u64,
}

impl Arrivals {
    /// Moves arrivals in; the oldest make room for the newest.
    pub(super) fn append(&mut self, arrivals: &mut Vec<(Arc<str>, Arrival)>) {
        self.kept.extend(arrivals.drain(..));
        let excess = self.kept.len().saturating_sub(MOST_ARRIVALS);
        self.kept.drain(..excess);
        self.lost += excess as u64;
    }
}

/// Arrivals stay meaningful when a thread panicked while it held them.
pub(super) fn lock(arrivals: &Mutex<Arrivals>) -> MutexGuard<'_, Arrivals> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    #[test]
    fn the_oldest_arrivals_make_room_and_are_counted() {
        let mut arrivals = Arrivals::default();
        let identity: Arc<str> = Arc::from("a/b");
        let from = "127.0.0.1:1".parse().unwrap();
        let arrival = |nonce| Arrival { nonce, protocol: Protocol::Tcp, port: 80, from };
        let most = MOST_ARRIVALS as u64;
        let mut batch = (0..most + 3).map(|n| (Arc::clone(&identity), arrival(n))).collect();
        arrivals.append(&mut batch);
        assert_eq!((arrivals.lost, arrivals.kept.len()), (3, MOST_ARRIVALS));
        assert_eq!(arrivals.kept.front().map(|(_, arrival)| arrival.nonce), Some(3));
    }
}
