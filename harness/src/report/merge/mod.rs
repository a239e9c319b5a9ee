//! Records put together: those of the parts of a suite, or of several clusters, as the one
//! run would have written them.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::look::count;
use super::{FoldError, Run, ScenarioRun, Started};
use crate::exit::ExitCode;
use crate::run::{Counts, Event, Line, Partition, SCHEMA, ScenarioInfo, Status, SuiteInfo};
use crate::scenario::Diagnostic;

/// A scenario on a cluster.
type Key = (String, String);

/// So many lines tell runs apart.
const OPENING: usize = 16;

/// A record that is to be put together with others.
#[derive(Debug, Default)]
pub struct Record {
    /// What it is called in messages.
    name: String,
    run: Run,
    /// The line with which the last attempt at each scenario begins, from 0.
    begins: BTreeMap<Key, usize>,
    lines: usize,
    /// The first of them: moments and durations in microseconds are of one run alone.
    opening: Vec<Line>,
    /// Whether its last line was cut.
    pub cut: bool,
}

/// Records that cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// One says too little.
    #[error(
        "expected a record that says what its scenarios were chosen from, found that `{0}` does not: it can only be read alone"
    )]
    NoSuite(String),
    /// Their parts are not of one size.
    #[error(
        "expected parts of one suite, found `{1}` in `{0}` and `{3}` in `{2}`: a scenario may be in both or in neither"
    )]
    Parts(String, Partition, String, Partition),
    /// They are the same one, or one of them is an earlier state of the other.
    #[error(
        "expected each record once, found the same run in `{0}` and `{1}`: the longer of them has all"
    )]
    SameRun(String, String),
}

impl Record {
    /// An empty one, to be filled line by line.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Takes in the next line.
    ///
    /// # Errors
    /// As [`Run::fold`].
    pub fn fold(&mut self, line: &Line) -> Result<(), FoldError> {
        if matches!(line.event, Event::ScenarioStarted) {
            self.begins.insert((line.scenario.clone(), line.cluster.clone()), self.lines);
        }
        self.lines += 1;
        if self.opening.len() < OPENING {
            self.opening.push(line.clone());
        }
        self.run.fold(line)
    }

    /// Whether both were written by the same run. The first line alone says nothing: runs of
    /// one command line share it.
    fn is_same(&self, other: &Self) -> bool {
        let (one, other) = (&self.opening, &other.opening);
        let shared = one.len().min(other.len());
        shared > 1 && one[..shared] == other[..shared]
    }

    fn started(&self) -> Option<&Started> {
        self.run.started.as_ref()
    }

    fn suite(&self) -> Option<&SuiteInfo> {
        self.started()?.suite.as_ref()
    }

    /// The parts that it has, and one of them, for how many there are; `None`: it is whole.
    fn parts(&self) -> Option<(Partition, BTreeSet<Partition>)> {
        let SuiteInfo { partition, missing, .. } = self.suite()?;
        let one = partition.or(missing.first().copied())?;
        let own = |part: &Partition| match partition {
            Some(only) => part == only,
            None => !missing.contains(part),
        };
        Some((one, one.all().filter(own).collect()))
    }

    fn has(&self, cluster: &str) -> bool {
        self.started().is_some_and(|started| started.clusters.iter().any(|name| name == cluster))
    }
}

/// What becomes of several records.
#[derive(Debug)]
pub struct Merger {
    records: Vec<Record>,
    clusters: Vec<String>,
    missing: Vec<Partition>,
    /// Whose result counts.
    chosen: BTreeMap<Key, usize>,
    told: Vec<String>,
    /// Why the records may not be those of one whole run.
    doubts: Vec<String>,
    noticed: BTreeSet<(String, String)>,
}

impl Merger {
    /// Compares records, and chooses what stays of each.
    ///
    /// # Errors
    /// Where they cannot be put together at all.
    pub fn of(records: Vec<Record>) -> Result<Self, MergeError> {
        if records.len() > 1
            && let Some(mute) = records.iter().find(|record| record.suite().is_none())
        {
            return Err(MergeError::NoSuite(mute.name.clone()));
        }
        for (number, one) in records.iter().enumerate() {
            if let Some(other) = records[..number].iter().find(|other| other.is_same(one)) {
                return Err(MergeError::SameRun(other.name.clone(), one.name.clone()));
            }
        }
        let mut clusters: Vec<String> = Vec::new();
        for name in records.iter().filter_map(Record::started).flat_map(|start| &start.clusters) {
            if !clusters.contains(name) {
                clusters.push(name.clone());
            }
        }
        let mut merger = Self {
            records,
            clusters,
            missing: Vec::new(),
            chosen: BTreeMap::new(),
            told: Vec::new(),
            doubts: Vec::new(),
            noticed: BTreeSet::new(),
        };
        merger.compare();
        merger.parts()?;
        merger.ends();
        merger.choose();
        Ok(merger)
    }

