//! Agents to which nothing happens.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use ringfence::cluster::agents::{Agents, Planned};
use ringfence::model::{Outcome, Protocol};
use ringfence_probe::wire::{Listen, Sctp};

use super::process::{Agent, agents, free_port};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long silence must last: longer than a busy machine takes for an answer.
pub(crate) const SILENCE: Duration = Duration::from_secs(1);

/// Sessions with these agents.
pub(crate) async fn sessions(processes: &[&Agent], answer: Duration) -> Agents {
    let mut agents = agents(answer);
    for agent in processes {
        agents.add(agent.endpoint(), agent.identity(), Arc::new(agent.bridges()));
    }
    let endpoints: Vec<_> = processes.iter().map(|agent| agent.endpoint()).collect();
    agents.ready(&endpoints, PATIENCE).await.unwrap();
    agents
}

/// An attempt at an agent, or at another port that counts as its.
pub(crate) fn planned(from: &Agent, to: &Agent, protocol: Protocol, port: u16) -> Planned {
    Planned {
        source: from.endpoint(),
        destination: to.endpoint(),
        protocol,
        target: SocketAddr::from(([127, 0, 0, 2], port)),
        expect: to.identity(),
    }
}

pub(crate) async fn every_outcome() {
    let [x, y, z] = ["x", "y", "z"].map(Agent::start);
    let mut agents = sessions(&[&x, &y, &z], PATIENCE).await;
    let sctp = agents.sctp(&x.endpoint());
    assert!(matches!(sctp, Some(Sctp::Kernel | Sctp::Raw | Sctp::None)), "{sctp:?}");
    let silence = UdpSocket::bind("127.0.0.2:0").unwrap();
    let silent = silence.local_addr().unwrap().port();
    let closed = free_port();
    let mut stranger = planned(&x, &y, Protocol::Tcp, y.port);
    stranger.target = "127.0.0.99:80".parse().unwrap();
    let mut plan = vec![
        planned(&x, &y, Protocol::Udp, silent),
        planned(&x, &y, Protocol::Tcp, closed),
        planned(&y, &z, Protocol::Udp, closed),
        planned(&z, &x, Protocol::Tcp, y.port),
        stranger,
    ];
    for (from, to) in [(&x, &y), (&y, &x), (&z, &x), (&x, &x), (&y, &z)] {
        plan.push(planned(from, to, Protocol::Tcp, to.port));
        plan.push(planned(from, to, Protocol::Udp, to.port));
    }
    for _ in 0..2 {
        let found = agents.probe(plan.clone(), SILENCE).await;
        let found: Vec<_> = found.into_iter().map(|observation| observation.outcome).collect();
        let wrong = Outcome::WrongPod { answered: "a/y".to_owned() };
        let unreachable = Outcome::Rejected { icmp_type: 3, icmp_code: 3 };
        assert_eq!(found[..4], [Outcome::Dropped, Outcome::Refused, unreachable, wrong]);
        let broken =
            matches!(&found[4], Outcome::Broken { reason } if reason.contains("127.0.0.99"));
        assert!(broken, "{:?}", found[4]);
        assert!(found[5..].iter().all(Outcome::is_connected), "{found:?}");
    }
    let traffic = agents.traffic();
    assert_eq!(traffic.attempts, 2 * plan.len() as u64);
    assert!(traffic.sent > 0 && traffic.received > 0, "{traffic:?}");
    agents.close().await;
}

pub(crate) async fn held_until_closed() {
    let x = Agent::start("x");
    let first = sessions(&[&x], PATIENCE).await;
    let mut second = agents(PATIENCE);
    second.add(x.endpoint(), x.identity(), Arc::new(x.bridges()));
    let held = second.ready(&[x.endpoint()], Duration::from_secs(1)).await.unwrap_err();
    let words = held.to_string();
    assert!(words.contains("expected the session that holds `a/x`, found another"), "{words}");
    first.close().await;
    second.ready(&[x.endpoint()], PATIENCE).await.unwrap();
    second.close().await;
}

pub(crate) async fn listeners() {
    let [x, y] = ["x", "y"].map(Agent::start);
    let mut agents = sessions(&[&x, &y], PATIENCE).await;
    let (port, protocol) = (free_port(), Protocol::Tcp);
    let plan = vec![planned(&x, &y, protocol, y.port), planned(&x, &y, protocol, port)];
    agents.listen(&y.endpoint(), vec![Listen { protocol, port }]).await.unwrap();
    let found = agents.probe(plan, SILENCE).await;
    assert_eq!((&found[0].outcome, &found[1].outcome), (&Outcome::Refused, &Outcome::Connected));
    let taken = Listen { protocol, port: x.port };
    let words = agents.listen(&y.endpoint(), vec![taken]).await.unwrap_err().to_string();
    assert!(words.contains(&format!("`{}/TCP`", x.port)), "{words}");
    agents.close().await;
}
