//! Both halves against each other.

use std::time::{Duration, Instant};

use super::*;
use crate::frame::{encode, read};
use crate::wire::{Attempt, Message, Reason, Round, Sctp, Sightings, VERSION, Whereabouts};
use crate::{Outcome, Protocol};

mod cuts;

use cuts::Network;

fn attempt(id: u32) -> Attempt {
    Attempt {
        id,
        nonce: u64::from(id),
        from: 0,
        protocol: Protocol::Tcp,
        target: "10.0.0.2:80".parse().unwrap(),
        expect: "a/b".to_owned(),
    }
}

/// Where the agent is.
fn here() -> Whereabouts {
    Whereabouts { addresses: vec!["10.0.0.2".parse().unwrap()], unseen: None }
}

fn round(number: u32, attempts: u32) -> Round {
    Round { round: number, deadline_us: 1000, attempts: (0..attempts).map(attempt).collect() }
}

/// An agent that does its work by taking note of it.
struct Agent {
    sessions: Sessions,
    now: Instant,
    done: Vec<Work>,
}

impl Agent {
    fn new() -> Self {
        let sessions = Sessions::new("prod/db", Sctp::Raw);
        Self { sessions, now: Instant::now(), done: Vec::new() }
    }

    fn work(&mut self) {
        while let Some((session, work)) = self.sessions.next_work() {
            let answer = match &work {
                Work::Begin | Work::AllowTargets(_) | Work::WatchAlso(_) => None,
                Work::BeginWatch(order) => {
                    Some(Message::Watching { at_us: order.before_us, whereabouts: here() })
                }
                Work::EndWatch => Some(Message::Watched {
                    sightings: Sightings {
                        asked_us: 1,
                        told_us: 2,
                        from_start: false,
                        turns: vec![1],
                        seen: Vec::new(),
                        broken: None,
                    },
                    whereabouts: here(),
                }),
                Work::Listen(_) => Some(Message::Listening { failed: Vec::new() }),
                Work::Round(round) => Some(Message::Results {
                    round: round.round,
                    results: Vec::new(),
                    whereabouts: here(),
                }),
                Work::TakeArrivals => Some(Message::Arrivals {
                    arrivals: Vec::new(),
                    lost: self.done.len() as u64,
                    half_open: Vec::new(),
                    half_open_unseen: None,
                    whereabouts: here(),
                }),
            };
            let attempts = attempts_of(&work);
            self.done.push(work);
            if let Some(answer) = answer {
                self.sessions.finish(session, attempts, &answer);
            }
        }
    }

    /// What a connection sends until it waits or ends, and whether it ends.
    fn sent(&mut self, connection: u64) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        loop {
            match self.sessions.next(connection) {
                Next::Frame(frame) => bytes.extend_from_slice(&frame),
                Next::Wait => return (bytes, false),
                Next::Close => return (bytes, true),
            }
        }
    }

    /// What a connection says in answer to these messages, and whether it ends.
    fn says(&mut self, connection: u64, messages: &[Message]) -> (Vec<Message>, bool) {
        for message in messages {
            self.sessions.on_bytes(connection, &encode(message).unwrap(), self.now);
        }
        let (bytes, ends) = self.sent(connection);
        let (mut rest, mut said) = (bytes.as_slice(), Vec::new());
        while let Some(message) = read(&mut rest).unwrap() {
            said.push(message);
        }
        (said, ends)
    }

    /// A connection that has greeted.
    fn greeted(&mut self) -> u64 {
        let connection = self.sessions.connect(self.now, here());
        let (said, _) = self.says(connection, &[hello(VERSION)]);
        let hello =
            Message::Hello { version: VERSION, identity: "prod/db".to_owned(), sctp: Sctp::Raw };
        assert_eq!(said, [hello]);
        connection
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.sessions.expire(self.now);
    }
}

fn hello(version: u32) -> Message {
    Message::Hello { version, identity: "run".to_owned(), sctp: Sctp::None }
}

fn open(session: &str) -> Message {
    Message::Open { session: session.to_owned() }
}

fn opened(received: u64) -> Message {
    Message::Opened { received, whereabouts: here() }
}

fn resume(session: &str, received: u64) -> Message {
    Message::Resume { session: session.to_owned(), received }
}

/// The one error that a connection ended with.
fn refusal((said, ends): (Vec<Message>, bool)) -> (Reason, String) {
    assert!(ends, "{said:?}");
    match said.last() {
        Some(Message::Error { reason, message }) => (*reason, message.clone()),
        other => panic!("expected an error, found {other:?}"),
    }
}

