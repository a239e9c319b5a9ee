//! Golden frames, and a decoder that nothing upsets.

use std::fmt::Write;

use expect_test::expect_file;
use proptest::prelude::*;
use ringfence_probe::frame::{Decoder, FrameError, encode, read, write};
use ringfence_probe::wire::{
    Arrival, Attempt, AttemptResult, Evidence, Listen, MAX_FRAME, Message, Reason, Round, Sctp,
    Sightings, Stretch, VERSION, WatchOrder, Whereabouts,
};
use ringfence_probe::{HalfOpen, Outcome, Protocol};

/// One message of every kind, with its name.
fn messages() -> Vec<(&'static str, Message)> {
    let listen = Listen { protocol: Protocol::Sctp, port: 9999 };
    let outcomes = [
        Outcome::Connected,
        Outcome::Refused,
        Outcome::Rejected { icmp_type: 3, icmp_code: 13 },
        Outcome::Dropped,
        Outcome::ReplyLost,
        Outcome::WrongPod { answered: "prod/web".to_owned() },
        Outcome::Broken { reason: "no route".to_owned() },
    ];
    let results = outcomes.into_iter().zip(0..).map(|(outcome, id)| AttemptResult {
        evidence: (outcome == Outcome::Dropped)
            .then(|| Evidence { node: "node-1".to_owned(), text: "ingress of prod/db".to_owned() }),
        local: (id < 4).then(|| "[fd00::1]:40000".parse().unwrap()),
        seen_source: (id == 0).then(|| "fd00::1".parse().unwrap()),
        outcome,
        id,
        latency_us: 20,
        tries: 1,
        waited_us: 0,
    });
    let first = AttemptResult {
        id: 1,
        outcome: Outcome::Connected,
        latency_us: 20,
        local: None,
        seen_source: None,
        evidence: None,
        tries: 1,
        waited_us: 0,
    };
    let attempt = Attempt {
        id: 0,
        nonce: u64::MAX,
        from: 2,
        protocol: Protocol::Tcp,
        target: "10.0.0.2:80".parse().unwrap(),
        expect: "prod/db".to_owned(),
    };
    let arrival = Arrival {
        nonce: u64::MAX,
        protocol: Protocol::Udp,
        port: 53,
        from: "10.0.0.1:40000".parse().unwrap(),
    };
    let half_open = HalfOpen {
        listener: "10.0.0.2:80".parse().unwrap(),
        client: "10.0.0.1:40001".parse().unwrap(),
    };
    let session = "5f1d".to_owned();
    let whereabouts = Whereabouts {
        addresses: vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
        unseen: None,
    };
    vec![
        (
            "hello",
            Message::Hello { version: VERSION, identity: "prod/db".to_owned(), sctp: Sctp::Raw },
        ),
        ("open", Message::Open { session: session.clone() }),
        ("resume", Message::Resume { session, received: 7 }),
        ("opened", Message::Opened { received: 5, whereabouts: whereabouts.clone() }),
        ("acknowledge", Message::Acknowledge { received: 8 }),
        ("close", Message::Close),
        (
            "allow-targets",
            Message::AllowTargets {
                addresses: vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()],
            },
        ),
        ("listen", Message::Listen { ports: vec![listen] }),
        ("listening", Message::Listening { failed: vec![(listen, "no SCTP".to_owned())] }),
        (
            "round",
            Message::Round(Round {
                round: 3,
                deadline_us: 300_000,
                attempts: vec![attempt.clone()],
            }),
        ),
        (
            "results",
            Message::Results {
                round: 3,
                results: results.collect(),
                whereabouts: whereabouts.clone(),
            },
        ),
        (
            "begin-watch",
            Message::BeginWatch(WatchOrder {
                interval_us: 2_000,
                deadline_us: 100_000,
                before_us: 30_000,
                limit_us: 60_000_000,
                nonce: 7,
                stride: 2,
                held: vec![attempt.clone()],
                tried: vec![Attempt { id: 1, ..attempt.clone() }],
            }),
        ),
        ("watching", Message::Watching { at_us: 31_000, whereabouts: whereabouts.clone() }),
        ("watch-also", Message::WatchAlso { attempts: vec![attempt] }),
        ("end-watch", Message::EndWatch),
        (
            "watched",
            Message::Watched {
                sightings: Sightings {
                    asked_us: 40_000,
                    told_us: 41_000,
                    from_start: true,
                    turns: vec![10, 2_010],
                    seen: vec![(1, vec![Stretch { first: 0, turns: 2, seen: first }])],
                    broken: Some("it was not ended within 60 s".to_owned()),
                },
                whereabouts: whereabouts.clone(),
            },
        ),
        ("take-arrivals", Message::TakeArrivals),
        (
            "arrivals",
            Message::Arrivals {
                arrivals: vec![arrival],
                lost: 2,
                half_open: vec![half_open],
                half_open_unseen: Some("no /proc".to_owned()),
                whereabouts: Whereabouts {
                    addresses: Vec::new(),
                    unseen: Some("no netlink".to_owned()),
                },
            },
        ),
        ("ping", Message::Ping { number: 1 }),
        ("pong", Message::Pong { number: 1 }),
        (
            "error",
            Message::Error {
                reason: Reason::UnknownSession,
                message: "expected a session that is kept".to_owned(),
            },
        ),
    ]
}

