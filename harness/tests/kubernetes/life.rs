//! What a cluster does when nothing goes wrong: on the double and on a real one alike.

use std::time::Instant;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use ringfence::cluster::kubernetes::{PullPolicy, Scope, owner, prune};
use ringfence::cluster::{ClusterError, Source, Stages};
use ringfence::model::{Change, LabelChanges, PodName, PolicyName};
use serde_json::json;

use crate::Outcome;
use crate::bed::{Bed, close, ended, leave, share};
use crate::town::*;

/// Why a trial does not run on a cluster that enforces nothing.
pub(crate) fn enforcing(bed: &Bed) -> Result<(), ClusterError> {
    if bed.enforces {
        return Ok(());
    }
    Err(ClusterError::Unsupported("it needs a cluster that enforces policies".to_owned()))
}

pub(crate) async fn every_cell_connects(bed: Bed) -> Outcome {
    let source = bed.ready().await?;
    let mut cluster = share(&source).await?;
    let can = cluster.capabilities().clone();
    assert!(!can.external_hosts && !can.host_network, "{can:?}");
    let deployed = cluster.deploy(&town(), 2, &[]).await?;
    assert_eq!(deployed.nodes.len(), 2);
    let nodes: std::collections::BTreeSet<_> =
        deployed.pods.values().map(|pod| pod.node.clone()).collect();
    assert_eq!(nodes.len(), 2, "expected pods on both nodes, found {nodes:?}");
    all_open(&mut *cluster, &deployed).await?;
    leave(&bed, &source, cluster).await
}

pub(crate) async fn a_policy_stops_what_it_should(bed: Bed) -> Outcome {
    enforcing(&bed)?;
    let (source, mut cluster) = open_town(&bed, 2).await?;
    let ways = [("a/one", "a/two"), ("b/three", "a/one"), ("a/two", "b/three")];
    settles(&mut *cluster, &ways, &["open", "open", "open"]).await?;
    cluster.change(&[deny_all("b")]).await?;
    settles(&mut *cluster, &ways, &["open", "shut", "shut"]).await?;
    cluster.change(&[Change::DeletePolicy(PolicyName::new("b", "deny-all"))]).await?;
    settles(&mut *cluster, &ways, &["open", "open", "open"]).await?;
    leave(&bed, &source, cluster).await
}

pub(crate) async fn labels_change_what_a_policy_selects(bed: Bed) -> Outcome {
    enforcing(&bed)?;
    let (source, mut cluster) = open_town(&bed, 1).await?;
    let spec = json!({
        "podSelector": { "matchLabels": { "role": "server" } },
        "policyTypes": ["Ingress"],
        "ingress": [{ "from": [
            { "podSelector": { "matchLabels": { "role": "friend" } } },
            { "namespaceSelector": { "matchLabels": { "team": "friends" } } },
        ] }],
    });
    cluster.change(&[Change::ApplyPolicy(policy("a", "friends", &spec))]).await?;
    let ways = [("a/one", "a/two"), ("b/three", "a/two")];
    settles(&mut *cluster, &ways, &["shut", "shut"]).await?;
    cluster.change(&[label_pod("a", "one", &[("role", Some("friend"))])]).await?;
    settles(&mut *cluster, &ways, &["open", "shut"]).await?;
    let team = |value: Option<&str>| Change::LabelNamespace {
        namespace: name("b"),
        labels: LabelChanges::from([("team".to_owned(), value.map(str::to_owned))]),
    };
    cluster.change(&[label_pod("a", "one", &[("role", None)]), team(Some("friends"))]).await?;
    settles(&mut *cluster, &ways, &["shut", "open"]).await?;
    cluster.change(&[team(None)]).await?;
    settles(&mut *cluster, &ways, &["shut", "shut"]).await?;
    leave(&bed, &source, cluster).await
}

