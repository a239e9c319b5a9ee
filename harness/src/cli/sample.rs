//! `ringfence conformance --sample`: random cases, and what is left of one that fails.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};

use super::cluster_kind::ClusterKind;
use super::execution::{self, Chosen};
use super::failure::Failure;
use super::interrupts::Interrupts;
use super::settings::{RunSettings, new_seed};
use super::{resumption, scenario_folder, screen};
use crate::catalogue::Folder;
use crate::cluster::{Source, Stages};
use crate::exit::ExitCode;
use crate::model::Intent;
use crate::report::{Run, ScenarioRun, terminal};
use crate::run::{Budget, End, Item, Settings, Shrunk, Stop, attempt, failure, failures, shrink};
use crate::sample::{Failure as CellFailure, Sample, sample as draw};
use crate::scenario::{LoadOptions, Scenario, load_scenarios};

/// What is asked for, beside how it is run.
pub(super) struct Asked {
    /// How many cases.
    pub(super) count: u64,
    /// Where all are written to, in place of running them.
    pub(super) write: Option<PathBuf>,
    /// Where those that fail are written to.
    pub(super) failed: Option<PathBuf>,
}

/// Draws cases, and runs, lists or writes them.
pub(super) fn sample(asked: &Asked, mut settings: RunSettings) -> Result<ExitCode, Failure> {
    // A run that goes on draws the cases that it began with.
    let begun = match (settings.seed, &settings.resume) {
        (None, Some(record)) => resumption::seed(record)?,
        (seed, _) => seed,
    };
    let seed = begun.unwrap_or_else(new_seed);
    settings.seed = Some(seed);
    let settings = &settings;
    let mut samples = Vec::new();
    let mut scenarios = Vec::new();
    for number in 0..asked.count {
        let sample = draw(seed, number);
        let options = LoadOptions { kubernetes: settings.kubernetes };
        let (scenario, findings) = sample.scenario(&options).map_err(Failure::untold)?;
        let Some(scenario) = scenario else {
            screen::diagnose(&findings);
            return Ok(ExitCode::Usage);
        };
        if settings.selection.wants(&scenario.id, &scenario.tags) {
            samples.push(sample);
            scenarios.push(Arc::new(scenario));
        }
    }
    if samples.is_empty() {
        return Err(Failure::untold(anyhow!(
            "expected a random case, found none: `--sample {}` draws {}, and `--filter` and `--tag` choose among them",
            asked.count,
            asked.count
        )));
    }
    if let Some(root) = &asked.write {
        scenario_folder::vacant(root, "--write").map_err(Failure::usage)?;
        let part = settings.partition;
        samples.retain(|sample| part.is_none_or(|part| part.holds(&sample.id)));
        for sample in &samples {
            write(sample, &root.join(&sample.id)).map_err(Failure::usage)?;
        }
        screen::note(&format!("{} cases in `{}`", samples.len(), root.display()));
        return Ok(ExitCode::Passed);
    }
    if let Some(root) = &asked.failed {
        scenario_folder::vacant(root, "--failed").map_err(Failure::usage)?;
    }
    let selection = [format!("--sample {}", asked.count), settings.selection.to_string()];
    let chosen = Chosen {
        items: scenarios.into_iter().map(Item::from).collect(),
        selection: selection.join(" ").trim_end().to_owned(),
        warnings: Vec::new(),
    };
    let Some(executed) = execution::execute(chosen, settings)? else {
        return Ok(ExitCode::Passed);
    };
    let failed = failed(&executed.run, &samples);
    // The first is shrunk, and most of the others show the same.
    let first = failed.first().map(|first| (first.sample.id.as_str(), first.name.as_str()));
    let report = terminal::brief(&executed.run, first, screen::stdout());
    screen::print(format!("\n{report}").as_bytes())?;
    // Whoever interrupts a run wants it to end.
    if !executed.run.scenarios.values().any(|ran| ran.interrupted)
        && !failed.is_empty()
        && let Err(failure) = follow_up(&failed, asked, settings, seed)
    {
        // That nothing could be shrunk hides no fault.
        failure.report();
    }
    Ok(executed.end())
}

