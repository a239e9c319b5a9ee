//! What connections do while a step's changes are made.

use std::time::Duration;

use ringfence::model::{Cell, Change, Intent, Outcome, PodName, PolicyType};
use ringfence::run::{Event, Finding, Manner, NotJudged, Status, Watched, WatchedCell};
use ringfence::scenario::{Scenario, Step};

use crate::fake::{Fake, Scene};
use crate::script::{
    Told, X_TO_Y, Y_TO_X, add, fence, fence_with, run, scenario, step, unfence, watched,
};

/// How often the cluster was changed before the step of [`unrelated`] that is watched: the run's
/// own pods, the first step, and the sentinel's flip, since time stands still and nobody knows
/// yet how slow it enforces.
const BEFORE: usize = 3;

/// `y` is fenced while it is watched.
fn new_deny() -> Scenario {
    let fenced = step(vec![fence("y")], &["deny * -> y", "allow * -> *"]);
    scenario(vec![watched(fenced, &["any x -> y", "allow y -> x"], &["any x -> y"])])
}

/// Something else changes under the fence of `y`.
fn unrelated(hold: &[&str], attempt: &[&str]) -> Scenario {
    let expect = &["deny * -> y", "allow * -> *"];
    let label = Change::LabelPod {
        pod: PodName::new("a", "x"),
        labels: [("tier".to_owned(), Some("front".to_owned()))].into(),
    };
    let steps: Vec<Step> =
        vec![step(vec![fence("y")], expect), watched(step(vec![label], expect), hold, attempt)];
    scenario(steps)
}

/// What a step's watch found.
fn found(told: &Told, step: usize) -> Watched {
    let judged = told.events.iter().filter_map(|event| match event {
        Event::StepJudged { watched, .. } => Some(watched.clone()),
        _ => None,
    });
    judged.collect::<Vec<_>>()[step].clone().expect("nothing was watched")
}

fn one(told: &Told, step: usize, manner: Manner, cell: &str) -> WatchedCell {
    let cell: Cell = cell.parse().unwrap();
    let found = found(told, step).cells;
    let one = found.into_iter().find(|one| one.manner == manner && one.cell == cell);
    one.unwrap_or_else(|| panic!("no {cell}"))
}

