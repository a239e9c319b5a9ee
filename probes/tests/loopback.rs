//! The engine against itself, over loopback.
//!
//! In network namespaces of the tests' own where the machine gives any; else on the machine's
//! loopback, which serves as well.

#[path = "support/serving.rs"]
mod serving;
mod support;
#[path = "support/trials.rs"]
mod trials;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::ExitCode;
use std::thread;

use libtest_mimic::{Arguments, Trial};
use nix::libc;
use ringfence_probe::wire::{Attempt, AttemptResult, Evidence, Round, Sctp};
use ringfence_probe::{
    Environment, HalfOpen, Here, Outcome, ProberOptions, Protocol, Report, Servers, correlate,
    correlate_half_open, exchange, half_open, half_open_among, sctp_support,
};
use serving::{listen, servers};
use socket2::{Domain, SockFilter, Socket, Type};
use support::{BOTH, address, attempt, in_namespace, prober, round};

fn main() -> ExitCode {
    let namespaces = trials::namespaces();
    let mut all = vec![trials::own(
        "a_missing_route_is_no_verdict",
        &namespaces,
        a_missing_route_is_no_verdict,
    )];
    let anywhere = trials![
        connects_and_both_ends_agree,
        another_pod_answers,
        a_closed_port_refuses,
        silence_is_a_drop_after_the_deadline_and_one_retry,
        a_tcp_exchange_that_stays_silent_is_a_drop,
        what_arrived_and_stayed_silent_is_a_lost_reply,
        a_handshake_whose_answer_is_lost_is_half_open,
        a_retry_makes_up_for_a_lost_packet,
        strangers_are_no_probe_servers,
        only_the_allow_list_is_dialled,
        the_window_is_kept_and_nothing_is_lost_in_thousands,
        a_report_settles_at_once_and_without_a_retry,
        a_report_does_not_outweigh_an_answer_and_places_are_entered_once,
        ports_are_opened_and_closed_by_identity,
    ];
    all.extend(anywhere.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    }));
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

fn fly(round: &Round) -> Vec<AttemptResult> {
    prober(ProberOptions::default()).round(round, &mut Here)
}

/// The only attempt's outcome.
fn outcome(deadline_ms: u64, attempt: Attempt) -> Outcome {
    let mut results = fly(&round(deadline_ms, vec![attempt]));
    assert_eq!(results.len(), 1);
    results.remove(0).outcome
}

/// Long enough never to pass on a busy machine.
const LONG: u64 = 20_000;
/// For attempts that shall be silent.
const SHORT: u64 = 200;

fn protocols() -> Vec<Protocol> {
    let mut protocols = vec![Protocol::Tcp, Protocol::Udp];
    if sctp_support() != Sctp::None {
        protocols.push(Protocol::Sctp);
    }
    protocols
}

fn connects_and_both_ends_agree() {
    in_namespace(|| {
        let ports = protocols().into_iter().map(|protocol| listen(protocol, 7001));
        let servers = servers("prod/db", &ports.collect::<Vec<_>>());
        let mut attempts = Vec::new();
        for host in BOTH {
            for protocol in protocols() {
                let id = u32::try_from(attempts.len()).unwrap();
                attempts.push(attempt(id, protocol, address(host, 7001), "prod/db"));
            }
        }
        let round = round(LONG, attempts);
        let results = fly(&round);
        let arrivals = servers.take_arrivals();
        for (attempt, result) in round.attempts.iter().zip(&results) {
            assert_eq!(result.outcome, Outcome::Connected, "{attempt:?}");
            assert_eq!(result.id, attempt.id);
            assert_eq!(result.tries, 1);
            assert_eq!(result.seen_source, Some(attempt.target.ip()));
            let arrived: Vec<_> =
                arrivals.iter().filter(|(_, a)| a.nonce == attempt.nonce).collect();
            let [(identity, arrival)] = arrived.as_slice() else { panic!("{arrived:?}") };
            assert_eq!((identity.as_str(), arrival.port), ("prod/db", 7001));
            assert_eq!(arrival.protocol, attempt.protocol);
            assert_eq!(Some(arrival.from), result.local);
        }
        assert_eq!(arrivals.len(), results.len());
        assert_eq!(servers.take_arrivals(), []);
    });
}

