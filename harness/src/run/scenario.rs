//! Runs one scenario on one cluster, and tears it down whatever happens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use tokio::time::{Instant, timeout};

use crate::cluster::{Artifact, Cluster, ClusterError};
use crate::scenario::Scenario;

use super::bundle::{Bundle, Written};
use super::enforcement::Enforcement;
use super::play::{Progress, play};
use super::{Event, EventSink, Settings, Status, Stop};

/// Runs a scenario: deploy, control, steps, lift, teardown.
///
/// Every event goes to `sink`, which [`EventSink::of`] has made this scenario's
/// own; the first is [`Event::ScenarioStarted`], the last
/// [`Event::ScenarioFinished`]. The cluster is torn down in every case: after
/// success and failure, when it is lost, when `stop` is asked for, and when a
/// part of the run panics. What teardown leaves behind makes the scenario
/// [`Status::Errored`] at least.
///
/// Where a scenario fails or errs and [`Settings::bundles`] names a folder, what helps to
/// find out why is written there before the teardown ([`Event::Bundled`]); not where
/// the run was interrupted, since whoever does that wants it to end.
pub async fn run_scenario(
    scenario: &Scenario,
    cluster: &mut dyn Cluster,
    settings: &Settings,
    sink: &EventSink,
    stop: &Stop,
) -> Status {
    run_scenario_on(scenario, cluster, settings, sink, stop, &Enforcement::default()).await
}

/// As [`run_scenario`] does, on a cluster of which other scenarios have learned something.
pub(super) async fn run_scenario_on(
    scenario: &Scenario,
    cluster: &mut dyn Cluster,
    settings: &Settings,
    sink: &EventSink,
    stop: &Stop,
    enforcement: &Enforcement,
) -> Status {
    let begun = Instant::now();
    let bundle = settings
        .bundles
        .as_deref()
        .map(|folder| Bundle::begin(folder, sink, scenario, settings.seed));
    let (bundle, kept) = match bundle.transpose() {
        Ok(bundle) => bundle.map_or((None, None), |(bundle, kept)| (Some(Ok(bundle)), Some(kept))),
        Err(error) => (Some(Err(error)), None),
    };
    let sink = kept.as_ref().unwrap_or(sink);
    sink.emit(Event::ScenarioStarted);
    let mut progress = Progress::default();
    let mut stop = stop.clone();
    let ended = caught(async {
        tokio::select! {
            biased;
            () = stop.asked() => Ended::Interrupted,
            played = play(scenario, &mut *cluster, settings, sink, enforcement, &mut progress) => {
                played.map_or_else(Ended::Broken, |()| Ended::Whole)
            }
        }
    })
    .await
    .unwrap_or_else(Ended::Panicked);
    let Progress { mut tally, paths } = progress;
    tally.judge_all(
        &paths,
        "the scenario ended before its policies were lifted",
        settings.strict,
        sink,
    );
    let interrupted = matches!(ended, Ended::Interrupted);
    match ended {
        Ended::Whole => {}
        Ended::Interrupted => tally.befall(Status::Errored, "interrupted".to_owned()),
        Ended::Panicked(words) => tally.befall(Status::Errored, panicked(&words)),
        Ended::Broken(ClusterError::Unsupported(why)) => tally.befall(Status::Skipped, why),
        Ended::Broken(error) => tally.befall(Status::Errored, words(&error)),
    }
    if let Some(bundle) = bundle
        && matches!(tally.status(), Some(Status::Failed | Status::Errored))
        && !interrupted
    {
        match write(bundle, scenario, cluster, settings).await {
            Ok(Written { folder, files }) => {
                sink.emit(Event::Bundled { folder: folder.display().to_string(), files });
            }
            Err(error) => tally.tell(format!("the failure bundle could not be written: {error:#}")),
        }
    }
    if let Err(remains) = teardown(cluster, settings).await {
        tally.befall(Status::Errored, remains);
    }
    let (status, reason) = tally.result();
    sink.emit(Event::ScenarioFinished { status, reason, took: begun.elapsed(), interrupted });
    status
}

/// How the part of a scenario before its teardown ended.
enum Ended {
    Whole,
    Broken(ClusterError),
    Interrupted,
    Panicked(String),
}

/// The sentence for a panic.
pub(super) fn panicked(words: &str) -> String {
    format!("the run panicked, which is a defect of ringfence: {words}")
}

/// An error with its causes, each once.
pub(super) fn words(error: &ClusterError) -> String {
    match error {
        ClusterError::Other(error) => format!("{error:#}"),
        error => error.to_string(),
    }
}

async fn write(
    bundle: anyhow::Result<Bundle>,
    scenario: &Scenario,
    cluster: &mut dyn Cluster,
    settings: &Settings,
) -> anyhow::Result<Written> {
    let bundle = bundle?;
    let deadline = settings.artifacts_deadline;
    let missing = match caught(timeout(deadline, cluster.artifacts())).await {
        Ok(Ok(artifacts)) => return bundle.write(scenario, artifacts).await,
        Ok(Err(_)) => format!(
            "expected the cluster to hand over its logs and states within {} ms",
            deadline.as_millis()
        ),
        Err(words) => panicked(&words),
    };
    let missing = Artifact { path: "missing.txt".to_owned(), text: missing + "\n" };
    bundle.write(scenario, vec![missing]).await
}

async fn teardown(cluster: &mut dyn Cluster, settings: &Settings) -> Result<(), String> {
    let deadline = settings.teardown_deadline;
    match caught(timeout(deadline, cluster.teardown())).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(_)) => Err(format!("expected teardown to end within {} ms", deadline.as_millis())),
        Err(words) => Err(panicked(&words)),
    }
}

/// Awaits a future; a panic in it becomes its words.
///
/// The future is not polled again after a panic, and what it borrowed is only
/// used to say what was found before and to tear down.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(payload) => {
                let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
                Poll::Ready(Err(text.unwrap_or_else(|| "without words".to_owned())))
            }
        }
    })
    .await
}