pub(crate) async fn pods_and_namespaces_come_and_go(bed: Bed) -> Outcome {
    let (source, mut cluster) = open_town(&bed, 2).await?;
    let changes = [
        Change::RemovePod(PodName::new("a", "two")),
        Change::AddNamespace(namespace("c")),
        Change::AddPod(pod("c", "four", &[])),
        Change::AddPod(pod("a", "five", &[])),
    ];
    let now = cluster.change(&changes).await?;
    assert!(now.pods.values().all(|pod| !pod.addresses.is_empty()), "{now:?}");
    all_open(&mut *cluster, &now).await?;
    let cell = [("a/one", "a/two")];
    let seen = look(&mut *cluster, &cell).await?;
    assert_eq!(seen, ["expected an agent for `a/two`, found none"]);
    let now = cluster.change(&[Change::RemoveNamespace(name("b"))]).await?;
    assert_eq!(now.pods.len(), 3);
    all_open(&mut *cluster, &now).await?;
    let names = cluster.names();
    let pods: Api<Pod> = Api::namespaced(bed.client.clone(), &names[&name("a")]);
    let mut there: Vec<String> = listed(&pods).await?.iter().map(ResourceExt::name_any).collect();
    there.sort();
    assert_eq!(there, ["five", "one"]);
    // As declared: whoever is removed can come again at once.
    cluster.change(&[Change::AddNamespace(namespace("b"))]).await?;
    leave(&bed, &source, cluster).await
}

async fn listed<K>(api: &Api<K>) -> Result<Vec<K>, ClusterError>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    Ok(api.list(&ListParams::default()).await.map_err(anyhow::Error::from)?.items)
}

pub(crate) async fn pods_stay_for_the_next_scenario(bed: Bed) -> Outcome {
    let (source, mut cluster) = open_town(&bed, 1).await?;
    cluster.change(&[deny_all("a")]).await?;
    let home = cluster.names()[&name("a")].to_string();
    let pods: Api<Pod> = Api::namespaced(bed.client.clone(), &home);
    let before = listed(&pods).await?;
    cluster.teardown().await.map_err(ended)?;
    let policies: Api<NetworkPolicy> = Api::namespaced(bed.client.clone(), &home);
    assert!(listed(&policies).await?.is_empty(), "policies go with their scenario");

    let mut cluster = share(&source).await?;
    let town = topology([
        pod("a", "one", &[("role", "client")]),
        pod("a", "two", &[("role", "other")]),
        pod("c", "four", &[]),
    ]);
    let deployed = cluster.deploy(&town, 1, &[]).await?;
    assert_eq!(cluster.names()[&name("a")].to_string(), home);
    let after = listed(&pods).await?;
    let uid = |pods: &[Pod], name: &str| {
        let pod = pods.iter().find(|pod| pod.name_any() == name);
        pod.and_then(ResourceExt::uid)
    };
    assert!(uid(&before, "one").is_some());
    assert_eq!(uid(&before, "one"), uid(&after, "one"), "an equal pod stays");
    assert_ne!(uid(&before, "two"), uid(&after, "two"), "another one does not");
    all_open(&mut *cluster, &deployed).await?;
    leave(&bed, &source, cluster).await
}

pub(crate) async fn names_are_rewritten(bed: Bed) -> Outcome {
    let (source, mut cluster) = open_town(&bed, 1).await?;
    // What nodes are called is told as well.
    cluster.rewritten();
    let spec = json!({
        "podSelector": {}, "policyTypes": ["Ingress"],
        "ingress": [{ "from": [{ "namespaceSelector": {
            "matchLabels": { "kubernetes.io/metadata.name": "b" },
            "matchExpressions": [{
                "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"],
            }],
        } }] }],
    });
    cluster.change(&[Change::ApplyPolicy(policy("a", "from-b", &spec))]).await?;
    let names = cluster.names();
    let (a, b) = (names[&name("a")].to_string(), names[&name("b")].to_string());
    let prefix = format!("rf-{}-", source.run());
    assert!(a.starts_with(&prefix) && a.ends_with("-a"), "found `{a}`");
    let policies: Api<NetworkPolicy> = Api::namespaced(bed.client.clone(), &a);
    let stored = policies.get("from-b").await.map_err(anyhow::Error::from)?;
    let stored = serde_json::to_value(stored).map_err(anyhow::Error::from)?;
    let selector = &stored["spec"]["ingress"][0]["from"][0]["namespaceSelector"];
    assert_eq!(selector["matchLabels"]["kubernetes.io/metadata.name"], b);
    let nobody = a.strip_suffix("-a").map(|slot| format!("{slot}-kube-system"));
    assert_eq!(selector["matchExpressions"][0]["values"], json!([nobody]));
    assert_eq!(stored["metadata"]["labels"][owner::RUN], source.run().as_str());
    let told = cluster.rewritten();
    assert!(told.iter().any(|sentence| sentence.contains(&b)), "{told:?}");
    assert!(cluster.rewritten().is_empty(), "each is told once");
    if bed.enforces {
        let ways = [("b/three", "a/two"), ("a/one", "a/two")];
        settles(&mut *cluster, &ways, &["open", "shut"]).await?;
    }
    leave(&bed, &source, cluster).await
}

