//! What agents see while changes are made: on the double and on a real one alike.

use std::time::Duration;

use ringfence::cluster::{Moment, Watch};
use ringfence::model::{Cell, Change, Outcome, PodName, PolicyName};

use crate::Outcome as Done;
use crate::bed::{Bed, leave};
use crate::town::*;

fn watch(held: Vec<Cell>, tried: Vec<Cell>, after: Duration) -> Watch {
    let ms = Duration::from_millis;
    Watch { held, tried, interval: ms(2), deadline: ms(100), before: ms(30), after }
}

fn open(moment: &Moment) -> bool {
    moment.seen.outcome.is_connected()
}

pub(crate) async fn a_policy_is_watched_while_it_comes_and_goes(bed: Bed) -> Done {
    super::life::enforcing(&bed)?;
    let (source, mut cluster) = open_town(&bed, 2).await?;
    let can = cluster.capabilities().clone();
    let ways = cells(&can, &[("a/one", "b/three")]);
    let free = cells(&can, &[("a/one", "a/two"), ("b/three", "a/two")]);
    let tried = [ways.clone(), free].concat();
    let order = watch(tried.clone(), tried.clone(), Duration::from_secs(3));
    let seen = cluster.watch(&order, &[deny_all("b")]).await?;
    assert!(seen.remarks.is_empty(), "{:?}", seen.remarks);
    assert!(seen.asked >= order.before && seen.accepted >= seen.asked, "{seen:?}");
    let (denied, rest) = seen.tried.split_at(1);
    let first = denied[0].iter().position(|moment| moment.at >= seen.asked);
    assert!(first.is_some_and(|first| first > 0), "expected attempts before it: {denied:?}");
    let before = denied[0].iter().take_while(|moment| moment.at < seen.asked);
    assert!(before.clone().all(open), "{:?}", before.collect::<Vec<_>>());
    let last = denied[0].last().expect("attempts");
    assert!(last.seen.outcome.is_stopped(), "{last:?}");
    // Egress of `b` is denied, too.
    assert!(rest[0].iter().all(open), "{:?}", rest[0]);
    assert!(seen.held.iter().all(|moments| open(&moments[0])), "{:?}", seen.held);
    assert!(seen.held[1].iter().all(open), "{:?}", seen.held[1]);
    let lift = [Change::DeletePolicy(PolicyName::new("b", "deny-all"))];
    let order = watch(Vec::new(), tried, Duration::from_secs(3));
    let seen = cluster.watch(&order, &lift).await?;
    let (first, last) = (seen.tried[0].first(), seen.tried[0].last());
    assert!(first.is_some_and(|it| !open(it)) && last.is_some_and(open), "{first:?} {last:?}");
    leave(&bed, &source, cluster).await
}

pub(crate) async fn a_pod_that_comes_is_watched(bed: Bed) -> Done {
    let (source, mut cluster) = open_town(&bed, 2).await?;
    let can = cluster.capabilities().clone();
    let names =
        [("a/one", "a/new"), ("a/new", "b/three"), ("a/new", "a/newer"), ("a/one", "a/two")];
    let tried = cells(&can, &names);
    let order = watch(Vec::new(), tried, Duration::from_secs(1));
    let changes = ["new", "newer"].map(|name| Change::AddPod(pod("a", name, &[])));
    let seen = cluster.watch(&order, &changes).await?;
    assert!(seen.topology.pods.contains_key(&PodName::new("a", "new")));
    assert!(seen.remarks.len() == 1 && seen.remarks[0].contains("is not seen"), "{seen:?}");
    // Where to is not known when the first of the new ones starts.
    assert_eq!(seen.unseen.keys().collect::<Vec<_>>(), [&2], "{:?}", seen.unseen);
    for moments in &seen.tried {
        let last = moments.last();
        assert!(last.is_some_and(open), "{last:?} of {}", moments.len());
    }
    for moments in &seen.tried[..3] {
        assert!(moments[0].at >= seen.asked, "{:?}: {:?}", seen.asked, moments[0]);
    }
    // What comes to a pod is tried before its agent has answered, and so before the change is
    // accepted; what is not wired yet is told like anything else.
    assert!(seen.tried[0][0].at < seen.accepted, "{:?}: {:?}", seen.accepted, seen.tried[0][0]);
    // And what it sends, before anybody has spoken with it.
    assert!(seen.tried[1][0].at < seen.accepted, "{:?}: {:?}", seen.accepted, seen.tried[1][0]);
    let broken = |moment: &&Moment| matches!(moment.seen.outcome, Outcome::WrongPod { .. });
    assert_eq!(seen.tried.iter().flatten().find(broken), None);
    leave(&bed, &source, cluster).await
}
