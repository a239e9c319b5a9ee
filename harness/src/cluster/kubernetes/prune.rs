//! Removes what runs left on a cluster.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, ResourceExt};

use super::call::{Calls, Failed, asked, words};
use super::life::{Alive, alive, server_time};
use super::mirror::{Key, Mirror};
use super::options::Deadlines;
use super::owner::{RunId, any_run_selector, run_of, run_selector};
use crate::cluster::{ClusterError, TeardownError};

/// Whose namespaces are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of one run, also if it is under way.
    Run(RunId),
    /// Those of every run that gives no sign of life.
    Ended,
}

/// What was removed, and what was left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The names of namespaces.
    pub removed: Vec<String>,
    /// The runs that are under way, whose namespaces are still there.
    pub alive: Vec<Alive>,
}

/// Deletes every namespace of a run, or of all runs that have ended, with all that is in them,
/// and waits until they are gone. Only what carries a run's labels is touched, and only while it
/// is still the object that was found.
///
/// # Errors
/// A [`TeardownError`] within [`ClusterError::Other`] that names what remains.
pub async fn prune(client: &Client, scope: &Scope) -> Result<Pruned, ClusterError> {
    prune_within(client, scope, Deadlines::default()).await
}

/// The runs that are under way on a cluster.
///
/// # Errors
/// Where the API server does not list namespaces, or not say what time it is.
pub async fn under_way(client: &Client) -> Result<Vec<Alive>, ClusterError> {
    let calls = Calls::new(Deadlines::default().call);
    // The time first: a run does not get older by how long the list takes.
    let now = server_time(client, &calls).await?;
    Ok(alive(&listed(client, &calls, any_run_selector()).await?, now))
}

/// As [`prune`], within these deadlines.
pub(super) async fn prune_within(
    client: &Client,
    scope: &Scope,
    deadlines: Deadlines,
) -> Result<Pruned, ClusterError> {
    let calls = Calls::new(deadlines.call);
    let mut pruned = Pruned::default();
    let (selector, runs) = match scope {
        Scope::Run(run) => (run_selector(run), BTreeSet::from([run.clone()])),
        Scope::Ended => {
            let now = server_time(client, &calls).await?;
            let found = listed(client, &calls, any_run_selector()).await?;
            pruned.alive = alive(&found, now);
            let lives = |run: &RunId| pruned.alive.iter().any(|alive| alive.run == *run);
            let runs = found.iter().filter_map(of).filter(|run| !lives(run)).collect();
            (any_run_selector().to_owned(), runs)
        }
    };
    pruned.removed = pass(client, &calls, &selector, &runs, deadlines).await?;
    if !pruned.removed.is_empty() {
        // What was just being made when the run was interrupted appears a moment later.
        pruned.removed.extend(pass(client, &calls, &selector, &runs, deadlines).await?);
    }
    Ok(pruned)
}

/// The namespaces that a selector finds now.
async fn listed(
    client: &Client,
    calls: &Calls,
    selector: &str,
) -> Result<Vec<Namespace>, ClusterError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let params = ListParams::default().labels(selector);
    Ok(calls.call(asked("list", "namespaces", ""), || api.list(&params)).await?.items)
}

/// The run that a namespace belongs to.
fn of(namespace: &Namespace) -> Option<RunId> {
    run_of(namespace.metadata.labels.as_ref())
}

/// Deletes the namespaces that these runs have now.
async fn pass(
    client: &Client,
    calls: &Calls,
    selector: &str,
    runs: &BTreeSet<RunId>,
    deadlines: Deadlines,
) -> Result<Vec<String>, ClusterError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let found = listed(client, calls, selector).await?.into_iter();
    let ours = found.filter(|namespace| of(namespace).is_some_and(|run| runs.contains(&run)));
    let ours: BTreeMap<String, String> =
        ours.map(|namespace| (namespace.name_any(), namespace.uid().unwrap_or_default())).collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let deleted = ours.iter().map(|(name, uid)| delete(calls, &api, name, uid));
    let deleted = futures_util::future::join_all(deleted).await;
    let mut remains: Vec<String> = deleted.into_iter().filter_map(Result::err).collect();
    let mirror = Mirror::start(api.clone(), asked("watch", "namespaces", ""), selector);
    let still = |shown: &BTreeMap<Key, Namespace>| -> Vec<String> {
        let there = shown.values().filter(|it| ours.get(&it.name_any()) == it.uid().as_ref());
        there.map(remaining).collect()
    };
    let gone = mirror.until(
        || "the run's namespaces to be gone".to_owned(),
        deadlines.gone,
        |shown| still(shown).is_empty().then_some(Ok(())),
    );
    // Where a namespace could not be deleted, there is nothing to wait for.
    if remains.is_empty()
        && let Err(error) = gone.await
    {
        remains = mirror.look(still);
        if remains.is_empty() {
            remains.push(words(&error));
        } else {
            let last = remains.len() - 1;
            remains[last] += &format!(" ({})", words(&error));
        }
    }
    if remains.is_empty() {
        Ok(ours.keys().cloned().collect())
    } else {
        Err(ClusterError::Other(TeardownError(remains).into()))
    }
}

async fn delete(calls: &Calls, api: &Api<Namespace>, name: &str, uid: &str) -> Result<(), String> {
    let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::default() };
    match calls.call(asked("delete", "namespaces", name), || api.delete(name, &params)).await {
        Ok(_) | Err(Failed::Missing(_)) => Ok(()),
        Err(other) => Err(format!("namespace `{name}`: {}", words(&ClusterError::from(other)))),
    }
}

/// A namespace that remains, and what the API says keeps it.
fn remaining(namespace: &Namespace) -> String {
    let conditions = namespace.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let why = conditions
        .filter(|condition| condition.status == "True")
        .filter_map(|condition| condition.message.as_deref())
        .collect::<Vec<_>>()
        .join("; ");
    let name = namespace.name_any();
    if why.is_empty() {
        format!("namespace `{name}`")
    } else {
        format!("namespace `{name}`: {why}")
    }
}
