//! Runs many scenarios at the same time, each on a cluster of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterError};
use crate::exit::ExitCode;
use crate::scenario::Scenario;

use super::scenario::{panicked, run_scenario, words};
use super::{Counts, Event, EventSink, SCHEMA, ScenarioInfo, Settings, Status, Stop};

impl Counts {
    /// Adds a scenario.
    pub fn add(&mut self, status: Status) {
        match status {
            Status::Passed => self.passed += 1,
            Status::Failed => self.failed += 1,
            Status::Errored => self.errored += 1,
            Status::Skipped => self.skipped += 1,
        }
    }

    /// The exit code of a run: a fault outranks the others, and a run in which
    /// nothing was judged has not passed.
    pub const fn exit_code(&self) -> ExitCode {
        match *self {
            Self { failed: 1.., .. } => ExitCode::Fault,
            Self { errored: 1.., .. } | Self { passed: 0, .. } => ExitCode::CouldNotTell,
            Self { .. } => ExitCode::Passed,
        }
    }
}

impl From<&Scenario> for ScenarioInfo {
    fn from(scenario: &Scenario) -> Self {
        Self {
            id: scenario.id.clone(),
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            tags: scenario.tags.clone(),
            steps: scenario.steps.iter().map(|step| step.name.clone()).collect(),
        }
    }
}

/// Runs scenarios, at most `jobs` at a time, each on a cluster that
/// `make_cluster` makes for it, and emits the whole record from
/// [`Event::RunStarted`] to [`Event::RunFinished`].
///
/// Scenarios start in order, and [`Event::RunStarted`] lists them in that order;
/// lines of scenarios that run at the same time are mixed in the record. A
/// scenario never gets lost: one whose cluster cannot be made, that panics, or
/// that `stop` kept from starting has its own [`Event::ScenarioFinished`].
/// `on` is the cluster's name as given to `--on`.
pub async fn run_all<F, Made>(
    scenarios: Vec<Arc<Scenario>>,
    on: &str,
    make_cluster: F,
    jobs: usize,
    settings: &Settings,
    sink: &EventSink,
    stop: &Stop,
) -> Counts
where
    F: Fn(Arc<Scenario>) -> Made + Clone + Send + 'static,
    Made: Future<Output = Result<Box<dyn Cluster>, ClusterError>> + Send,
{
    let begun = Instant::now();
    sink.emit(Event::RunStarted {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: settings.seed,
        clusters: vec![on.to_owned()],
        scenarios: scenarios.iter().map(|scenario| ScenarioInfo::from(&**scenario)).collect(),
    });
    let mut counts = Counts::default();
    let mut waiting = VecDeque::from(scenarios);
    let mut running = JoinSet::new();
    let mut names = std::collections::HashMap::new();
    loop {
        while running.len() < jobs.max(1)
            && let Some(scenario) = waiting.pop_front()
        {
            let sink = sink.of(on, &scenario.id);
            if stop.is_asked() {
                sink.emit(Event::ScenarioStarted);
                counts.add(finish(&sink, Instant::now(), Status::Errored, NOT_STARTED.to_owned()));
                continue;
            }
            let (settings, stop, make) = (settings.clone(), stop.clone(), make_cluster.clone());
            let own = sink.clone();
            let task = running.spawn(async move { one(scenario, make, settings, own, stop).await });
            names.insert(task.id(), (sink, Instant::now()));
        }
        let Some(joined) = running.join_next_with_id().await else { break };
        match joined {
            Ok((_, status)) => counts.add(status),
            // Only what is outside of the scenario's own guard can panic here:
            // making or dropping the cluster, or the sink.
            Err(error) => {
                if let Some((sink, begun)) = names.remove(&error.id()) {
                    let reason = panicked(&error.to_string());
                    counts.add(finish(&sink, begun, Status::Errored, reason));
                }
            }
        }
    }
    sink.emit(Event::RunFinished {
        counts,
        exit_code: counts.exit_code().code(),
        took: begun.elapsed(),
    });
    counts
}

const NOT_STARTED: &str = "not started: the run was interrupted";

async fn one<F, Made>(
    scenario: Arc<Scenario>,
    make_cluster: F,
    settings: Settings,
    sink: EventSink,
    mut stop: Stop,
) -> Status
where
    F: Fn(Arc<Scenario>) -> Made,
    Made: Future<Output = Result<Box<dyn Cluster>, ClusterError>>,
{
    let begun = Instant::now();
    let making = stop.clone();
    let made = tokio::select! {
        biased;
        () = stop.asked() => None,
        made = make_cluster(scenario.clone()) => Some(made),
    };
    let (status, reason) = match made {
        Some(Ok(mut cluster)) => {
            return run_scenario(&scenario, &mut *cluster, &settings, &sink, &making).await;
        }
        None => (Status::Errored, NOT_STARTED.to_owned()),
        Some(Err(ClusterError::Unsupported(why))) => (Status::Skipped, why),
        Some(Err(error)) => (Status::Errored, words(&error)),
    };
    sink.emit(Event::ScenarioStarted);
    finish(&sink, begun, status, reason)
}

fn finish(sink: &EventSink, begun: Instant, status: Status, reason: String) -> Status {
    sink.emit(Event::ScenarioFinished { status, reason: Some(reason), took: begun.elapsed() });
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_outranks_the_others_and_nothing_judged_is_no_pass() {
        for ((passed, failed, errored, skipped), code) in [
            ((1, 0, 0, 0), ExitCode::Passed),
            ((1, 0, 0, 1), ExitCode::Passed),
            ((1, 1, 1, 1), ExitCode::Fault),
            ((1, 0, 1, 0), ExitCode::CouldNotTell),
            ((0, 0, 0, 0), ExitCode::CouldNotTell),
            ((0, 0, 0, 3), ExitCode::CouldNotTell),
        ] {
            let counts = Counts { passed, failed, errored, skipped };
            assert_eq!(counts.exit_code(), code, "{counts:?}");
        }
    }
}
