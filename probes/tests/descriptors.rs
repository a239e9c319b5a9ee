//! What happens when open files run out. A binary of its own: the limit belongs to the process.

#[path = "support/serving.rs"]
mod serving;
mod support;

use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use ringfence_probe::wire::AttemptResult;
use ringfence_probe::{Environment, Here, Outcome, ProberOptions, Protocol, Report};
use serving::{listen, servers};
use support::{address, attempt, in_namespace, prober, round};

/// One test, because all share the limit.
#[test]
fn a_low_limit_of_open_files_slows_down_and_changes_no_outcome() {
    in_namespace(|| {
        let ports: Vec<_> = (7200..7204)
            .flat_map(|port| [listen(Protocol::Tcp, port), listen(Protocol::Udp, port)])
            .collect();
        let _servers = servers("prod/db", &ports);
        setrlimit(Resource::RLIMIT_NOFILE, 96, 96).unwrap();
        every_outcome_is_right();
        // Next to nothing is left.
        let mut hoard = hoard();
        hoard.truncate(hoard.len() - 6);
        every_outcome_is_right();
        hoard.clear();
        what_runs_out_is_waited_for();
        what_never_comes_is_no_verdict();
    });
}

fn every_outcome_is_right() {
    let probers: Vec<_> = (0..2)
        .map(|_| {
            let mut attempts = Vec::new();
            for n in 0..600u16 {
                let protocol = [Protocol::Tcp, Protocol::Udp][usize::from(n % 2)];
                // One port in five is closed.
                let target = address("127.0.0.1", 7200 + n % 5);
                attempts.push(attempt(u32::from(n), protocol, target, "prod/db"));
            }
            // A thread starts in the network namespace of the one that started it (clone(2)).
            let mut prober = prober(ProberOptions::default());
            thread::spawn(move || prober.round(&round(20_000, attempts), &mut Here))
        })
        .collect();
    for results in probers {
        let results: Vec<AttemptResult> = results.join().unwrap();
        assert_eq!(results.len(), 600);
        for result in results {
            let open = result.id % 5 < 4;
            assert_eq!(result.outcome == Outcome::Connected, open, "{result:?}");
            assert!(open || result.outcome.is_stopped(), "{result:?}");
        }
    }
}

/// Every descriptor that can be had.
fn hoard() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// Lets its descriptors go when the prober has come by so many times.
struct Miser {
    hoard: Vec<File>,
    visits: usize,
}

impl Environment for Miser {
    fn enter(&mut self, _place: u32) -> io::Result<()> {
        Ok(())
    }

    fn reports(&mut self, _sink: &mut dyn FnMut(Report)) {
        self.visits = self.visits.saturating_sub(1);
        if self.visits == 0 {
            self.hoard.clear();
        }
    }
}

fn what_runs_out_is_waited_for() {
    let mut prober = prober(ProberOptions::default());
    let target = address("127.0.0.1", 7200);
    let attempts = vec![attempt(1, Protocol::Tcp, target, "prod/db")];
    let mut env = Miser { hoard: hoard(), visits: 10 };
    let results = prober.round(&round(20_000, attempts), &mut env);
    assert_eq!(env.visits, 0);
    assert_eq!(results[0].outcome, Outcome::Connected);
}

fn what_never_comes_is_no_verdict() {
    let mut prober = prober(ProberOptions::default());
    let target = address("127.0.0.1", 7200);
    let attempts = (0..50).map(|id| attempt(id, Protocol::Tcp, target, "prod/db")).collect();
    let mut env = Miser { hoard: hoard(), visits: usize::MAX };
    let start = Instant::now();
    let results = prober.round(&round(100, attempts), &mut env);
    for result in &results {
        let Outcome::Broken { reason } = &result.outcome else { panic!("{result:?}") };
        assert!(reason.contains("Too many open files"), "{reason}");
    }
    // Patience ends once, not for each of them.
    assert!(start.elapsed() < Duration::from_secs(60));
}