#[test]
fn another_version_is_refused_by_both_with_both_named() {
    let mut agent = Agent::new();
    let connection = agent.sessions.connect(agent.now, here());
    let words = "expected version 3 of the protocol, found version 7 from `run`; use a run and an \
                 agent of the same release";
    assert_eq!(
        refusal(agent.says(connection, &[hello(7), open("s")])),
        (Reason::Version, words.to_owned())
    );
    assert_eq!(agent.sessions.next_work(), None);

    let mut client = ClientSession::new("s", "run");
    client.on_bytes(&encode(&hello(7)).unwrap());
    let message = words.to_owned();
    let ended = Event::Ended { reason: Reason::Version, message, unknown: Vec::new() };
    assert_eq!(client.next_event(), Some(ended));
    assert_eq!(client.next_frame(), None);
}

#[test]
fn strangers_are_refused_while_the_session_is_kept() {
    let mut agent = Agent::new();
    let first = agent.greeted();
    assert_eq!(agent.says(first, &[open("s")]).0, [opened(0)]);
    let stranger = agent.greeted();
    let (reason, message) = refusal(agent.says(stranger, &[open("t")]));
    assert_eq!(reason, Reason::Busy);
    assert!(message.contains("is connected") && !message.contains("`s`"), "{message}");

    agent.sessions.disconnect(first);
    agent.pass(KEPT - Duration::from_secs(3));
    let stranger = agent.greeted();
    let (_, message) = refusal(agent.says(stranger, &[open("t")]));
    assert!(message.contains("597 s ago and is kept for 3 s more"), "{message}");
    agent.pass(Duration::from_secs(3));
    let stranger = agent.greeted();
    assert_eq!(agent.says(stranger, &[open("t")]).0, [opened(0)]);

    // Whoever says that it is done makes room at once.
    assert_eq!(agent.says(stranger, &[Message::Close]), (Vec::new(), true));
    let next = agent.greeted();
    assert_eq!(agent.says(next, &[open("u")]).0, [opened(0)]);
    agent.work();
    assert_eq!(agent.done, [Work::Begin], "sessions that ended before their work began");
}

#[test]
fn a_newer_connection_takes_over() {
    let mut agent = Agent::new();
    let older = agent.greeted();
    agent.says(older, &[open("s"), Message::TakeArrivals]);
    let newer = agent.greeted();
    assert_eq!(agent.says(newer, &[resume("s", 0)]).0, [opened(1)]);
    assert_eq!(refusal(agent.says(older, &[])).0, Reason::TakenOver);
    agent.sessions.disconnect(older);
    agent.work();
    let (said, ends) = agent.says(newer, &[Message::Ping { number: 4 }]);
    assert!(
        matches!(said[..], [Message::Pong { number: 4 }, Message::Arrivals { .. }]),
        "{said:?}"
    );
    assert!(!ends);
}

#[test]
fn an_older_connection_that_is_heard_late_takes_nothing_back() {
    let mut agent = Agent::new();
    let first = agent.greeted();
    agent.says(first, &[open("s")]);
    let (older, newer) = (agent.greeted(), agent.greeted());
    assert_eq!(agent.says(newer, &[resume("s", 0)]).0, [opened(0)]);
    assert_eq!(refusal(agent.says(older, &[resume("s", 0)])).0, Reason::TakenOver);
    let (said, ends) = agent.says(newer, &[Message::Ping { number: 4 }]);
    assert!(matches!(said[..], [Message::Pong { number: 4 }]), "{said:?}");
    assert!(!ends);
}

#[test]
fn silence_ends_the_connection_and_not_the_session() {
    let mut agent = Agent::new();
    let silent = agent.greeted();
    agent.pass(GREETING);
    assert_eq!(refusal(agent.says(silent, &[])).0, Reason::Silent);

    let connection = agent.greeted();
    agent.says(connection, &[open("s")]);
    agent.pass(SILENCE - Duration::from_millis(1));
    assert_eq!(
        agent.says(connection, &[Message::Ping { number: 1 }]),
        (vec![Message::Pong { number: 1 }], false)
    );
    assert_eq!(agent.sessions.expires(), Some(agent.now + SILENCE));
    agent.pass(SILENCE);
    assert_eq!(refusal(agent.says(connection, &[])).0, Reason::Silent);
    agent.sessions.disconnect(connection);
    assert_eq!(agent.sessions.expires(), Some(agent.now - SILENCE + KEPT));
    let again = agent.greeted();
    assert_eq!(agent.says(again, &[resume("s", 0)]).0, [opened(0)]);
}

