//! How a session begins, breaks, goes on and ends.

use std::time::Duration;

use expect_test::expect;
use ringfence_probe::wire::{Listen, Message, Sctp};
use ringfence_probe::{Outcome, Protocol};
use tokio::time::Instant;

use super::agents;
use super::fixture::{Fake, Meeting, SOON, endpoint, planned};
use crate::cluster::agents::NotListening;

#[tokio::test(start_paused = true)]
async fn a_dial_that_fails_is_tried_again_and_waits_longer_each_time() {
    let fake = Fake::new("x", vec![Meeting::Fails("no route"); 5]);
    let agents = agents(&[("x", &fake)]);
    let start = Instant::now();
    let error = agents.ready(&[endpoint("x")], SOON).await.unwrap_err();
    expect!["expected every agent to answer within 500 ms; `a/x`: no stream to it: no route"]
        .assert_eq(&error.to_string());
    agents.ready(&[endpoint("x")], Duration::from_secs(10)).await.unwrap();
    // 100, 200, 400, 800 and 1,600 ms, each at least by half.
    let (waited, least) = (start.elapsed(), Duration::from_millis(1550));
    assert!((least..least * 2).contains(&waited), "{waited:?}");
    assert_eq!(fake.dials(), 6);
    assert_eq!(agents.sctp(&endpoint("x")), Some(Sctp::Kernel));
    assert_eq!(agents.sctp(&endpoint("y")), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_not_ready_is_named_with_the_last_failure() {
    let [fine, gone, hangs, mute, other, newer] =
        ["fine", "gone", "hangs", "mute", "other", "newer"].map(|name| Fake::new(name, []));
    gone.set(|script| script.meetings.push_back(Meeting::Gone("no pod `a/gone`")));
    hangs.set(|script| script.meetings.extend(vec![Meeting::Hangs; 9]));
    mute.set(|script| script.meetings.extend(vec![Meeting::Stalls { after: 0 }; 9]));
    other.set(|script| script.identity = "a/another".to_owned());
    newer.set(|script| script.version = 4);
    let fakes = [
        ("fine", &fine),
        ("gone", &gone),
        ("hangs", &hangs),
        ("mute", &mute),
        ("other", &other),
        ("newer", &newer),
    ];
    let agents = agents(&fakes);
    let mut endpoints: Vec<_> = fakes.iter().map(|(name, _)| endpoint(name)).collect();
    endpoints.push(endpoint("unheard-of"));
    let error = agents.ready(&endpoints, Duration::from_secs(12)).await.unwrap_err();
    let lines: Vec<String> =
        error.failures.iter().map(|(name, failure)| format!("{name}: {failure}")).collect();
    expect![[r#"
        a/gone: it is gone: no pod `a/gone`
        a/hangs: expected a stream to it within 5000 ms
        a/mute: expected its answer within 5000 ms
        a/newer: expected version 3 of the protocol, found version 4 from `a/newer`; use a run and an agent of the same release
        a/other: expected the agent of `a/other`, found the one of `a/another`: their sockets have the same name
        a/unheard-of: no such agent was added"#]]
    .assert_eq(&lines.join("\n"));
    // Those that will never answer are not waited for, nor dialled again.
    let start = Instant::now();
    let never = ["gone", "newer", "other"].map(endpoint);
    assert_eq!(agents.ready(&never, SOON).await.unwrap_err().failures.len(), 3);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!([&gone, &newer, &other].map(Fake::dials), [1, 1, 1]);
    // The agent that is another's is free for its own run again.
    assert_eq!(other.asked(|message| Some(message.clone())), [Message::Close]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stalls_is_cut_and_the_session_goes_on() {
    // The opening and the first question are heard, and its answer comes; nothing more does.
    let fake = Fake::new("x", [Meeting::Stalls { after: 2 }]);
    let mut agents = agents(&[("x", &fake)]);
    agents.ready(&[endpoint("x")], SOON).await.unwrap();
    let start = Instant::now();
    let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
    assert_eq!(found[0].outcome, Outcome::Connected);
    // Ten seconds until the ping, ten until the pong is missed.
    let waited = start.elapsed();
    assert!((20..22).contains(&waited.as_secs()), "{waited:?}");
    let rounds = fake.asked(|message| matches!(message, Message::Round(_)).then_some(()));
    assert_eq!((fake.dials(), rounds.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_session_is_kept_by_heartbeats() {
    let fake = Fake::new("x", []);
    let agents = agents(&[("x", &fake)]);
    agents.ready(&[endpoint("x")], SOON).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    agents.ready(&[endpoint("x")], Duration::ZERO).await.unwrap();
    assert_eq!(fake.dials(), 1);
    // 360 pings and pongs of less than 40 bytes.
    let traffic = agents.traffic();
    assert!((360 * 30..360 * 40).contains(&traffic.sent), "{traffic:?}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_was_restarted_listens_again_before_all_else() {
    let fake = Fake::new("x", [Meeting::Ends { after: 2 }, Meeting::Restarted]);
    let mut agents = agents(&[("x", &fake)]);
    let ports = vec![Listen { protocol: Protocol::Tcp, port: 80 }];
    agents.listen(&endpoint("x"), ports.clone()).await.unwrap();
    let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
    assert_eq!(found[0].outcome, Outcome::Connected);
    let listened = fake.asked(|message| match message {
        Message::Listen { ports } => Some(ports.clone()),
        _ => None,
    });
    assert_eq!(listened, [ports.clone(), ports]);
}

#[tokio::test(start_paused = true)]
async fn ports_that_cannot_be_opened_are_named() {
    let fake = Fake::new("x", []);
    let taken = Listen { protocol: Protocol::Udp, port: 53 };
    fake.set(|script| script.taken.push(taken));
    let agents = agents(&[("x", &fake)]);
    let ports = vec![Listen { protocol: Protocol::Tcp, port: 80 }, taken];
    let error = agents.listen(&endpoint("x"), ports).await.unwrap_err();
    expect!["expected the agent of `a/x` to listen: `53/UDP`: address in use"]
        .assert_eq(&error.to_string());
    let error = agents.listen(&endpoint("y"), Vec::new()).await.unwrap_err();
    assert!(matches!(error, NotListening::Unreachable { .. }));
    expect!["expected the agent of `a/y` to listen: no such agent was added"]
        .assert_eq(&error.to_string());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_listen_again_is_not_used() {
    let fake = Fake::new("x", [Meeting::Ends { after: 2 }, Meeting::Restarted]);
    let mut agents = agents(&[("x", &fake)]);
    let port = Listen { protocol: Protocol::Tcp, port: 80 };
    agents.listen(&endpoint("x"), vec![port]).await.unwrap();
    fake.set(|script| script.taken.push(port));
    let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
    expect![[r#"could not tell: tried 3 times; at last: no answer from the agent of `a/x`: the session was lost: expected the agent to listen again after it was restarted: `80/TCP`: address in use"#]]
    .assert_eq(&found[0].outcome.to_string());
    fake.set(|script| script.taken.clear());
    let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
    assert_eq!(found[0].outcome, Outcome::Connected);
}

#[tokio::test(start_paused = true)]
async fn closing_and_removing_tell_the_agents() {
    let [x, y] = ["x", "y"].map(|name| Fake::new(name, []));
    let mut agents = agents(&[("x", &x), ("y", &y)]);
    agents.ready(&[endpoint("x"), endpoint("y")], SOON).await.unwrap();
    agents.remove(&endpoint("x"));
    let found = agents.probe(vec![planned("x", "y", Protocol::Tcp)], SOON).await;
    expect!["could not tell: no answer from the agent of `a/x`: there is none"]
        .assert_eq(&found[0].outcome.to_string());
    agents.close().await;
    for fake in [&x, &y] {
        assert_eq!(fake.asked(|message| Some(message.clone())).last(), Some(&Message::Close));
    }
}

/// An exec that is slow to start lets our own older connection come last.
#[tokio::test(start_paused = true)]
async fn a_session_that_was_taken_over_is_taken_back() {
    let fake = Fake::new("x", [Meeting::TakenOver { after: 3 }, Meeting::TakenOver { after: 0 }]);
    let mut agents = agents(&[("x", &fake)]);
    let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
    assert_eq!(found[0].outcome, Outcome::Connected);
    let rounds = fake.asked(|message| matches!(message, Message::Round(_)).then_some(()));
    assert_eq!((fake.dials(), rounds.len()), (3, 1));

    // Whoever takes it over each time is another run: the attempts are lost with it.
    let fake = Fake::new("x", vec![Meeting::TakenOver { after: 1 }; 99]);
    let mut agents = super::agents(&[("x", &fake)]);
    let found = agents.probe(vec![planned("x", "x", Protocol::Tcp)], SOON).await;
    assert!(matches!(found[0].outcome, Outcome::Broken { .. }), "{found:?}");
}
