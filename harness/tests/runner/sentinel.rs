//! Nothing is judged before every node has looked, and silence is measured.

use std::time::Duration;

use ringfence::cluster::Feature;
use ringfence::model::{Cell, Observation, Outcome};
use ringfence::run::{Event, Finding, Purpose, Status};

use crate::fake::{Fake, Scene};
use crate::script::{X_TO_Y, fence, fenced, run, scenario, shut_everybody, step, unfence};

/// How long silence lasts at least to count as a drop, by default.
const SILENCE: Duration = Duration::from_millis(250);

/// The default deadline of a step.
const STEP: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn the_sentinel_is_in_no_cell_and_flips_in_every_step() {
    let scenario = scenario(vec![step(vec![], &["allow * -> *"]), step(vec![], &["allow * -> *"])]);
    let told = run(&scenario, &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Passed);
    let mut flips = vec![];
    for event in &told.events {
        match event {
            Event::Round { purpose: Purpose::Sentinel, step: Some(step), observations, .. } => {
                assert!(observations.cells().all(|c| c.to_string().starts_with("ringfence-")));
                let of = |(cell, _): &(&Cell, &Observation)| {
                    cell.to_string().starts_with("ringfence-sentinel/")
                };
                let (sentinel, witness): (Vec<_>, Vec<_>) = observations.iter().partition(of);
                // Within two nodes and both ways between them, in two families and protocols.
                assert_eq!(witness.len(), 4 * 4);
                assert!(witness.iter().all(|(_, seen)| seen.outcome.is_connected()));
                // The sentinel is asked until it has flipped: two nodes in two families.
                assert!([0, 4].contains(&sentinel.len()));
                if !sentinel.is_empty() {
                    flips.push((*step, sentinel.iter().all(|(_, seen)| seen.outcome.is_stopped())));
                }
            }
            Event::Round { purpose: Purpose::Sentinel, .. } => {}
            Event::Round { observations, .. } => {
                assert!(observations.cells().all(|cell| cell.to_string().starts_with("a/")));
            }
            Event::Deployed { topology, .. } => assert_eq!(topology.pods.len(), 2),
            _ => {}
        }
    }
    assert_eq!(flips, [(0, true), (1, false)]);
}

