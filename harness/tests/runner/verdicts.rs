//! What is said of cells: agreement, faults, choices, and what could not be told.

use std::time::Duration;

use ringfence::model::{Outcome, PolicyType};
use ringfence::run::{Finding, Settings, Status, Stop};

use crate::fake::{Fake, Scene};
use crate::script::{
    X_TO_Y, Y_TO_X, fence, fence_with, fenced, rule, run, run_with, scenario, step, unfence,
};

#[tokio::test(start_paused = true)]
async fn a_healthy_cluster_passes_and_is_torn_down() {
    let scenario = scenario(vec![
        step(vec![], &["allow * -> *"]),
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        step(vec![fence_with("x", PolicyType::Egress)], &["deny * -> y", "allow * -> *"]),
        step(vec![unfence("y")], &["deny x -> *", "allow * -> *"]),
        step(vec![unfence("x")], &["allow * -> *"]),
    ]);
    let mut fake = Fake::honest();
    let told = run(&scenario, &mut fake).await;
    assert_eq!((told.status, told.reason.as_deref()), (Status::Passed, None));
    let steps = told.steps();
    assert_eq!(steps.len(), 5);
    assert!(steps.iter().all(|step| step.cells.len() == 4 && step.notes.is_empty()));
    assert_eq!(told.found(Finding::Agrees).len(), 20);
    assert_eq!(fake.log.lock().unwrap().torn_down, 1);
    // The round that shows the flip is the first of two that agree and settle a step.
    assert!(steps.iter().all(|step| step.timing.rounds == 2), "{:?}", steps[1].timing);
}

#[tokio::test(start_paused = true)]
async fn a_lying_dataplane_is_an_enforcement_fault_with_its_cell() {
    let lie = |scene: &Scene<'_>| (scene.cell.to_string() == X_TO_Y).then_some(Outcome::Connected);
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::EnforcementFault), [X_TO_Y]);
    assert!(told.why(0, X_TO_Y).contains("the policies specify deny"), "{}", told.why(0, X_TO_Y));
    assert!(told.why(0, X_TO_Y).contains("observed connected, "), "{}", told.why(0, X_TO_Y));
    // A healthy cluster need not wait for the whole deadline to be told wrong.
    let took = told.steps()[0].timing.total.unwrap();
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn over_enforcement_is_a_fault_too() {
    let lie = |scene: &Scene<'_>| {
        (scene.changes > 1 && scene.cell.to_string() == Y_TO_X).then_some(Outcome::Dropped)
    };
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::EnforcementFault), [Y_TO_X]);
}

