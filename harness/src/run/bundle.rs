//! The failure bundle of a scenario: what helps to find out why it failed, in a folder.
//!
//! | file | holds |
//! |---|---|
//! | `record.jsonl` | the scenario's lines of the record, behind the line of a run's start, so that it is a record by itself |
//! | `rounds.txt` | every round's matrix, a line for each cell |
//! | `judgements.txt` | every step's judgements, with their sentences |
//! | `policies/` | the scenario's policies as it has them, and `rewritten.txt`: where the cluster was given other names |
//! | `cluster/` | what the cluster handed over ([`Cluster::artifacts`]) |
//!
//! Lines are kept in a file without a name while the scenario runs, so that a large
//! scenario costs no memory and one that passes leaves nothing.
//!
//! [`Cluster::artifacts`]: crate::cluster::Cluster::artifacts

mod files;
mod text;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, anyhow};

use self::files::{Folder, file_name};
use super::{Event, EventSink, Line, SCHEMA, ScenarioInfo};
use crate::cluster::Artifact;
use crate::model::Change;
use crate::scenario::Scenario;

/// A bundle that is written should its scenario fail.
pub(super) struct Bundle {
    root: PathBuf,
    name: [String; 2],
    lines: Arc<Mutex<Lines>>,
}

/// The scenario's lines so far.
struct Lines {
    file: BufWriter<File>,
    /// Why they are not whole.
    failed: Option<io::Error>,
}

impl Lines {
    fn append(&mut self, line: &Line) {
        if self.failed.is_some() {
            return;
        }
        let written = serde_json::to_writer(&mut self.file, line).map_err(io::Error::from);
        self.failed = written.and_then(|()| self.file.write_all(b"\n")).err();
    }
}

/// A bundle that was written.
pub(super) struct Written {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its files, relative to the folder, in order.
    pub(super) files: Vec<String>,
}

impl Bundle {
    /// Keeps a scenario's lines from now on: those of the sink that is returned. They are a
    /// record of a run of this scenario alone.
    pub(super) fn begin(
        root: &Path,
        sink: &EventSink,
        scenario: &Scenario,
        seed: u64,
    ) -> anyhow::Result<(Self, EventSink)> {
        let open = || {
            fs::create_dir_all(root)?;
            tempfile::tempfile_in(root)
        };
        let file = open().with_context(|| {
            format!("expected a folder that can be written to at `{}`", root.display())
        })?;
        let mut lines = Lines { file: BufWriter::new(file), failed: None };
        lines.append(&sink.of("", "").line(Event::RunStarted {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            clusters: vec![sink.cluster().to_owned()],
            scenarios: vec![ScenarioInfo::from(scenario)],
            suite: None,
        }));
        let lines = Arc::new(Mutex::new(lines));
        let keeper = lines.clone();
        let kept = sink.also(move |line| {
            if let Ok(mut lines) = keeper.lock() {
                lines.append(line);
            }
        });
        let name = [sink.cluster(), sink.scenario()].map(file_name);
        Ok((Self { root: root.to_owned(), name, lines }, kept))
    }

    /// Writes the bundle into a new folder, and touches no other.
    pub(super) async fn write(
        self,
        scenario: &Scenario,
        artifacts: Vec<Artifact>,
    ) -> anyhow::Result<Written> {
        let policies = policies(scenario)?;
        let writing = tokio::task::spawn_blocking(move || self.fill(&policies, &artifacts));
        writing.await.context("the bundle's thread ended")?
    }

    fn fill(
        self,
        policies: &[(String, String)],
        artifacts: &[Artifact],
    ) -> anyhow::Result<Written> {
        let [cluster, scenario] = &self.name;
        let mut folder = Folder::create(&self.root.join(cluster), scenario)?;
        let mut lines = self.lines.lock().map_err(|_| anyhow!("a line's writer panicked"))?;
        if let Some(error) = lines.failed.take() {
            return Err(anyhow::Error::from(error).context("keep the scenario's lines"));
        }
        lines.file.flush().context("keep the scenario's lines")?;
        let mut kept = lines.file.get_ref();
        kept.rewind()?;
        io::copy(&mut kept, &mut folder.file("record.jsonl")?)?;
        kept.rewind()?;
        let mut rounds = folder.file("rounds.txt")?;
        let mut judgements = folder.file("judgements.txt")?;
        let mut rewritten = Vec::new();
        for line in BufReader::new(kept).lines() {
            let line: Line = serde_json::from_str(&line?).context("read a kept line")?;
            text::round(&line, &mut rounds)?;
            text::judgement(&line, &mut judgements)?;
            if let Event::StepStarted { name, rewritten: fields, .. } = line.event {
                rewritten
                    .extend(fields.into_iter().map(|field| format!("step `{name}`: {field}\n")));
            }
        }
        rounds.flush()?;
        judgements.flush()?;
        for (path, text) in policies {
            folder.write(path, text)?;
        }
        if !rewritten.is_empty() {
            folder.write("policies/rewritten.txt", &rewritten.concat())?;
        }
        for artifact in artifacts {
            folder.write(&format!("cluster/{}", artifact.path), &artifact.text)?;
        }
        Ok(folder.done())
    }
}

/// The policies that a scenario's steps apply, as it has them.
fn policies(scenario: &Scenario) -> anyhow::Result<Vec<(String, String)>> {
    let mut policies = Vec::new();
    for (index, step) in scenario.steps.iter().enumerate() {
        for change in &step.changes {
            let Change::ApplyPolicy(policy) = change else { continue };
            let name = format!("{}-{}", policy.name.namespace, policy.name.name);
            let path = format!("policies/step-{}-{}.json", index + 1, file_name(&name));
            let text = serde_json::to_string_pretty(&policy.manifest)
                .with_context(|| format!("write the policy `{}`", policy.name))?;
            policies.push((path, text + "\n"));
        }
    }
    Ok(policies)
}