#[test]
fn what_the_protocol_does_not_allow_is_named() {
    let opened = |more: Vec<Message>| [vec![hello(VERSION), open("s")], more].concat();
    let cases = [
        (vec![open("s")], "expected `hello`, found `open`"),
        (
            vec![hello(VERSION), Message::TakeArrivals],
            "expected `open` or `resume`, found `take-arrivals`",
        ),
        (vec![hello(VERSION), open("")], "expected an identifier of 1 to 64 bytes, found 0"),
        (opened(vec![open("s")]), "expected a request, found `open`"),
        (
            opened(vec![Message::Acknowledge { received: 1 }]),
            "expected a count of received messages from 0 to 0, found 1",
        ),
        (
            opened(vec![Message::Round(round(1, 40_000)), Message::Round(round(2, 40_000))]),
            "expected at most 1024 requests with 65536 attempts to wait, found 3 with 80000; make \
             smaller rounds, one after the other",
        ),
    ];
    for (messages, expected) in cases {
        let mut agent = Agent::new();
        let connection = agent.sessions.connect(agent.now, here());
        let found = refusal(agent.says(connection, &messages));
        assert_eq!(found, (Reason::Protocol, expected.to_owned()));
        assert_eq!(agent.sessions.next_work(), None, "a session that is over has no work");
    }
    let mut agent = Agent::new();
    let connection = agent.sessions.connect(agent.now, here());
    agent.sessions.on_bytes(connection, b"\0\0\0\x02{}", agent.now);
    let (reason, message) = refusal(agent.says(connection, &[]));
    assert_eq!(reason, Reason::Protocol);
    assert!(message.starts_with("expected a message in JSON: missing field `kind`"), "{message}");
}

#[test]
fn work_waits_while_too_many_answers_are_kept() {
    let mut agent = Agent::new();
    let connection = agent.greeted();
    let requests = [open("s"), Message::Round(round(1, 1)), Message::Round(round(2, 1))];
    agent.says(connection, &requests);
    agent.sessions.disconnect(connection);
    assert_eq!(agent.sessions.next_work(), Some((1, Work::Begin)));
    assert!(matches!(agent.sessions.next_work(), Some((1, Work::Round(_)))));
    let result = crate::wire::AttemptResult {
        id: 0,
        outcome: Outcome::Broken { reason: "x".repeat(MOST_KEPT) },
        latency_us: 0,
        local: None,
        seen_source: None,
        evidence: None,
        tries: 0,
        waited_us: 0,
    };
    agent.sessions.finish(
        1,
        1,
        &Message::Results { round: 1, results: vec![result], whereabouts: here() },
    );
    assert_eq!(agent.sessions.next_work(), None);
    let again = agent.greeted();
    let (said, _) = agent.says(again, &[resume("s", 0)]);
    assert!(matches!(said[..], [Message::Opened { received: 2, .. }, Message::Results { .. }]));
    agent.says(again, &[Message::Acknowledge { received: 1 }]);
    assert!(matches!(agent.sessions.next_work(), Some((1, Work::Round(_)))));
}

#[test]
fn a_restarted_agent_makes_rounds_unknown() {
    let mut client = ClientSession::new("s", "run");
    let mut agent = Agent::new();
    let mut network = Network::default();
    network.connect(&mut client, &mut agent);
    network.settle(&mut client, &mut agent);
    client.round(round(1, 1)).unwrap();
    network.settle(&mut client, &mut agent);
    client.round(round(2, 1)).unwrap();
    client.round(round(3, 1)).unwrap();
    let mut restarted = Agent::new();
    client.resume();
    network.connect(&mut client, &mut restarted);
    network.settle(&mut client, &mut restarted);
    let events: Vec<Event> = std::iter::from_fn(|| client.next_event()).collect();
    match events.last() {
        Some(Event::Ended { reason: Reason::UnknownSession, unknown, .. }) => {
            assert_eq!(*unknown, [2, 3]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(restarted.done, []);
}

#[test]
fn a_busy_agent_can_be_tried_again() {
    let mut agent = Agent::new();
    let holder = agent.greeted();
    agent.says(holder, &[open("t")]);
    let mut client = ClientSession::new("s", "run");
    client.round(round(1, 1)).unwrap();
    let mut network = Network::default();
    network.connect(&mut client, &mut agent);
    network.settle(&mut client, &mut agent);
    match client.next_event() {
        Some(Event::Ended { reason: Reason::Busy, unknown, .. }) => {
            assert_eq!(unknown, Vec::<u32>::new())
        }
        other => panic!("{other:?}"),
    }
    agent.says(holder, &[Message::Close]);
    client.resume();
    network.connect(&mut client, &mut agent);
    network.settle(&mut client, &mut agent);
    let events: Vec<Event> = std::iter::from_fn(|| client.next_event()).collect();
    assert!(
        matches!(
            events[..],
            [Event::Opened { resumed: false, .. }, Event::Results { round: 1, .. }]
        ),
        "{events:?}"
    );
}
