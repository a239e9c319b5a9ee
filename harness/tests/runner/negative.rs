//! Negative controls: clusters that are declared to enforce nothing pass only if every
//! deny is seen to fail.

use std::time::Duration;

use ringfence::model::Outcome;
use ringfence::run::{Finding, Status};
use tokio::time::Instant;

use crate::fake::{Fake, Scene};
use crate::script::{X_TO_Y, Y_TO_X, add, fence, fenced, remove, run, scenario, step, unfence};

fn open(_: &Scene<'_>) -> Option<Outcome> {
    Some(Outcome::Connected)
}

#[tokio::test(start_paused = true)]
async fn it_passes_where_every_deny_fails_and_soon() {
    let scenario = scenario(vec![
        step(vec![], &["allow * -> *"]),
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        step(vec![fence("x")], &["deny * -> *"]),
        step(vec![unfence("y"), unfence("x")], &["allow * -> *"]),
    ]);
    let begun = Instant::now();
    let told = run(&scenario, &mut Fake::declared_to_enforce_nothing().lie(open)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(told.found(Finding::Unenforced).len(), 2 + 4);
    assert_eq!(told.found(Finding::Agrees).len(), 4 + 2 + 4);
    let why = told.why(1, X_TO_Y);
    assert!(
        why.ends_with(
            "this cluster is declared to enforce nothing; observed connected, as it must be there"
        ),
        "{why}"
    );
    assert!(told.steps()[1].timing.to_enforce.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_deny_that_holds_is_a_failure() {
    let holds = |scene: &Scene<'_>| {
        let held = scene.changes > 1 && scene.cell.to_string() == X_TO_Y;
        Some(if held { Outcome::Dropped } else { Outcome::Connected })
    };
    let told = run(&fenced(), &mut Fake::declared_to_enforce_nothing().lie(holds)).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::Enforced), [X_TO_Y]);
    let why = told.why(0, X_TO_Y);
    assert!(
        why.contains("this cluster is declared to enforce nothing, and observed dropped"),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_enforces_late_is_caught_within_the_window() {
    let late = || {
        let lag = Duration::from_millis(700);
        Fake::declared_to_enforce_nothing().lag("n1", lag).lag("n2", lag)
    };
    let told = run(&fenced(), &mut late()).await;
    assert_eq!(told.status, Status::Failed);
    assert!(!told.found(Finding::Enforced).is_empty());
    assert_eq!(
        told.reason.as_deref(),
        Some(
            "this cluster is declared to enforce nothing, and in step `expects deny * -> y, allow * -> *` node `n1` and node `n2` enforced the sentinel's policy"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_sentinel_that_flips_is_a_failure_even_where_every_deny_fails() {
    let flips = |scene: &Scene<'_>| {
        let flipped = scene.sentinel && scene.changes > 1 && scene.touches("n2");
        Some(if flipped { Outcome::Dropped } else { Outcome::Connected })
    };
    let told = run(&fenced(), &mut Fake::declared_to_enforce_nothing().lie(flips)).await;
    assert_eq!(told.status, Status::Failed);
    let reason = told.reason.unwrap();
    assert!(reason.contains("node `n2` enforced the sentinel's policy"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn without_a_deny_nothing_is_controlled() {
    let scenario = scenario(vec![step(vec![], &["allow * -> *"])]);
    let told = run(&scenario, &mut Fake::declared_to_enforce_nothing().lie(open)).await;
    assert_eq!(told.status, Status::Skipped);
    assert_eq!(
        told.reason.as_deref(),
        Some(
            "nothing was controlled: this cluster is declared to enforce nothing, and no step asks for a deny"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_path_that_never_opens_is_no_deny_and_an_allow_must_work() {
    let shut = |scene: &Scene<'_>| {
        let shut = scene.cell.to_string() == X_TO_Y;
        Some(if shut { Outcome::Dropped } else { Outcome::Connected })
    };
    let told = run(&fenced(), &mut Fake::declared_to_enforce_nothing().lie(shut)).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.found(Finding::Inconclusive), [X_TO_Y]);

    let breaks = |scene: &Scene<'_>| {
        let broken = scene.changes > 1 && scene.cell.to_string() == Y_TO_X;
        Some(if broken { Outcome::Dropped } else { Outcome::Connected })
    };
    let told = run(&fenced(), &mut Fake::declared_to_enforce_nothing().lie(breaks)).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::EnforcementFault), [Y_TO_X]);
}

#[tokio::test(start_paused = true)]
async fn pods_that_come_late_are_controlled_too() {
    let scenario = scenario(vec![
        step(vec![fence("z")], &["allow * -> *"]),
        step(vec![add("z")], &["deny * -> z", "allow * -> *"]),
        step(vec![remove("z")], &["allow * -> *"]),
    ]);
    let told = run(&scenario, &mut Fake::declared_to_enforce_nothing().lie(open)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert_eq!(told.found(Finding::Unenforced).len(), 4);
}