pub(crate) async fn nothing_foreign_is_touched(bed: Bed) -> Outcome {
    let source = bed.ready().await?;
    let mut cluster = share(&source).await?;
    cluster.deploy(&topology([pod("b", "three", &[])]), 1, &[]).await?;
    let b = cluster.names()[&name("b")].to_string();
    let a = b.strip_suffix('b').map(|slot| format!("{slot}a")).expect("the name ends as declared");
    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    let policies: Api<NetworkPolicy> = Api::namespaced(bed.client.clone(), &b);
    let post = PostParams::default();
    let object = |value| serde_json::from_value(value).expect("it is one");
    let foreign = object(json!({ "metadata": { "name": a } }));
    let foreign = namespaces.create(&post, &foreign).await.map_err(anyhow::Error::from)?;
    let spec = json!({ "podSelector": { "matchLabels": { "x": "y" } } });
    let theirs = json!({ "metadata": { "name": "deny-all" }, "spec": spec });
    let theirs: NetworkPolicy =
        serde_json::from_value::<NetworkPolicy>(theirs).map_err(anyhow::Error::from)?;
    let theirs = policies.create(&post, &theirs).await.map_err(anyhow::Error::from)?;

    let error = cluster.change(&[deny_all("b")]).await.expect_err("it is somebody else's");
    assert_eq!(
        error.to_string(),
        format!(
            "expected no policy `{b}/deny-all` (networkpolicies.networking.k8s.io), found one that this run did not make: it is left \
             alone"
        )
    );
    let found = policies.get("deny-all").await.map_err(anyhow::Error::from)?;
    assert_eq!(found.spec, theirs.spec);
    assert_eq!(found.resource_version(), theirs.resource_version());
    cluster.teardown().await.map_err(ended)?;

    let mut cluster = share(&source).await?;
    // Whichever slot it has now.
    let error = match cluster.deploy(&topology([pod("a", "one", &[])]), 1, &[]).await {
        Err(error) => error.to_string(),
        Ok(_) => {
            let names = cluster.names();
            assert_ne!(names[&name("a")].to_string(), a, "it is somebody else's");
            String::new()
        }
    };
    if !error.is_empty() {
        assert!(error.contains(&format!("`{a}`")) && error.contains("left alone"), "{error}");
    }
    cluster.teardown().await.map_err(ended)?;
    close(&bed, &source).await?;
    let found = namespaces.get(&a).await.map_err(anyhow::Error::from)?;
    assert_eq!(found.resource_version(), foreign.resource_version());
    let uid = DeleteParams::default();
    namespaces.delete(&a, &uid).await.map_err(anyhow::Error::from)?;
    Ok(())
}

