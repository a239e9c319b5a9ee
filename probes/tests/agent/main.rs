//! The agent's real processes: server and bridge, over an abstract socket and loopback.

mod process;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::{Agent, BINARY, DEADLINE, event, last_words, opened, send, silent_port};
use proptest::prelude::*;
use ringfence_probe::agent::session::{ClientSession, Event};
use ringfence_probe::frame::encode;
use ringfence_probe::wire::{Attempt, AttemptResult, Listen, Message, Reason, Round, Sctp};
use ringfence_probe::{Outcome, Protocol};

fn attempt(id: u32, protocol: Protocol, port: u16) -> Attempt {
    static NONCE: AtomicU64 = AtomicU64::new(1);
    let target = SocketAddr::from(([127, 0, 0, 1], port));
    let nonce = NONCE.fetch_add(1, Ordering::Relaxed);
    Attempt { id, nonce, from: 0, protocol, target, expect: "prod/db".to_owned() }
}

fn round(round: u32, deadline_ms: u64, attempts: Vec<Attempt>) -> Round {
    Round { round, deadline_us: deadline_ms * 1000, attempts }
}

fn allow_loopback(client: &mut ClientSession) {
    client.allow_targets(vec!["127.0.0.1".parse().unwrap()]).unwrap();
}

/// Ports that were free a moment ago; each is asked for on both protocols.
fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count)
        .map(|_| {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = tcp.local_addr().unwrap().port();
            (UdpSocket::bind(("127.0.0.1", port)).ok(), tcp, port)
        })
        .collect();
    held.iter().map(|(_, _, port)| *port).collect()
}

fn results(event: Event) -> (u32, Vec<AttemptResult>) {
    match event {
        Event::Results { round, results, .. } => (round, results),
        other => panic!("expected results, found {other:?}"),
    }
}

fn outcomes(event: Event) -> Vec<Outcome> {
    results(event).1.into_iter().map(|result| result.outcome).collect()
}

#[test]
fn a_whole_session_through_a_bridge() {
    let ports = free_ports(3);
    let (open, late, closed) = (ports[0], ports[1], ports[2]);
    let (_silence, silent) = silent_port();
    let agent = Agent::start(&format!("{open}/TCP,{open}/UDP"));
    let mut bridge = agent.bridge();
    let mut client = opened("s", &mut bridge);

    // Nothing is dialled before an allow-list came.
    client.round(round(1, 200, vec![attempt(0, Protocol::Tcp, open)])).unwrap();
    let first = results(event(&mut client, &mut bridge));
    assert_eq!((first.0, first.1[0].tries), (1, 0));
    assert!(
        matches!(&first.1[0].outcome, Outcome::Broken { reason } if reason.contains("allow-list"))
    );

    allow_loopback(&mut client);
    let attempts = vec![
        attempt(0, Protocol::Tcp, open),
        attempt(1, Protocol::Udp, open),
        attempt(2, Protocol::Tcp, closed),
        attempt(3, Protocol::Udp, silent),
        attempt(4, Protocol::Tcp, late),
    ];
    let nonces = [attempts[0].nonce, attempts[1].nonce];
    client.round(round(2, 200, attempts)).unwrap();
    client.take_arrivals().unwrap();
    use Outcome::{Connected, Dropped, Refused};
    assert_eq!(
        outcomes(event(&mut client, &mut bridge)),
        [Connected, Connected, Refused, Dropped, Refused]
    );
    match event(&mut client, &mut bridge) {
        Event::Arrivals { arrivals, lost, half_open_unseen, whereabouts, .. } => {
            assert_eq!(whereabouts.unseen, None);
            let mut found: Vec<u64> = arrivals.iter().map(|arrival| arrival.nonce).collect();
            found.sort_unstable();
            assert_eq!((found, lost, half_open_unseen), (nonces.to_vec(), 0, None));
        }
        other => panic!("{other:?}"),
    }

    // Other ports in place of those; one that is taken is named, and does no harm.
    let taken = TcpListener::bind(("0.0.0.0", closed)).unwrap();
    let listen = |port| Listen { protocol: Protocol::Tcp, port };
    client.listen(vec![listen(late), listen(closed)]).unwrap();
    match event(&mut client, &mut bridge) {
        Event::Listening { failed } => {
            assert_eq!(failed.len(), 1, "{failed:?}");
            assert_eq!(failed[0].0, listen(closed));
            assert!(failed[0].1.contains("in use"), "{failed:?}");
        }
        other => panic!("{other:?}"),
    }
    drop(taken);
    let attempts = vec![attempt(0, Protocol::Tcp, open), attempt(1, Protocol::Tcp, late)];
    client.round(round(3, 200, attempts)).unwrap();
    assert_eq!(outcomes(event(&mut client, &mut bridge)), [Refused, Connected]);

    // Done: the agent ends the connection, the bridge ends with it, and the next may come.
    client.close();
    send(&mut client, &mut bridge);
    assert_eq!(bridge.read(&mut [0]).unwrap(), 0);
    assert!(bridge.child.wait().unwrap().success());
    opened("t", &mut agent.bridge());
}

