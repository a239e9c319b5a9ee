//! How fast the engine is over loopback, as a table. Servers and probers share the process.
//!
//! Each prober has a network namespace and servers of its own, which takes `CAP_SYS_ADMIN`.
//!
//! `cargo bench -p ringfence-probe --bench engine -- [ATTEMPTS]`

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use ringfence_probe::wire::{Attempt, AttemptResult, Listen, Round, Sctp};
use ringfence_probe::{
    Here, Outcome, Prober, ProberOptions, Protocol, Servers, correlate, sctp_support,
};

#[path = "../tests/support/namespace.rs"]
mod support;

use support::bring_up_loopback;

const PODS: u8 = 100;
const PORT: u16 = 9000;

fn main() {
    let attempts = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let attempts: u32 = attempts.unwrap_or(19_800);
    let home = namespace();
    let namespaces = [0; 2].map(|_| {
        unshare(CloneFlags::CLONE_NEWNET).expect("CAP_SYS_ADMIN, for network namespaces");
        bring_up_loopback();
        namespace()
    });
    println!(
        "{:<22} {:>8} {:>2} {:>9} {:>10} {:>9} {:>9} {:>9} {:>9}  outcomes",
        "case", "attempts", "×", "wall", "per second", "CPU each", "p50", "p99", "max"
    );
    let mut cases = vec![("TCP", Protocol::Tcp), ("UDP", Protocol::Udp)];
    if sctp_support() != Sctp::None {
        cases.push(("SCTP", Protocol::Sctp));
    }
    for namespaces in [&namespaces[..1], &namespaces[..]] {
        for (name, protocol) in &cases {
            for (what, port) in [("open", PORT), ("closed", PORT + 1)] {
                let name = format!("{name} {what}");
                measure(&name, *protocol, port, attempts, namespaces);
            }
        }
        let silent: Vec<UdpSocket> = namespaces.iter().flat_map(silent).collect();
        measure("UDP silent, 300 ms", Protocol::Udp, PORT + 2, attempts, namespaces);
        drop(silent);
    }
    let _ = setns(home, CloneFlags::CLONE_NEWNET);
}

fn namespace() -> File {
    File::open("/proc/thread-self/ns/net").expect("a network namespace")
}

fn silent(namespace: &File) -> Vec<UdpSocket> {
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("a namespace");
    (0..PODS).map(|pod| UdpSocket::bind((host(pod), PORT + 2)).expect("a socket")).collect()
}

/// Every pod has a loopback address of its own.
fn host(pod: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, pod + 1))
}

fn measure(name: &str, protocol: Protocol, port: u16, attempts: u32, namespaces: &[File]) {
    let servers = Servers::start().expect("servers");
    for namespace in namespaces {
        setns(namespace, CloneFlags::CLONE_NEWNET).expect("a namespace");
        let failures = servers.listen("bench/pod", &[Listen { protocol, port: PORT }]);
        assert!(failures.is_empty(), "{failures:?}");
    }
    let threads = u32::try_from(namespaces.len()).expect("a few");
    let rounds: Vec<Round> = (0..threads)
        .map(|thread| Round {
            round: 1,
            deadline_us: 300_000,
            attempts: (0..attempts / threads)
                .map(|id| Attempt {
                    id,
                    nonce: u64::from(thread) << 32 | u64::from(id),
                    from: 0,
                    protocol,
                    target: SocketAddr::new(
                        host(u8::try_from(id % u32::from(PODS)).unwrap()),
                        port,
                    ),
                    expect: "bench/pod".to_owned(),
                })
                .collect(),
        })
        .collect();
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut results: Vec<Vec<AttemptResult>> = thread::scope(|scope| {
        let probers: Vec<_> = rounds
            .iter()
            .zip(namespaces)
            .map(|(round, namespace)| {
                scope.spawn(move || {
                    setns(namespace, CloneFlags::CLONE_NEWNET).expect("the namespace");
                    let mut prober = Prober::new(ProberOptions::default()).expect("a prober");
                    prober.allow_targets((0..PODS).map(host));
                    prober.round(round, &mut Here)
                })
            })
            .collect();
        probers.into_iter().map(|prober| prober.join().expect("a round")).collect()
    });
    let (wall, cpu) = (start.elapsed(), cpu_time() - cpu);
    let arrivals: Vec<_> =
        servers.take_arrivals().into_iter().map(|(_, arrival)| arrival).collect();
    for (round, results) in rounds.iter().zip(&mut results) {
        correlate(round, results, &arrivals);
    }
    print(name, threads, wall, cpu, &results.concat());
}

/// What the process has used so far, servers included; other processes do not change it much.
fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("this process' own usage");
    let parts = [usage.user_time(), usage.system_time()];
    parts
        .map(|part| Duration::from_micros(u64::try_from(part.num_microseconds()).unwrap()))
        .iter()
        .sum()
}

fn print(name: &str, threads: u32, wall: Duration, cpu: Duration, results: &[AttemptResult]) {
    let mut latencies: Vec<u64> = results.iter().map(|result| result.latency_us).collect();
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let mut counts: Vec<(Outcome, usize)> = Vec::new();
    for result in results {
        match counts.iter_mut().find(|(outcome, _)| *outcome == result.outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((result.outcome.clone(), 1)),
        }
    }
    let counts: Vec<String> =
        counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    println!(
        "{name:<22} {:>8} {threads:>2} {:>6} ms {:>10.0} {:>6.1} µs {:>6} µs {:>6} µs {:>6} µs  {}",
        results.len(),
        wall.as_millis(),
        results.len() as f64 / wall.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / results.len() as f64,
        at(0.5),
        at(0.99),
        at(1.0),
        counts.join(", ")
    );
}
