//! Agents that watch while something happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ringfence::cluster::Moment;
use ringfence::cluster::agents::{Agents, Plan, Planned};
use ringfence::model::{Outcome, Protocol};
use ringfence_probe::agent::WATCH;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::faults::restart;
use super::process::{Agent, Bridges, agents, free_port};
use super::rounds::{PATIENCE, planned, sessions};

fn plan(held: Vec<(u32, Planned)>, tried: Vec<(u32, Planned)>) -> Plan {
    let ms = Duration::from_millis;
    Plan {
        interval: ms(2),
        deadline: ms(100),
        before: ms(10),
        limit: PATIENCE,
        cells: 8,
        held,
        tried,
        later: BTreeSet::new(),
    }
}

/// Waits until something is attempted at a port again.
async fn attempted(socket: &UdpSocket) {
    let received = timeout(PATIENCE, socket.recv(&mut [0; 64])).await;
    received.expect("an attempt arrives in time").unwrap();
}

fn outcomes(seen: &BTreeMap<u32, Vec<Moment>>, id: u32) -> Vec<&Outcome> {
    seen[&id].iter().map(|moment| &moment.seen.outcome).collect()
}

/// Ends a watch in which one cell must have been lost, for a reason.
async fn lost(agents: &mut Agents, watched: ringfence::cluster::agents::Watched, reason: &str) {
    let seen = agents.end_watch(watched).await.cells;
    let found = outcomes(&seen, 0);
    match found[..] {
        [Outcome::Broken { reason: found }] => assert!(found.contains(reason), "{found}"),
        _ => panic!("{found:?}"),
    }
}

pub(crate) async fn in_turns() {
    let [x, y] = ["x", "y"].map(Agent::start);
    let mut agents = sessions(&[&x, &y], PATIENCE).await;
    let closed = free_port();
    let to = |protocol, port| planned(&x, &y, protocol, port);
    let held = vec![(0, to(Protocol::Tcp, y.port)), (1, to(Protocol::Udp, y.port))];
    let sctp = (2, to(Protocol::Sctp, y.port));
    let held = [held, vec![sctp]].concat();
    let tried = vec![(3, to(Protocol::Tcp, y.port)), (4, to(Protocol::Tcp, closed))];
    let watched = agents.begin_watch(plan(held, tried)).await;
    let vigil = watched.vigil.clone();
    let asked = vigil.elapsed();
    // A silent port, which shows that it is tried from now on, and an agent that comes.
    let silence = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let silent = silence.local_addr().unwrap().port();
    let late = Agent::start("late");
    let mut out = planned(&late, &y, Protocol::Tcp, y.port);
    out.expect = y.identity();
    vigil.also(vec![(5, to(Protocol::Udp, silent)), (6, out)]);
    attempted(&silence).await;
    assert!(vigil.tries(5) && !vigil.tries(7));
    agents.add(late.endpoint(), late.identity(), Arc::new(late.bridges()));
    agents.ready(&[late.endpoint()], PATIENCE).await.unwrap();
    let came = vigil.elapsed();
    // Its order was sent before: it is done when something is answered that came later.
    agents.listen(&late.endpoint(), Vec::new()).await.unwrap();
    let seen = agents.end_watch(watched).await.cells;
    let over = vigil.elapsed();
    for id in [0, 1, 3] {
        let moments = &seen[&id];
        let open = moments.iter().all(|moment| moment.seen.outcome == Outcome::Connected);
        assert!(open, "{id}: {moments:?}");
        assert!(moments.iter().any(|moment| moment.at < asked), "{id}: {asked:?} {moments:?}");
        assert!(moments.iter().any(|moment| moment.at > asked), "{id}: {asked:?} {moments:?}");
        assert!(moments.is_sorted_by_key(|moment| moment.at), "{id}: {moments:?}");
        assert!(moments.iter().all(|moment| moment.at < over), "{id}: {moments:?}");
    }
    let held = outcomes(&seen, 2);
    assert!(
        matches!(held[..], [Outcome::Broken { reason }] if reason.contains("SCTP")),
        "{held:?}"
    );
    assert!(outcomes(&seen, 4).iter().all(|outcome| **outcome == Outcome::Refused));
    let silent = &seen[&5];
    assert!(silent.iter().all(|moment| moment.seen.outcome == Outcome::Dropped), "{silent:?}");
    assert!(silent[0].at >= asked, "{asked:?} {silent:?}");
    let late = &seen[&6];
    assert!(late.iter().all(|moment| moment.seen.outcome == Outcome::Connected), "{late:?}");
    assert!(!late.is_empty() && late[0].at >= asked, "{asked:?} {came:?} {late:?}");
    agents.close().await;
}

