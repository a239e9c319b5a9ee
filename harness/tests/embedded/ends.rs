//! Pods that end or linger.

use std::sync::Arc;

use ringfence::cluster::Cluster;
use ringfence::model::{
    Change, LabelSelector, NetworkPolicy, Outcome, Peer, Phase, PodName, PolicyType, Rule,
};

use crate::town::*;
use crate::traffic::TCP;
use crate::{Outcome as Trial, start};

/// Lets pods named `name` in, and nobody else.
fn admits(namespace: &str, name: &str) -> NetworkPolicy {
    let peer = Peer::Pods {
        pod_selector: Some(LabelSelector::label("app", name)),
        namespace_selector: None,
        origin: origin(),
    };
    NetworkPolicy {
        pod_selector: LabelSelector::label("app", "target"),
        policy_types: Some(vec![PolicyType::Ingress]),
        ingress: Some(vec![Rule { peers: Some(vec![peer]), ports: None, origin: origin() }]),
        ..deny_all(namespace)
    }
}

/// The next pod on its node has the address of one that ended, and is not taken for it.
pub(crate) async fn an_address_is_used_again() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "target", TCP), pod("a", "job", TCP)]);
    let before = cluster.deploy(&town, 1, &[]).await?;
    cluster.change(&[Change::ApplyPolicy(Arc::new(admits("a", "job")))]).await?;
    assert_eq!(outcomes(&mut cluster, &[("a/job", "a/target")]).await?, [Outcome::Connected]);

    let job = PodName::new("a", "job");
    let ended = cluster.change(&[Change::EndPod(job.clone())]).await?;
    assert_eq!(ended.pods[&job].phase, Phase::Succeeded);
    assert_eq!(ended.pods[&job].addresses, before.pods[&job].addresses);
    let found = outcomes(&mut cluster, &[("a/job", "a/target"), ("a/target", "a/job")]).await?;
    assert!(found.iter().all(|found| matches!(found, Outcome::Broken { .. })), "{found:?}");

    let after = cluster.change(&[Change::AddPod(pod("a", "heir", TCP))]).await?;
    assert_eq!(after.pods[&PodName::new("a", "heir")].addresses, before.pods[&job].addresses);
    let found = outcomes(&mut cluster, &[("a/heir", "a/target"), ("a/target", "a/heir")]).await?;
    assert_eq!(found, [Outcome::Dropped, Outcome::Connected]);
    // It goes as any other pod does, and so does its object.
    let after = cluster.change(&[Change::RemovePod(job)]).await?;
    assert_eq!(after.pods.len(), 2);
    let found = outcomes(&mut cluster, &[("a/target", "a/heir")]).await?;
    assert_eq!(found, [Outcome::Connected]);
    Ok(())
}

/// A pod that is marked for deletion still runs, under its policies.
pub(crate) async fn a_terminating_pod_is_filtered() -> Trial {
    let mut cluster = start().await?;
    let town = topology([pod("a", "target", TCP), pod("a", "job", TCP), pod("a", "other", TCP)]);
    cluster.deploy(&town, 2, &[]).await?;
    cluster.change(&[Change::ApplyPolicy(Arc::new(admits("a", "job")))]).await?;
    for name in ["target", "job"] {
        let pod = PodName::new("a", name);
        let after = cluster.change(&[Change::TerminatePod(pod.clone())]).await?;
        assert!(after.pods[&pod].terminating);
        let found =
            outcomes(&mut cluster, &[("a/job", "a/target"), ("a/other", "a/target")]).await?;
        assert_eq!(found, [Outcome::Connected, Outcome::Dropped], "{name} is marked");
    }
    Ok(())
}
