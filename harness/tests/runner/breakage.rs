//! Sessions that end, panics, interruptions, and what a cluster lacks.

use ringfence::model::{Family, Protocol};
use ringfence::run::{Finding, Settings, Status, Stop};

use crate::fake::{Fake, Scene};
use crate::script::{X_TO_Y, Y_TO_X, fence, fenced, run, run_with, step, with_protocols};

#[tokio::test(start_paused = true)]
async fn a_lost_session_is_no_pass() {
    for round in 1..=4 {
        let mut fake = Fake::honest().lost_at(round);
        let told = run(&fenced(), &mut fake).await;
        assert_eq!(told.status, Status::Errored, "round {round}");
        let reason = told.reason.clone().unwrap();
        assert!(reason.contains("the session ended"), "{reason}");
        assert_eq!(told.found(Finding::Agrees).is_empty(), round < 4, "round {round}");
        assert_eq!(fake.log.lock().unwrap().torn_down, 1);
    }
    // Control is one round, the step takes two more, and one shows after it that the denied
    // paths still work.
    assert_eq!(run(&fenced(), &mut Fake::honest().lost_at(5)).await.status, Status::Passed);
}

#[tokio::test(start_paused = true)]
async fn what_a_cluster_lacks_is_left_out_aloud() {
    let steps = || vec![step(vec![fence("y")], &["deny * -> y", "allow * -> *"])];
    let both = with_protocols(&[Protocol::Tcp, Protocol::Sctp], steps());
    let mut fake = Fake::honest().without(Some(Family::Ipv6), Some(Protocol::Sctp));
    let told = run(&both, &mut fake).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    assert_eq!(told.found(Finding::Agrees), [X_TO_Y, Y_TO_X]);
    assert_eq!(
        told.steps()[0].notes,
        [
            "4 cells are not judged: `fake` cannot probe SCTP: the kernel has no module for it",
            "2 cells are not judged: `fake` has no IPv6",
        ]
    );

    let sctp = with_protocols(&[Protocol::Sctp], steps());
    let told = run(&sctp, &mut Fake::honest().without(None, Some(Protocol::Sctp))).await;
    assert_eq!(told.status, Status::Skipped);
    let reason = told.reason.unwrap();
    assert!(
        reason.contains("cannot probe SCTP") && reason.contains("nothing was judged"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_skips_the_scenario() {
    let mut scenario = fenced();
    scenario.unsupported = vec!["`CiliumNetworkPolicy` `a/p` is not understood".into()];
    let mut fake = Fake::honest();
    let told = run(&scenario, &mut fake).await;
    assert_eq!(told.status, Status::Skipped);
    assert_eq!(told.reason.as_deref(), Some("`CiliumNetworkPolicy` `a/p` is not understood"));
    assert_eq!(fake.log.lock().unwrap().rounds, 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_errored_and_torn_down() {
    let lie = |scene: &Scene<'_>| match scene.changes {
        0 | 1 => None,
        _ => panic!("oh no"),
    };
    let mut fake = Fake::honest().lie(lie);
    let told = run(&fenced(), &mut fake).await;
    assert_eq!(told.status, Status::Errored);
    assert!(told.reason.unwrap().contains("panicked, which is a defect of ringfence: oh no"));
    assert_eq!(fake.log.lock().unwrap().torn_down, 1);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_scenario_is_torn_down() {
    let (stopper, stop) = Stop::new();
    let lie = move |scene: &Scene<'_>| {
        if scene.changes > 1 {
            stopper.stop();
        }
        None
    };
    let mut fake = Fake::honest().lie(lie);
    let told = run_with(&fenced(), &mut fake, &Settings::default(), &stop).await;
    assert_eq!((told.status, told.reason.as_deref()), (Status::Errored, Some("interrupted")));
    assert_eq!(fake.log.lock().unwrap().torn_down, 1);
}
