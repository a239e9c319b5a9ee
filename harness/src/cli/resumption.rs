//! `--resume`: a run that was killed or interrupted goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;

use super::failure::Failure;
use super::screen;
use super::settings::RunSettings;
use crate::report::Run;
use crate::run::record::{self, RecordWriter};
use crate::run::{Before, Event, ScenarioInfo, Suite, SuiteInfo};

/// At most so many scenarios that differ are named.
const NAMED: usize = 3;

/// A record that is gone on with.
pub(super) struct Resumption {
    pub(super) writer: RecordWriter,
    /// What it says so far; `None` where it begins.
    pub(super) so_far: Option<Resumed>,
}

/// What a record says so far.
pub(super) struct Resumed {
    pub(super) before: Before,
    pub(super) run: Run,
    pub(super) seed: u64,
}

/// Opens a record for a run that is to go on with it.
///
/// # Errors
/// Where it is no record, another run writes to it, or it is that of another run: of other
/// scenarios, settings, clusters or parts, or with another seed.
pub(super) fn resume(
    path: &Path,
    suite: &Suite,
    settings: &RunSettings,
) -> Result<Resumption, Failure> {
    let mut run = Run::default();
    let (mut refused, mut ran) = (None, Duration::ZERO);
    let taken = RecordWriter::resume(path, |line| {
        ran = ran.max(line.at);
        if refused.is_none() {
            refused = run.fold(&line).err();
        }
    });
    let resumable = taken.map_err(Failure::usage)?;
    if let Some(error) = refused {
        let error = anyhow::Error::new(error);
        return Err(Failure::usage(
            error.context(format!("the record `{}` cannot be read", path.display())),
        ));
    }
    let Some(whole) = resumable.whole else {
        let writer = resumable.go_on().map_err(Failure::usage)?;
        screen::note(&format!("nothing to resume in `{}`: the run begins", path.display()));
        return Ok(Resumption { writer, so_far: None });
    };
    let clusters: Vec<String> = settings.cluster_names();
    let seed = own(&run, suite, &clusters, settings.seed).map_err(|differing| {
        Failure::usage(anyhow!(
            "expected the command line of the run in `{}`, found another:\n  {}\nname another file to begin a run",
            path.display(),
            differing.join("\n  ")
        ))
    })?;
    let writer = resumable.go_on().map_err(Failure::usage)?;
    let over = run.scenarios.iter().filter(|(_, scenario)| scenario.is_told());
    let over = over.filter_map(|(key, scenario)| Some((key.clone(), scenario.status?)));
    let before = Before {
        over: over.collect(),
        left_behind: run.clusters.values().any(|cluster| !cluster.left_behind.is_empty()),
        cut: whole.cut,
        ran,
    };
    let untold = run.scenarios.values().filter(|one| one.is_over() && !one.is_told()).count();
    let again = match untold {
        0 => String::new(),
        1 => "; 1 that could not be told is run again".to_owned(),
        more => format!("; {more} that could not be told are run again"),
    };
    screen::note(&format!(
        "resuming `{}`: {} of {} scenarios are over{again}{}",
        path.display(),
        before.over.len(),
        run.scenarios.len(),
        if whole.cut { "; its last line was cut and is dropped" } else { "" },
    ));
    Ok(Resumption { writer, so_far: Some(Resumed { before, run, seed }) })
}

/// The seed of a record that is to be gone on with; `None` where it begins.
///
/// # Errors
/// Where it is no record.
pub(super) fn seed(path: &Path) -> Result<Option<u64>, Failure> {
    let first = record::first(path).map_err(Failure::usage)?;
    Ok(first.and_then(|line| match line.event {
        Event::RunStarted { seed, .. } => Some(seed),
        _ => None,
    }))
}

/// The record's seed, if the record is that of this very run; else all that differs.
fn own(
    run: &Run,
    suite: &Suite,
    clusters: &[String],
    seed: Option<u64>,
) -> Result<u64, Vec<String>> {
    let Some(started) = &run.started else {
        return Err(vec!["the record has no first line".to_owned()]);
    };
    let mut differing = Vec::new();
    let mut same = |what: &str, recorded: &str, found: &str| {
        if recorded != found {
            differing.push(format!("{what}: expected {recorded} as recorded, found {found}"));
        }
    };
    let quoted = |texts: &[String]| {
        let texts: Vec<String> = texts.iter().map(|text| format!("`{text}`")).collect();
        texts.join(", ")
    };
    same("ringfence", &started.version, env!("CARGO_PKG_VERSION"));
    same("`--on`", &quoted(&started.clusters), &quoted(clusters));
    if let Some(seed) = seed {
        same("`--seed`", &started.seed.to_string(), &seed.to_string());
    }
    let recorded = started.suite.clone().unwrap_or_else(nothing);
    let given = suite.info.clone().unwrap_or_else(nothing);
    let part = |info: &SuiteInfo| info.partition.map_or("none".to_owned(), |p| format!("`{p}`"));
    same("`--partition`", &part(&recorded), &part(&given));
    let names: BTreeSet<&String> = recorded.options.keys().chain(given.options.keys()).collect();
    for name in names {
        let value = |info: &SuiteInfo| {
            info.options.get(name).map_or("the default".to_owned(), |value| format!("`{value}`"))
        };
        same(&format!("`{name}`"), &value(&recorded), &value(&given));
    }
    // Of another part everything differs.
    if recorded.partition == given.partition {
        // A scenario is in the record once for each cluster.
        let recorded = run.scenarios.values().map(|scenario| &scenario.info);
        differing.extend(scenarios(recorded, suite.items.iter().map(|item| &item.info)));
    }
    if differing.is_empty() { Ok(started.seed) } else { Err(differing) }
}

/// What is taken to be known of a run that says nothing of it.
fn nothing() -> SuiteInfo {
    SuiteInfo::new(std::iter::empty(), String::new(), None, BTreeMap::new())
}

/// Scenarios that differ between a record and a command line.
fn scenarios<'a>(
    recorded: impl Iterator<Item = &'a ScenarioInfo>,
    given: impl Iterator<Item = &'a ScenarioInfo>,
) -> Vec<String> {
    let by_id = |info: &'a ScenarioInfo| (info.id.as_str(), info.digest.as_str());
    let recorded: BTreeMap<&str, &str> = recorded.map(by_id).collect();
    let given: BTreeMap<&str, &str> = given.map(by_id).collect();
    let missing: Vec<&str> =
        recorded.keys().filter(|id| !given.contains_key(*id)).copied().collect();
    let new: Vec<&str> = given.keys().filter(|id| !recorded.contains_key(*id)).copied().collect();
    let changed = recorded.iter().filter(|(id, old)| given.get(*id).is_some_and(|own| own != *old));
    let changed: Vec<&str> = changed.map(|(id, _)| *id).collect();
    let told = [
        ("files that are as recorded", "changed", changed),
        ("every recorded scenario", "missing", missing),
        ("recorded scenarios alone", "new", new),
    ];
    let some = told.into_iter().filter(|(_, _, ids)| !ids.is_empty());
    some.map(|(expected, word, ids)| format!("expected {expected}, found {word}: {}", named(&ids)))
        .collect()
}

/// The first few, and how many there are more.
fn named(ids: &[&str]) -> String {
    let first: Vec<String> = ids.iter().take(NAMED).map(|id| format!("`{id}`")).collect();
    match ids.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
