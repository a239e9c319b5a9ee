//! How much was said.

use std::ops::AddAssign;

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

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.attempts += other.attempts;
    }
}
