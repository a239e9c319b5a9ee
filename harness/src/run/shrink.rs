//! Shrinks a random case on a cluster: every smaller case is run there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster::Source;
use crate::model::{Intent, Verdict};
use crate::sample::{Failure, Sample, Shrinking};
use crate::scenario::{LoadOptions, Scenario};

use super::scenario::run_scenario;
use super::{CellJudgement, Event, EventSink, Finding, Line, Settings, Stop};

/// How much may be spent on one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many smaller cases are run at most. Default 1000.
    pub cases: usize,
    /// For how long a further one is begun. Default 5 min.
    pub time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { cases: 1000, time: Duration::from_secs(300) }
    }
}

/// Why shrinking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing can be taken away by itself.
    Minimal,
    /// The case did not fail again as it had, so that nothing would follow from a smaller one
    /// that does not.
    NotAgain,
    /// The budget's cases were spent.
    Cases,
    /// The budget's time was spent.
    Time,
    /// The run was interrupted.
    Interrupted,
}

/// What is left of a case.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The smallest that fails alike.
    pub sample: Sample,
    /// How it fails.
    pub failure: Failure,
    /// How many smaller cases were run.
    pub tried: usize,
    /// For how long.
    pub took: Duration,
    /// Why it is no smaller.
    pub end: End,
}

/// Shrinks a case that failed, `width` smaller ones at a time.
///
/// `attempt` runs cases and says in their order how each failed; where it was interrupted, as
/// `stop` says then, it leaves out those that it could not run to their end.
pub async fn shrink<F, R>(
    sample: Sample,
    failure: Failure,
    width: usize,
    budget: Budget,
    stop: &Stop,
    mut attempt: F,
) -> Shrunk
where
    F: FnMut(Vec<Sample>) -> R,
    R: Future<Output = Vec<Vec<Failure>>>,
{
    let begun = Instant::now();
    let again = attempt(vec![sample.clone()]).await;
    let alike = again.iter().flatten().any(|one| one.specified == failure.specified);
    let mut shrinking = Shrinking::new(sample, failure);
    let end = loop {
        if stop.is_asked() {
            break End::Interrupted;
        }
        if !alike {
            break End::NotAgain;
        }
        if begun.elapsed() >= budget.time {
            break End::Time;
        }
        let left = budget.cases.saturating_sub(shrinking.tried());
        if left == 0 {
            break End::Cases;
        }
        let candidates = shrinking.candidates(width.min(left));
        if candidates.is_empty() {
            break End::Minimal;
        }
        let outcomes = attempt(candidates).await;
        shrinking.learn(&outcomes);
    };
    Shrunk {
        sample: shrinking.smallest().clone(),
        failure: shrinking.failure().clone(),
        tried: shrinking.tried(),
        took: begun.elapsed(),
        end,
    }
}

/// Runs cases at the same time on a source that is prepared, and says in their order how each
/// failed: empty where it did not, or where it could not be told. Where `stop` is asked for, none
/// is said to have been run.
pub async fn attempt(
    samples: Vec<Sample>,
    source: &Arc<dyn Source>,
    settings: &Settings,
    stop: &Stop,
) -> Vec<Vec<Failure>> {
    let mut outcomes: Vec<Vec<Failure>> = vec![Vec::new(); samples.len()];
    let mut running = JoinSet::new();
    for (number, sample) in samples.into_iter().enumerate() {
        let (source, settings, stop) = (source.clone(), settings.clone(), stop.clone());
        running.spawn(async move { (number, once(&sample, &*source, &settings, &stop).await) });
    }
    while let Some(joined) = running.join_next().await {
        // One that panicked could not be told.
        let Ok((number, failures)) = joined else { continue };
        outcomes[number] = failures;
    }
    if stop.is_asked() { Vec::new() } else { outcomes }
}

async fn once(
    sample: &Sample,
    source: &dyn Source,
    settings: &Settings,
    stop: &Stop,
) -> Vec<Failure> {
    let options = LoadOptions::default();
    let loaded = sample.scenario(&options).ok().and_then(|(scenario, _)| scenario);
    match loaded {
        Some(scenario) => failures(&scenario, source, settings, stop).await,
        None => Vec::new(),
    }
}

/// Runs a scenario on a source that is prepared, and says how it failed: the cells that broke
/// what is specified, in their order.
pub async fn failures(
    scenario: &Scenario,
    source: &dyn Source,
    settings: &Settings,
    stop: &Stop,
) -> Vec<Failure> {
    let Ok(mut cluster) = source.cluster(scenario).await else { return Vec::new() };
    let found: Arc<Mutex<Vec<Failure>>> = Arc::default();
    let take = found.clone();
    let sink = EventSink::new(move |line: Line| {
        if let Event::StepJudged { step, cells, .. } = line.event {
            let mut all = take.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(cells.iter().filter_map(|cell| failure(step, cell)));
        }
    });
    let sink = sink.of(source.name(), &scenario.id);
    run_scenario(scenario, &mut *cluster, settings, &sink, stop).await;
    let mut all = found.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *all)
}

/// How a judged cell failed: only an enforcement fault is a failure.
pub fn failure(step: usize, judged: &CellJudgement) -> Option<Failure> {
    let specified = match (&judged.finding, judged.specified.verdict) {
        (Finding::EnforcementFault, Verdict::Allow) => Intent::Allow,
        (Finding::EnforcementFault, Verdict::Deny) => Intent::Deny,
        _ => return None,
    };
    Some(Failure { step, cell: judged.cell.clone(), specified })
}
