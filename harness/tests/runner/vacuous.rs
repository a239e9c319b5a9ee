//! Passes that must not be: what a cluster can look like that enforces nothing, or is broken.

use std::time::Duration;

use ringfence::model::{Name, Outcome};
use ringfence::run::{Finding, Status};

use crate::fake::{Fake, Scene};
use crate::script::{X_TO_Y, Y_TO_X, fence, fenced, run, scenario, step, unfence};

#[tokio::test(start_paused = true)]
async fn an_observation_too_few_is_no_pass() {
    for few in [1, 1000] {
        let told = run(&fenced(), &mut Fake::honest().forgets(few)).await;
        assert_eq!(told.status, Status::Errored);
        let reason = told.reason.unwrap();
        assert!(reason.contains("observations of a round, found"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_always_broken_is_no_deny() {
    let lie = |scene: &Scene<'_>| {
        let broken = Outcome::Broken { reason: "no route".into() };
        (scene.cell.to_string() == X_TO_Y).then_some(broken)
    };
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.found(Finding::Inconclusive), [X_TO_Y]);
    assert!(told.why(0, X_TO_Y).contains("no route"));
}

#[tokio::test(start_paused = true)]
async fn a_scenario_without_cells_or_with_open_ones_alone_is_skipped() {
    let mut alone = scenario(vec![step(vec![fence("x")], &[])]);
    alone.topology.pods.retain(|name, _| &*name.name == "x");
    let told = run(&alone, &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Skipped);
    assert!(told.reason.unwrap().contains("no cell is left"));

    alone.steps = vec![step(vec![fence("x")], &["any x -> x"])];
    let told = run(&alone, &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Skipped);
    assert!(told.reason.unwrap().contains("the API leaves 2 cells open"));
}

#[tokio::test(start_paused = true)]
async fn cells_that_are_later_than_the_sentinel_are_seen() {
    // The sentinel flips at once, and the cell so many rounds later.
    for (late, status) in [(2, Status::Passed), (40, Status::Failed)] {
        let lie = move |scene: &Scene<'_>| {
            let late =
                scene.changes == 2 && scene.round <= late && scene.cell.to_string() == X_TO_Y;
            late.then_some(Outcome::Connected)
        };
        let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, status, "{late}: {:?}", told.reason);
    }
    // Too much is enforced, and only when the step has long settled: the step after it sees that.
    let steps = vec![
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        step(vec![], &["deny * -> y", "allow * -> *"]),
    ];
    let lie = |scene: &Scene<'_>| {
        let late = scene.changes == 3 && scene.cell.to_string() == Y_TO_X;
        late.then_some(Outcome::Dropped)
    };
    let told = run(&scenario(steps), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.found(Finding::EnforcementFault), [Y_TO_X]);
}

#[tokio::test(start_paused = true)]
async fn agreement_before_the_cluster_looked_is_no_agreement() {
    // Denied as it should be for as long as the cluster has not looked, and open afterwards.
    let lie = |scene: &Scene<'_>| match (scene.sentinel, scene.cell.to_string().as_str()) {
        (true, _) if scene.changes == 2 && scene.round < 6 => Some(Outcome::Connected),
        (false, X_TO_Y) if scene.changes == 2 && scene.round < 6 => Some(Outcome::Dropped),
        (false, X_TO_Y) => Some(Outcome::Connected),
        _ => None,
    };
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::EnforcementFault), [X_TO_Y]);
}

#[tokio::test(start_paused = true)]
async fn a_deny_that_rests_on_a_dead_pod_is_no_pass() {
    // `y` dies when its policy comes, and does not live again when it goes.
    for (outcome, word) in [(Outcome::Dropped, "dropped"), (Outcome::Refused, "refused")] {
        let dead = outcome.clone();
        let lie = move |scene: &Scene<'_>| {
            (scene.changes > 1 && scene.cell.to_string() == X_TO_Y).then(|| dead.clone())
        };
        let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, Status::Errored);
        let reason = told.reason.unwrap();
        assert!(
            reason.starts_with("1 of 2 paths that were seen denied did not open again")
                && reason.contains(X_TO_Y)
                && reason.contains(word),
            "{reason}"
        );
    }
    // A path that was seen open after it was denied needs no such proof.
    let mut fake = Fake::honest();
    let again = vec![
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        step(vec![unfence("y")], &["allow * -> *"]),
    ];
    assert_eq!(run(&scenario(again), &mut fake).await.status, Status::Passed);
    assert_eq!(fake.log.lock().unwrap().rounds, 1 + 2 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_opened_once_and_no_more_is_inconclusive() {
    let once = || {
        let mut opened = false;
        move |scene: &Scene<'_>| {
            let own = scene.cell.to_string() == X_TO_Y;
            let shut = own && opened;
            opened |= own;
            shut.then_some(Outcome::Dropped)
        }
    };
    // Where answers come late, control is repeated, which shows it.
    let mut late = Fake::honest().answers_after(Duration::from_millis(60)).lie(once());
    let told = run(&fenced(), &mut late).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.found(Finding::Inconclusive), [X_TO_Y]);
    assert!(told.why(0, X_TO_Y).contains("after it had been open once"));
    // Else it shows in the end, when no policy stops the path any more.
    let told = run(&fenced(), &mut Fake::honest().lie(once())).await;
    assert_eq!(told.status, Status::Errored);
    assert!(told.reason.unwrap().contains("did not open again when the policies were lifted"));
}

#[tokio::test(start_paused = true)]
async fn a_node_without_pods_has_to_look_too() {
    let all_on_one = || {
        let mut scenario = fenced();
        for pod in scenario.topology.pods.values_mut() {
            pod.node = Some(Name::from("n1"));
        }
        scenario
    };
    assert_eq!(run(&all_on_one(), &mut Fake::honest()).await.status, Status::Passed);
    let mut fake = Fake::honest().lag("n2", Duration::from_secs(60));
    let told = run(&all_on_one(), &mut fake).await;
    assert_eq!(told.status, Status::Errored);
    assert!(told.found(Finding::Agrees).is_empty());
    assert!(told.reason.unwrap().contains("node `n2`"));
}
