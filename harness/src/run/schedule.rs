//! Runs many scenarios at the same time, on one source of clusters or several.

use std::collections::{HashMap, VecDeque};
use std::ops::AddAssign;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::cluster::{ClusterError, Source, Stage, StageState, Stages};
use crate::exit::ExitCode;
use crate::model::{Origin, Topology};
use crate::scenario::Scenario;

use super::enforcement::Enforcement;
use super::scenario::{caught, panicked, run_scenario_on, words};
use super::suite::{Before, Suite};
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

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.errored += other.errored;
        self.skipped += other.skipped;
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
            digest: scenario.digest.clone(),
            case: None,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// How many scenarios ended in which way.
    pub counts: Counts,
    /// What follows from it, and from what could not be removed.
    pub exit_code: ExitCode,
}

/// Runs scenarios on every source, the sources at the same time, and emits the whole
/// record from [`Event::RunStarted`] to [`Event::RunFinished`].
///
/// On each source at most `jobs` scenarios run at a time, or as many as the source
/// bears. They start in order, save that on a source which keeps pods
/// ([`Source::reuses`]) those of one topology start together, in the place of the
/// first of them. [`Event::RunStarted`] lists them in the order in which they were
/// given; lines of scenarios that run at the same time are mixed in the record. A
/// scenario never gets lost: one whose cluster cannot be made, that panics, or
/// that `stop` kept from starting has its own [`Event::ScenarioFinished`].
pub async fn run_all(
    scenarios: Vec<Arc<Scenario>>,
    sources: Vec<Arc<dyn Source>>,
    jobs: usize,
    settings: &Settings,
    sink: &EventSink,
    stop: &Stop,
) -> Ran {
    run_suite(Suite::of(scenarios), sources, jobs, settings, sink, stop).await
}

/// As [`run_all`], with what the record is to say of the scenarios, and without those that an
/// earlier part of the run has done: then [`Event::Resumed`] comes first, and the counts are
/// those of both parts. A source on which everything is over is left alone.
pub async fn run_suite(
    suite: Suite,
    sources: Vec<Arc<dyn Source>>,
    jobs: usize,
    settings: &Settings,
    sink: &EventSink,
    stop: &Stop,
) -> Ran {
    let begun = Instant::now();
    let Suite { items, info, before } = suite;
    let (infos, scenarios): (Vec<ScenarioInfo>, Vec<Arc<Scenario>>) =
        items.into_iter().map(|item| (item.info, item.scenario)).unzip();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let (sink, event) = match &before {
        None => {
            let clusters = sources.iter().map(|source| source.name().to_owned()).collect();
            let (schema, seed) = (SCHEMA, settings.seed);
            let scenarios = infos;
            let started =
                Event::RunStarted { schema, version, seed, clusters, scenarios, suite: info };
            (sink.clone(), started)
        }
        Some(Before { over, cut, ran, .. }) => {
            let resumed = Event::Resumed { version, over: over.len(), cut: *cut };
            (sink.clone().after(*ran), resumed)
        }
    };
    sink.emit(event);
    let Before { over, left_behind, ran, .. } = before.unwrap_or_default();
    let mut running = JoinSet::new();
    for source in sources {
        let mut scenarios = scenarios.clone();
        scenarios.retain(|scenario| {
            !over.contains_key(&(scenario.id.clone(), source.name().to_owned()))
        });
        if scenarios.is_empty() && !over.is_empty() {
            continue;
        }
        let lane = Lane {
            source,
            jobs: jobs.max(1),
            settings: settings.clone(),
            sink: sink.clone(),
            stop: stop.clone(),
            enforcement: Arc::default(),
        };
        running.spawn(lane.run(scenarios));
    }
    let mut counts = Counts::default();
    over.into_values().for_each(|status| counts.add(status));
    let mut clean = !left_behind;
    while let Some(joined) = running.join_next().await {
        // Only the sink can panic outside of what a lane guards.
        let (some, removed) = joined.unwrap_or((Counts::default(), false));
        counts += some;
        clean &= removed;
    }
    let exit_code = match counts.exit_code() {
        ExitCode::Passed if !clean => ExitCode::CouldNotTell,
        code => code,
    };
    let took = ran + begun.elapsed();
    sink.emit(Event::RunFinished { counts, exit_code: exit_code.code(), took });
    Ran { counts, exit_code }
}

/// Why a scenario did not begin.
#[derive(Clone)]
struct Unstarted {
    status: Status,
    reason: String,
    /// Whether the run was to end.
    interrupted: bool,
}

impl Unstarted {
    fn new(status: Status, reason: String) -> Self {
        Self { status, reason, interrupted: false }
    }

    fn interrupted() -> Self {
        let reason = "not started: the run was interrupted".to_owned();
        Self { status: Status::Errored, reason, interrupted: true }
    }

    /// Tells of it.
    fn finish(self, sink: &EventSink, begun: Instant) -> Status {
        let Self { status, reason, interrupted } = self;
        let (reason, took) = (Some(reason), begun.elapsed());
        sink.emit(Event::ScenarioFinished { status, reason, took, interrupted });
        status
    }
}

/// One source with its scenarios.
struct Lane {
    source: Arc<dyn Source>,
    jobs: usize,
    settings: Settings,
    sink: EventSink,
    stop: Stop,
    enforcement: Arc<Enforcement>,
}