    /// Whether they are of one suite, version and seed, and those of a cluster of the same
    /// options.
    fn compare(&mut self) {
        let Self { records, told, doubts, .. } = self;
        let known = records.iter().filter_map(Record::suite);
        doubts.extend(known.flat_map(|suite| suite.doubts.iter().cloned()));
        told.extend(doubts.iter().cloned());
        let Some((first, others)) = records.split_first() else { return };
        let (Some(start), Some(suite)) = (first.started(), first.suite()) else { return };
        for other in others {
            let (Some(own), Some(own_suite)) = (other.started(), other.suite()) else { continue };
            let names = format!("`{}` and `{}`", first.name, other.name);
            if own.version != start.version {
                doubts.push(format!(
                    "{names} were written by ringfence {} and {}, which may judge otherwise",
                    start.version, own.version
                ));
                told.extend(doubts.last().cloned());
            }
            if (&own_suite.digest, own_suite.scenarios) != (&suite.digest, suite.scenarios) {
                doubts.push(format!(
                    "{names} are not of one suite: {} and {}, chosen by {} and {}",
                    count(suite.scenarios, "scenario"),
                    count(own_suite.scenarios, "scenario"),
                    chosen_by(suite),
                    chosen_by(own_suite)
                ));
                told.extend(doubts.last().cloned());
            }
            let share = own.clusters.iter().any(|cluster| first.has(cluster));
            if share && own_suite.options != suite.options {
                doubts.push(format!("{names} were run with other options: {}", {
                    [suite, own_suite].map(options).join(" and ")
                }));
                told.extend(doubts.last().cloned());
            }
            if own.seed != start.seed {
                told.push(format!(
                    "{names} have other seeds, {} and {}: `--seed` gives them one",
                    start.seed, own.seed
                ));
            }
        }
    }

    /// Which parts are missing, cluster by cluster.
    fn parts(&mut self) -> Result<(), MergeError> {
        let mut missing_of_any = BTreeSet::new();
        for cluster in &self.clusters {
            let mut there: BTreeMap<Partition, &str> = BTreeMap::new();
            let mut size: Option<(&str, Partition)> = None;
            let mut whole = false;
            for record in self.records.iter().filter(|record| record.has(cluster)) {
                let Some((one, parts)) = record.parts() else {
                    whole = true;
                    continue;
                };
                match size {
                    Some((name, known)) if known.of() != one.of() => {
                        let (own, name) = (record.name.clone(), name.to_owned());
                        return Err(MergeError::Parts(name, known, own, one));
                    }
                    Some(_) => {}
                    None => size = Some((&record.name, one)),
                }
                there.extend(parts.into_iter().map(|part| (part, record.name.as_str())));
            }
            let Some((_, one)) = size.filter(|_| !whole) else { continue };
            let missing: Vec<Partition> =
                one.all().filter(|part| !there.contains_key(part)).collect();
            if !missing.is_empty() {
                let named: Vec<String> = missing.iter().map(|part| format!("`{part}`")).collect();
                self.told.push(format!(
                    "no record has {} on `{cluster}`: {} of {} parts are there",
                    named.join(", "),
                    there.len(),
                    one.of()
                ));
            }
            missing_of_any.extend(missing);
        }
        self.missing = missing_of_any.into_iter().collect();
        Ok(())
    }

    /// Which records break off.
    fn ends(&mut self) {
        for record in &self.records {
            let open = record.run.scenarios.values().filter(|one| !one.is_over()).count();
            if open > 0 || record.run.finished.is_none() || record.cut {
                self.doubts.push(format!(
                    "`{}` breaks off{}: `--resume` goes on with it",
                    record.name,
                    match open {
                        0 => String::new(),
                        1 => ", and 1 scenario is not over".to_owned(),
                        more => format!(", and {more} scenarios are not over"),
                    }
                ));
                self.told.extend(self.doubts.last().cloned());
            }
        }
    }

    /// Of a scenario that is in several records the graver result counts.
    fn choose(&mut self) {
        let grave = |run: &ScenarioRun| (run.is_over(), run.status);
        let mut twice: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
        for (number, record) in self.records.iter().enumerate() {
            for (key, scenario) in &record.run.scenarios {
                let Some(known) = self.chosen.get(key).copied() else {
                    self.chosen.insert(key.clone(), number);
                    continue;
                };
                twice.entry((known, number)).or_default().push(&key.0);
                let other = self.records[known].run.scenarios.get(key).map(grave);
                if other.is_none_or(|other| other < grave(scenario)) {
                    self.chosen.insert(key.clone(), number);
                }
            }
        }
        for ((one, other), ids) in twice {
            self.told.push(format!(
                "{} in both `{}` and `{}`, for example `{}`: the graver result counts",
                if ids.len() == 1 {
                    "1 scenario is".to_owned()
                } else {
                    format!("{} scenarios are", ids.len())
                },
                self.records[one].name,
                self.records[other].name,
                ids[0]
            ));
        }
    }