fn another_pod_answers() {
    in_namespace(|| {
        let ports = protocols().into_iter().map(|protocol| listen(protocol, 7002));
        let _servers = servers("prod/web", &ports.collect::<Vec<_>>());
        for protocol in protocols() {
            let found = outcome(LONG, attempt(1, protocol, address("[::1]", 7002), "prod/db"));
            assert_eq!(found, Outcome::WrongPod { answered: "prod/web".to_owned() }, "{protocol}");
        }
    });
}

fn a_closed_port_refuses() {
    in_namespace(|| {
        // On raw sockets the answer on a closed port takes an open one in the namespace.
        let mut sctp = Vec::new();
        if sctp_support() != Sctp::None {
            sctp.push(listen(Protocol::Sctp, 7004));
        }
        let _servers = servers("prod/db", &sctp);
        for host in BOTH {
            let target = address(host, 7003);
            let (icmp_type, icmp_code) = if target.is_ipv4() { (3, 3) } else { (1, 4) };
            let rejected = Outcome::Rejected { icmp_type, icmp_code };
            assert_eq!(outcome(LONG, attempt(1, Protocol::Tcp, target, "x")), Outcome::Refused);
            assert_eq!(outcome(LONG, attempt(1, Protocol::Udp, target, "x")), rejected);
            if sctp_support() != Sctp::None {
                assert_eq!(
                    outcome(LONG, attempt(1, Protocol::Sctp, target, "x")),
                    Outcome::Refused
                );
            }
        }
    });
}

fn silence_is_a_drop_after_the_deadline_and_one_retry() {
    in_namespace(|| {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = silent.local_addr().unwrap();
        let results = fly(&round(SHORT, vec![attempt(9, Protocol::Udp, target, "x")]));
        let [AttemptResult { outcome: Outcome::Dropped, tries: 2, latency_us, .. }] = results[..]
        else {
            panic!("{results:?}")
        };
        assert!(latency_us >= SHORT * 1000);
        // Both tries asked with the same nonce, from two ports.
        let mut buffer = [0; 64];
        let (first, from) = silent.recv_from(&mut buffer).unwrap();
        let request = buffer[..first].to_vec();
        let (second, again) = silent.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..second], request);
        assert_ne!(from, again);
        assert_eq!(results[0].local, Some(from));
    });
}

fn a_tcp_exchange_that_stays_silent_is_a_drop() {
    in_namespace(|| {
        // The kernel completes the handshake; nobody accepts.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = silent.local_addr().unwrap();
        let results = fly(&round(SHORT, vec![attempt(1, Protocol::Tcp, target, "x")]));
        assert_eq!(results[0].outcome, Outcome::Dropped);
        // A half-open entry must not be looked for: this end knows that the handshake ended.
        assert_eq!((results[0].local, results[0].tries), (None, 2));
    });
}

/// A listener that hears the request and does not answer: what a lost reply looks like.
fn what_arrived_and_stayed_silent_is_a_lost_reply() {
    in_namespace(|| {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let round =
            round(SHORT, vec![attempt(9, Protocol::Udp, silent.local_addr().unwrap(), "x")]);
        let mut results = fly(&round);
        let mut buffer = [0; 64];
        let (length, from) = silent.recv_from(&mut buffer).unwrap();
        let nonce = exchange::parse_request(&buffer[..length]).unwrap().unwrap();
        let port = silent.local_addr().unwrap().port();
        let arrival = ringfence_probe::wire::Arrival { nonce, protocol: Protocol::Udp, port, from };
        correlate(&round, &mut results, [&arrival]);
        assert_eq!(results[0].outcome, Outcome::ReplyLost);
        assert_eq!(results[0].seen_source, Some(from.ip()));
    });
}

