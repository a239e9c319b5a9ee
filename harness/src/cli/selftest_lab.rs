//! Runs of cases on embedded clusters that are faulty or late.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use crate::catalogue::Case;
use crate::cluster::Source;
use crate::cluster::embedded::{Delay, EmbeddedOptions, EmbeddedSource};
use crate::report::Run;
use crate::run::{EventSink, Settings, Stop, run_all};
use crate::scenario::{LoadOptions, Scenario};
use crate::selftest::{Sight, Trial, sight};

/// How long paths may take to open. The embedded cluster has them open at once; a fault that
/// keeps them shut is not to cost more.
const CONTROL: Duration = Duration::from_secs(10);

/// Where trials are run.
pub(super) struct Lab {
    scenarios: BTreeMap<String, Arc<Scenario>>,
    seed: u64,
    stop: Stop,
}

/// When a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// At the first fault that is seen.
    Seen,
    /// When every case was run.
    Over,
}

/// What became of a trial.
pub(super) struct Found {
    /// The record, folded.
    pub(super) run: Run,
    /// Where a fault was seen first.
    pub(super) first: Option<Sight>,
    /// The cases in which one was seen.
    pub(super) seen: BTreeSet<String>,
}

impl Lab {
    /// Reads the cases that are wanted.
    ///
    /// # Errors
    /// Where a case is no scenario.
    pub(super) fn new(
        cases: &[Case],
        wanted: &BTreeSet<&str>,
        seed: u64,
        stop: Stop,
    ) -> Result<Self> {
        let wanted = cases.iter().filter(|case| wanted.contains(case.id.as_str()));
        let scenarios = wanted.map(|case| {
            let (scenario, found) = case.scenario(&LoadOptions::default());
            let scenario = scenario.with_context(|| {
                let why = found.first().map(|found| found.message.clone()).unwrap_or_default();
                format!("expected the case `{}` to be a scenario: {why}", case.id)
            })?;
            Ok((case.id.clone(), Arc::new(scenario)))
        });
        Ok(Self { scenarios: scenarios.collect::<Result<_>>()?, seed, stop })
    }

    /// Whether it was asked to stop: then nothing new is worth starting.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_asked()
    }

    /// Runs the cases of a trial, so many at a time.
    ///
    /// # Errors
    /// Where the run itself breaks off.
    pub(super) async fn run(
        &self,
        trial: &Trial,
        delay: Option<Delay>,
        jobs: usize,
        until: Until,
    ) -> Result<Found> {
        let options =
            EmbeddedOptions { faults: trial.faults.clone(), delay, ..EmbeddedOptions::default() };
        let source: Arc<dyn Source> = Arc::new(EmbeddedSource::new(options));
        // Both faults of a pair may have been caught by one case.
        let mut known = BTreeSet::new();
        let cases = trial.cases.iter().filter(|id| known.insert(*id));
        let scenarios = cases.map(|id| {
            let scenario = self.scenarios.get(id).cloned();
            scenario.ok_or_else(|| anyhow!("expected a case `{id}`, found none"))
        });
        let scenarios = scenarios.collect::<Result<Vec<_>>>()?;
        let defaults = Settings::default();
        let settings = Settings {
            seed: self.seed,
            step_deadline: trial.bound,
            vain_deadline: trial.bound.min(defaults.vain_deadline),
            control_deadline: CONTROL,
            ..defaults
        };
        let (sink, mut lines) = EventSink::channel();
        let (stopper, stop) = Stop::new();
        let all = tokio::spawn(async move {
            run_all(scenarios, vec![source], jobs, &settings, &sink, &stop).await
        });
        let mut found = Found { run: Run::default(), first: None, seen: BTreeSet::new() };
        let mut asked = self.stop.clone();
        let mut stopped = false;
        loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                () = asked.asked(), if !stopped => {
                    stopped = true;
                    stopper.stop();
                    continue;
                }
            };
            let Some(line) = line else { break };
            found.run.fold(&line)?;
            if let Some(sight) = sight(&line) {
                found.seen.insert(sight.case.clone());
                found.first.get_or_insert(sight);
                if until == Until::Seen {
                    stopper.stop();
                }
            }
        }
        all.await?;
        Ok(found)
    }
}
