//! The fold: what a run's record says → the report.

use std::collections::BTreeMap;

use super::broken::{Failed, broken};
use super::choice::{choice, watched};
use super::model::{
    Broken, BrokenCase, ClusterReport, Conformance, FeatureRow, Known, KnownKind, Measured, SCHEMA,
    Skipped, Tally, Unjudged, Verdict,
};
use super::outcome::Outcome;
use super::profile::profiles;
use crate::cluster::Dataplane;
use crate::report::known::{Lore, Report, Told};
use crate::report::{Run, ScenarioRun, news};
use crate::run::{CaseInfo, Level, NotJudged, StepTiming};

/// A case on a cluster.
type CaseRun<'a> = (&'a CaseInfo, &'a ScenarioRun, Outcome);

/// Whether a run has cases of the catalogue.
pub fn covers_catalogue(run: &Run) -> bool {
    run.scenarios.values().any(|scenario| scenario.info.case.is_some())
}

impl Conformance {
    /// What a run says of the cases of the catalogue in it; of its other scenarios nothing.
    /// `folder` says where the scenario folder of a failed case was written.
    pub fn of(run: &Run, folder: impl Fn(&str) -> Option<String>) -> Self {
        let started = run.started.as_ref();
        let mut clusters = BTreeMap::<&str, Vec<CaseRun<'_>>>::new();
        for ((_, cluster), scenario) in &run.scenarios {
            let Some(case) = scenario.info.case.as_deref() else { continue };
            let outcome = Outcome::of(case, scenario);
            clusters.entry(cluster).or_default().push((case, scenario, outcome));
        }
        let incomplete = incomplete(run);
        let whole = incomplete.is_empty();
        // In the order in which they were asked for.
        let order = |name: &str| {
            let mut names = started.iter().flat_map(|started| &started.clusters);
            names.position(|known| known == name)
        };
        let mut clusters: Vec<_> = clusters.into_iter().collect();
        clusters.sort_by_key(|(name, _)| order(name));
        let suite = started.and_then(|started| started.suite.as_ref());
        Self {
            schema: SCHEMA,
            ringfence: started.map(|started| started.version.clone()).unwrap_or_default(),
            seed: started.map_or(0, |started| started.seed),
            partition: suite.and_then(|suite| suite.partition).map(|part| part.to_string()),
            incomplete,
            clusters: clusters
                .into_iter()
                .map(|(name, cases)| cluster(name, &cases, whole, &folder))
                .collect(),
        }
    }
}

/// Why a run is not about the whole catalogue.
fn incomplete(run: &Run) -> Vec<String> {
    let mut told = Vec::new();
    let suite = run.started.as_ref().and_then(|started| started.suite.as_ref());
    match suite {
        None => told.push("the record does not say what its cases were chosen from".to_owned()),
        Some(suite) => {
            if !suite.selection.is_empty() {
                told.push(format!("cases were chosen by `{}`", suite.selection));
            }
            if let Some(partition) = suite.partition {
                told.push(format!("this is part `{partition}` alone"));
            }
            if !suite.missing.is_empty() {
                let parts: Vec<String> =
                    suite.missing.iter().map(|part| format!("`{part}`")).collect();
                told.push(format!("no record has {}", parts.join(", ")));
            }
            told.extend(suite.doubts.iter().cloned());
        }
    }
    let dataplanes: BTreeMap<&String, &Dataplane> = run
        .scenarios
        .iter()
        .filter_map(|((_, cluster), ran)| {
            ran.capabilities.as_ref().map(|known| (cluster, &*known.dataplane))
        })
        .collect();
    for (cluster, dataplane) in dataplanes {
        if !dataplane.enforces {
            told.push(format!("`{cluster}` is declared to enforce nothing"));
        }
        if !dataplane.induced.is_empty() {
            told.push(format!("`{cluster}` is faulty on purpose"));
        }
    }
    if run.finished.is_none() {
        told.push("the record breaks off before the run's end".to_owned());
    }
    let interrupted = run.scenarios.values().filter(|scenario| scenario.interrupted).count();
    if interrupted > 0 {
        told.push(format!("the run was interrupted, and {interrupted} cases were not run"));
    }
    told
}

