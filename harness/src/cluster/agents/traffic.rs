//! How much was said.

use std::sync::atomic::{AtomicU64, Ordering};

/// What went over the streams to agents, and for how many attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bytes sent to agents, those sent again included.
    pub sent: u64,
    /// Bytes that came from agents.
    pub received: u64,
    /// Attempts whose results came.
    pub attempts: u64,
}

/// Counts for all sessions together.
#[derive(Debug, Default)]
pub(super) struct Counter {
    sent: AtomicU64,
    received: AtomicU64,
    attempts: AtomicU64,
}

impl Counter {
    /// Bytes went out.
    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes came in.
    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Results came in.
    pub(super) fn attempts(&self, results: usize) {
        self.attempts.fetch_add(results as u64, Ordering::Relaxed);
    }

    /// What it was in all.
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            attempts: self.attempts.load(Ordering::Relaxed),
        }
    }
}
