//! What becomes of attempts.

use std::time::Duration;

use expect_test::expect;
use ringfence_probe::wire::{Arrival, Message, Whereabouts};
use ringfence_probe::{HalfOpen, Outcome, Protocol};
use tokio::time::Instant;

use super::agents;
use super::fixture::{Fake, Meeting, SOON, endpoint, planned};
use crate::model::Observation;

fn words(found: &[Observation]) -> Vec<String> {
    found.iter().map(|observation| observation.outcome.to_string()).collect()
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test(start_paused = true)]
async fn results_are_in_order_and_nonces_differ() {
    let [x, y] = ["x", "y"].map(|name| Fake::new(name, []));
    y.set(|script| script.outcome = Outcome::Refused);
    let mut agents = agents(&[("x", &x), ("y", &y)]);
    let pairs = [("x", "y"), ("y", "x"), ("x", "x"), ("y", "y"), ("x", "y")];
    let plan = pairs.map(|(from, to)| planned(from, to, Protocol::Tcp)).to_vec();
    let first = assert_send(agents.probe(plan.clone(), SOON)).await;
    let second = agents.probe(plan, SOON).await;
    use Outcome::{Connected, Refused};
    for found in [&first, &second] {
        let outcomes: Vec<_> = found.iter().map(|it| it.outcome.clone()).collect();
        assert_eq!(outcomes, [Connected, Refused, Connected, Refused, Connected]);
    }
    // The scripted agent gives its nonces back as latencies.
    let mut nonces: Vec<_> = first.iter().chain(&second).map(|it| it.latency).collect();
    nonces.dedup();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), 10);
    assert_eq!(agents.traffic().attempts, 10);
}

