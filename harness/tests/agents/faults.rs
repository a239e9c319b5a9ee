//! What breaks: streams, bridges, agents.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use ringfence::cluster::agents::{BoxStream, Dial, DialError, Planned};
use ringfence::model::{Outcome, Protocol};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UdpSocket;

use super::process::{Agent, Bridges, agents, free_port};
use super::rounds::{PATIENCE, SILENCE, planned, sessions};

/// Ends streams after so many bytes of either direction.
struct Cutting {
    bridges: Bridges,
    cuts: Mutex<Vec<(usize, usize)>>,
}

#[async_trait]
impl Dial for Cutting {
    async fn dial(&self) -> Result<BoxStream, DialError> {
        let inner = self.bridges.dial().await?;
        let cut = self.cuts.lock().unwrap().pop();
        Ok(match cut {
            Some((up, down)) => Box::new(Cut { inner, up, down }),
            None => inner,
        })
    }
}

/// A stream that breaks when one direction has carried all that it may.
struct Cut<S> {
    inner: S,
    up: usize,
    down: usize,
}

fn broken<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Cut<BoxStream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.down == 0 {
            return broken();
        }
        let mut part = buffer.take(self.down);
        let read = Pin::new(&mut self.inner).poll_read(context, &mut part);
        let count = part.filled().len();
        // What was read into the part is initialised in the whole.
        let bytes = part.filled().to_vec();
        buffer.put_slice(&bytes);
        self.down -= count;
        read
    }
}

impl AsyncWrite for Cut<BoxStream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.up == 0 {
            return broken();
        }
        let part = &bytes[..bytes.len().min(self.up)];
        let written = Pin::new(&mut self.inner).poll_write(context, part);
        if let Poll::Ready(Ok(count)) = written {
            self.up -= count;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

pub(crate) async fn cut_anywhere() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut cut = || (random.usize(1..4000), random.usize(1..4000));
    let processes = ["x", "y"].map(Agent::start);
    let mut agents = agents(Duration::from_secs(60));
    let dials = processes.each_ref().map(|agent| {
        let cuts = Mutex::new((0..24).map(|_| cut()).collect());
        Arc::new(Cutting { bridges: agent.bridges(), cuts })
    });
    for (agent, dial) in processes.iter().zip(&dials) {
        let dial: Arc<dyn Dial> = Arc::clone(dial) as Arc<dyn Dial>;
        agents.add(agent.endpoint(), agent.identity(), dial);
    }
    let [x, y] = &processes;
    let plan: Vec<Planned> = [(x, y), (y, x), (x, x), (y, y)]
        .into_iter()
        .cycle()
        .take(24)
        .map(|(from, to)| planned(from, to, Protocol::Tcp, to.port))
        .collect();
    let mut made = 0;
    while dials.iter().any(|dial| !dial.cuts.lock().unwrap().is_empty()) {
        let found = agents.probe(plan.clone(), PATIENCE).await;
        made += found.len() as u64;
        assert_eq!(found.len(), plan.len());
        assert!(found.iter().all(|it| it.outcome.is_connected()), "{found:?}");
    }
    // Sessions went on: nothing was attempted twice.
    assert_eq!(agents.traffic().attempts, made);
    println!("{made} attempts over 48 streams that were cut");
    agents.close().await;
}

/// A port that hears attempts and answers none.
async fn silent_port() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Waits until an attempt arrives: the round is under way.
async fn arrives(socket: &UdpSocket) {
    let received = tokio::time::timeout(PATIENCE, socket.recv(&mut [0; 64])).await;
    received.expect("an attempt arrives in time").unwrap();
}

/// Kills the agent's process, and starts another in its place.
pub(crate) fn restart(agent: &mut Agent) {
    agent.child.kill().unwrap();
    agent.child.wait().unwrap();
    agent.child = Agent::spawn(&agent.name, &agent.socket, agent.port);
}

pub(crate) async fn bridge_killed() {
    let [x, y] = ["x", "y"].map(Agent::start);
    let (silence, port) = silent_port().await;
    let mut agents = agents(PATIENCE);
    let bridges = Arc::new(x.bridges());
    agents.add(x.endpoint(), x.identity(), Arc::<Bridges>::clone(&bridges));
    agents.add(y.endpoint(), y.identity(), Arc::new(y.bridges()));
    let plan = vec![planned(&x, &y, Protocol::Udp, port), planned(&x, &y, Protocol::Tcp, y.port)];
    let kill = async {
        arrives(&silence).await;
        // It is killed by being dropped.
        drop(bridges.newest.lock().unwrap().take());
    };
    let (found, ()) = tokio::join!(agents.probe(plan, SILENCE), kill);
    let found: Vec<_> = found.into_iter().map(|it| it.outcome).collect();
    assert_eq!(found, [Outcome::Dropped, Outcome::Connected]);
    assert_eq!(agents.traffic().attempts, 2, "the session went on");
    agents.close().await;
}

pub(crate) async fn source_restarted() {
    let (mut x, y) = (Agent::start("x"), Agent::start("y"));
    let (silence, port) = silent_port().await;
    let mut agents = sessions(&[&x, &y], PATIENCE).await;
    let plan = vec![planned(&x, &y, Protocol::Udp, port), planned(&x, &y, Protocol::Tcp, y.port)];
    let kill = async {
        arrives(&silence).await;
        restart(&mut x);
    };
    let (found, ()) = tokio::join!(agents.probe(plan, SILENCE), kill);
    let found: Vec<_> = found.into_iter().map(|it| it.outcome).collect();
    assert_eq!(found, [Outcome::Dropped, Outcome::Connected]);
    assert_eq!(agents.traffic().attempts, 2, "the first round gave no results");
    agents.close().await;
}

pub(crate) async fn destination_restarted() {
    let (x, mut y) = (Agent::start("x"), Agent::start("y"));
    let (silence, port) = silent_port().await;
    let closed = free_port();
    let mut agents = sessions(&[&x, &y], PATIENCE).await;
    let plan = vec![
        planned(&x, &y, Protocol::Udp, port),
        planned(&x, &y, Protocol::Tcp, closed),
        planned(&x, &y, Protocol::Tcp, y.port),
    ];
    let kill = async {
        arrives(&silence).await;
        restart(&mut y);
    };
    let (found, ()) = tokio::join!(agents.probe(plan, SILENCE), kill);
    let found: Vec<_> = found.into_iter().map(|it| it.outcome).collect();
    assert_eq!(found, [Outcome::Dropped, Outcome::Refused, Outcome::Connected]);
    // All was attempted again: an answer may be the former agent's or the next one's.
    assert_eq!(agents.traffic().attempts, 6);
    agents.close().await;
}

pub(crate) async fn agent_killed() {
    let (mut x, y) = (Agent::start("x"), Agent::start("y"));
    let (silence, port) = silent_port().await;
    let mut agents = sessions(&[&x, &y], Duration::from_secs(2)).await;
    let plan = vec![
        planned(&x, &y, Protocol::Udp, port),
        planned(&y, &x, Protocol::Udp, port),
        planned(&y, &y, Protocol::Tcp, y.port),
    ];
    let kill = async {
        arrives(&silence).await;
        x.child.kill().unwrap();
        x.child.wait().unwrap();
    };
    let (found, ()) = tokio::join!(agents.probe(plan, SILENCE), kill);
    for observation in &found[..2] {
        match &observation.outcome {
            Outcome::Broken { reason } => {
                assert!(reason.contains("the agent of `a/x`"), "{reason}")
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(found[2].outcome, Outcome::Connected);
    agents.close().await;
}