#[test]
fn another_version_and_a_stranger_are_refused_with_words() {
    let agent = Agent::start("");
    let mut stream = agent.connect();
    let hello = Message::Hello { version: 1, identity: "run".to_owned(), sctp: Sctp::None };
    stream.write_all(&encode(&hello).unwrap()).unwrap();
    match last_words(&mut stream) {
        Message::Error { reason: Reason::Version, message } => {
            assert!(message.contains("version 1") && message.contains("version 3"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let _held = opened("s", &mut agent.connect());
    let mut stranger = ClientSession::new("t", "another run");
    match event(&mut stranger, &mut agent.connect()) {
        Event::Ended { reason: Reason::Busy, message, .. } => {
            assert!(message.contains("`prod/db`"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn heartbeats_are_answered_during_a_long_round() {
    let agent = Agent::start("");
    let (_silence, silent) = silent_port();
    let mut bridge = agent.bridge();
    let mut client = opened("s", &mut bridge);
    allow_loopback(&mut client);
    client.round(round(1, 1500, vec![attempt(0, Protocol::Udp, silent)])).unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let number = client.ping().unwrap();
        assert_eq!(event(&mut client, &mut bridge), Event::Pong { number });
    }
    assert!(start.elapsed() < Duration::from_millis(1000), "{:?}", start.elapsed());
    assert_eq!(outcomes(event(&mut client, &mut bridge)), [Outcome::Dropped]);
    assert!(start.elapsed() >= Duration::from_millis(1500));
}

#[test]
fn a_round_that_ended_while_nobody_was_connected_is_told_on_resuming() {
    let agent = Agent::start("");
    let (_silence, silent) = silent_port();
    let mut bridge = agent.bridge();
    let mut client = opened("s", &mut bridge);
    allow_loopback(&mut client);
    client.round(round(7, 300, vec![attempt(0, Protocol::Udp, silent)])).unwrap();
    // The pong shows that the round has arrived: it was sent before.
    send(&mut client, &mut bridge);
    client.ping().unwrap();
    assert!(matches!(event(&mut client, &mut bridge), Event::Pong { .. }));
    bridge.child.kill().unwrap();
    let mut bridge = agent.bridge();
    client.resume();
    assert!(matches!(event(&mut client, &mut bridge), Event::Opened { resumed: true, .. }));
    let (number, found) = results(event(&mut client, &mut bridge));
    assert_eq!((number, &found[0].outcome), (7, &Outcome::Dropped));
}

#[test]
fn a_round_lost_with_the_agent_is_unknown() {
    let agent = Agent::start("");
    let (_silence, silent) = silent_port();
    let mut stream = agent.connect();
    let mut client = opened("s", &mut stream);
    allow_loopback(&mut client);
    client.round(round(9, 30_000, vec![attempt(0, Protocol::Udp, silent)])).unwrap();
    send(&mut client, &mut stream);
    let agent = Agent::start_on(&agent.kill(), "");
    client.resume();
    match event(&mut client, &mut agent.connect()) {
        Event::Ended { reason: Reason::UnknownSession, unknown, .. } => assert_eq!(unknown, [9]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ends_on_sigterm_within_100_ms_during_a_round() {
    let mut agent = Agent::start("");
    let (_silence, silent) = silent_port();
    let mut stream = agent.connect();
    let mut client = opened("s", &mut stream);
    allow_loopback(&mut client);
    client.round(round(1, 30_000, vec![attempt(0, Protocol::Udp, silent)])).unwrap();
    send(&mut client, &mut stream);
    let pid = Pid::from_raw(agent.child.id().try_into().unwrap());
    let start = Instant::now();
    kill(pid, Signal::SIGTERM).unwrap();
    assert!(agent.child.wait().unwrap().success());
    println!("ended {:?} after SIGTERM", start.elapsed());
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
}

#[test]
fn a_bridge_ends_with_its_input_and_harms_nobody() {
    let agent = Agent::start("");
    for bytes in [&b""[..], b"\0\0", b"\0\0\0\x02{}", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut bridge = agent.bridge();
        bridge.write_all(bytes).unwrap();
        drop(bridge.input.take());
        let mut rest = Vec::new();
        bridge.read_to_end(&mut rest).unwrap();
        assert!(bridge.child.wait().unwrap().success());
    }
    opened("s", &mut agent.bridge());
    let nobody = std::process::Command::new(BINARY)
        .args(["bridge", "--socket", "ringfence-test-nobody"])
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    let words = String::from_utf8(nobody.stderr).unwrap();
    assert!(words.contains("expected an agent on the abstract socket"), "{words}");
}

#[test]
fn an_idle_agent_is_small() {
    let agent = Agent::start("");
    let mut stream = agent.connect();
    let _client = opened("s", &mut stream);
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    let size = std::fs::metadata(BINARY).unwrap().len();
    println!("idle: {kib} KiB; this build's binary: {size} bytes");
    assert!(kib <= 10 << 10, "{line}");
}

/// Plays a session over a socket that is cut after so many bytes of either direction, again
/// and again; the answers in order.
fn play(agent: &Agent, name: &str, cuts: &[(usize, usize)], silent: u16) -> Vec<u32> {
    let mut client = ClientSession::new(name, "run");
    allow_loopback(&mut client);
    for number in 1..=3 {
        client.round(round(number, 5, vec![attempt(0, Protocol::Udp, silent)])).unwrap();
    }
    let mut answers = Vec::new();
    let last = [(usize::MAX, usize::MAX)];
    for &(mut up, mut down) in cuts.iter().chain(&last) {
        let mut stream = agent.connect();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        client.resume();
        loop {
            while let Some(frame) = client.next_frame() {
                let part = frame.len().min(up);
                up -= part;
                stream.write_all(&frame[..part]).unwrap();
            }
            while let Some(event) = client.next_event() {
                match event {
                    Event::Results { round, .. } => answers.push(round),
                    Event::Opened { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            // A frame that was cut gets no answer.
            if answers.len() == 3 || up == 0 || down == 0 {
                break;
            }
            let mut bytes = [0; 512];
            let room = down.min(bytes.len());
            let count = stream.read(&mut bytes[..room]).unwrap();
            assert!(count > 0, "the agent ended the connection");
            down -= count;
            client.on_bytes(&bytes[..count]);
        }
        if answers.len() == 3 {
            // The one before may have been cut within a frame.
            let mut stream = agent.connect();
            client.resume();
            assert!(matches!(event(&mut client, &mut stream), Event::Opened { resumed: true, .. }));
            client.close();
            send(&mut client, &mut stream);
            assert_eq!(last_words_or_none(&mut stream), None, "nothing comes after the end");
            return answers;
        }
    }
    unreachable!("the last connection is not cut")
}

/// What the agent still says before it ends the connection, if it is about the session.
fn last_words_or_none(stream: &mut impl Read) -> Option<Message> {
    let found = std::iter::from_fn(|| ringfence_probe::frame::read(stream).unwrap());
    found.filter(|message| !matches!(message, Message::Acknowledge { .. })).last()
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_wherever_it_is_cut() {
    let agent = Agent::start("");
    let (_silence, silent) = silent_port();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let cuts = prop::collection::vec((1usize..900, 1usize..1200), 0..6);
    let number = std::cell::Cell::new(0);
    runner
        .run(&cuts, |cuts| {
            number.set(number.get() + 1);
            prop_assert_eq!(play(&agent, &format!("s{}", number.get()), &cuts, silent), [1, 2, 3]);
            Ok(())
        })
        .unwrap();
}