#[tokio::test(start_paused = true)]
async fn targets_are_told_once_until_they_change() {
    let fake = Fake::new("x", [Meeting::Ends { after: 11 }, Meeting::Restarted]);
    let mut agents = agents(&[("x", &fake)]);
    let targets = [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["::1", "127.0.0.1"]]
        .map(|targets| targets.map(|target| target.parse().unwrap()));
    for targets in targets {
        agents.allow_targets(targets);
        let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
        assert_eq!(found[0].outcome, Outcome::Connected);
    }
    // A new session knows nothing of the one before.
    let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
    assert_eq!(found[0].outcome, Outcome::Connected);
    let told = fake.asked(|message| match message {
        Message::AllowTargets { addresses } => {
            Some(addresses.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        _ => None,
    });
    assert_eq!(told, [["127.0.0.1", "127.0.0.2"], ["127.0.0.1", "::1"], ["127.0.0.1", "::1"]]);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_drop_only_where_nothing_came() {
    let [x, y, z] = ["x", "y", "z"].map(|name| Fake::new(name, []));
    x.set(|script| script.outcome = Outcome::Dropped);
    let mut agents = agents(&[("x", &x), ("y", &y), ("z", &z)]);
    let plan = [
        planned("x", "y", Protocol::Udp),
        planned("x", "y", Protocol::Tcp),
        planned("x", "z", Protocol::Udp),
    ];
    let found = agents.probe(plan.to_vec(), SOON).await;
    assert_eq!(words(&found), ["dropped", "dropped", "dropped"]);

    // A handshake that the listener answered.
    let half_open = HalfOpen {
        listener: "127.0.0.2:80".parse().unwrap(),
        client: "127.0.0.1:40000".parse().unwrap(),
    };
    y.set(|script| script.half_open.push(half_open));
    let found = agents.probe(plan.to_vec(), SOON).await;
    assert_eq!(words(&found), ["dropped", "arrived, but the reply was lost", "dropped"]);
    assert_eq!(found[1].seen_source, Some(half_open.client.ip()));

    // Where handshakes cannot be seen, silence on TCP says nothing.
    y.set(|script| {
        script.half_open.clear();
        script.unseen = Some("no `/proc`".to_owned());
    });
    let found = agents.probe(plan.to_vec(), SOON).await;
    expect![[r#"
        dropped
        could not tell: silence, and whether the request reached `a/y` cannot be seen there: no `/proc`
        dropped"#]]
    .assert_eq(&words(&found).join("\n"));

    // Arrivals that were forgotten may have been any.
    y.set(|script| {
        script.unseen = None;
        script.lost = 7;
    });
    let found = agents.probe(plan.to_vec(), SOON).await;
    expect![[r#"
        could not tell: tried 3 times; at last: the agent of `a/y` had no room for 7 arrivals: whether this one was among them is not known
        could not tell: tried 3 times; at last: the agent of `a/y` had no room for 7 arrivals: whether this one was among them is not known
        dropped"#]]
    .assert_eq(&words(&found).join("\n"));
}

#[test]
fn arrivals_tell_a_lost_reply_and_a_stray_request() {
    use super::super::course::{Course, Heard, hear};
    use super::super::request::Arrivals;
    use ringfence_probe::wire::{Attempt, AttemptResult};
    let attempt = |id: u32| Attempt {
        id,
        nonce: 100 + u64::from(id),
        from: 0,
        protocol: Protocol::Udp,
        target: "127.0.0.2:53".parse().unwrap(),
        expect: "a/y".to_owned(),
    };
    let result = |id| AttemptResult {
        id,
        outcome: Outcome::Dropped,
        latency_us: 5,
        local: None,
        seen_source: None,
        evidence: None,
        tries: 2,
        waited_us: 0,
    };
    let from = "127.0.0.9:1000".parse().unwrap();
    let arrival = Arrival { nonce: 100, protocol: Protocol::Udp, port: 53, from };
    let told = Arrivals { arrivals: vec![arrival], ..Arrivals::default() };
    let (y, z) = (endpoint("y"), endpoint("z"));
    let heard = Heard::from([(100, &y), (101, &z)]);
    let attempts = (0..3).map(attempt).collect();
    let found = hear(&y, attempts, (0..3).map(result).collect(), &told, &heard);
    let found: Vec<_> = found
        .into_iter()
        .map(|(id, course)| match course {
            Course::Settled(observation) => (id, observation.outcome.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        (0, "arrived, but the reply was lost"),
        (1, "could not tell: expected the request at `a/y` or nowhere, found it at `a/z`"),
        (2, "dropped"),
    ];
    assert_eq!(found, expected.map(|(id, words)| (id, words.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_with_a_session_is_attempted_again() {
    // Hello, open, the drain, the targets; the round is lost.
    let x = Fake::new("x", [Meeting::Ends { after: 3 }, Meeting::Restarted]);
    let mut agents = agents(&[("x", &x)]);
    let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
    assert_eq!(words(&found), ["connected"]);
    assert_eq!(x.dials(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_was_restarted_meanwhile_denies_nothing() {
    for outcome in [Outcome::Dropped, Outcome::Refused] {
        let x = Fake::new("x", []);
        x.set(|script| script.outcome = outcome);
        // It answers the drain, and is restarted before it is asked again: each time.
        let restarts = [Meeting::Ends { after: 2 }, Meeting::Restarted].into_iter().cycle();
        let y = Fake::new("y", restarts.take(6));
        let mut agents = agents(&[("x", &x), ("y", &y)]);
        let plan = vec![planned("x", "y", Protocol::Tcp)];
        let found = agents.probe(plan.clone(), SOON).await;
        expect!["could not tell: tried 3 times; at last: no answer from the agent of `a/y`: the session was lost: it was restarted"]
            .assert_eq(&words(&found).join("\n"));
        // It stays up.
        let found = agents.probe(plan, SOON).await;
        assert!(found[0].outcome.is_stopped(), "{found:?}");
    }
}

/// It was restarted between two answers, and nothing was under way.
#[tokio::test(start_paused = true)]
async fn a_restart_that_cost_no_answer_counts_as_well() {
    let [x, y] = ["x", "y"].map(|name| Fake::new(name, []));
    x.set(|script| script.outcome = Outcome::Dropped);
    let mut agents = agents(&[("x", &x), ("y", &y)]);
    agents.ready(&[endpoint("x"), endpoint("y")], SOON).await.unwrap();
    // The drain is heard and answered; then silence, and another agent in its place. The source's
    // silence outlasts it.
    y.set(|script| script.meetings.push_back(Meeting::Restarted));
    x.set(|script| script.slow = Duration::from_secs(1));
    let probed = agents.probe(vec![planned("x", "y", Protocol::Tcp)], SOON);
    let restart = async {
        tokio::time::sleep(SOON).await;
        y.cut();
    };
    let (found, ()) = tokio::join!(probed, restart);
    assert_eq!(words(&found), ["dropped"]);
    let rounds = x.asked(|message| matches!(message, Message::Round(_)).then_some(()));
    assert_eq!(rounds.len(), 2, "the first was not believed");
}

/// The address is the pod's no more: whatever was seen there says nothing of the pod.
#[tokio::test(start_paused = true)]
async fn an_agent_that_moved_says_nothing_whichever_end_it_is() {
    let at =
        |address: &str| Whereabouts { addresses: vec![address.parse().unwrap()], unseen: None };
    for outcome in [Outcome::Connected, Outcome::Dropped, Outcome::Refused] {
        for moved in ["x", "y"] {
            let [x, y] = ["x", "y"].map(|name| Fake::new(name, []));
            let mut agents = agents(&[("x", &x), ("y", &y)]);
            for (name, fake, address) in [("x", &x, "10.0.0.1"), ("y", &y, "10.0.0.2")] {
                fake.set(|script| {
                    script.outcome = outcome.clone();
                    script.whereabouts = at(address);
                    script.slow = Duration::from_secs(1);
                });
                agents.place(&endpoint(name), at(address).addresses);
            }
            agents.ready(&[endpoint("x"), endpoint("y")], SOON).await.unwrap();
            let plan = vec![planned("x", "y", Protocol::Tcp)];
            let found = agents.probe(plan.clone(), SOON).await;
            assert_eq!(found[0].outcome, outcome);
            assert_eq!(agents.astray(&endpoint(moved)), None);

            // In the middle of a round, and then for good.
            let move_away = async {
                tokio::time::sleep(SOON).await;
                let fake = if moved == "x" { &x } else { &y };
                fake.set(|script| script.whereabouts = at("10.0.0.3"));
            };
            let (found, ()) = tokio::join!(agents.probe(plan.clone(), SOON), move_away);
            let again = agents.probe(plan, SOON).await;
            for found in [&found, &again] {
                let said = words(found).join("");
                let wanted =
                    format!("could not tell: expected the agent of `a/{moved}` at 10.0.0.");
                assert!(said.starts_with(&wanted), "{said}");
                assert!(said.contains("found it at 10.0.0.3"), "{said}");
            }
            assert!(agents.astray(&endpoint(moved)).is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_gone_takes_only_its_own_attempts_with_it() {
    let [x, y] = ["x", "y"].map(|name| Fake::new(name, []));
    let z = Fake::new("z", [Meeting::Gone("pod `a/z` was deleted")]);
    let mut agents = agents(&[("x", &x), ("y", &y), ("z", &z)]);
    let start = Instant::now();
    let pairs = [("x", "y"), ("x", "z"), ("z", "y"), ("y", "x")];
    let plan = pairs.map(|(from, to)| planned(from, to, Protocol::Udp)).to_vec();
    let found = agents.probe(plan, SOON).await;
    expect![[r#"
        connected
        could not tell: no answer from the agent of `a/z`: it is gone: pod `a/z` was deleted
        could not tell: no answer from the agent of `a/z`: it is gone: pod `a/z` was deleted
        connected"#]]
    .assert_eq(&words(&found).join("\n"));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_be_reached_is_waited_for_once() {
    let x = Fake::new("x", vec![Meeting::Fails("connection refused"); 99]);
    let mut agents = agents(&[("x", &x)]);
    let start = Instant::now();
    let found = agents.probe(vec![planned("x", "x", Protocol::Udp)], SOON).await;
    expect!["could not tell: no answer from the agent of `a/x`: expected an answer within 30000 ms; no stream to it: connection refused"]
        .assert_eq(&words(&found).join("\n"));
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_agents_refuse_is_not_asked_for() {
    let x = Fake::new("x", []);
    let mut agents = agents(&[("x", &x)]);
    let plan = vec![planned("x", "x", Protocol::Udp)];
    let found = agents.probe(plan, Duration::from_secs(61)).await;
    expect!["could not tell: expected a deadline of at most 60 s, found 61 s; it was not dialled"]
        .assert_eq(&words(&found).join("\n"));
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_agents_make_a_hundred_thousand_attempts_together() {
    let names: Vec<String> = (0..300).map(|number| format!("p{number}")).collect();
    let fakes: Vec<(&str, Fake)> =
        names.iter().map(|name| (&**name, Fake::new(name, []))).collect();
    let mut agents = agents(&fakes.iter().map(|(name, fake)| (*name, fake)).collect::<Vec<_>>());
    let pair = |number: usize| (&names[number % 300], &names[(number / 300) % 300]);
    let plan = (0..100_000).map(|number| {
        let (from, to) = pair(number);
        planned(from, to, Protocol::Tcp)
    });
    let found = agents.probe(plan.collect(), SOON).await;
    assert_eq!(found.len(), 100_000);
    assert!(found.iter().all(|observation| observation.outcome == Outcome::Connected));
    // One round for each agent.
    let rounds = |(_, fake): &(&str, Fake)| {
        fake.asked(|message| matches!(message, Message::Round(_)).then_some(())).len()
    };
    assert!(fakes.iter().all(|fake| rounds(fake) == 1));
}