#[tokio::test(start_paused = true)]
async fn a_flapping_cell_is_unstable() {
    let lie = |scene: &Scene<'_>| {
        let flaps =
            scene.cell.to_string() == X_TO_Y && scene.changes > 1 && scene.round.is_multiple_of(2);
        flaps.then_some(Outcome::Connected)
    };
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.found(Finding::Unstable), [X_TO_Y]);
    assert!(told.reason.unwrap().contains("keeps changing"));
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_turns_wrong_after_it_agreed_fails() {
    // Another cell keeps the step going until this one turns.
    let lie = |scene: &Scene<'_>| match scene.cell.to_string().as_str() {
        X_TO_Y if scene.changes > 1 && scene.round > 3 => Some(Outcome::Connected),
        Y_TO_X if scene.changes > 1 && scene.round < 5 => Some(Outcome::Dropped),
        _ => None,
    };
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::EnforcementFault), [X_TO_Y]);
    assert!(told.why(0, X_TO_Y).contains("after it had been as specified"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_neither_allowed_nor_denied() {
    for (cell, goal) in [(X_TO_Y, "deny"), (Y_TO_X, "allow")] {
        let lie = move |scene: &Scene<'_>| {
            (scene.changes > 1 && scene.cell.to_string() == cell).then_some(Outcome::ReplyLost)
        };
        let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, Status::Failed);
        assert_eq!(told.found(Finding::EnforcementFault), [cell]);
        let why = told.why(0, cell);
        assert!(why.contains(goal) && why.contains("the reply was lost"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_wrong_pod_and_a_broken_probe_are_inconclusive() {
    for outcome in [
        Outcome::WrongPod { answered: "a/z".into() },
        Outcome::Broken { reason: "too many open files".into() },
    ] {
        for cell in [X_TO_Y, Y_TO_X] {
            let outcome = outcome.clone();
            let lie = move |scene: &Scene<'_>| {
                (scene.changes > 1 && scene.cell.to_string() == cell).then(|| outcome.clone())
            };
            let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
            assert_eq!(told.status, Status::Errored);
            assert_eq!(told.found(Finding::Inconclusive), [cell]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_that_never_opened_is_inconclusive_and_not_denied() {
    let lie = |scene: &Scene<'_>| (scene.cell.to_string() == X_TO_Y).then_some(Outcome::Dropped);
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.found(Finding::Inconclusive), [X_TO_Y]);
    assert!(told.why(0, X_TO_Y).contains("never opened"), "{}", told.why(0, X_TO_Y));
    assert_eq!(told.found(Finding::Agrees).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_opens_late_is_waited_for() {
    let mut tries = 0;
    let lie = move |scene: &Scene<'_>| {
        let shut = scene.changes == 1 && scene.cell.to_string() == X_TO_Y && tries < 4;
        tries += usize::from(shut);
        shut.then_some(Outcome::Refused)
    };
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
}

#[tokio::test(start_paused = true)]
async fn policy_faults_known_and_missing() {
    // `y` was to be open, and the policy shuts it.
    let mut fault = step(vec![fence("y")], &["allow * -> *"]);
    let told = run(&scenario(vec![fault.clone()]), &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::PolicyFault).len(), 2);

    fault.faults = vec![rule("deny x -> y")];
    let told = run(&scenario(vec![fault.clone()]), &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert_eq!(told.found(Finding::KnownPolicyFault).len(), 2);

    // The sentence names the very rule, not the step, nor another rule of the same word.
    let at = |text: &str, line| ringfence::scenario::ExpectRule {
        origin: ringfence::model::Origin { line, ..rule(text).origin },
        ..rule(text)
    };
    let mut wrong = fault.clone();
    wrong.faults = vec![at("allow x -> y", 21), at("allow y -> x", 22)];
    wrong.expect = vec![rule("deny y -> x"), rule("deny * -> *")];
    let told = run(&scenario(vec![wrong]), &mut Fake::honest()).await;
    let why = told.why(0, X_TO_Y);
    assert!(why.contains("`faults` says") && why.contains(":21"), "{why}");

    fault.faults.push(rule("deny y -> x"));
    let told = run(&scenario(vec![fault.clone()]), &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::MissingPolicyFault).len(), 2);

    // A known fault must still be enforced.
    fault.faults.pop();
    let lie = |scene: &Scene<'_>| (scene.cell.to_string() == X_TO_Y).then_some(Outcome::Connected);
    let told = run(&scenario(vec![fault]), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.found(Finding::EnforcementFault), [X_TO_Y]);
}

#[tokio::test(start_paused = true)]
async fn what_the_api_leaves_open_is_a_choice_or_not_portable() {
    let to_itself = |intent: &str| {
        scenario(vec![step(
            vec![fence("y")],
            &[&format!("{intent} y -> y"), "deny * -> y", "allow * -> *"],
        )])
    };
    let told = run(&to_itself("any"), &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert_eq!(told.found(Finding::Choice).len(), 2);

    let told = run(&to_itself("allow"), &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Passed);
    assert_eq!(told.found(Finding::NotPortable).len(), 2);

    let strict = Settings { strict: true, ..Settings::default() };
    let told = run_with(&to_itself("allow"), &mut Fake::honest(), &strict, &Stop::never()).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::PolicyFault).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn any_is_only_for_what_is_left_open() {
    let told = run(&scenario(vec![step(vec![], &["any * -> *"])]), &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::PolicyFault).len(), 4);
}