#[tokio::test(start_paused = true)]
async fn what_a_new_deny_does_to_a_connection_is_a_choice() {
    let told = run(&new_deny(), &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let held = one(&told, 0, Manner::Held, X_TO_Y);
    assert_eq!((held.specified, &held.finding), (Some(Intent::Any), &Finding::Choice));
    assert!(held.told.starts_with("survives, used "), "{}", held.told);
    let why = held.why.unwrap();
    assert!(why.contains("implementation defined as to whether the change will take"), "{why}");
    let other = one(&told, 0, Manner::Held, Y_TO_X);
    assert_eq!((other.specified, other.finding), (Some(Intent::Allow), Finding::Agrees));
    let tried = one(&told, 0, Manner::Tried, X_TO_Y);
    assert_eq!((tried.open, tried.finding), (Some(false), Finding::Choice));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_a_new_deny_cuts_is_as_much_of_a_choice() {
    let cut = |scene: &Scene<'_>| {
        let now = scene.held && scene.turn.is_some_and(|turn| turn > 2) && scene.changes > 2;
        (now && scene.cell.to_string() == X_TO_Y).then_some(Outcome::Dropped)
    };
    let told = run(&new_deny(), &mut Fake::honest().lie(cut)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let held = one(&told, 0, Manner::Held, X_TO_Y);
    assert_eq!(held.finding, Finding::Choice);
    assert_eq!(held.told, "is cut 4.0 ms after the changes were asked for, after 2 uses");
}

#[tokio::test(start_paused = true)]
async fn a_deny_that_is_never_enforced_says_nothing_of_connections() {
    // New connections go on getting through as long as it is watched.
    let lie = |scene: &Scene<'_>| {
        let tried = scene.turn.is_some() && !scene.held && scene.cell.to_string() == X_TO_Y;
        tried.then_some(Outcome::Connected)
    };
    let told = run(&new_deny(), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Errored);
    let held = one(&told, 0, Manner::Held, X_TO_Y);
    assert_eq!(held.finding, Finding::Inconclusive);
    assert!(held.why.unwrap().contains("new connections were not seen denied"));
}

#[tokio::test(start_paused = true)]
async fn an_unrelated_change_that_cuts_a_connection_is_a_fault() {
    let cut = |scene: &Scene<'_>| {
        let now = scene.held && scene.changes > BEFORE;
        now.then_some(Outcome::Refused)
    };
    let scenario = unrelated(&["allow y -> x"], &["deny x -> y", "allow y -> x"]);
    let usual = run(&scenario, &mut Fake::honest()).await;
    assert_eq!(usual.status, Status::Passed, "{:?}", usual.reason);
    let told = run(&scenario, &mut Fake::honest().lie(cut)).await;
    assert_eq!(told.status, Status::Failed);
    let held = one(&told, 1, Manner::Held, Y_TO_X);
    assert_eq!(held.finding, Finding::EnforcementFault);
    assert_eq!(held.told, "is cut 0.0 ms after the changes were asked for, after 0 uses");
    let why = held.why.unwrap();
    assert!(why.contains("so nothing is to be cut") && why.ends_with("refused (reset)"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_opens_or_closes_for_a_moment_is_a_fault() {
    let scenario = unrelated(&[], &["deny x -> y", "allow y -> x"]);
    for (cell, outcome, told_as) in [
        (X_TO_Y, Outcome::Connected, "got through, from 2.0 ms to 6.0 ms"),
        // What arrived was not stopped, whatever became of the answer.
        (X_TO_Y, Outcome::ReplyLost, "got through, from 2.0 ms to 6.0 ms"),
        (Y_TO_X, Outcome::Dropped, "got stopped, from 2.0 ms to 6.0 ms"),
    ] {
        let seen = outcome.clone();
        let lie = move |scene: &Scene<'_>| {
            let moment = scene.turn.is_some_and(|turn| (2..=4).contains(&turn));
            (moment && scene.changes > BEFORE && scene.cell.to_string() == cell)
                .then(|| seen.clone())
        };
        let told = run(&scenario, &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, Status::Failed, "{cell}: {outcome}");
        let one = one(&told, 1, Manner::Tried, cell);
        assert_eq!(one.finding, Finding::EnforcementFault, "{cell}: {outcome}");
        assert!(one.told.starts_with("3 of ") && one.told.contains(told_as), "{}", one.told);
        // Rounds, which come later, see nothing of it.
        assert_eq!(told.found(Finding::EnforcementFault), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_reached_before_it_is_isolated_is_a_fault() {
    const X_TO_Z: &str = "a/x -> a/z:80/TCP over ipv4";
    let comes = step(vec![add("z")], &["deny * -> z", "allow * -> *"]);
    let scenario = scenario(vec![
        step(vec![fence("z")], &["allow * -> *"]),
        watched(comes, &[], &["deny * -> z", "any z -> *"]),
    ]);
    let usual = run(&scenario, &mut Fake::honest()).await;
    assert_eq!(usual.status, Status::Passed, "{:?}", usual.reason);
    assert_eq!(one(&usual, 1, Manner::Tried, X_TO_Z).finding, Finding::Agrees);
    // What it is allowed may come late.
    let from = one(&usual, 1, Manner::Tried, "a/z -> a/y:80/TCP over ipv4");
    assert_eq!((from.specified, from.finding), (Some(Intent::Any), Finding::Choice));
    let late = |scene: &Scene<'_>| {
        let moment = scene.turn.is_some_and(|turn| turn <= 5);
        (moment && scene.cell.to_string() == X_TO_Z).then_some(Outcome::Connected)
    };
    let told = run(&scenario, &mut Fake::honest().lie(late)).await;
    assert_eq!(told.status, Status::Failed);
    let to = one(&told, 1, Manner::Tried, X_TO_Z);
    assert_eq!(to.finding, Finding::EnforcementFault);
    assert_eq!((to.through.attempts, to.comes), (5, true));
    assert!(to.told.ends_with("from 0.0 ms to 8.0 ms after the pod had an address"), "{}", to.told);
    let why = to.why.unwrap();
    assert!(why.contains("will be isolated before they are started"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_comes_with_its_policy_may_be_open_for_a_while() {
    let together = step(vec![add("z"), fence("z")], &["deny * -> z", "allow * -> *"]);
    let late = |scene: &Scene<'_>| {
        let moment = scene.turn.is_some_and(|turn| turn <= 5);
        let to = scene.cell.to_string().contains("-> a/z:");
        (moment && to).then_some(Outcome::Connected)
    };
    let scenario = scenario(vec![watched(together, &[], &["any * -> z"])]);
    let told = run(&scenario, &mut Fake::honest().lie(late)).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let one = one(&told, 0, Manner::Tried, "a/x -> a/z:80/TCP over ipv4");
    assert_eq!(one.finding, Finding::Choice);
    let words = "closes 10.0 ms after the pod had an address; 5 of ";
    assert!(one.told.starts_with(words), "{}", one.told);
}

#[tokio::test(start_paused = true)]
async fn silence_in_which_the_witness_is_silent_too_is_no_pass() {
    let stall = |scene: &Scene<'_>| {
        (scene.turn.is_some() && scene.changes > BEFORE).then_some(Outcome::Dropped)
    };
    let scenario = unrelated(&[], &["deny x -> y"]);
    let told = run(&scenario, &mut Fake::honest().lie(stall)).await;
    assert_eq!(told.status, Status::Errored);
    let one = one(&told, 1, Manner::Tried, X_TO_Y);
    assert_eq!((one.finding, one.open), (Finding::Inconclusive, None));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_cannot_tell_is_no_pass() {
    let lost = |scene: &Scene<'_>| {
        let broken = || Outcome::Broken { reason: "the agent is gone".to_owned() };
        (scene.turn.is_some() && scene.cell.to_string() == X_TO_Y).then(broken)
    };
    let scenario = unrelated(&[], &["deny x -> y"]);
    let told = run(&scenario, &mut Fake::honest().lie(lost)).await;
    assert_eq!(told.status, Status::Errored);
    let why = one(&told, 1, Manner::Tried, X_TO_Y).why.unwrap();
    assert!(why.contains("it could not be told: could not tell: the agent is gone"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_watch_says_so_and_judges_the_rest() {
    let told = run(&new_deny(), &mut Fake::honest().without_watches()).await;
    assert_eq!(told.status, Status::Passed, "{:?}", told.reason);
    let not: Vec<NotJudged> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StepJudged { not_judged, watched, .. } => {
                assert_eq!(*watched, None);
                Some(not_judged.clone())
            }
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(not, [NotJudged { reason: "`fake` has no eyes".to_owned(), cells: 6 }]);
    assert_eq!(told.steps()[0].cells.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_all_the_time_is_compared_with_what_is_specified() {
    for (attempt, cell, finding) in [
        ("allow x -> y", X_TO_Y, Finding::PolicyFault),
        ("any x -> y", X_TO_Y, Finding::PolicyFault),
        ("deny y -> x", Y_TO_X, Finding::PolicyFault),
    ] {
        let told = run(&unrelated(&[], &[attempt]), &mut Fake::honest()).await;
        assert_eq!(told.status, Status::Failed, "{attempt}");
        assert_eq!(one(&told, 1, Manner::Tried, cell).finding, finding, "{attempt}");
    }
    // What the step turns cannot stay as it is, whatever the cluster does.
    let opened = step(vec![unfence("y")], &["allow * -> *"]);
    let steps = vec![
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        watched(opened, &[], &["allow x -> y"]),
    ];
    let told = run(&scenario(steps), &mut Fake::honest()).await;
    assert_eq!(told.status, Status::Failed, "{:?}", told.reason);
    let turns = one(&told, 1, Manner::Tried, X_TO_Y);
    assert_eq!((turns.specified, turns.finding), (Some(Intent::Any), Finding::PolicyFault));
    let why = turns.why.unwrap();
    assert!(why.contains(", and the policies deny it before the changes: "), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_a_step_turns_cannot_hold_all_the_time() {
    let fenced = || step(vec![fence("y")], &["deny * -> y", "allow * -> *"]);
    let allow = ", and the policies allow it before the changes: ";
    let deny = ", and the policies deny it after the changes: ";
    for (attempt, told_as) in [("deny x -> y", allow), ("allow x -> y", deny)] {
        let steps = vec![watched(fenced(), &[], &[attempt])];
        let told = run(&scenario(steps), &mut Fake::honest()).await;
        assert_eq!(told.status, Status::Failed, "{attempt}");
        let turns = one(&told, 0, Manner::Tried, X_TO_Y);
        assert_eq!(turns.finding, Finding::PolicyFault, "{attempt}");
        let why = turns.why.unwrap();
        assert!(why.contains(told_as), "{attempt}: {why}");
    }
    // A pod that comes is not there before the changes: it may be open from its start.
    for (attempt, finding) in
        [("allow x -> z", Finding::NotPortable), ("deny x -> z", Finding::PolicyFault)]
    {
        let comes = step(vec![add("z")], &["allow * -> *"]);
        let told = run(&scenario(vec![watched(comes, &[], &[attempt])]), &mut Fake::honest()).await;
        let cell = "a/x -> a/z:80/TCP over ipv4";
        assert_eq!(one(&told, 0, Manner::Tried, cell).finding, finding, "{attempt}");
    }
    // A connection may survive a new deny: to want that is not portable, and no more.
    let steps = vec![watched(fenced(), &["allow x -> y"], &[])];
    let told = run(&scenario(steps), &mut Fake::honest()).await;
    assert_eq!(one(&told, 0, Manner::Held, X_TO_Y).finding, Finding::NotPortable);
    // And a cluster may pass over what lies between the ends.
    let between = step(vec![unfence("y"), fence("y")], &["deny * -> y", "allow * -> *"]);
    let steps = vec![fenced(), watched(between, &[], &["deny x -> y"])];
    let told = run(&scenario(steps), &mut Fake::honest()).await;
    assert_eq!(one(&told, 1, Manner::Tried, X_TO_Y).finding, Finding::NotPortable);
}

#[tokio::test(start_paused = true)]
async fn what_gets_through_is_a_fault_though_its_path_never_opened() {
    // Nothing answers without policies; under the fence one attempt does.
    let lie = |scene: &Scene<'_>| {
        let own = scene.cell.to_string() == X_TO_Y;
        own.then_some(match scene.turn {
            Some(turn) if scene.changes > BEFORE && turn == 3 => Outcome::Connected,
            _ => Outcome::Dropped,
        })
    };
    let scenario = unrelated(&[], &["deny x -> y"]);
    let told = run(&scenario, &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Failed, "{:?}", told.reason);
    let one = one(&told, 1, Manner::Tried, X_TO_Y);
    assert_eq!(one.finding, Finding::EnforcementFault, "{:?}", one.why);
}

/// One attempt that meets silence between others that got through may be a packet that was
/// lost; two in a row are not.
#[tokio::test(start_paused = true)]
async fn silence_that_one_attempt_meets_alone_is_no_fault() {
    let scenario = unrelated(&[], &["allow y -> x"]);
    for (turns, outcome, status, finding) in [
        (&[3][..], Outcome::Dropped, Status::Errored, Finding::Inconclusive),
        (&[3, 5, 7], Outcome::Dropped, Status::Errored, Finding::Inconclusive),
        // What arrived may be answered late by a busy pod.
        (&[3, 4], Outcome::ReplyLost, Status::Errored, Finding::Inconclusive),
        (&[3, 4], Outcome::Dropped, Status::Failed, Finding::EnforcementFault),
    ] {
        let seen = outcome.clone();
        let lie = move |scene: &Scene<'_>| {
            let moment = scene.turn.is_some_and(|turn| turns.contains(&turn));
            (moment && scene.changes > BEFORE && scene.cell.to_string() == Y_TO_X)
                .then_some(seen.clone())
        };
        let told = run(&scenario, &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, status, "{turns:?}");
        let one = one(&told, 1, Manner::Tried, Y_TO_X);
        assert_eq!(one.finding, finding, "{turns:?}");
        let (why, told) = (one.why.unwrap(), finding == Finding::Inconclusive);
        assert_eq!(why.contains("a single packet that is lost"), told, "{why}");
    }
}

/// A refusal is no packet that was lost.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_one_attempt_meets_alone_is_a_fault() {
    let lie = |scene: &Scene<'_>| {
        (scene.turn == Some(3) && scene.changes > BEFORE && scene.cell.to_string() == Y_TO_X)
            .then_some(Outcome::Refused)
    };
    let told = run(&unrelated(&[], &["allow y -> x"]), &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Failed);
    assert_eq!(one(&told, 1, Manner::Tried, Y_TO_X).finding, Finding::EnforcementFault);
}

/// Who saw the witness may have another clock than who saw the cell.
#[tokio::test(start_paused = true)]
async fn a_stall_lasts_as_much_longer_as_clocks_are_not_known() {
    let scenario = unrelated(&[], &["allow y -> x"]);
    let lie = |scene: &Scene<'_>| {
        let (cell, turn) = (scene.cell.to_string(), scene.turn.unwrap_or_default());
        let stalls = match cell.starts_with("ringfence-witness/") {
            true => (3..=4).contains(&turn),
            false => cell == Y_TO_X && (5..=6).contains(&turn),
        };
        (stalls && scene.changes > BEFORE).then_some(Outcome::Dropped)
    };
    let told = run(&scenario, &mut Fake::honest().lie(lie)).await;
    assert_eq!(one(&told, 1, Manner::Tried, Y_TO_X).finding, Finding::EnforcementFault);
    let blurred = Fake::honest().blurred(Duration::from_secs(1));
    let told = run(&scenario, &mut blurred.lie(lie)).await;
    let one = one(&told, 1, Manner::Tried, Y_TO_X);
    assert_eq!((told.status, &one.finding), (Status::Passed, &Finding::Agrees), "{one:?}");
    assert!(one.told.starts_with("none of "), "{}", one.told);
}

/// What was not looked at has not passed; what was seen in the rest is a fault all the same.
#[tokio::test(start_paused = true)]
async fn time_that_was_not_seen_is_no_pass() {
    const Z_TO_Y: &str = "a/z -> a/y:80/TCP over ipv4";
    let comes = step(vec![add("z")], &["deny z -> *", "allow * -> *"]);
    let shut = fence_with("z", PolicyType::Egress);
    let scenario =
        scenario(vec![step(vec![shut], &["allow * -> *"]), watched(comes, &[], &["deny z -> y"])]);
    let why = "what it could send before is not known";
    let told = run(&scenario, &mut Fake::honest().unseen(why)).await;
    let seen = one(&told, 1, Manner::Tried, Z_TO_Y);
    assert_eq!((told.status, &seen.finding), (Status::Errored, &Finding::Inconclusive));
    assert!(seen.why.unwrap().contains(why));
    let leak = |scene: &Scene<'_>| {
        let moment = scene.turn.is_some_and(|turn| turn <= 2);
        (moment && scene.cell.to_string() == Z_TO_Y).then_some(Outcome::Connected)
    };
    let told = run(&scenario, &mut Fake::honest().unseen(why).lie(leak)).await;
    assert_eq!(one(&told, 1, Manner::Tried, Z_TO_Y).finding, Finding::EnforcementFault);
}
