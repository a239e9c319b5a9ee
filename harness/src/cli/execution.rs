//! A run on the clusters that are asked for, whatever its scenarios are: shown, recorded, and
//! ended by signals.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use super::cluster_kind::ClusterKind;
use super::failure::Failure;
use super::interrupts::Interrupts;
use super::settings::{RunSettings, new_seed};
use super::{kind, resumption, screen};
use crate::cluster::Source;
use crate::cluster::embedded::{EmbeddedOptions, EmbeddedSource};
use crate::cluster::kubernetes::{self, KubernetesSource};
use crate::exit::ExitCode;
use crate::report::live::Live;
use crate::report::{self, Run};
use crate::run::record::{RecordError, RecordWriter};
use crate::run::{Event, EventSink, Item, Line, ScenarioInfo, Settings, Stop, Suite, run_suite};
use crate::scenario::Diagnostic;

/// What is to run.
pub(super) struct Chosen {
    /// The scenarios, of all parts.
    pub(super) items: Vec<Item>,
    /// By which options they were chosen; empty: they are all that there are.
    pub(super) selection: String,
    /// What was found in their files.
    pub(super) warnings: Vec<Diagnostic>,
}

/// A run that is over.
pub(super) struct Executed {
    /// What its record says.
    pub(super) run: Run,
    /// What follows from it.
    pub(super) code: ExitCode,
    broken_record: Option<RecordError>,
}

impl Executed {
    /// How the process ends: a record that could not be written is told, and outranks success.
    pub(super) fn end(self) -> ExitCode {
        let Some(error) = self.broken_record else { return self.code };
        let untold = Failure::untold(error).report();
        if self.code == ExitCode::Passed { untold } else { self.code }
    }
}

/// Runs scenarios as asked for. `None` where they were to be listed, or their clusters'
/// actions shown, and nothing was run.
pub(super) fn execute(
    Chosen { items, selection, warnings }: Chosen,
    settings: &RunSettings,
) -> Result<Option<Executed>, Failure> {
    let look = screen::stdout();
    let mut suite = Suite::part(items, selection, settings.partition, settings.options());
    if settings.list {
        let infos: Vec<ScenarioInfo> = suite.items.into_iter().map(|item| item.info).collect();
        screen::print(report::list(&infos, look).as_bytes())?;
        return Ok(None);
    }
    if settings.kind.dry_run {
        screen::print(kind::plans(&settings.clusters, &settings.kind)?.as_bytes())?;
        return Ok(None);
    }
    if let (true, Some(partition)) = (suite.items.is_empty(), settings.partition) {
        return Err(Failure::untold(anyhow!(
            "expected a scenario in part `{partition}`, found none: there are {} in all parts",
            suite.info.as_ref().map_or(0, |info| info.scenarios)
        )));
    }
    let runtime = super::runtime()?;
    // Before a record is begun in the place of another: here a command line can still be refused.
    let sources = runtime.block_on(sources(settings)).map_err(Failure::usage)?;
    let mut run = Run::default();
    let mut seed = settings.seed.unwrap_or_else(new_seed);
    if let Some(folder) = &settings.bundles {
        let made = std::fs::create_dir_all(folder).with_context(|| {
            format!("expected a folder for `--bundles`, found that `{}` is none", folder.display())
        });
        made.map_err(Failure::usage)?;
    }
    let record = match (&settings.resume, &settings.record) {
        (Some(path), _) => {
            let resumed = resumption::resume(path, &suite, settings)?;
            if let Some(resumption::Resumed { before, run: so_far, seed: own }) = resumed.so_far {
                (suite.before, run, seed) = (Some(before), so_far, own);
            }
            Some(resumed.writer)
        }
        (None, Some(path)) => Some(RecordWriter::create(path).map_err(Failure::usage)?),
        (None, None) => None,
    };
    let live = if screen::draws_bars() { Live::bars(look) } else { Live::plain(look) };
    let mut follower = Follower { run, live, record, broken_record: None, warnings };
    let code = runtime.block_on(play(suite, sources, seed, settings, &mut follower));
    runtime.shutdown_background();
    let code = code?;
    follower.live.clear();
    let Follower { run, broken_record, .. } = follower;
    Ok(Some(Executed { run, code, broken_record }))
}