/// A case that failed on a cluster.
struct Failed<'s> {
    sample: &'s Sample,
    /// Which of `--on`.
    cluster: usize,
    /// What the run calls that cluster.
    name: String,
    failure: CellFailure,
}

/// The cases that failed, in order of their numbers, each on the first cluster where it did.
fn failed<'s>(run: &Run, samples: &'s [Sample]) -> Vec<Failed<'s>> {
    let clusters = run.started.as_ref().map(|started| started.clusters.as_slice());
    let clusters = clusters.unwrap_or_default();
    let first = |ran: &ScenarioRun| {
        let mut steps = ran.steps.iter();
        steps.find_map(|(step, judged)| judged.cells.iter().find_map(|cell| failure(*step, cell)))
    };
    let of = |sample: &'s Sample| {
        clusters.iter().enumerate().find_map(|(cluster, name)| {
            let ran = run.scenarios.get(&(sample.id.clone(), name.clone()))?;
            Some(Failed { sample, cluster, name: name.clone(), failure: first(ran)? })
        })
    };
    samples.iter().filter_map(of).collect()
}

/// Writes the cases that failed, shrinks the first of them, and prints what is left.
fn follow_up(
    failed: &[Failed<'_>],
    asked: &Asked,
    settings: &RunSettings,
    seed: u64,
) -> Result<(), Failure> {
    let root = match &asked.failed {
        Some(root) => root.clone(),
        None => new_folder(seed).map_err(Failure::untold)?,
    };
    for one in failed {
        write(one.sample, &root.join(&one.sample.id)).map_err(Failure::untold)?;
    }
    let Some(first) = failed.first() else { return Ok(()) };
    let all = count(failed.len());
    let again = match failed.last().filter(|_| failed.len() > 1) {
        Some(last) => {
            let cluster = &settings.clusters[last.cluster];
            let command = command(cluster, settings, &root.join(&last.sample.id));
            format!("; `{command}` shows one in full")
        }
        None => String::new(),
    };
    screen::note(&format!("{all} in `{}`{again}", root.display()));
    screen::note(&format!("shrinking `{}`, which failed on `{}`", first.sample.id, first.name));
    let runtime = super::runtime()?;
    let told = runtime.block_on(shrunk(first, &root, settings));
    runtime.shutdown_background();
    screen::print(told?.as_bytes())?;
    Ok(())
}

fn count(cases: usize) -> String {
    if cases == 1 { "1 case that failed".to_owned() } else { format!("{cases} cases that failed") }
}

/// Shrinks a case on the cluster where it failed, and says what is left.
async fn shrunk(
    first: &Failed<'_>,
    root: &Path,
    settings: &RunSettings,
) -> Result<String, Failure> {
    let mut sources = execution::sources(settings).await.map_err(Failure::untold)?;
    let source = sources.swap_remove(first.cluster);
    let (stopper, stop) = Stop::new();
    let mut interrupts = Interrupts::listen()?;
    let listening = tokio::spawn(async move {
        interrupts.next().await;
        stopper.stop();
        screen::note("interrupted: what is left so far is told");
    });
    let told = on_source(first, root, settings, &source, &stop).await;
    listening.abort();
    if let Err(error) = source.close().await {
        let left = error.0.join("; ");
        screen::warn(&format!("not all of `{}` was removed: {left}", first.name));
    }
    told
}

async fn on_source(
    first: &Failed<'_>,
    root: &Path,
    settings: &RunSettings,
    source: &Arc<dyn Source>,
    stop: &Stop,
) -> Result<String, Failure> {
    source.prepare(&Stages::silent()).await.map_err(Failure::untold)?;
    let own = Settings { seed: settings.seed.unwrap_or_default(), ..Settings::default() };
    let jobs = settings.jobs.get();
    let width = source.most_at_once().map_or(jobs, |most| most.min(jobs));
    let Failed { sample, failure, .. } = first;
    let attempting = |samples| attempt(samples, source, &own, stop);
    let budget = Budget::default();
    let (sample, failure) = (Sample::clone(sample), failure.clone());
    let mut shrunk = shrink(sample, failure, width, budget, stop, attempting).await;
    let cluster = &settings.clusters[first.cluster];
    let folder = root.join(format!("{}-shrunk", shrunk.sample.id));
    shrunk.sample.id.push_str("-shrunk");
    shrunk.sample.about =
        format!("{} Shrunk on {} to what still fails.", shrunk.sample.about, first.name);
    write(&shrunk.sample, &folder).map_err(Failure::untold)?;
    let again = match shrunk.end {
        End::NotAgain | End::Interrupted => None,
        _ => Some(fails_from_disk(&folder, &shrunk.failure, source, &own, stop).await),
    };
    let files = shrunk.sample.folder().map_err(Failure::untold)?;
    Ok(told(&shrunk, &files, again, budget, &command(cluster, settings, &folder)))
}

/// Whether the folder, loaded as a user would, fails alike.
async fn fails_from_disk(
    folder: &Path,
    failure: &CellFailure,
    source: &Arc<dyn Source>,
    settings: &Settings,
    stop: &Stop,
) -> bool {
    let loaded = load_scenarios(&[folder.to_owned()], &LoadOptions::default());
    let Some(scenario): Option<&Scenario> = loaded.scenarios.first() else { return false };
    let found = failures(scenario, &**source, settings, stop).await;
    found.iter().any(|one| one.specified == failure.specified)
}

/// What is left of a case, with its files.
fn told(
    shrunk: &Shrunk,
    files: &Folder,
    again: Option<bool>,
    budget: Budget,
    command: &str,
) -> String {
    let Shrunk { failure, tried, took, .. } = shrunk;
    let end = match shrunk.end {
        End::Minimal => "nothing of it can be taken away by itself".to_owned(),
        End::NotAgain => "run again it did not fail, so it is as it was drawn".to_owned(),
        End::Cases => format!("no more than {} were to be run", budget.cases),
        End::Time => format!("no more than {} s were to be spent", budget.time.as_secs()),
        End::Interrupted => "interrupted".to_owned(),
    };
    let done = if failure.specified == Intent::Deny { "open" } else { "shut" };
    let cases = if *tried == 1 { "case" } else { "cases" };
    let mut text = format!(
        "\n{}: {tried} smaller {cases} run in {:.1} s; {end}\n  {} is specified {} and is {done}\n",
        shrunk.sample.id,
        took.as_secs_f64(),
        failure.cell,
        failure.specified,
    );
    text.push_str(match again {
        Some(true) => "  loaded from its folder it failed alike: ",
        Some(false) => "  loaded from its folder it did not fail: it comes and goes: ",
        None => "  ",
    });
    let _ = writeln!(text, "`{command}`");
    for (name, content) in &files.files {
        let _ = write!(text, "\n# {name}\n{content}");
    }
    text
}

/// What runs a folder on a cluster as it was run.
fn command(cluster: &ClusterKind, settings: &RunSettings, folder: &Path) -> String {
    let mut text = "ringfence run".to_owned();
    if *cluster != ClusterKind::Embedded {
        let _ = write!(text, " --on {cluster}");
    }
    if !settings.evidence {
        text.push_str(" --evidence none");
    }
    for fault in &settings.faults {
        let _ = write!(text, " --fault {fault}");
    }
    if let (ClusterKind::Kubeconfig(_), Some(image)) = (cluster, &settings.on_kubernetes.image) {
        let _ = write!(text, " --agent-image {image}");
    }
    if settings.on_kubernetes.allow_host_network {
        text.push_str(" --allow-host-network");
    }
    let _ = write!(text, " {}", folder.display());
    text
}

/// A folder of the current one that is not there yet.
fn new_folder(seed: u64) -> Result<PathBuf> {
    let names = (1..).map(|turn| match turn {
        1 => PathBuf::from(format!("sample-{seed}-failed")),
        turn => PathBuf::from(format!("sample-{seed}-failed-{turn}")),
    });
    for folder in names {
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                let asked =
                    format!("cannot create `{}`; name a folder with `--failed`", folder.display());
                return Err(anyhow!(error).context(asked));
            }
        }
    }
    bail!("every name for a folder is taken; name one with `--failed`")
}

