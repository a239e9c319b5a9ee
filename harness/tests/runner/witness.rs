//! Silence says nothing where nothing is heard: nodes whose whole network stalls.

use ringfence::model::{Change, Name, Outcome, Protocol};
use ringfence::run::{Event, Finding, Purpose, Status};
use ringfence::scenario::Scenario;

use crate::fake::{Fake, Scene};
use crate::script::{
    Told, X_TO_Y, Y_TO_X, add, fence, fenced, remove, rule, run, scenario, step, unfence,
};

/// Fences `y`, opens it, and fences it again.
fn to_and_fro() -> Scenario {
    scenario(vec![
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
        step(vec![unfence("y")], &["allow * -> *"]),
        step(vec![fence("y")], &["deny * -> y", "allow * -> *"]),
    ])
}

#[tokio::test(start_paused = true)]
async fn a_round_in_which_a_node_stalls_is_repeated() {
    let usual = run(&to_and_fro(), &mut Fake::honest()).await;
    for node in ["n1", "n2"] {
        for change in 2..=4 {
            for round in 1..=2 {
                let stall = move |scene: &Scene<'_>| {
                    let now = (scene.changes, scene.round) == (change, round);
                    (now && scene.touches(node)).then_some(Outcome::Dropped)
                };
                let told = run(&to_and_fro(), &mut Fake::honest().lie(stall)).await;
                let at = format!("{node}, change {change}, round {round}");
                assert_eq!(told.status, Status::Passed, "{at}: {:?}", told.reason);
                let rounds = |told: &Told| told.steps()[change - 2].timing.rounds;
                assert!(rounds(&told) > rounds(&usual), "{at}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deny_that_rests_on_stalls_alone_is_no_pass() {
    // The fence of `y` is not enforced. Its node stalls in the rounds that would show it.
    for stalled in 1..=12 {
        let lie = move |scene: &Scene<'_>| {
            if scene.changes > 1 && scene.round <= stalled && scene.touches("n2") {
                return Some(Outcome::Dropped);
            }
            (scene.cell.to_string() == X_TO_Y).then_some(Outcome::Connected)
        };
        let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, Status::Failed, "{stalled}: {:?}", told.reason);
        assert_eq!(told.found(Finding::EnforcementFault), [X_TO_Y], "{stalled}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stalls_for_good_is_inconclusive() {
    // From the first round, and after the sentinel has flipped.
    for from in [1, 2] {
        let stall = move |scene: &Scene<'_>| {
            let now = scene.changes > 1 && scene.round >= from;
            (now && scene.touches("n2")).then_some(Outcome::Dropped)
        };
        let told = run(&fenced(), &mut Fake::honest().lie(stall)).await;
        assert_eq!(told.status, Status::Errored, "{:?}", told.reason);
        assert!(told.found(Finding::EnforcementFault).is_empty());
        // Every path has an end there.
        assert_eq!(told.found(Finding::Inconclusive).len(), 4);
        let why = told.why(0, X_TO_Y);
        for part in ["node `n2`", "30000 ms", "silence is no deny"] {
            assert!(why.contains(part), "no `{part}` in {why}");
        }
        assert!(!why.contains("`n1`"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_connects_beside_a_stall_is_seen() {
    // All pods are on `n1`, and `n2` stalls once the sentinel has flipped.
    let mut scenario = fenced();
    scenario.topology.pods.values_mut().for_each(|pod| pod.node = Some(Name::from("n1")));
    let stall = |scene: &Scene<'_>| {
        let now = scene.changes > 1 && scene.round > 1;
        (now && scene.touches("n2")).then_some(Outcome::Dropped)
    };
    let told = run(&scenario, &mut Fake::honest().lie(stall)).await;
    assert_eq!(told.status, Status::Errored);
    assert_eq!(told.found(Finding::Agrees), [Y_TO_X, "a/y -> a/x:80/TCP over ipv6"]);
    assert_eq!(told.found(Finding::Inconclusive), [X_TO_Y, "a/x -> a/y:80/TCP over ipv6"]);
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_no_flip_of_the_sentinel() {
    // Nothing is enforced before the sixth round; until then both nodes stall by turns or at once.
    type Stalls = fn(&Scene<'_>) -> bool;
    let stalls: [Stalls; 3] = [
        |scene| scene.round < 6,
        |scene| scene.round < 6 && scene.touches("n1"),
        |scene| scene.round < 6 && scene.touches(["n1", "n2"][scene.round % 2]),
    ];
    for (index, stalls) in stalls.into_iter().enumerate() {
        let lie = move |scene: &Scene<'_>| match scene.changes {
            2 if stalls(scene) => Some(Outcome::Dropped),
            2 if scene.round < 6 => Some(Outcome::Connected),
            _ => None,
        };
        let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, Status::Passed, "{index}: {:?}", told.reason);
        assert!(told.steps()[0].timing.rounds >= 7, "{index}: {:?}", told.steps()[0].timing);
    }
    // The node never enforces anything, and stalls in the one round that could show a flip.
    let lie = |scene: &Scene<'_>| {
        let here = scene.changes > 1 && scene.touches("n2");
        here.then_some(if scene.round == 1 { Outcome::Dropped } else { Outcome::Connected })
    };
    let nothing = scenario(vec![step(vec![], &["allow * -> *"])]);
    let told = run(&nothing, &mut Fake::honest().lie(lie)).await;
    assert_eq!(told.status, Status::Errored);
    assert!(told.found(Finding::Agrees).is_empty());
    assert!(told.reason.unwrap().contains("expected node `n2` to enforce the sentinel's policy"));
}

#[tokio::test(start_paused = true)]
async fn one_way_between_nodes_or_one_protocol_is_enough_to_doubt_silence() {
    type Stalls = fn(&Scene<'_>) -> bool;
    let stalls: [(Stalls, &str); 2] = [
        (|scene| scene.nodes == ["n1", "n2"].map(Name::from), "node `n1` and node `n2`"),
        (
            |scene| {
                scene.cell.protocol == Protocol::Udp && scene.nodes == ["n1", "n1"].map(Name::from)
            },
            "node `n1` that",
        ),
    ];
    for (stalls, named) in stalls {
        let lie = move |scene: &Scene<'_>| {
            (scene.changes > 1 && stalls(scene)).then_some(Outcome::Dropped)
        };
        let told = run(&fenced(), &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, Status::Errored);
        assert!(told.found(Finding::Inconclusive).contains(&X_TO_Y.to_owned()));
        assert!(told.why(0, X_TO_Y).contains(named), "{}", told.why(0, X_TO_Y));
    }
}

#[tokio::test(start_paused = true)]
async fn silent_rounds_are_on_record() {
    let stall = |scene: &Scene<'_>| {
        let now = (scene.changes, scene.round) == (2, 2);
        (now && scene.touches("n2")).then_some(Outcome::Dropped)
    };
    let told = run(&fenced(), &mut Fake::honest().lie(stall)).await;
    let silent: Vec<usize> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Round { purpose: Purpose::Sentinel, step: Some(0), observations, .. } => {
                let witness = observations
                    .iter()
                    .filter(|(cell, _)| cell.to_string().starts_with("ringfence-witness/"));
                Some(witness.filter(|(_, seen)| seen.outcome.is_stopped()).count())
            }
            _ => None,
        })
        .collect();
    // Within `n2` and both ways to and from it, in two families and protocols.
    assert_eq!(silent, [0, 12, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_denied_path_is_shown_to_work_before_its_pod_goes() {
    let cell = "a/x -> a/z:80/TCP over ipv4";
    for (dies, status) in [(false, Status::Passed), (true, Status::Errored)] {
        // `z` was there from the start, is denied, and is removed while it is.
        let mut steps = to_and_fro().steps;
        steps.truncate(1);
        steps[0].changes.push(fence("z"));
        steps[0].expect.insert(0, rule("deny * -> z"));
        steps.push(step(vec![remove("z")], &["deny * -> y", "allow * -> *"]));
        let mut scenario = scenario(steps);
        let Change::AddPod(z) = add("z") else { unreachable!() };
        scenario.topology.pods.insert(z.name.clone(), z);
        let lie = move |scene: &Scene<'_>| {
            let dead = dies && scene.changes > 1 && scene.cell.to_string() == cell;
            dead.then_some(Outcome::Dropped)
        };
        let told = run(&scenario, &mut Fake::honest().lie(lie)).await;
        assert_eq!(told.status, status, "{:?}", told.reason);
        assert!(told.steps()[1].notes[0].contains("lifted"), "{:?}", told.steps()[1].notes);
        assert_eq!(told.reason.is_some_and(|reason| reason.contains(cell)), dies);
    }
}
