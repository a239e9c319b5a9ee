//! How fast rounds over agents are: `cargo bench --bench agents`.
//!
//! Agents are processes on this machine, each reached through a bridge, and dial each other on
//! loopback addresses. Every outcome is checked. On a real cluster the network's own time comes
//! on top; the bytes are the same.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence::cluster::agents::{Agents, Planned};
use ringfence::model::{Outcome, Protocol};

#[path = "../tests/agents/process.rs"]
mod process;

use process::{Agent, agents, free_port};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long silence must last.
const SILENCE: Duration = Duration::from_secs(1);

/// How often each row is measured.
const TIMES: usize = 3;

fn main() -> ExitCode {
    if let Some(code) = process::play() {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(all());
    ExitCode::SUCCESS
}

async fn all() {
    println!(
        "| {:>6} | {:>8} | {:<9} | {:>8} | {:>11} | {:>13} | {:>11} | {:>11} |",
        "agents",
        "attempts",
        "outcome",
        "round",
        "attempts/s",
        "… of an agent",
        "bytes sent",
        "received"
    );
    println!(
        "|-------:|---------:|-----------|---------:|------------:|--------------:|------------:|------------:|"
    );
    for (count, attempts) in [(1, 1_000), (1, 10_000), (10, 10_000), (50, 10_000), (50, 50_000)] {
        let processes: Vec<Agent> =
            (0..count).map(|number| Agent::start(&format!("pod-{number}"))).collect();
        let mut agents = sessions(&processes).await;
        for (outcome, name) in [(Outcome::Connected, "connected"), (Outcome::Refused, "refused")] {
            row(&mut agents, &processes, attempts, &outcome, name).await;
        }
        agents.close().await;
    }
}

async fn sessions(processes: &[Agent]) -> Agents {
    let mut agents = agents(PATIENCE);
    for agent in processes {
        agents.add(agent.endpoint(), agent.identity(), Arc::new(agent.bridges()));
    }
    let endpoints: Vec<_> = processes.iter().map(Agent::endpoint).collect();
    agents.ready(&endpoints, PATIENCE).await.expect("agents answer");
    agents
}

/// Measures rounds of so many attempts, and prints the median with bytes for each attempt.
async fn row(
    agents: &mut Agents,
    processes: &[Agent],
    attempts: usize,
    outcome: &Outcome,
    name: &str,
) {
    let closed = free_port();
    let plan: Vec<Planned> = (0..attempts)
        .map(|number| {
            let count = processes.len();
            let (from, to) = (&processes[number % count], &processes[(number / count) % count]);
            let port = if outcome.is_connected() { to.port } else { closed };
            Planned {
                source: from.endpoint(),
                destination: to.endpoint(),
                protocol: Protocol::Tcp,
                target: ([127, 0, 0, 2], port).into(),
                expect: to.identity(),
            }
        })
        .collect();
    let before = agents.traffic();
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = Instant::now();
        let found = agents.probe(plan.clone(), SILENCE).await;
        took.push(start.elapsed());
        let other = found.iter().find(|observation| observation.outcome != *outcome);
        assert!(other.is_none(), "expected `{outcome}`, found {other:?}");
    }
    took.sort_unstable();
    let after = agents.traffic();
    let made = (after.attempts - before.attempts) as f64;
    let each = attempts as f64 / took[TIMES / 2].as_secs_f64();
    println!(
        "| {:>6} | {:>8} | {:<9} | {:>5} ms | {:>11.0} | {:>13.0} | {:>11.0} | {:>11.0} |",
        processes.len(),
        attempts,
        name,
        took[TIMES / 2].as_millis(),
        each,
        each / processes.len() as f64,
        (after.sent - before.sent) as f64 / made,
        (after.received - before.received) as f64 / made,
    );
}