    /// What is to be said of the records, in sentences.
    pub fn told(&self) -> impl Iterator<Item = &str> {
        self.told.iter().map(String::as_str)
    }

    /// The lines with which the record begins.
    pub fn start(&self) -> Vec<Line> {
        let Some(first) = self.records.first().and_then(Record::started) else { return Vec::new() };
        let mut infos = BTreeMap::<&str, &ScenarioInfo>::new();
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for record in &self.records {
            let own = record.run.scenarios.values().map(|scenario| &scenario.info);
            infos.extend(own.map(|info| (info.id.as_str(), info)));
            for found in &record.run.diagnostics {
                if !diagnostics.contains(found) {
                    diagnostics.push(found.clone());
                }
            }
        }
        let suite = first.suite.clone().map(|suite| SuiteInfo {
            partition: None,
            missing: self.missing.clone(),
            doubts: self.doubts.clone(),
            ..suite
        });
        let mut lines = vec![whole(
            Duration::ZERO,
            Event::RunStarted {
                schema: SCHEMA,
                version: first.version.clone(),
                seed: first.seed,
                clusters: self.clusters.clone(),
                scenarios: infos.into_values().cloned().collect(),
                suite,
            },
        )];
        if !diagnostics.is_empty() {
            lines.push(whole(Duration::ZERO, Event::Diagnosed { diagnostics }));
        }
        lines
    }

    /// Whether a line of a record stays: the `at`-th of the `number`-th, from 0.
    pub fn keeps(&mut self, number: usize, at: usize, line: &Line) -> bool {
        match &line.event {
            // These are told for all records together.
            Event::RunStarted { .. }
            | Event::Resumed { .. }
            | Event::RunFinished { .. }
            | Event::Diagnosed { .. }
            | Event::LeftBehind { .. } => false,
            Event::Stage { .. } => {
                self.records.iter().position(|record| record.has(&line.cluster)) == Some(number)
            }
            Event::Noticed { what } => self.noticed.insert((line.cluster.clone(), what.clone())),
            _ => {
                let key = (line.scenario.clone(), line.cluster.clone());
                let begins = self.records.get(number).and_then(|record| record.begins.get(&key));
                self.chosen.get(&key) == Some(&number) && begins.is_some_and(|begins| *begins <= at)
            }
        }
    }

    /// The lines with which the record ends. Where one of the records breaks off, this one
    /// does too.
    pub fn end(&self) -> Vec<Line> {
        let took = self.records.iter().filter_map(|record| record.run.finished.as_ref());
        // Parts run at the same time.
        let took = took.map(|finished| finished.took).max().unwrap_or_default();
        let mut lines = Vec::new();
        for cluster in &self.clusters {
            let told = self.records.iter().filter_map(|record| record.run.clusters.get(cluster));
            let what: Vec<String> = told.flat_map(|told| &told.left_behind).cloned().collect();
            if !what.is_empty() {
                let event = Event::LeftBehind { what };
                lines.push(Line { cluster: cluster.clone(), ..whole(took, event) });
            }
        }
        let over = |record: &Record| {
            record.run.finished.is_some() && record.run.scenarios.values().all(ScenarioRun::is_over)
        };
        if self.records.iter().all(over) {
            let (counts, exit_code) = (self.counts(), self.code().code());
            lines.push(whole(took, Event::RunFinished { counts, exit_code, took }));
        }
        lines
    }

    fn status(&self, key: &Key, number: usize) -> Option<Status> {
        self.records.get(number)?.run.scenarios.get(key)?.status
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (key, number) in &self.chosen {
            counts.add(self.status(key, *number).unwrap_or(Status::Errored));
        }
        counts
    }

    /// The exit code that the one run would have had; where something is missing, it could
    /// not be told.
    pub fn code(&self) -> ExitCode {
        let clusters = self.records.iter().flat_map(|record| record.run.clusters.values());
        let mut left = clusters.map(|cluster| !cluster.left_behind.is_empty());
        let doubtful = !self.doubts.is_empty() || !self.missing.is_empty();
        match self.counts().exit_code() {
            ExitCode::Passed if doubtful || left.any(|left| left) => ExitCode::CouldNotTell,
            code => code,
        }
    }
}

/// A line about the run as a whole.
const fn whole(at: Duration, event: Event) -> Line {
    Line { at, cluster: String::new(), scenario: String::new(), event }
}

fn chosen_by(suite: &SuiteInfo) -> String {
    match suite.selection.as_str() {
        "" => "nothing".to_owned(),
        selection => format!("`{selection}`"),
    }
}

fn options(suite: &SuiteInfo) -> String {
    let all: Vec<String> =
        suite.options.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if all.is_empty() { "none".to_owned() } else { format!("`{}`", all.join(" ")) }
}