/// Names every kind; a new one does not compile until it has a golden frame as well.
fn kind(message: &Message) -> &'static str {
    match message {
        Message::Hello { .. } => "hello",
        Message::Open { .. } => "open",
        Message::Resume { .. } => "resume",
        Message::Opened { .. } => "opened",
        Message::Acknowledge { .. } => "acknowledge",
        Message::Close => "close",
        Message::AllowTargets { .. } => "allow-targets",
        Message::Listen { .. } => "listen",
        Message::Listening { .. } => "listening",
        Message::Round(_) => "round",
        Message::Results { .. } => "results",
        Message::BeginWatch(_) => "begin-watch",
        Message::Watching { .. } => "watching",
        Message::WatchAlso { .. } => "watch-also",
        Message::EndWatch => "end-watch",
        Message::Watched { .. } => "watched",
        Message::TakeArrivals => "take-arrivals",
        Message::Arrivals { .. } => "arrivals",
        Message::Ping { .. } => "ping",
        Message::Pong { .. } => "pong",
        Message::Error { .. } => "error",
    }
}

/// The four bytes of the length in hexadecimal, then the JSON.
fn printed(frame: &[u8]) -> String {
    let (head, body) = frame.split_at(4);
    let mut text = String::new();
    for byte in head {
        write!(text, "{byte:02x}").unwrap();
    }
    format!("{text} {}\n", std::str::from_utf8(body).unwrap())
}

#[test]
fn golden_frames() {
    for (name, message) in messages() {
        assert_eq!(name, kind(&message));
        let frame = encode(&message).unwrap();
        expect_file![format!("golden/{name}.frame")].assert_eq(&printed(&frame));
        assert_eq!(read(&mut frame.as_slice()).unwrap(), Some(message));
    }
}

fn stream() -> (Vec<u8>, Vec<Message>) {
    let messages: Vec<Message> = messages().into_iter().map(|(_, message)| message).collect();
    let mut bytes = Vec::new();
    for message in &messages {
        write(&mut bytes, message).unwrap();
    }
    (bytes, messages)
}

fn drain(decoder: &mut Decoder, into: &mut Vec<Message>) {
    while let Some(message) = decoder.next().unwrap() {
        into.push(message);
    }
}

