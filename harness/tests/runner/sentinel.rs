//! Nothing is judged before every node has looked, and silence is measured.

use std::time::Duration;

use ringfence::run::{Event, Finding, Purpose, Status};

use crate::fake::Fake;
use crate::script::{fence, fenced, run, scenario, step, unfence};

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
                // Two nodes in two families.
                assert_eq!(observations.len(), 4);
                assert!(observations.cells().all(|c| c.to_string().starts_with("ringfence-")));
                let denied = observations.iter().all(|(_, seen)| seen.outcome.is_stopped());
                flips.push((*step, denied));
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

#[tokio::test(start_paused = true)]
async fn silence_is_measured_from_allowed_latencies() {
    // The first packets get lost, and what comes late of it is no measure.
    let told = run(&fenced(), &mut Fake::honest().warms_up(Duration::from_secs(1))).await;
    let deadlines: Vec<(Purpose, u128)> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Round { purpose, deadline, .. } => Some((*purpose, deadline.as_millis())),
            _ => None,
        })
        .collect();
    assert_eq!(deadlines[0], (Purpose::Sentinel, 2000), "the ceiling, before anything is known");
    let settle: Vec<_> =
        deadlines.iter().filter(|(purpose, _)| *purpose == Purpose::Settle).collect();
    assert_eq!(settle, [&(Purpose::Settle, 250); 3]);
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
    // The second step is watched for as long as the first took to be enforced.
    assert!(steps[1].timing.total.unwrap() >= 2 * lag, "{:?}", steps[1].timing);
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
