//! Removes what runs left on a cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, ResourceExt};

use super::call::{Calls, Failed, asked, words};
use super::mirror::{Key, Mirror};
use super::options::Deadlines;
use super::owner::{RunId, any_run_selector, run_of, run_selector};
use crate::cluster::{ClusterError, TeardownError};

/// Deletes every namespace of a run, or of all runs, with all that is in them, and waits
/// until they are gone. Returns their names. Only what carries a run's labels is touched,
/// and only while it is still the object that was found.
///
/// # Errors
/// A [`TeardownError`] within [`ClusterError::Other`] that names what remains.
pub async fn prune(client: &Client, run: Option<&RunId>) -> Result<Vec<String>, ClusterError> {
    prune_within(client, run, Deadlines::default()).await
}

/// As [`prune`], within these deadlines.
pub(super) async fn prune_within(
    client: &Client,
    run: Option<&RunId>,
    deadlines: Deadlines,
) -> Result<Vec<String>, ClusterError> {
    let calls = Calls::new(deadlines.call);
    let api: Api<Namespace> = Api::all(client.clone());
    let selector = run.map_or_else(|| any_run_selector().to_owned(), run_selector);
    let params = ListParams::default().labels(&selector);
    let list = asked("list", "namespaces", "");
    let found = calls.call(list, || api.list(&params)).await?;
    let ours = found.items.into_iter().filter(|namespace| {
        run_of(namespace.metadata.labels.as_ref())
            .is_some_and(|of| run.is_none_or(|run| *run == of))
    });
    let ours: BTreeMap<String, String> =
        ours.map(|namespace| (namespace.name_any(), namespace.uid().unwrap_or_default())).collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let deleted = ours.iter().map(|(name, uid)| delete(&calls, &api, name, uid));
    let deleted = futures_util::future::join_all(deleted).await;
    let mut remains: Vec<String> = deleted.into_iter().filter_map(Result::err).collect();
    let mirror = Mirror::start(api.clone(), asked("watch", "namespaces", ""), &selector);
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
