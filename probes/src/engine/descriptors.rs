//! How many sockets the probers of this process may hold.
//!
//! The limit of open files belongs to the process, and so does this account: two
//! probers on two threads share it.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Sockets held by all probers of this process.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Descriptors left to servers (for connections that they accept) and to everything else.
const RESERVE: usize = 512;

/// What part of the limit is few sockets.
const FEW: usize = 16;

/// What is assumed to be open where `/proc` cannot be read.
const ASSUMED_OPEN: usize = 256;

/// Raises the soft limit of open files to the hard limit, which needs no privilege (setrlimit(2)).
pub(crate) fn raise_limit() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}

/// How many sockets all probers together may hold from now on, for so many more attempts.
pub(crate) fn budget(attempts: usize) -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let held = HELD.load(Ordering::Relaxed);
    // To count what is open costs as much as some attempts. Few of them do not come near the
    // limit; where they do, opening fails, and is tried again when something has ended.
    let few = limit / FEW;
    if held.saturating_add(attempts.saturating_mul(2)) <= few {
        return few;
    }
    let open = fs::read_dir("/proc/self/fd").map_or(ASSUMED_OPEN, Iterator::count);
    share(limit, open.saturating_sub(held))
}

/// What of `limit` is left when `others` are open: never less than two, one try and its retry.
fn share(limit: usize, others: usize) -> usize {
    limit.saturating_sub(others).saturating_sub(RESERVE.min(limit / 8)).max(2)
}

/// The right to hold one socket; given back on drop.
#[derive(Debug)]
pub(crate) struct Permit(());

impl Permit {
    /// A permit, unless all probers together already hold `most`.
    pub(crate) fn take(most: usize) -> Option<Self> {
        HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            (held < most).then_some(held + 1)
        })
        .ok()
        .map(|_| Self(()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_always_left_for_a_try_and_for_the_servers() {
        let cases = [
            (20_000, 3_000, 16_488),
            (1_024, 30, 866),
            (64, 10, 46),
            (64, 64, 2),
            (usize::MAX, 10, usize::MAX - 522),
        ];
        for (limit, others, left) in cases {
            assert_eq!(share(limit, others), left, "limit {limit}, {others} open");
        }
    }
}
