//! Where a run's events go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Event, Line};

/// Stamps events with their time, cluster and scenario, and hands them on.
///
/// Lines of one scenario arrive in the order in which they happened; lines of
/// scenarios that run at the same time are mixed.
#[derive(Clone)]
pub struct EventSink {
    take: Arc<dyn Fn(Line) + Send + Sync>,
    started: Instant,
    /// How long an earlier part of the run had run.
    before: Duration,
    cluster: Arc<str>,
    scenario: Arc<str>,
}

impl EventSink {
    /// A sink that hands every line to a function, for the run as a whole.
    ///
    /// The function is called from several threads, must not block for long,
    /// and must not panic.
    pub fn new(take: impl Fn(Line) + Send + Sync + 'static) -> Self {
        Self {
            take: Arc::new(take),
            started: Instant::now(),
            before: Duration::ZERO,
            cluster: Arc::from(""),
            scenario: Arc::from(""),
        }
    }

    /// A sink with the other end of a channel, which ends when every clone of
    /// the sink is gone.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Line>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        // A receiver that has gone wants no more lines; the run goes on to its teardown.
        (Self::new(move |line| drop(sender.send(line))), receiver)
    }

    /// A sink of a run that goes on: its clock goes on too.
    pub fn after(self, before: Duration) -> Self {
        Self { before, ..self }
    }

    /// The sink of one scenario on one cluster, with the run's clock.
    pub fn of(&self, cluster: &str, scenario: &str) -> Self {
        Self { cluster: Arc::from(cluster), scenario: Arc::from(scenario), ..self.clone() }
    }

    /// A sink that shows every line to a function too, before it is handed on.
    pub(super) fn also(&self, look: impl Fn(&Line) + Send + Sync + 'static) -> Self {
        let take = self.take.clone();
        let both = move |line: Line| {
            look(&line);
            take(line);
        };
        Self { take: Arc::new(both), ..self.clone() }
    }

    /// The cluster of its lines; empty for the run as a whole.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The scenario of its lines; empty for the run as a whole.
    pub fn scenario(&self) -> &str {
        &self.scenario
    }

    /// When the run started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Hands on what happened now.
    pub fn emit(&self, event: Event) {
        (self.take)(self.line(event));
    }

    /// The line of what happened now.
    pub(super) fn line(&self, event: Event) -> Line {
        Line {
            at: self.before + self.started.elapsed(),
            cluster: self.cluster.to_string(),
            scenario: self.scenario.to_string(),
            event,
        }
    }
}
