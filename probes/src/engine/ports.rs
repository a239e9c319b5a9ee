//! Source ports: a fresh one for every try.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// Linux' own default range (`net.ipv4.ip_local_port_range`), disjoint from Kubernetes' default
/// range of node ports, 30000–32767.
const FIRST: u16 = 32_768;
const LAST: u16 = 60_999;

/// The next port of each place. All probers of a process walk together: a connection that one
/// of them made is still tracked when another dials.
static NEXT: LazyLock<Mutex<HashMap<u32, u16>>> = LazyLock::new(Mutex::default);

/// Walks through the ephemeral ports of each place.
///
/// The kernel would choose ports at random, and a repeated one can meet the
/// connection-tracking entry of an attempt that was made under other policies. The
/// walk comes back to a port only after 28,232 tries of this process from the same place. It
/// starts anywhere, so that two processes seldom start together.
#[derive(Debug, Default)]
pub(crate) struct SourcePorts(());

impl SourcePorts {
    /// The next port of a place; the caller asks again where it is taken.
    pub(crate) fn next(&mut self, place: u32) -> u16 {
        let mut walks = walks();
        let next = walks.entry(place).or_insert_with(anywhere);
        let port = *next;
        *next = if port == LAST { FIRST } else { port + 1 };
        port
    }

    /// Goes on elsewhere: another process is walking through the same ports.
    pub(crate) fn jump(&mut self, place: u32) {
        walks().insert(place, anywhere());
    }
}

fn walks() -> MutexGuard<'static, HashMap<u32, u16>> {
    // Whoever panicked did so between two changes.
    NEXT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn anywhere() -> u16 {
    // A fresh state is random; what it hashes does not matter.
    let offset = RandomState::new().hash_one(()) % (u64::from(LAST - FIRST) + 1);
    FIRST + u16::try_from(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_port_comes_back_only_after_all_others_whoever_walks() {
        // A place that no other test dials from: they share the process.
        let place = u32::MAX;
        let mut walkers = [SourcePorts::default(), SourcePorts::default()];
        let count = usize::from(LAST - FIRST) + 1;
        let walked: Vec<u16> = (0..=count).map(|turn| walkers[turn % 2].next(place)).collect();
        assert_eq!(walked.iter().collect::<HashSet<_>>().len(), count);
        assert_eq!(walked[0], walked[count]);
        assert!(walked.iter().all(|port| (FIRST..=LAST).contains(port)));
    }
}
