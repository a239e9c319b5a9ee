//! A network namespace of a test's own, and rounds in it.

mod namespace;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use namespace::bring_up_loopback;
use nix::sched::{CloneFlags, unshare};
use ringfence_probe::wire::{Attempt, Round};
use ringfence_probe::{Prober, ProberOptions, Protocol};

/// Runs a test on a thread in a network namespace of its own, with `lo` up. Without the
/// privilege it runs on this machine's loopback, which serves as well; a test that needs a
/// namespace is not started without one.
pub(crate) fn in_namespace<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = thread::spawn(move || {
        if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
            bring_up_loopback();
        }
        test()
    });
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

pub(crate) const BOTH: [&str; 2] = ["127.0.0.1", "[::1]"];

pub(crate) fn address(host: &str, port: u16) -> SocketAddr {
    format!("{host}:{port}").parse().unwrap()
}

pub(crate) fn attempt(id: u32, protocol: Protocol, target: SocketAddr, expect: &str) -> Attempt {
    static NONCE: AtomicU64 = AtomicU64::new(1);
    let nonce = NONCE.fetch_add(1, Ordering::Relaxed);
    Attempt { id, nonce, from: 0, protocol, target, expect: expect.to_owned() }
}

pub(crate) fn round(deadline_ms: u64, attempts: Vec<Attempt>) -> Round {
    Round { round: 1, deadline_us: deadline_ms * 1000, attempts }
}

pub(crate) fn prober(options: ProberOptions) -> Prober {
    let mut prober = Prober::new(options).unwrap();
    prober.allow_targets(BOTH.map(|host| address(host, 0).ip()));
    prober
}