/// The client's filter swallows the SYN ACK, as a policy on the way back would.
fn a_handshake_whose_answer_is_lost_is_half_open() {
    in_namespace(|| {
        for host in BOTH {
            let listener = TcpListener::bind(address(host, 0)).unwrap();
            let target = listener.local_addr().unwrap();
            let client =
                Socket::new(Domain::for_address(target), Type::STREAM.nonblocking(), None).unwrap();
            let keep_nothing = u16::try_from(libc::BPF_RET | libc::BPF_K).unwrap();
            client.attach_filter(&[SockFilter::new(keep_nothing, 0, 0, 0)]).unwrap();
            let error = client.connect(&target.into()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
            let local = client.local_addr().unwrap().as_socket().unwrap();
            let found = half_open().unwrap();
            let half = HalfOpen { listener: target, client: local };
            assert!(found.contains(&half), "{found:?}");
            let other = HalfOpen { client: address(host, 1), ..half };
            assert_eq!(half_open_among(&[half, other].into()).unwrap(), [half].into());

            let round =
                round(SHORT, (0..2).map(|id| attempt(id, Protocol::Tcp, target, "x")).collect());
            let result = |id, local| AttemptResult {
                id,
                outcome: Outcome::Dropped,
                latency_us: 1,
                local: Some(local),
                seen_source: None,
                evidence: None,
                tries: 2,
                waited_us: 0,
            };
            let mut results = [result(0, local), result(1, address(host, 1))];
            correlate_half_open(&round, &mut results, &found);
            assert_eq!(results[0].outcome, Outcome::ReplyLost);
            assert_eq!(results[0].seen_source, Some(local.ip()));
            assert_eq!(results[1].outcome, Outcome::Dropped);
        }
    });
}

/// A lost packet: the first try is not answered, the second is.
fn a_retry_makes_up_for_a_lost_packet() {
    in_namespace(|| {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = server.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let mut buffer = [0; 64];
            let (_, lost) = server.recv_from(&mut buffer).unwrap();
            let (length, seen) = server.recv_from(&mut buffer).unwrap();
            let nonce = exchange::parse_request(&buffer[..length]).unwrap().unwrap();
            let mut answer = Vec::new();
            exchange::Answer { nonce, seen, identity: "prod/db" }.write(&mut answer);
            server.send_to(&answer, seen).unwrap();
            (lost, seen)
        });
        let results = fly(&round(1000, vec![attempt(1, Protocol::Udp, target, "prod/db")]));
        let (lost, seen) = answering.join().unwrap();
        assert_eq!((&results[0].outcome, results[0].tries), (&Outcome::Connected, 2));
        assert_eq!(results[0].local, Some(seen));
        assert_ne!(lost, seen);
        // Half of the deadline was spent on the packet that got lost; the answer came at once.
        let AttemptResult { latency_us, waited_us, .. } = results[0];
        assert!(waited_us >= 400_000 && waited_us <= latency_us, "{waited_us} of {latency_us}");
        assert!(latency_us - waited_us < 400_000, "{waited_us} of {latency_us}");
    });
}

fn strangers_are_no_probe_servers() {
    in_namespace(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let stranger = thread::spawn(move || {
            for greeting in [&b"SSH-2.0-stranger\r\n"[..], b""] {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 16]).unwrap();
                stream.write_all(greeting).unwrap();
            }
            // The third is reset: closed with the request unread.
            let (stream, _) = listener.accept().unwrap();
            stream.peek(&mut [0; 16]).unwrap();
        });
        let found = || outcome(LONG, attempt(1, Protocol::Tcp, target, "x"));
        let Outcome::Broken { reason } = found() else { panic!() };
        assert!(reason.contains("something other than a probe server"), "{reason}");
        let Outcome::Broken { reason } = found() else { panic!() };
        assert!(reason.contains("closed without an answer"), "{reason}");
        assert_eq!(found(), Outcome::Refused);
        stranger.join().unwrap();
    });
}