impl Lane {
    /// Prepares the source, runs every scenario on it, and closes it. Returns how
    /// they ended, and whether everything was removed.
    async fn run(self, scenarios: Vec<Arc<Scenario>>) -> (Counts, bool) {
        let counts = match self.prepare().await {
            Ok(()) => self.scenarios(scenarios).await,
            Err(unstarted) => {
                let mut counts = Counts::default();
                for scenario in scenarios {
                    let sink = self.sink.of(self.source.name(), &scenario.id);
                    sink.emit(Event::ScenarioStarted);
                    counts.add(unstarted.clone().finish(&sink, Instant::now()));
                }
                counts
            }
        };
        let clean = self.close().await;
        (counts, clean)
    }

    async fn prepare(&self) -> Result<(), Unstarted> {
        let sink = self.sink.of(self.source.name(), "");
        let stages = Stages::new(move |stage: Stage| {
            let (took, failed) = match stage.state {
                StageState::Begun => (None, false),
                StageState::Done { took } => (Some(took), false),
                StageState::Failed { took } => (Some(took), true),
            };
            sink.emit(Event::Stage { name: stage.name, what: stage.what, took, failed });
        });
        let mut stop = self.stop.clone();
        let prepared = caught(async {
            tokio::select! {
                biased;
                () = stop.asked() => None,
                prepared = self.source.prepare(&stages) => Some(prepared),
            }
        });
        let (status, reason) = match prepared.await {
            Ok(Some(Ok(()))) => return Ok(()),
            Ok(None) => return Err(Unstarted::interrupted()),
            Ok(Some(Err(ClusterError::Unsupported(why)))) => (Status::Skipped, why),
            Ok(Some(Err(error))) => (Status::Errored, words(&error)),
            Err(panic) => (Status::Errored, panicked(&panic)),
        };
        Err(Unstarted::new(status, reason))
    }

    async fn close(&self) -> bool {
        let deadline = self.settings.close_deadline;
        let what = match caught(timeout(deadline, self.source.close())).await {
            Ok(Ok(Ok(()))) => return true,
            Ok(Ok(Err(error))) => error.0,
            Ok(Err(_)) => {
                vec![format!(
                    "expected `{}` to be removed within {} ms",
                    self.source.name(),
                    deadline.as_millis()
                )]
            }
            Err(panic) => vec![panicked(&panic)],
        };
        self.sink.of(self.source.name(), "").emit(Event::LeftBehind { what });
        false
    }

    async fn scenarios(&self, scenarios: Vec<Arc<Scenario>>) -> Counts {
        let jobs = self.source.most_at_once().map_or(self.jobs, |most| most.min(self.jobs)).max(1);
        let mut counts = Counts::default();
        let mut waiting = VecDeque::from(match self.source.reuses() {
            true => by_topology(scenarios),
            false => scenarios,
        });
        let mut running = JoinSet::new();
        let mut names = HashMap::new();
        loop {
            while running.len() < jobs
                && let Some(scenario) = waiting.pop_front()
            {
                let sink = self.sink.of(self.source.name(), &scenario.id);
                if self.stop.is_asked() {
                    sink.emit(Event::ScenarioStarted);
                    counts.add(Unstarted::interrupted().finish(&sink, Instant::now()));
                    continue;
                }
                let (source, settings) = (self.source.clone(), self.settings.clone());
                let (own, stop) = (sink.clone(), self.stop.clone());
                let enforcement = self.enforcement.clone();
                let task = running.spawn(one(scenario, source, settings, own, stop, enforcement));
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
                        counts.add(Unstarted::new(Status::Errored, reason).finish(&sink, begun));
                    }
                }
            }
        }
        counts
    }
}

/// Scenarios of one topology together, in the place of the first of them.
fn by_topology(scenarios: Vec<Arc<Scenario>>) -> Vec<Arc<Scenario>> {
    let mut groups: Vec<(Topology, Vec<Arc<Scenario>>)> = Vec::new();
    for scenario in scenarios {
        let shape = shape(&scenario.topology);
        let known = groups.iter_mut().find(|(known, group)| {
            *known == shape && group.iter().all(|other| other.nodes == scenario.nodes)
        });
        match known {
            Some((_, group)) => group.push(scenario),
            None => groups.push((shape, vec![scenario])),
        }
    }
    groups.into_iter().flat_map(|(_, group)| group).collect()
}

/// A topology without the places where it was written: what a cluster makes of it.
fn shape(topology: &Topology) -> Topology {
    let nowhere = Origin::synthetic("anywhere");
    let mut shape = topology.clone();
    shape.namespaces.values_mut().for_each(|found| found.origin = nowhere.clone());
    shape.pods.values_mut().for_each(|found| found.origin = nowhere.clone());
    shape.externals.values_mut().for_each(|found| found.origin = nowhere.clone());
    shape
}

async fn one(
    scenario: Arc<Scenario>,
    source: Arc<dyn Source>,
    settings: Settings,
    sink: EventSink,
    mut stop: Stop,
    enforcement: Arc<Enforcement>,
) -> Status {
    let begun = Instant::now();
    let making = stop.clone();
    let made = tokio::select! {
        biased;
        () = stop.asked() => None,
        made = source.cluster(&scenario) => Some(made),
    };
    let unstarted = match made {
        Some(Ok(mut cluster)) => {
            let cluster = &mut *cluster;
            return run_scenario_on(&scenario, cluster, &settings, &sink, &making, &enforcement)
                .await;
        }
        None => Unstarted::interrupted(),
        Some(Err(ClusterError::Unsupported(why))) => Unstarted::new(Status::Skipped, why),
        Some(Err(error)) => Unstarted::new(Status::Errored, words(&error)),
    };
    sink.emit(Event::ScenarioStarted);
    unstarted.finish(&sink, begun)
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