fn cluster(
    name: &str,
    cases: &[CaseRun<'_>],
    whole: bool,
    folder: &impl Fn(&str) -> Option<String>,
) -> ClusterReport {
    let can = cases.iter().find_map(|(_, scenario, _)| scenario.capabilities.as_ref());
    let dataplane = can.map(|can| &can.dataplane);
    let of = |wanted: Outcome| cases.iter().filter(move |(_, _, outcome)| *outcome == wanted);
    let mut tally = Tally::default();
    cases.iter().for_each(|(_, _, outcome)| outcome.count(&mut tally));
    let failed = of(Outcome::Failed).map(|(case, scenario, _)| Failed {
        case,
        scenario,
        cluster: name,
        folder: folder(&scenario.info.id),
    });
    let broken = broken(failed);
    ClusterReport {
        cluster: name.to_owned(),
        platform: can.map(|can| can.name.clone()),
        cni: dataplane.map(|known| known.name.clone()).filter(|name| !name.is_empty()),
        enforces: dataplane.is_none_or(|known| known.enforces),
        induced: dataplane
            .iter()
            .flat_map(|known| &known.induced)
            .map(|induced| format!("{}: {}", induced.name, induced.sentence))
            .collect(),
        lacks: can.map(|can| can.missing.clone()).unwrap_or_default(),
        cases: tally,
        cells: cases.iter().map(|(_, scenario, _)| scenario.cells()).sum(),
        profiles: profiles(cases.iter().map(|(case, _, outcome)| (*case, *outcome)), whole),
        features: features(cases, &broken),
        broken,
        choices: cases.iter().filter_map(|(case, scenario, _)| choice(case, scenario)).collect(),
        known: cases.iter().flat_map(|(_, scenario, _)| known(scenario)).collect(),
        measured: cases.iter().filter_map(|(case, scenario, _)| measured(case, scenario)).collect(),
        inconclusive: of(Outcome::Inconclusive).map(|(_, scenario, _)| untold(scenario)).collect(),
        skipped: skipped(of(Outcome::Skipped).map(|(_, scenario, _)| *scenario)),
    }
}

/// By feature, those with the largest share of failures first.
fn features(cases: &[CaseRun<'_>], broken: &[Broken]) -> Vec<FeatureRow> {
    let mut features = BTreeMap::<&str, Tally>::new();
    for (case, _, outcome) in cases {
        for feature in &case.features {
            outcome.count(features.entry(feature).or_default());
        }
    }
    let of: BTreeMap<&str, &[String]> = cases
        .iter()
        .map(|(case, scenario, _)| (scenario.info.id.as_str(), case.features.as_slice()))
        .collect();
    let row = |(feature, cases): (&str, Tally)| {
        let has = |case: &&BrokenCase| {
            of.get(case.case.as_str()).is_some_and(|all| all.iter().any(|one| one == feature))
        };
        let failed = |broken: &Broken| broken.cases.iter().find(has).map(|case| case.case.clone());
        let found = broken.iter().enumerate();
        let found = found.filter_map(|(place, broken)| Some((place + 1, failed(broken)?)));
        let (broken, first): (Vec<usize>, Vec<String>) = found.unzip();
        let first_failed = first.into_iter().next();
        FeatureRow { feature: feature.to_owned(), cases, broken, first_failed }
    };
    let mut rows: Vec<FeatureRow> = features.into_iter().map(row).collect();
    // In thousandths, so that equal shares stay in the order of their names.
    let share = |row: &FeatureRow| row.cases.failed * 1000 / row.cases.judged().max(1);
    rows.sort_by_key(|row| (std::cmp::Reverse(share(row)), row.feature.clone()));
    rows
}

fn known(scenario: &ScenarioRun) -> Vec<Known> {
    let told = |report: Report<'_>| Known {
        id: report.known.id.clone(),
        kind: if report.choice { KnownKind::Choice } else { KnownKind::Deviation },
        verdict: match report.told {
            Told::Met(_) => Verdict::Met,
            Told::Gone(_) => Verdict::Gone,
            Told::Changed(..) => Verdict::Changed,
            Told::Unreadable(_) => Verdict::Unreadable,
        },
        case: scenario.info.id.clone(),
        told: news::sentence(&report),
    };
    Lore::of(scenario).reports().into_iter().map(told).collect()
}

fn measured(case: &CaseInfo, scenario: &ScenarioRun) -> Option<Measured> {
    if case.level != Level::Timing || scenario.cells() == 0 {
        return None;
    }
    let micros = |of: fn(&StepTiming) -> Option<std::time::Duration>| {
        scenario.longest(of).and_then(|longest| u64::try_from(longest.as_micros()).ok())
    };
    let notes = scenario.steps.values().flat_map(|step| &step.notes);
    Some(Measured {
        case: scenario.info.id.clone(),
        about: scenario.info.about.clone(),
        notes: watched(scenario).into_iter().chain(notes.cloned()).collect(),
        to_enforce: micros(|timing| timing.to_enforce),
        to_allow: micros(|timing| timing.to_allow),
    })
}

fn untold(scenario: &ScenarioRun) -> Unjudged {
    let reason = match (&scenario.reason, scenario.status) {
        (Some(reason), _) => reason.clone(),
        (None, None) => "the run ended before it was over".to_owned(),
        (None, Some(_)) => "no reason is told".to_owned(),
    };
    Unjudged { case: scenario.info.id.clone(), reason }
}

/// By reason, that of the most cases first.
fn skipped<'a>(scenarios: impl Iterator<Item = &'a ScenarioRun>) -> Vec<Skipped> {
    let mut reasons = BTreeMap::<String, Vec<String>>::new();
    for scenario in scenarios {
        reasons.entry(why_skipped(scenario)).or_default().push(scenario.info.id.clone());
    }
    let mut all: Vec<Skipped> =
        reasons.into_iter().map(|(reason, cases)| Skipped { reason, cases }).collect();
    all.sort_by_key(|some| std::cmp::Reverse(some.cases.len()));
    all
}

/// The scenario's reason, or, where it passed and its case was not shown, what its cluster
/// could not be asked.
fn why_skipped(scenario: &ScenarioRun) -> String {
    if let Some(reason) = &scenario.reason {
        return reason.clone();
    }
    let left_out = scenario.steps.values().flat_map(|step| &step.not_judged);
    let mut reasons: Vec<&str> = Vec::new();
    for NotJudged { reason, .. } in left_out {
        if !reasons.contains(&reason.as_str()) {
            reasons.push(reason);
        }
    }
    if reasons.is_empty() {
        return "the cell that decides it was not judged".to_owned();
    }
    reasons.join("; ")
}