fn only_the_allow_list_is_dialled() {
    in_namespace(|| {
        let silent = UdpSocket::bind("127.0.0.2:0").unwrap();
        silent.set_nonblocking(true).unwrap();
        let target = silent.local_addr().unwrap();
        let Outcome::Broken { reason } = outcome(LONG, attempt(1, Protocol::Udp, target, "x"))
        else {
            panic!()
        };
        assert!(reason.contains("allow-list") && reason.contains("127.0.0.2"), "{reason}");
        let error = silent.recv_from(&mut [0; 64]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    });
}

fn a_missing_route_is_no_verdict() {
    in_namespace(|| {
        let far = "198.51.100.1:80".parse().unwrap();
        for protocol in protocols() {
            let mut prober = prober(ProberOptions::default());
            prober.allow_targets(["198.51.100.1".parse().unwrap()]);
            let round = round(LONG, vec![attempt(1, protocol, far, "x")]);
            let results = prober.round(&round, &mut Here);
            let Outcome::Broken { reason } = &results[0].outcome else { panic!("{results:?}") };
            assert!(reason.contains("198.51.100.1"), "{reason}");
        }
    });
}

fn the_window_is_kept_and_nothing_is_lost_in_thousands() {
    in_namespace(|| {
        let ports: Vec<_> = (7100..7110)
            .flat_map(|port| [listen(Protocol::Tcp, port), listen(Protocol::Udp, port)])
            .collect();
        let _servers = servers("prod/db", &ports);
        let mut attempts = Vec::new();
        for n in 0..4000u16 {
            let host = BOTH[usize::from(n % 2)];
            let protocol = [Protocol::Tcp, Protocol::Udp][usize::from(n / 2 % 2)];
            // One port in eleven is closed.
            let target = address(host, 7100 + n % 11);
            attempts.push(attempt(u32::from(n), protocol, target, "prod/db"));
        }
        // Results come in order of id, whatever the order of the attempts.
        attempts.reverse();
        let round = round(LONG, attempts);
        for window in [1, 7, 100_000] {
            let mut prober = prober(ProberOptions { window, ..Default::default() });
            let results = prober.round(&round, &mut Here);
            let mut counts = BTreeMap::new();
            for (result, attempt) in results.iter().zip(round.attempts.iter().rev()) {
                assert_eq!(result.id, attempt.id);
                let open = attempt.target.port() < 7110;
                assert_eq!(result.outcome == Outcome::Connected, open, "{attempt:?} {result:?}");
                *counts.entry(result.outcome.to_string()).or_insert(0) += 1;
            }
            assert_eq!(counts["connected"], results.len() - 4000usize.div_ceil(11) + 1);
        }
    });
}

/// Says of every packet to a port that it was stopped, or its answer.
struct Reporter {
    seen: RefCell<Vec<Report>>,
    entered: Vec<u32>,
}

impl Environment for Reporter {
    fn enter(&mut self, place: u32) -> io::Result<()> {
        self.entered.push(place);
        if place == 13 { Err(io::Error::other("no such place")) } else { Ok(()) }
    }

    fn reports(&mut self, sink: &mut dyn FnMut(Report)) {
        self.seen.borrow_mut().drain(..).for_each(sink);
    }
}

fn a_report_settles_at_once_and_without_a_retry() {
    in_namespace(|| {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = silent.local_addr().unwrap();
        let evidence = Evidence { node: "n1".to_owned(), text: "ingress of prod/db".to_owned() };
        let (word, reply) = (evidence.clone(), evidence.clone());
        // A dataplane that watches the silent socket and reports what it got: the first as
        // stopped on its way there, the second as stopped on its way back.
        struct Watcher {
            silent: UdpSocket,
            words: Vec<Evidence>,
        }
        impl Environment for Watcher {
            fn enter(&mut self, _place: u32) -> io::Result<()> {
                Ok(())
            }
            fn reports(&mut self, sink: &mut dyn FnMut(Report)) {
                self.silent.set_nonblocking(true).unwrap();
                while let Ok((_, from)) = self.silent.recv_from(&mut [0; 64]) {
                    let here = self.silent.local_addr().unwrap();
                    let evidence = self.words.pop().unwrap();
                    let (source, target) =
                        if self.words.is_empty() { (here, from) } else { (from, here) };
                    sink(Report { protocol: Protocol::Udp, source, target, evidence });
                }
            }
        }
        let mut env = Watcher { silent, words: vec![reply, word] };
        let attempts = (0..2).map(|id| attempt(id, Protocol::Udp, target, "x")).collect();
        let results = prober(ProberOptions::default()).round(&round(LONG, attempts), &mut env);
        for (result, outcome) in results.iter().zip([Outcome::Dropped, Outcome::ReplyLost]) {
            assert_eq!(result.outcome, outcome);
            assert_eq!(result.evidence.as_ref(), Some(&evidence));
            assert_eq!(result.tries, 1);
            assert!(result.latency_us < LONG * 1000 / 2);
        }
    });
}

fn a_report_does_not_outweigh_an_answer_and_places_are_entered_once() {
    in_namespace(|| {
        let _servers = servers("prod/db", &[listen(Protocol::Tcp, 7005)]);
        let target = address("127.0.0.1", 7005);
        let mut attempts = Vec::new();
        for id in 0..40u32 {
            let mut next = attempt(id, Protocol::Tcp, target, "prod/db");
            next.from = [3, 1, 13, 2][id as usize % 4];
            attempts.push(next);
        }
        let mut env = Reporter { seen: RefCell::default(), entered: Vec::new() };
        // A report about somebody else's packet changes nothing.
        env.seen.get_mut().push(Report {
            protocol: Protocol::Tcp,
            source: address("127.0.0.1", 1),
            target,
            evidence: Evidence { node: String::new(), text: String::new() },
        });
        let results = prober(ProberOptions::default()).round(&round(LONG, attempts), &mut env);
        for result in &results {
            if result.id % 4 == 2 {
                let Outcome::Broken { reason } = &result.outcome else { panic!("{result:?}") };
                assert!(reason.contains("place 13") && reason.contains("no such place"));
            } else {
                assert_eq!(result.outcome, Outcome::Connected);
            }
        }
        let entered: Vec<u32> = env.entered.iter().copied().filter(|&place| place != 13).collect();
        assert_eq!(entered, [1, 2, 3]);
    });
}

fn ports_are_opened_and_closed_by_identity() {
    in_namespace(|| {
        let servers = Servers::start().unwrap();
        let ports: Vec<_> =
            protocols().into_iter().map(|protocol| listen(protocol, 7006)).collect();
        for _ in 0..3 {
            assert_eq!(servers.listen("prod/a", &ports), []);
            // Another pod of the same namespace, such as two hostNetwork pods of a node.
            let other: Vec<_> = ports.iter().map(|port| listen(port.protocol, 7007)).collect();
            assert_eq!(servers.listen("prod/b", &other), []);
            let taken = servers.listen("prod/c", &[listen(Protocol::Tcp, 7006)]);
            assert_eq!(taken.len(), 2, "{taken:?}");
            for protocol in protocols() {
                for (port, expect) in [(7006, "prod/a"), (7007, "prod/b")] {
                    let target = address("127.0.0.1", port);
                    let found = outcome(LONG, attempt(1, protocol, target, expect));
                    assert_eq!(found, Outcome::Connected, "{protocol} {port}");
                }
            }
            servers.close("prod/a");
            let target = address("127.0.0.1", 7006);
            let found = outcome(LONG, attempt(1, Protocol::Tcp, target, "prod/a"));
            assert_eq!(found, Outcome::Refused);
            servers.close("prod/b");
        }
    });
}