/// Otherwise the sentinel would never flip back, nor the witness be heard.
#[tokio::test(start_paused = true)]
async fn a_policy_about_everybody_leaves_the_runs_own_pods_out_and_says_so() {
    let step = |change| step(change, &["deny * -> *"]);
    let scenario = scenario(vec![step(vec![shut_everybody()]), step(vec![])]);
    let told = run(&scenario, &mut Fake::honest().declaring(Feature::ClusterNetworkPolicies)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let rewritten: Vec<String> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StepStarted { rewritten, .. } => Some(rewritten.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let expected = "the subject of `ClusterNetworkPolicy/shut` leaves out the namespaces of the run's own pods";
    assert_eq!(rewritten, [expected]);
}

/// The deadlines of all rounds, in milliseconds: before the steps, and in them.
async fn deadlines(mut fake: Fake) -> (Vec<u128>, Vec<u128>) {
    let told = run(&fenced(), &mut fake).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let of = |wanted: Purpose| {
        let rounds = told.events.iter().filter_map(move |event| match event {
            Event::Round { purpose, step, deadline, .. }
                if *purpose == wanted && step.is_some() == (wanted == Purpose::Settle) =>
            {
                Some(deadline.as_millis())
            }
            _ => None,
        });
        rounds.collect()
    };
    (of(Purpose::Sentinel), of(Purpose::Settle))
}

#[tokio::test(start_paused = true)]
async fn silence_is_measured_from_allowed_latencies() {
    let ms = Duration::from_millis;
    // What answers at once is asked once; then come the step's own rounds.
    assert_eq!(deadlines(Fake::honest()).await, (vec![250], vec![250; 2]));
    // What is lost while paths are set up costs the shortest deadlines first.
    let late = Fake::honest().warms_up(ms(1000));
    assert_eq!(deadlines(late).await, (vec![250, 500, 250], vec![250; 2]));
    // A slow path is found by longer ones, and keeps them long.
    let slow = Fake::honest().answers_after(ms(300));
    assert_eq!(deadlines(slow).await, (vec![250, 500, 250, 500], vec![2000; 2]));
    let slower = Fake::honest().answers_after(ms(1900));
    let (control, settle) = deadlines(slower).await;
    assert_eq!(control[..4], [250, 500, 1000, 2000]);
    assert_eq!(settle, [2000; 2]);
    // Half a deadline in which a lost packet was waited for is no latency.
    let lossy = Fake::honest().loses_first_packets();
    assert_eq!(deadlines(lossy).await, (vec![250], vec![250; 2]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_cluster_passes_and_its_time_is_told() {
    let scenario = scenario(vec![
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        step(vec![unfence("y")], &["allow * -> *"]),
    ]);
    let lag = Duration::from_secs(4);
    let mut fake = Fake::honest().lag("n1", lag).lag("n2", lag);
    let told = run(&scenario, &mut fake).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let steps = told.steps();
    let (enforce, allow) = (steps[0].timing.to_enforce, steps[1].timing.to_allow);
    for time in [enforce, allow] {
        let time = time.unwrap();
        assert!(time >= lag && time < lag + Duration::from_secs(1), "{time:?}");
    }
    assert_eq!((steps[0].timing.to_allow, steps[1].timing.to_enforce), (None, None));
    // A step costs the latency and less than three deadlines.
    for step in steps {
        let (latency, total) = (step.timing.to_look.unwrap(), step.timing.total.unwrap());
        assert!(latency >= lag && total - latency < 3 * SILENCE, "{:?}", step.timing);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fast_step_is_watched_for_as_long_as_a_slow_one_took() {
    let scenario = scenario(vec![
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        step(vec![], &["deny * -> y", "allow * -> *"]),
    ]);
    // The first step's policies come into force late, those of the second at once.
    let late = Duration::from_secs(4);
    let started = tokio::time::Instant::now();
    let lie = move |scene: &Scene<'_>| {
        (scene.changes == 2 && started.elapsed() < late).then_some(Outcome::Connected)
    };
    let told = run(&scenario, &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let steps = told.steps();
    let slow = steps[0].timing.to_look.unwrap();
    assert!(slow > late / 2, "{slow:?}");
    assert!(steps[1].timing.to_look.unwrap() < late / 2, "{:?}", steps[1].timing);
    assert!(steps[1].timing.total.unwrap() >= slow, "{:?}", steps[1].timing);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_late_is_waited_for() {
    // `y` is on `n2`, which enforces five seconds late; `n1` at once.
    let mut fake = Fake::honest().lag("n2", Duration::from_secs(5));
    let told = run(&fenced(), &mut fake).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert!(told.steps()[0].timing.to_enforce.unwrap() >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_changes_nothing_is_not_passed_before_the_cluster_looked() {
    let scenario = scenario(vec![step(vec![], &["allow * -> *"])]);
    let mut fake = Fake::honest().lag("n2", 2 * STEP);
    let told = run(&scenario, &mut fake).await;
    assert_eq!(told.status, Status::Errored);
    assert!(told.found(Finding::Agrees).is_empty());
    let reason = told.reason.clone().unwrap();
    assert!(reason.contains("node `n2`") && reason.contains("30000 ms"), "{reason}");
    assert!(!reason.contains("`n1`"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_policy_fault_needs_no_packet() {
    let scenario = scenario(vec![step(vec![fence("y")], &["allow * -> *"])]);
    let mut fake = Fake::honest().lag("n1", 2 * STEP);
    let told = run(&scenario, &mut fake).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(told.found(Finding::PolicyFault).len(), 2);
    assert_eq!(told.found(Finding::Inconclusive).len(), 2);
}

/// Sees everything open, whatever the policies say.
fn enforces_nothing() -> Fake {
    Fake::honest().lie(|_| Some(Outcome::Connected))
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_enforces_nothing_is_at_fault() {
    let scenario = scenario(vec![
        step(vec![], &["allow * -> *"]),
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        step(vec![unfence("y")], &["allow * -> *"]),
    ]);
    let told = run(&scenario, &mut enforces_nothing()).await;
    assert_eq!(told.status, Status::Failed);
    // What is open and should be may be so because nothing was looked at.
    assert_eq!(told.found(Finding::Inconclusive).len(), 4 + 2);
    assert!(told.found(Finding::Agrees).is_empty());
    let faults = told.found(Finding::EnforcementFault);
    assert_eq!(faults, [X_TO_Y, "a/x -> a/y:80/TCP over ipv6"]);
    let why = told.why(1, X_TO_Y);
    for part in [
        "specify deny",
        "observed connected, in all",
        "no node enforced the sentinel's",
        "30000 ms",
    ] {
        assert!(why.contains(part), "no `{part}` in {why}");
    }
    // The first step has nothing to deny, so the second is waited for, and no other.
    assert_eq!(told.steps().len(), 2);
    let reason = told.reason.unwrap();
    assert!(reason.contains("not judged: `expects allow * -> *`"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_where_no_step_denies() {
    let open = || step(vec![], &["allow * -> *"]);
    let told = run(&scenario(vec![open(), open(), open()]), &mut enforces_nothing()).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.steps().len(), 1);
    assert!(told.reason.unwrap().contains("not judged: "));
}

#[tokio::test(start_paused = true)]
async fn a_blind_sentinel_proves_nothing_any_more() {
    // The sentinel is open throughout, which is what the second step's flip would ask for. The
    // second step's cells agree, as do those of the first, but nobody knows why.
    let lie = |scene: &Scene<'_>| scene.sentinel.then_some(Outcome::Connected);
    let told = run(
        &scenario(vec![
            step(vec![], &["allow * -> *"]),
            step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        ]),
        &mut Fake::honest().lie(lie),
    )
    .await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.found(Finding::Inconclusive).len(), 8);

    // Nor is a cell at fault that was seen denied once.
    let lie =
        |scene: &Scene<'_>| (scene.sentinel || scene.round != 9).then_some(Outcome::Connected);
    let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Errored);
    assert!(told.found(Finding::EnforcementFault).is_empty());
}
