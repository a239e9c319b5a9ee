//! ICMP errors that come back, forged in a network namespace of the test's own.
//!
//! A filter that keeps nothing makes the target silent; a raw socket sees the
//! attempt's packet, and the error quotes it.

mod support;
#[path = "support/trials.rs"]
mod trials;

use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use libtest_mimic::Arguments;
use nix::libc;
use ringfence_probe::wire::Sctp;
use ringfence_probe::{Environment, Outcome, ProberOptions, Protocol, Report, sctp_support};
use socket2::{Domain, Protocol as Transport, SockFilter, Socket, Type};
use support::{BOTH, address, attempt, in_namespace, prober, round};

fn main() -> ExitCode {
    let namespaces = trials::namespaces();
    let all = trials![
        an_icmp_error_is_a_rejection_with_its_code,
        an_error_of_the_host_itself_or_of_the_path_is_no_verdict,
        a_hint_about_packet_size_settles_nothing,
    ];
    let all = all.map(|(name, test)| trials::own(name, &namespaces, test));
    libtest_mimic::run(&Arguments::from_args(), all.into()).exit_code()
}

/// Answers the first packet of an attempt with an ICMP error.
struct Forger {
    protocol: Protocol,
    target: SocketAddr,
    icmp_type: u8,
    icmp_code: u8,
    sniffer: Socket,
    sender: Socket,
    forged: usize,
}

impl Forger {
    fn new(protocol: Protocol, target: SocketAddr, icmp_type: u8, icmp_code: u8) -> Self {
        let (domain, icmp) = match target {
            SocketAddr::V4(_) => (Domain::IPV4, Transport::ICMPV4),
            SocketAddr::V6(_) => (Domain::IPV6, Transport::ICMPV6),
        };
        let raw = Type::RAW.nonblocking();
        let transport = Transport::from(i32::from(protocol.number()));
        let sniffer = Socket::new(domain, raw, Some(transport)).unwrap();
        let sender = Socket::new(domain, raw, Some(icmp)).unwrap();
        Self { protocol, target, icmp_type, icmp_code, sniffer, sender, forged: 0 }
    }

    /// An ICMP error that quotes a packet from its IP header on.
    fn forge(&mut self, quoted: &[u8]) {
        let mut message = vec![self.icmp_type, self.icmp_code, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(quoted);
        message.resize(message.len().next_multiple_of(2), 0);
        // The kernel fills in the checksum of ICMPv6 alone (raw(7)).
        let sum: u32 =
            message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        if self.target.is_ipv4() {
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let to = SocketAddr::new(self.target.ip(), 0);
        self.sender.send_to(&message, &to.into()).unwrap();
        self.forged += 1;
    }
}

impl Environment for Forger {
    fn enter(&mut self, _place: u32) -> io::Result<()> {
        Ok(())
    }

    fn reports(&mut self, _sink: &mut dyn FnMut(Report)) {
        let mut buffer = [0; 512];
        while let Ok(length) = (&self.sniffer).read(&mut buffer) {
            // A raw IPv4 socket gets the IP header as well; for IPv6 it has to be made up.
            let header = match self.target.ip() {
                IpAddr::V4(_) => Vec::new(),
                IpAddr::V6(address) => {
                    let mut header = vec![0x60, 0, 0, 0, 0, u8::try_from(length).unwrap()];
                    header.extend_from_slice(&[self.protocol.number(), 64]);
                    header.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
                    header.extend_from_slice(&address.octets());
                    header
                }
            };
            let packet = [&header, &buffer[..length]].concat();
            let transport = if self.target.is_ipv4() { 20 } else { 40 };
            let port = u16::from_be_bytes([packet[transport + 2], packet[transport + 3]]);
            if port == self.target.port() && self.forged == 0 {
                let quote = packet.len().min(transport + 20);
                self.forge(&packet[..quote]);
            }
        }
    }
}

/// A socket that nothing reaches. Raw sockets need none: whoever sniffs keeps the kernel from
/// answering.
fn silent(protocol: Protocol, host: &str) -> (Option<Socket>, SocketAddr) {
    let (socket_type, transport) = match protocol {
        Protocol::Tcp => (Type::STREAM, Transport::TCP),
        Protocol::Udp => (Type::DGRAM, Transport::UDP),
        Protocol::Sctp => return (None, address(host, 7300)),
    };
    let any = address(host, 0);
    let socket = Socket::new(Domain::for_address(any), socket_type, Some(transport)).unwrap();
    let keep_nothing = u16::try_from(libc::BPF_RET | libc::BPF_K).unwrap();
    socket.attach_filter(&[SockFilter::new(keep_nothing, 0, 0, 0)]).unwrap();
    socket.bind(&any.into()).unwrap();
    if protocol == Protocol::Tcp {
        socket.listen(16).unwrap();
    }
    let target = socket.local_addr().unwrap().as_socket().unwrap();
    (Some(socket), target)
}

fn protocols() -> Vec<Protocol> {
    let mut protocols = vec![Protocol::Tcp, Protocol::Udp];
    // The kernel's own SCTP would answer the attempt.
    if sctp_support() == Sctp::Raw {
        protocols.push(Protocol::Sctp);
    }
    protocols
}

fn found(protocol: Protocol, host: &str, error: (u8, u8), deadline_ms: u64) -> (Outcome, u8) {
    let (_socket, target) = silent(protocol, host);
    let mut forger = Forger::new(protocol, target, error.0, error.1);
    let mut prober = prober(ProberOptions::default());
    let attempts = vec![attempt(1, protocol, target, "x")];
    let results = prober.round(&round(deadline_ms, attempts), &mut forger);
    assert_eq!(forger.forged, 1, "{protocol} {host}: no packet was seen");
    (results[0].outcome.clone(), results[0].tries)
}

fn an_icmp_error_is_a_rejection_with_its_code() {
    in_namespace(|| {
        for protocol in protocols() {
            for (host, errors) in
                BOTH.into_iter().zip([[(3, 13), (3, 3), (3, 10)], [(1, 1), (1, 4), (4, 1)]])
            {
                for (icmp_type, icmp_code) in errors {
                    let found = found(protocol, host, (icmp_type, icmp_code), 20_000);
                    let rejected = Outcome::Rejected { icmp_type, icmp_code };
                    assert_eq!(found, (rejected, 1), "{protocol} {host}");
                }
            }
        }
    });
}

fn an_error_of_the_host_itself_or_of_the_path_is_no_verdict() {
    in_namespace(|| {
        for protocol in protocols() {
            // The forger's address is the prober's own: "host unreachable" is what a host tells
            // itself when no neighbour answers.
            let (outcome, _) = found(protocol, "127.0.0.1", (3, 1), 20_000);
            let Outcome::Broken { reason } = outcome else { panic!("{protocol}: {outcome:?}") };
            assert!(reason.contains("neighbour"), "{reason}");
            let (outcome, _) = found(protocol, "127.0.0.1", (11, 0), 20_000);
            let Outcome::Broken { reason } = outcome else { panic!("{protocol}: {outcome:?}") };
            assert!(reason.contains("ICMP type 11 code 0"), "{reason}");
        }
    });
}

fn a_hint_about_packet_size_settles_nothing() {
    in_namespace(|| {
        for protocol in protocols() {
            let found = found(protocol, "127.0.0.1", (3, 4), 300);
            assert_eq!(found, (Outcome::Dropped, 2), "{protocol}");
        }
    });
}