fn write(sample: &Sample, folder: &Path) -> Result<()> {
    scenario_folder::write(&sample.folder()?, folder)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;

    fn left(end: End) -> Shrunk {
        let cell = "near -> red/p1:80/TCP over ipv4".parse().unwrap();
        let failure = CellFailure { step: 0, cell, specified: Intent::Deny };
        let took = Duration::from_millis(12_345);
        let sample = Sample { id: "sample-7-42-shrunk".to_owned(), ..draw(7, 42) };
        Shrunk { sample, failure, tried: 61, took, end }
    }

    #[test]
    fn what_is_left_is_told_with_its_files_and_what_runs_it() {
        let files = [("policy.yaml", "kind: NetworkPolicy\n"), ("scenario.yaml", "name: x\n")];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let folder = Folder { files };
        let command = "ringfence run failed/sample-7-42-shrunk";
        let told = |end, again| told(&left(end), &folder, again, Budget::default(), command);
        expect![[r#"

            sample-7-42-shrunk: 61 smaller cases run in 12.3 s; nothing of it can be taken away by itself
              near -> red/p1:80/TCP over ipv4 is specified deny and is open
              loaded from its folder it failed alike: `ringfence run failed/sample-7-42-shrunk`

            # policy.yaml
            kind: NetworkPolicy

            # scenario.yaml
            name: x
        "#]]
        .assert_eq(&told(End::Minimal, Some(true)));
        let heads: Vec<String> = [
            (End::Minimal, Some(false)),
            (End::NotAgain, None),
            (End::Cases, Some(true)),
            (End::Time, Some(true)),
            (End::Interrupted, None),
        ]
        .into_iter()
        .map(|(end, again)| {
            let text = told(end, again);
            let lines: Vec<&str> = text.lines().skip(1).take(3).collect();
            [lines[0], lines[2]].join("\n")
        })
        .collect();
        expect![[r#"
            sample-7-42-shrunk: 61 smaller cases run in 12.3 s; nothing of it can be taken away by itself
              loaded from its folder it did not fail: it comes and goes: `ringfence run failed/sample-7-42-shrunk`
            sample-7-42-shrunk: 61 smaller cases run in 12.3 s; run again it did not fail, so it is as it was drawn
              `ringfence run failed/sample-7-42-shrunk`
            sample-7-42-shrunk: 61 smaller cases run in 12.3 s; no more than 1000 were to be run
              loaded from its folder it failed alike: `ringfence run failed/sample-7-42-shrunk`
            sample-7-42-shrunk: 61 smaller cases run in 12.3 s; no more than 300 s were to be spent
              loaded from its folder it failed alike: `ringfence run failed/sample-7-42-shrunk`
            sample-7-42-shrunk: 61 smaller cases run in 12.3 s; interrupted
              `ringfence run failed/sample-7-42-shrunk`"#]]
        .assert_eq(&heads.join("\n"));
    }

    #[test]
    fn what_is_written_is_what_was_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let sample = draw(7, 42);
        write(&sample, &folder.path().join(&sample.id)).unwrap();
        let loaded = load_scenarios(&[folder.path().to_owned()], &LoadOptions::default());
        assert_eq!(loaded.scenarios.len(), 1);
        assert_eq!(loaded.scenarios[0].id, sample.id);
        assert_eq!(loaded.scenarios[0].steps.len(), sample.steps.len());
        let again = scenario_folder::vacant(folder.path(), "--failed").unwrap_err().to_string();
        assert!(
            again.starts_with("expected an empty folder for `--failed`, found files"),
            "{again}"
        );
    }
}
