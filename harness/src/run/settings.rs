//! Every wait, retry and deadline of a run, in numbers.

use std::path::PathBuf;
use std::time::Duration;

/// What a run may be told. Every default is the constant beside its field.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether an intent that rests on an undefined cell is a policy fault.
    pub strict: bool,
    /// The seed of everything random; printed, so that a run can be repeated.
    pub seed: u64,
    /// How long the cluster may take to deploy a scenario. Default 600 s: a
    /// real cluster pulls images.
    pub deploy_deadline: Duration,
    /// How long a single change or round may take beyond what it waits for by
    /// itself. Default 150 s: after that the cluster is taken to hang.
    pub call_deadline: Duration,
    /// How long paths may take to open, before any policy and after all are
    /// lifted. Default 30 s.
    pub control_deadline: Duration,
    /// How long a step may take from the acceptance of its changes. Default 30 s.
    pub step_deadline: Duration,
    /// How long a step may take where a whole step's deadline passed before and no node was
    /// ever seen to enforce a policy on this cluster. Default 3 s: enough to see one that has
    /// begun to, and a cluster that never will takes minutes, not hours.
    pub vain_deadline: Duration,
    /// How long teardown may take. Default 60 s.
    pub teardown_deadline: Duration,
    /// How long it may take to remove what the scenarios of one cluster shared.
    /// Default 300 s: nodes are removed one after the other.
    pub close_deadline: Duration,
    /// Where failure bundles go; `None` writes none.
    pub bundles: Option<PathBuf>,
    /// How long a cell may still differ once the cluster has shown, on every
    /// node, that it has looked at the step, and twice the slowest enforcement
    /// seen has passed too. Default 1 s.
    pub patience: Duration,
    /// How many rounds in a row must differ alike before a cell is taken to be
    /// wrong. Default 3; never below 2.
    pub differing_rounds: u32,
    /// How long a step is looked at, at least, on a cluster that is declared to enforce
    /// nothing, before its denies are taken to have failed. Default 1 s: dataplanes that
    /// enforce do so within some hundred milliseconds, and a negative control that
    /// is right should not take long.
    pub unenforced_window: Duration,
    /// How long the cluster may take to hand over what belongs into a failure
    /// bundle. Default 60 s.
    pub artifacts_deadline: Duration,
    /// How long silence must last to count as a drop.
    pub silence: Silence,
    /// The pause between rounds that do not settle a step.
    pub pause: Pause,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strict: false,
            seed: 0,
            deploy_deadline: Duration::from_secs(600),
            call_deadline: Duration::from_secs(150),
            control_deadline: Duration::from_secs(30),
            step_deadline: Duration::from_secs(30),
            vain_deadline: Duration::from_secs(3),
            teardown_deadline: Duration::from_secs(60),
            close_deadline: Duration::from_secs(300),
            bundles: None,
            patience: Duration::from_secs(1),
            differing_rounds: 3,
            unenforced_window: Duration::from_secs(1),
            artifacts_deadline: Duration::from_secs(60),
            silence: Silence::default(),
            pause: Pause::default(),
        }
    }
}

/// How many rounds in a row must agree to settle a cell.
pub const AGREEING_ROUNDS: u32 = 2;

/// By how much the slowest enforcement seen on a cluster is multiplied before a
/// cell that differs may be called wrong.
pub const ENFORCEMENT_MARGIN: u32 = 2;

/// How much later than the sentinel's flip, in deadlines of silence, the round begins that
/// decides: or as long as the slowest enforcement seen, where that is less. With that
/// round's own deadline, a step costs less than three.
pub const FLIP_MARGIN: f64 = 1.5;

/// In how many of the last rounds the slowest allowed latency is looked for.
pub const MEASURED_ROUNDS: usize = 8;

/// While a step is watched, the floor of how long silence must last: shorter than in rounds,
/// since what is silent makes a turn as long, and moments are as exact as turns. A stall
/// shows in the witness, which is tried in every turn.
pub const WATCHED_SILENCE: Duration = Duration::from_millis(100);

/// The same where pods come with the changes. Until a pod is wired nothing answers for it, so
/// that every turn lasts as long: how soon what gets through to it is seen follows from this.
pub const STARTING_SILENCE: Silence =
    Silence { floor: Duration::from_millis(20), multiple: 2, ceiling: Duration::from_millis(100) };

/// From one turn of a watch to the next, at least.
pub const WATCHED_INTERVAL: Duration = Duration::from_millis(2);

/// How long a step is watched before its changes are made.
pub const WATCHED_BEFORE: Duration = Duration::from_millis(30);

/// How long a step is watched after its changes were accepted, beyond twice the slowest
/// enforcement seen and several turns in which something is silent.
pub const WATCHED_AFTER: Duration = Duration::from_millis(100);

/// How many such turns.
pub const WATCHED_TURNS: u32 = 3;

/// How long silence must last to count as a drop: a multiple of the slowest
/// answer ([`Observation::answer_time`]) to an allowed attempt in the last
/// [`MEASURED_ROUNDS`] rounds on this cluster, between a floor and a ceiling. The
/// value is written into every round of the record.
///
/// [`Observation::answer_time`]: crate::model::Observation::answer_time
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Never shorter than this. Default 250 ms: an idle machine answers within
    /// 20 ms, a busy one within 110 ms.
    pub floor: Duration,
    /// Times the slowest allowed latency. Default 10.
    pub multiple: u32,
    /// Never longer than this. While paths are shown open and nothing is known
    /// of them, the deadline starts at the floor and doubles up to this with every
    /// round that leaves one shut.
    /// Default 2 s: above one second, which is when TCP sends a lost SYN again
    /// for the first time (RFC 6298, section 2.1).
    pub ceiling: Duration,
}

impl Default for Silence {
    fn default() -> Self {
        Self { floor: Duration::from_millis(250), multiple: 10, ceiling: Duration::from_secs(2) }
    }
}

impl Silence {
    /// The deadline that follows from the slowest allowed latency just seen.
    pub fn deadline(&self, slowest: Option<Duration>) -> Duration {
        slowest.map_or(self.ceiling, |slowest| {
            slowest.saturating_mul(self.multiple).max(self.floor).min(self.ceiling)
        })
    }
}

/// The pause between rounds that do not settle anything: it starts small and
/// doubles, so that a fast cluster is seen at once and a slow one is not flooded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The first pause. Default 5 ms.
    pub first: Duration,
    /// The longest. Default 500 ms.
    pub longest: Duration,
}

impl Default for Pause {
    fn default() -> Self {
        Self { first: Duration::from_millis(5), longest: Duration::from_millis(500) }
    }
}

impl Pause {
    /// The pause after so many rounds that did not settle anything, from 0.
    pub fn after(&self, rounds: u32) -> Duration {
        let factor = 2_u32.checked_pow(rounds).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_follows_the_slowest_allowed_latency() {
        let silence = Silence::default();
        let ms = Duration::from_millis;
        for (slowest, deadline) in [
            (None, ms(2000)),
            (Some(ms(0)), ms(250)),
            (Some(ms(25)), ms(250)),
            (Some(ms(60)), ms(600)),
            (Some(ms(500)), ms(2000)),
            (Some(Duration::MAX), ms(2000)),
        ] {
            assert_eq!(silence.deadline(slowest), deadline, "{slowest:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pause = Pause::default();
        let millis: Vec<_> = [0, 1, 2, 6, 7, 40].map(|n| pause.after(n).as_millis()).into();
        assert_eq!(millis, [5, 10, 20, 320, 500, 500]);
    }
}