#[test]
fn a_stream_cut_at_every_byte_gives_the_same_messages() {
    let (bytes, messages) = stream();
    for cut in 0..=bytes.len() {
        let (mut decoder, mut found) = (Decoder::new(), Vec::new());
        for part in [&bytes[..cut], &bytes[cut..]] {
            decoder.push(part);
            drain(&mut decoder, &mut found);
        }
        assert_eq!(found, messages, "cut at {cut}");
        assert!(!decoder.is_within_frame());
    }
}

#[test]
fn a_stream_that_ends_is_told_from_one_that_was_cut() {
    let frame = encode(&Message::Ping { number: 1 }).unwrap();
    assert!(read(&mut &frame[..0]).unwrap().is_none());
    for cut in 1..frame.len() {
        let expected = if cut < 4 { 4 - cut } else { frame.len() - cut };
        match read(&mut &frame[..cut]) {
            Err(FrameError::Truncated { expected: found }) => assert_eq!(found, expected),
            other => panic!("{other:?}"),
        }
        let mut decoder = Decoder::new();
        decoder.push(&frame[..cut]);
        assert!(decoder.next().unwrap().is_none() && decoder.is_within_frame());
    }
}

#[test]
fn a_frame_that_is_no_message_does_not_end_the_stream() {
    let mut bytes = b"\0\0\0\x02{}".to_vec();
    bytes.extend_from_slice(&encode(&Message::TakeArrivals).unwrap());
    let mut decoder = Decoder::new();
    decoder.push(&bytes);
    assert!(matches!(decoder.next(), Err(FrameError::NotAMessage(_))));
    assert_eq!(decoder.next().unwrap(), Some(Message::TakeArrivals));

    let mut rest = bytes.as_slice();
    assert!(matches!(read(&mut rest), Err(FrameError::NotAMessage(_))));
    assert_eq!(read(&mut rest).unwrap(), Some(Message::TakeArrivals));
}

#[test]
fn a_frame_that_is_too_long_ends_the_stream() {
    let head = u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes();
    let mut decoder = Decoder::new();
    decoder.push(&head);
    for _ in 0..2 {
        assert!(matches!(decoder.next(), Err(FrameError::TooLong(n)) if n == MAX_FRAME + 1));
    }
    assert!(matches!(read(&mut head.as_slice()), Err(FrameError::TooLong(_))));
    let message = Message::Error { reason: Reason::Protocol, message: "x".repeat(MAX_FRAME) };
    let mut written = Vec::new();
    assert!(matches!(write(&mut written, &message), Err(FrameError::TooLong(_))));
    assert!(written.is_empty());
}

proptest! {
    #[test]
    fn any_cuts_give_the_same_messages(cuts in prop::collection::vec(0usize..2000, 0..20)) {
        let (bytes, messages) = stream();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let (mut decoder, mut found) = (Decoder::new(), Vec::new());
        for pair in cuts.windows(2) {
            decoder.push(&bytes[pair[0]..pair[1]]);
            drain(&mut decoder, &mut found);
        }
        prop_assert_eq!(found, messages);
    }

    #[test]
    fn decoding_never_panics(
        parts in prop::collection::vec(
            prop_oneof![
                any::<Vec<u8>>(),
                // Frames of a length that fits, with bytes that need not.
                prop::collection::vec(any::<u8>(), 0..40).prop_map(|body| {
                    let head = u32::try_from(body.len()).unwrap().to_be_bytes();
                    [&head[..], &body].concat()
                }),
            ],
            0..8,
        ),
    ) {
        let mut decoder = Decoder::new();
        for part in &parts {
            decoder.push(part);
            // Each call takes a frame, waits, or has met its end: more calls than bytes would
            // mean that one of them did nothing.
            for _ in 0..=part.len() {
                match decoder.next() {
                    Ok(None) | Err(FrameError::TooLong(_)) => break,
                    Ok(Some(_)) | Err(_) => {}
                }
            }
        }
        let bytes = parts.concat();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let before = rest.len();
            let _ = read(&mut rest);
            prop_assert!(rest.len() < before);
        }
    }
}
