//! What connections do while something changes.

use std::sync::Arc;
use std::time::Duration;

use ringfence::cluster::{Cluster, Moment, Passage, Timeline, Watch};
use ringfence::model::{
    Cell, Change, Endpoint, Family, NetworkPolicy, Outcome, PodName, PolicyName, Protocol,
};

use crate::town::*;
use crate::{Outcome as Trial, start};

const PORTS: &[(u16, Protocol)] = &[(80, Protocol::Tcp), (53, Protocol::Udp)];

fn cell_of(source: &str, destination: &str, port: u16, protocol: Protocol) -> Cell {
    let ends: [Endpoint; 2] = [source, destination].map(|end| end.parse().unwrap());
    cell(&ends[0], &ends[1], port, protocol, Family::Ipv4)
}

/// Both protocols between two pods.
fn both(source: &str, destination: &str) -> Vec<Cell> {
    PORTS.iter().map(|(port, protocol)| cell_of(source, destination, *port, *protocol)).collect()
}

pub(crate) fn watch(held: Vec<Cell>, tried: Vec<Cell>) -> Watch {
    Watch {
        held,
        tried,
        interval: Duration::from_millis(2),
        deadline: Duration::from_secs(2),
        before: Duration::from_millis(30),
        after: Duration::from_millis(60),
    }
}

fn since(moments: &[Moment], when: Duration) -> Passage {
    Passage::of(moments, when)
}

/// What was over when nothing was changed yet.
fn until(moments: &[Moment], when: Duration) -> Vec<Moment> {
    let over = |moment: &&Moment| moment.at + moment.seen.latency < when;
    moments.iter().filter(over).cloned().collect()
}

fn apply(policy: NetworkPolicy) -> Change {
    Change::ApplyPolicy(Arc::new(policy))
}

/// What is open stays open here, and what is attempted anew is denied: before, and after.
pub(crate) async fn a_new_deny() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", PORTS), pod("a", "two", PORTS)]);
    cluster.deploy(&town, 2, &[]).await?;
    let wanted = watch(both("a/one", "a/two"), both("a/two", "a/one"));
    let Timeline { asked, accepted, held, tried, topology, .. } =
        cluster.watch(&wanted, &[apply(deny_all("a"))]).await?;
    assert!(asked >= wanted.before && accepted > asked, "{asked:?} {accepted:?}");
    assert_eq!(topology.pods.len(), 2);
    for moments in &held {
        let all = since(moments, Duration::ZERO);
        assert!(all.attempts > 5 && all.passed == all.attempts, "{moments:?}");
        assert!(since(moments, accepted).attempts > 2, "{moments:?}");
    }
    for moments in &tried {
        let before = since(&until(moments, asked), Duration::ZERO);
        assert!(before.attempts > 0 && before.passed == before.attempts, "{moments:?}");
        let after = since(moments, accepted);
        assert_eq!(after.passed, 0, "{moments:?}");
        if cluster.capabilities().evidence {
            assert!(after.attempts > 2, "{moments:?}");
            let last = &moments.last().unwrap().seen;
            assert!(last.evidence.is_some(), "{last:?}");
        }
    }
    Ok(())
}

/// Under a deny nothing can be held; once it goes, what is attempted anew gets through.
pub(crate) async fn a_deny_that_goes() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", PORTS), pod("a", "two", PORTS)]);
    cluster.deploy(&town, 2, &[]).await?;
    cluster.change(&[apply(deny_all("a"))]).await?;
    let mut wanted = watch(both("a/one", "a/two"), both("a/two", "a/one"));
    wanted.held.push(cell_of("a/one", "a/three", 80, Protocol::Tcp));
    wanted.deadline = Duration::from_millis(300);
    let gone = Change::DeletePolicy(PolicyName::new("a", "deny-all"));
    let timeline = cluster.watch(&wanted, &[gone]).await?;
    for moments in &timeline.held[..2] {
        assert_eq!(moments.len(), 1, "{moments:?}");
        assert_eq!(moments[0].seen.outcome, Outcome::Dropped);
    }
    let unknown = &timeline.held[2][0].seen.outcome;
    assert!(matches!(unknown, Outcome::Broken { .. }), "{unknown:?}");
    for moments in &timeline.tried {
        assert_eq!(since(&until(moments, timeline.asked), Duration::ZERO).passed, 0);
        let after = since(moments, timeline.accepted);
        assert!(after.attempts > 2 && after.passed == after.attempts, "{moments:?}");
    }
    Ok(())
}

/// A pod that comes under a policy: nothing ever gets through to it or from it, and what its
/// policies allow does.
pub(crate) async fn a_pod_that_comes() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", PORTS), pod("b", "free", PORTS)]);
    cluster.deploy(&town, 2, &[]).await?;
    cluster.change(&[apply(deny_all("a"))]).await?;
    let tried: Vec<Cell> =
        [both("b/free", "a/new"), both("a/new", "b/free"), both("b/free", "b/new")].concat();
    let mut wanted = watch(vec![], tried);
    // Until its network is there nothing answers for it, and nothing says so.
    wanted.deadline = Duration::from_millis(100);
    wanted.after = Duration::from_millis(600);
    let changes = [Change::AddPod(pod("a", "new", PORTS)), Change::AddPod(pod("b", "new", PORTS))];
    let timeline = cluster.watch(&wanted, &changes).await?;
    assert!(timeline.topology.pods.contains_key(&PodName::new("a", "new")));
    for (cell, moments) in wanted.tried.iter().zip(&timeline.tried) {
        let all = since(moments, Duration::ZERO);
        assert!(moments.first().is_some_and(|first| first.at >= timeline.asked), "{cell}");
        if cell.destination.to_string() == "b/new" {
            assert!(since(moments, timeline.accepted).passed > 2, "{cell}: {moments:?}");
        } else {
            assert!(all.attempts > 2 && all.passed == 0, "{cell}: {moments:?}");
        }
    }
    Ok(())
}

/// One policy takes the place of another that denies the same: nothing opens for a moment.
pub(crate) async fn a_policy_that_takes_the_place_of_another() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "one", PORTS), pod("a", "two", PORTS), pod("b", "free", PORTS)]);
    cluster.deploy(&town, 2, &[]).await?;
    cluster.change(&[apply(deny_all("a"))]).await?;
    let wanted = watch(both("b/free", "b/free"), both("b/free", "a/one"));
    for turn in 0..5 {
        let (old, new) = if turn % 2 == 0 { ("deny-all", "other") } else { ("other", "deny-all") };
        let other = NetworkPolicy { name: PolicyName::new("a", new), ..deny_all("a") };
        let gone = Change::DeletePolicy(PolicyName::new("a", old));
        let timeline = cluster.watch(&wanted, &[apply(other), gone]).await?;
        for moments in &timeline.tried {
            let all = since(moments, Duration::ZERO);
            assert!(all.attempts > 5 && all.passed == 0, "turn {turn}: {moments:?}");
        }
    }
    Ok(())
}
