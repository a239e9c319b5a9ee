//! Signs of life: that runs give them, and that `prune` heeds them.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use ringfence::cluster::Source;
use ringfence::cluster::Stages;
use ringfence::cluster::kubernetes::owner::RunId;
use ringfence::cluster::kubernetes::{
    BEAT, KubernetesSource, Options, SILENCE, Scope, prune, under_way,
};

use crate::Outcome;
use crate::bed::{Bed, close, share};
use crate::town::{all_open, town};

/// How long a sign is waited for.
const LONG: Duration = Duration::from_secs(30);

/// The namespace of a run that shows that it is under way.
fn name(run: &RunId) -> String {
    format!("rf-{run}-alive")
}

fn beat(namespace: &Namespace) -> u64 {
    namespace.annotations().get(BEAT).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Waits until a run has given so many signs more.
async fn beats(bed: &Bed, run: &RunId, more: u64) -> Namespace {
    let api: Api<Namespace> = Api::all(bed.client.clone());
    let enough = beat(&api.get(&name(run)).await.expect("it has a namespace for it")) + more;
    let reached = |found: Option<&Namespace>| found.is_some_and(|found| beat(found) >= enough);
    let found = tokio::time::timeout(LONG, await_condition(api, &name(run), reached)).await;
    let found = found.unwrap_or_else(|_| panic!("expected {more} signs of life within {LONG:?}"));
    found.expect("it can be watched").expect("it is there")
}

async fn ready(
    bed: &Bed,
    beat: Duration,
) -> Result<KubernetesSource, ringfence::cluster::ClusterError> {
    let source = bed.source(Options { beat, ..bed.options() }).await?;
    source.prepare(&Stages::silent()).await?;
    Ok(source)
}

pub(crate) async fn a_run_shows_that_it_is_under_way(bed: Bed) -> Outcome {
    // Times in objects are whole seconds.
    let source = ready(&bed, Duration::from_millis(1100)).await?;
    let run = source.run().clone();
    let shown = beats(&bed, &run, 2).await;
    let entries = shown.metadata.managed_fields.iter().flatten();
    let last = entries.filter_map(|entry| entry.time.as_ref()).max_by_key(|time| time.0);
    assert!(
        last.map(|time| time.0) > shown.creation_timestamp().map(|time| time.0),
        "expected the server to note when it was changed last, found {shown:#?}"
    );
    let alive = under_way(&bed.own_client().await?).await?;
    let own = alive.iter().find(|alive| alive.run == run);
    assert!(own.is_some_and(|own| own.ago < SILENCE), "expected `{run}` in {alive:?}");
    close(&bed, &source).await?;
    let alive = under_way(&bed.own_client().await?).await?;
    assert!(alive.iter().all(|alive| alive.run != run), "{alive:?}");
    Ok(())
}

pub(crate) async fn prune_leaves_living_runs_alone(bed: Bed) -> Outcome {
    let living = ready(&bed, Duration::from_millis(50)).await?;
    let mut cluster = share(&living).await?;
    let deployed = cluster.deploy(&town(), 2, &[]).await?;
    // A run that was killed gives no sign any more; what it made before stays.
    let killed = ready(&bed, Duration::from_secs(24 * 60 * 60)).await?;
    let mut lost = share(&killed).await?;
    lost.deploy(&town(), 1, &[]).await?;
    let (run, ended) = (living.run().clone(), killed.run().clone());
    std::mem::forget((lost, killed));

    let client = bed.own_client().await?;
    let pruned = prune(&client, &Scope::Ended).await?;
    assert!(pruned.removed.is_empty(), "both have just begun: {pruned:?}");
    assert_eq!(pruned.alive.len(), 2);

    // On the server it is later than here: whatever it has not dated since is old.
    bed.fake().advance(2 * SILENCE);
    let mut left = bed.left_of(&ended).await;
    let kept = bed.left_of(&run).await;
    assert!(left.len() > 1 && kept.len() > 1);
    beats(&bed, &run, 2).await;
    let mut pruned = prune(&client, &Scope::Ended).await?;
    pruned.removed.sort();
    left.sort();
    assert_eq!(pruned.removed, left);
    let alive: Vec<&RunId> = pruned.alive.iter().map(|alive| &alive.run).collect();
    assert_eq!(alive, [&run]);
    assert!(pruned.alive[0].ago < SILENCE / 2, "{pruned:?}");
    assert_eq!(bed.left_of(&run).await, kept);
    all_open(&mut *cluster, &deployed).await?;

    // By its name it goes all the same.
    let mut pruned = prune(&client, &Scope::Run(run.clone())).await?;
    pruned.removed.sort();
    assert_eq!(pruned.removed, kept);
    assert!(pruned.alive.is_empty() && bed.left_of(&run).await.is_empty());
    drop(cluster);
    close(&bed, &living).await
}
