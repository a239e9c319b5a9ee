//! Pods that come in a step: isolated at once, and their control comes at the end.

use std::time::Duration;

use ringfence::model::Outcome;
use ringfence::run::{Event, Finding, Purpose, Status};

use crate::fake::{Fake, Scene};
use crate::script::{add, fence, remove, run, scenario, step, unfence};

#[tokio::test(start_paused = true)]
async fn late_pods_get_their_control_when_policies_are_lifted() {
    let scenario = scenario(vec![
        step(vec![fence("y"), fence("z")], &["deny * -> y", "allow * -> *"]),
        step(vec![add("z")], &["deny * -> y", "deny * -> z", "allow * -> *"]),
        step(vec![unfence("y")], &["deny * -> z", "allow * -> *"]),
    ]);
    let mut fake = Fake::honest();
    let told = run(&scenario, &mut fake).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert_eq!(fake.log.lock().unwrap().policies_left, 0);
    let names: Vec<&str> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StepJudged { .. } => Some("judged"),
            Event::StepStarted { .. } => Some("started"),
            Event::Round { purpose: Purpose::Lift, .. } => Some("lift"),
            _ => None,
        })
        .collect();
    assert_eq!(
        names,
        ["started", "judged", "started", "started", "lift", "judged", "judged"],
        "the first step waits for nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_pod_whose_path_never_opens_is_inconclusive() {
    let steps = || {
        vec![
            step(vec![fence("z")], &["allow * -> *"]),
            step(vec![add("z")], &["deny * -> z", "allow * -> *"]),
        ]
    };
    let cell = "a/x -> a/z:80/TCP over ipv6";
    let lie = move |scene: &Scene<'_>| (scene.cell.to_string() == cell).then_some(Outcome::Dropped);
    let told = run(&scenario(steps()), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.found(Finding::Inconclusive), [cell]);
    assert!(told.why(1, cell).contains("never opened"), "{}", told.why(1, cell));

    // The pod is removed again: its control comes before that.
    for (lie, status) in [(false, Status::Passed), (true, Status::Errored)] {
        let mut steps = steps();
        steps.push(step(vec![remove("z")], &["allow * -> *"]));
        let lie = move |scene: &Scene<'_>| {
            (lie && scene.cell.to_string() == cell).then_some(Outcome::Dropped)
        };
        let told = run(&scenario(steps), &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, status, "{:?}", told.reason);
        assert!(told.steps()[2].notes[0].contains("lifted"), "{:?}", told.steps()[2].notes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_pod_is_isolated_from_its_first_instant_and_allowed_when_it_comes() {
    let scenario = scenario(vec![
        step(vec![fence("z")], &["allow * -> *"]),
        step(vec![add("z")], &["deny * -> z", "allow * -> *"]),
    ]);
    let cell = "a/x -> a/z:80/TCP over ipv4";
    let leak = move |scene: &Scene<'_>| {
        let leaks = scene.changes == 3 && scene.round == 1 && scene.cell.to_string() == cell;
        leaks.then_some(Outcome::Connected)
    };
    let told = run(&scenario, &mut Fake::honest().lie(leak)).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::EnforcementFault), [cell]);

    // How late its allows come is left open: they are waited for.
    let late = move |scene: &Scene<'_>| {
        let late = scene.changes == 3
            && scene.round < 20
            && scene.cell.to_string() == "a/z -> a/x:80/TCP over ipv4";
        late.then_some(Outcome::Dropped)
    };
    let told = run(&scenario, &mut Fake::honest().lie(late)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert!(told.steps()[1].timing.to_allow.unwrap() > Duration::from_secs(5));
}
