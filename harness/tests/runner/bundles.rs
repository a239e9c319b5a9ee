//! What a failed scenario leaves for whoever looks into it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ringfence::cluster::Artifact;
use ringfence::model::Outcome;
use ringfence::run::record::read;
use ringfence::run::{Event, Settings, Status, Stop};

use crate::fake::{Fake, Scene};
use crate::script::{X_TO_Y, fenced, run_with};

fn leaks(scene: &Scene<'_>) -> Option<Outcome> {
    (scene.changes > 1 && !scene.sentinel && scene.cell.to_string() == X_TO_Y)
        .then_some(Outcome::Connected)
}

fn artifacts() -> Vec<Artifact> {
    let artifact = |path: &str| Artifact { path: path.into(), text: format!("of {path}\n") };
    vec![artifact("pods/a-x.yaml"), artifact("../../escape")]
}

fn settings(folder: &Path) -> Settings {
    Settings { bundles: Some(folder.to_owned()), ..Settings::default() }
}

/// The bundle's folder and its files with their texts.
fn bundle(events: &[Event]) -> (String, BTreeMap<String, String>) {
    let found: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Bundled { folder, files } => Some((folder, files)),
            _ => None,
        })
        .collect();
    let [(folder, files)] = found[..] else { panic!("{} bundles", found.len()) };
    let read =
        |file: &String| (file.clone(), fs::read_to_string(Path::new(folder).join(file)).unwrap());
    (folder.clone(), files.iter().map(read).collect())
}

#[tokio::test(start_paused = true)]
async fn a_failed_scenario_leaves_its_rounds_judgements_policies_and_its_clusters_word() {
    let root = tempfile::tempdir().unwrap();
    let mut fake = Fake::honest().lie(leaks).hands_over(artifacts()).rewrites("`a` is `rf-a`");
    let told = run_with(&fenced(), &mut fake, &settings(root.path()), &Stop::never()).await;
    assert_eq!(told.status, Status::Failed);
    let (folder, files) = bundle(&told.events);
    assert_eq!(Path::new(&folder), root.path().join("fake/test"));
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        [
            "cluster/__/__/escape",
            "cluster/pods/a-x.yaml",
            "judgements.txt",
            "policies/rewritten.txt",
            "policies/step-1-a-y.json",
            "record.jsonl",
            "rounds.txt",
        ]
    );
    assert_eq!(files["cluster/pods/a-x.yaml"], "of pods/a-x.yaml\n");
    assert_eq!(
        files["policies/rewritten.txt"],
        "step `expects deny * -> y, allow * -> *`: `a` is `rf-a`\n"
    );
    let judged = format!(
        "  {X_TO_Y}  enforcement-fault: intended deny by `deny * -> y`, specified deny, observed connected after 1.0 ms\n"
    );
    assert!(files["judgements.txt"].contains(&judged), "{}", files["judgements.txt"]);
    // Every round, and every line so far but those that follow.
    let rounds = told.events.iter().filter(|event| matches!(event, Event::Round { .. })).count();
    assert_eq!(files["rounds.txt"].matches("; silence is a drop after").count(), rounds);
    assert!(files["rounds.txt"].contains(&format!("  {X_TO_Y}  connected after 1.0 ms\n")));
    let record = read(&Path::new(&folder).join("record.jsonl")).unwrap();
    assert!(!record.cut);
    let [start, lines @ ..] = &record.lines[..] else { panic!("expected lines, found none") };
    let Event::RunStarted { clusters, scenarios, .. } = &start.event else {
        panic!("expected the start of a run, found {:?}", start.event)
    };
    assert_eq!((&clusters[..], scenarios.len()), (&["fake".to_owned()][..], 1));
    assert_eq!(scenarios[0].id, "test");
    assert_eq!(lines.len(), told.events.len() - 2, "all but `bundled` and the end");
    // Nothing else is there, and no file without a name is left.
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    assert_eq!(fake.log.lock().unwrap().torn_down, 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_passes_or_is_interrupted_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut fake = Fake::honest().hands_over(artifacts());
    let told = run_with(&fenced(), &mut fake, &settings(root.path()), &Stop::never()).await;
    assert_eq!(told.status, Status::Passed);
    let (stopper, stop) = Stop::new();
    stopper.stop();
    let told = run_with(&fenced(), &mut fake, &settings(root.path()), &stop).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_does_not_answer_is_waited_for_no_longer_than_its_deadline() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { artifacts_deadline: Duration::from_secs(7), ..settings(root.path()) };
    let mut fake = Fake::honest().lost_at(4).never_hands_over();
    let told = run_with(&fenced(), &mut fake, &settings, &Stop::never()).await;
    assert_eq!(told.status, Status::Errored);
    let (_, files) = bundle(&told.events);
    assert_eq!(
        files["cluster/missing.txt"],
        "expected the cluster to hand over its logs and states within 7000 ms\n"
    );
    assert_eq!(fake.log.lock().unwrap().torn_down, 1);
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_cannot_be_written_is_told_and_changes_no_result() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let mut fake = Fake::honest().lie(leaks);
    let told = run_with(&fenced(), &mut fake, &settings(&file), &Stop::never()).await;
    assert_eq!(told.status, Status::Failed);
    let reason = told.reason.unwrap();
    assert!(
        reason.starts_with(
            "the failure bundle could not be written: expected a folder that can be written to at `"
        ),
        "{reason}"
    );
}
