//! Time as a prober counts it towards deadlines.

use std::time::{Duration, Instant};

/// A longer pause than this between two looks is the machine's silence, not the network's.
const SLACK: Duration = Duration::from_millis(50);

/// A clock that stands still while the prober was not running.
///
/// A paused virtual machine or a throttled container stops both ends; counting
/// that time would turn answers that nobody could send yet into drops.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    last: Instant,
    stalled: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self { start: now, last: now, stalled: Duration::ZERO }
    }

    /// Time since the start, less the time that the prober did not run.
    pub(crate) fn now(&self) -> Duration {
        Instant::now().duration_since(self.start).saturating_sub(self.stalled)
    }

    /// Called once per pass of the loop; `waited` is how long the pass meant to wait.
    pub(crate) fn tick(&mut self, waited: Duration) {
        self.tick_at(Instant::now(), waited);
    }

    fn tick_at(&mut self, now: Instant, waited: Duration) {
        let passed = now.duration_since(self.last);
        self.last = now;
        if passed > waited + SLACK {
            self.stalled += passed - waited;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stall_stops_the_clock() {
        let mut clock = Clock::start();
        let ms = Duration::from_millis;
        let cases = [
            ("a normal wait", ms(5), ms(5), ms(0)),
            ("a late wake", ms(54), ms(5), ms(0)),
            ("a stall", ms(1000), ms(5), ms(995)),
            ("work without waiting", ms(30), ms(0), ms(995)),
        ];
        let mut now = clock.last;
        for (name, passed, waited, stalled) in cases {
            now += passed;
            clock.tick_at(now, waited);
            assert_eq!(clock.stalled, stalled, "{name}");
        }
    }
}