/// Runs the scenarios while the follower shows and keeps every line. Ctrl-C and
/// SIGTERM tear everything down and report what was seen, which is said at once; a
/// second one ends without, and says what is left. Nothing of an embedded cluster outlives
/// the process, whatever ends it.
async fn play(
    suite: Suite,
    sources: Vec<Arc<dyn Source>>,
    seed: u64,
    settings: &RunSettings,
    follower: &mut Follower,
) -> Result<ExitCode, Failure> {
    let (sink, mut lines) = EventSink::channel();
    let (stopper, stop) = Stop::new();
    let made = sources.clone();
    let all = {
        let jobs = settings.jobs.get();
        let settings = Settings {
            strict: settings.strict,
            seed,
            bundles: settings.bundles.clone(),
            ..Settings::default()
        };
        tokio::spawn(async move { run_suite(suite, sources, jobs, &settings, &sink, &stop).await })
    };
    let mut interrupts = Interrupts::listen()?;
    loop {
        let signals = tokio::select! {
            line = lines.recv() => match line {
                Some(line) => {
                    follower.take(&line)?;
                    continue;
                }
                None => break,
            },
            signals = interrupts.next() => signals,
        };
        if signals > 1 {
            follower.live.clear();
            let left: Vec<String> = made.iter().flat_map(|source| source.standing()).collect();
            return Err(Failure::untold(unremoved(&left)));
        }
        stopper.stop();
        follower.live.aside(|| screen::note(INTERRUPTED));
    }
    let ran = all.await.map_err(Failure::untold)?;
    Ok(ran.exit_code)
}

/// What the first signal is answered with.
const INTERRUPTED: &str = "interrupted: tearing down; again to end without";

/// That a second signal ended the run, and what is left of its clusters.
fn unremoved(left: &[String]) -> anyhow::Error {
    if left.is_empty() {
        return anyhow!("interrupted twice: ended without teardown, and nothing is left");
    }
    anyhow!("interrupted twice: ended without teardown, and this is left:\n  {}", left.join("\n  "))
}

/// What every `--on` names.
pub(super) async fn sources(settings: &RunSettings) -> Result<Vec<Arc<dyn Source>>> {
    let mut sources = Vec::with_capacity(settings.clusters.len());
    for cluster in &settings.clusters {
        sources.push(source(cluster, settings).await?);
    }
    Ok(sources)
}

/// What one `--on` names. Nothing is asked of a cluster yet.
async fn source(cluster: &ClusterKind, settings: &RunSettings) -> Result<Arc<dyn Source>> {
    match cluster {
        ClusterKind::Embedded => {
            let options = EmbeddedOptions {
                evidence: settings.evidence,
                faults: settings.faults.clone(),
                ..EmbeddedOptions::default()
            };
            Ok(Arc::new(EmbeddedSource::new(options)))
        }
        ClusterKind::Kind(cni) => {
            let image = settings.on_kubernetes.image.as_deref();
            kind::source(cni, &settings.kind, image)
        }
        ClusterKind::Kubeconfig(context) => {
            let options = settings.on_kubernetes.existing(cluster, &settings.kind.files)?;
            let client = kubernetes::connect(context.as_deref()).await?;
            Ok(Arc::new(KubernetesSource::new(client, options)))
        }
    }
}

/// Takes in every line of a run: folds it, shows it, keeps it.
struct Follower {
    run: Run,
    live: Live,
    record: Option<RecordWriter>,
    broken_record: Option<RecordError>,
    warnings: Vec<Diagnostic>,
}

impl Follower {
    fn take(&mut self, line: &Line) -> Result<(), Failure> {
        self.fold(line)?;
        // The files were read before the run had a first line.
        let started = matches!(line.event, Event::RunStarted { .. } | Event::Resumed { .. });
        if started && !self.warnings.is_empty() {
            let diagnostics = std::mem::take(&mut self.warnings);
            self.fold(&Line { event: Event::Diagnosed { diagnostics }, ..line.clone() })?;
        }
        Ok(())
    }

    fn fold(&mut self, line: &Line) -> Result<(), Failure> {
        if let Some(Err(error)) = self.record.as_mut().map(|record| record.append(line)) {
            // The run goes on; that its record is not whole is said at the end.
            self.record = None;
            self.broken_record = Some(error);
        }
        self.run.fold(line).map_err(Failure::untold)?;
        let shown = self.live.show(&self.run, line, &mut std::io::stdout().lock());
        Ok(screen::quiet(shown)?)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_second_interrupt_says_what_is_left() {
        expect!["interrupted twice: ended without teardown, and nothing is left"]
            .assert_eq(&unremoved(&[]).to_string());
        let left = ["namespaces `rf-k3x9q-…` on `kubeconfig`", "the kind cluster `calico-k3x9q`"];
        expect![[r#"
            interrupted twice: ended without teardown, and this is left:
              namespaces `rf-k3x9q-…` on `kubeconfig`
              the kind cluster `calico-k3x9q`"#]]
        .assert_eq(&unremoved(&left.map(str::to_owned)).to_string());
    }
}