pub(crate) async fn what_was_replaced_is_left_alone(bed: Bed) -> Outcome {
    let (source, mut cluster) = open_town(&bed, 1).await?;
    cluster.change(&[deny_all("a")]).await?;
    let home = cluster.names()[&name("a")].to_string();
    let pods: Api<Pod> = Api::namespaced(bed.client.clone(), &home);
    let one = pods.get("one").await.map_err(anyhow::Error::from)?;
    let uid = one.uid().expect("it has one");
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    pods.delete("one", &now).await.map_err(anyhow::Error::from)?;
    let gone = kube::runtime::wait::await_condition(
        pods.clone(),
        "one",
        kube::runtime::conditions::is_deleted(&uid),
    );
    let deadline = bed.options().deadlines.gone;
    let gone = tokio::time::timeout(deadline, gone).await;
    gone.unwrap_or_else(|_| panic!("expected the pod `one` to be gone within {deadline:?}"))
        .map_err(anyhow::Error::from)?;
    let theirs = json!({
        "metadata": { "name": "one" },
        "spec": serde_json::to_value(&one.spec).map_err(anyhow::Error::from)?,
    });
    let mut theirs: Pod = serde_json::from_value(theirs).map_err(anyhow::Error::from)?;
    if let Some(spec) = &mut theirs.spec {
        spec.node_name = None;
    }
    pods.create(&PostParams::default(), &theirs).await.map_err(anyhow::Error::from)?;
    // Once the cluster has seen it, the cell says nothing.
    let replaced = |seen: &[String]| seen[0].contains("`a/one`");
    let seen = until(&mut *cluster, &[("a/one", "a/two")], "of no use", replaced).await?.remove(0);
    let ways = ["the pod `a/one` was replaced by another one", "the pod `a/one` is gone"];
    assert!(ways.iter().any(|way| seen.starts_with(way)), "found `{seen}`");
    let begun = Instant::now();
    cluster.change(&[Change::RemovePod(PodName::new("a", "one"))]).await?;
    let (took, most) = (begun.elapsed(), bed.options().deadlines.call / 2);
    assert!(took < most, "what is gone needs no removal, found it took {took:?}");
    let there = pods.get_opt("one").await.map_err(anyhow::Error::from)?;
    assert!(there.is_some(), "expected the pod of somebody else to be left alone");
    leave(&bed, &source, cluster).await
}

pub(crate) async fn a_lost_scenario_leaves_nothing(bed: Bed) -> Outcome {
    let (source, mut cluster) = open_town(&bed, 1).await?;
    cluster.change(&[deny_all("a")]).await?;
    assert!(bed.left_of(source.run()).await.len() >= 2);
    drop(cluster);
    close(&bed, &source).await
}

pub(crate) async fn prune_finds_what_a_killed_run_left(bed: Bed) -> Outcome {
    let (killed, other) = (bed.ready().await?, bed.ready().await?);
    let mut cluster = share(&killed).await?;
    cluster.deploy(&town(), 1, &[]).await?;
    let run = killed.run().clone();
    // Nothing runs when a value that is forgotten ends.
    std::mem::forget((cluster, killed));
    let left = bed.left_of(&run).await;
    let kept = bed.left_of(other.run()).await;
    assert!(!left.is_empty() && !kept.is_empty());
    let pruned = prune(&bed.own_client().await?, &Scope::Run(run.clone())).await?;
    let mut pruned = pruned.removed;
    pruned.sort();
    assert_eq!(pruned, left);
    assert!(bed.left_of(&run).await.is_empty());
    assert_eq!(bed.left_of(other.run()).await, kept, "another run's are left alone");
    close(&bed, &other).await
}

pub(crate) async fn an_absent_image_ends_early(bed: Bed) -> Outcome {
    let mut options = bed.options();
    options.image = "ringfence.invalid/agent:absent".to_owned();
    options.pull_policy = PullPolicy::Never;
    let most = options.deadlines.pods / 2;
    let source = bed.source(options).await?;
    let begun = Instant::now();
    let error = source.prepare(&Stages::silent()).await.expect_err("there is no such image");
    let took = begun.elapsed();
    let said = error.to_string();
    assert!(said.contains("ringfence.invalid/agent:absent"), "{said}");
    assert!(said.contains("ImagePullBackOff") || said.contains("ErrImageNeverPull"), "{said}");
    assert!(took < most, "expected the error within {most:?}, found {took:?}");
    close(&bed, &source).await
}