pub(crate) async fn cut() {
    let [x, y] = ["x", "y"].map(Agent::start);
    let mut agents = agents(PATIENCE);
    let bridges = Arc::new(x.bridges());
    agents.add(x.endpoint(), x.identity(), Arc::<Bridges>::clone(&bridges));
    agents.add(y.endpoint(), y.identity(), Arc::new(y.bridges()));
    let silence = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let silent = silence.local_addr().unwrap().port();
    let held = vec![(0, planned(&x, &y, Protocol::Tcp, y.port))];
    let tried = vec![(1, planned(&x, &y, Protocol::Udp, silent))];
    let watched = agents.begin_watch(plan(held, tried)).await;
    drop(bridges.newest.lock().unwrap().take());
    let cut = watched.vigil.elapsed();
    // It goes on while nobody hears of it.
    for _ in 0..3 {
        attempted(&silence).await;
    }
    let seen = agents.end_watch(watched).await.cells;
    assert!(outcomes(&seen, 0).iter().all(|outcome| **outcome == Outcome::Connected));
    assert!(seen[&0].iter().any(|moment| moment.at > cut), "{cut:?} {seen:?}");
    agents.close().await;
}

pub(crate) async fn source_lost() {
    let (mut x, y) = (Agent::start("x"), Agent::start("y"));
    let mut agents = sessions(&[&x, &y], PATIENCE).await;
    let tried = vec![(0, planned(&x, &y, Protocol::Tcp, y.port))];
    let watched = agents.begin_watch(plan(Vec::new(), tried)).await;
    restart(&mut x);
    lost(&mut agents, watched, "the agent of `a/x`").await;
    agents.close().await;
}

pub(crate) async fn destination_lost() {
    let (x, mut y) = (Agent::start("x"), Agent::start("y"));
    let mut agents = sessions(&[&x, &y], PATIENCE).await;
    let tried = vec![(0, planned(&x, &y, Protocol::Tcp, y.port))];
    let watched = agents.begin_watch(plan(Vec::new(), tried)).await;
    restart(&mut y);
    lost(&mut agents, watched, "the agent of `a/y`").await;
    agents.close().await;
}

pub(crate) async fn only_allowed() {
    let [x, y] = ["x", "y"].map(Agent::start);
    let mut agents = sessions(&[&x, &y], PATIENCE).await;
    let mut stranger = planned(&x, &y, Protocol::Tcp, y.port);
    stranger.target = "127.0.0.99:80".parse().unwrap();
    let plan = plan(vec![(0, stranger.clone())], vec![(1, stranger)]);
    let watched = agents.begin_watch(plan).await;
    let seen = agents.end_watch(watched).await.cells;
    for id in [0, 1] {
        for outcome in outcomes(&seen, id) {
            let refused =
                matches!(outcome, Outcome::Broken { reason } if reason.contains("127.0.0.99"));
            assert!(refused, "{outcome}");
        }
    }
    agents.close().await;
}

/// An agent that is started again has an order that is out of date: nothing is dialled by it
/// in a network in which something was sent before, such as this machine's.
pub(crate) async fn out_of_date() {
    let y = Agent::start("y");
    let mut agents = sessions(&[&y], PATIENCE).await;
    let silence = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let silent = silence.local_addr().unwrap().port();
    silence.send_to(&[], silence.local_addr().unwrap()).await.unwrap();
    silence.recv(&mut [0; 1]).await.unwrap();
    let mut x = Agent::start("x");
    let watched = agents
        .begin_watch(Plan {
            later: [x.endpoint()].into(),
            ..plan(Vec::new(), vec![(0, planned(&x, &y, Protocol::Udp, silent))])
        })
        .await;
    assert_eq!(agents.ahead(&y.endpoint()), None);
    let ahead = agents.ahead(&x.endpoint()).expect("something comes from it");
    assert_eq!((ahead.order.tried.len(), ahead.allowed.len()), (1, 9));
    x.child.kill().unwrap();
    x.child.wait().unwrap();
    let order = serde_json::to_string(&ahead).unwrap();
    x.child = Agent::spawn_with(&x.name, &x.socket, x.port, &[(WATCH, &order)]);
    agents.add(x.endpoint(), x.identity(), Arc::new(x.bridges()));
    agents.ready(&[x.endpoint()], PATIENCE).await.unwrap();
    // It does what it is asked to.
    attempted(&silence).await;
    let ended = agents.end_watch(watched).await;
    assert_eq!(ended.from_start, BTreeSet::new());
    assert!(ended.cells[&0].iter().all(|it| it.seen.outcome == Outcome::Dropped), "{ended:?}");
    agents.close().await;
}

/// A watch that nobody ends, since what was to be watched failed, ends all the same.
pub(crate) async fn given_up() {
    let [x, y] = ["x", "y"].map(Agent::start);
    let mut agents = sessions(&[&x, &y], PATIENCE).await;
    let silence = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let silent = silence.local_addr().unwrap().port();
    let tried = vec![(0, planned(&x, &y, Protocol::Udp, silent))];
    drop(agents.begin_watch(plan(Vec::new(), tried)).await);
    // Agents answer in order: it has left off by now.
    agents.listen(&x.endpoint(), Vec::new()).await.unwrap();
    let mut last = [0; 64];
    while silence.try_recv(&mut last).is_ok() {}
    // A turn lasts 100 ms: in this time there would be several.
    let arrived = timeout(Duration::from_millis(500), silence.recv(&mut last)).await;
    assert!(arrived.is_err(), "it is still watched");
    // Agents that come have no share in it.
    let z = Agent::start("z");
    agents.add(z.endpoint(), z.identity(), Arc::new(z.bridges()));
    agents.ready(&[z.endpoint()], PATIENCE).await.unwrap();
    assert_eq!(agents.ahead(&z.endpoint()), None);
    agents.close().await;
}
