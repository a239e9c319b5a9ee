//! Removes what runs left on a cluster: policies of its scope, then namespaces.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};

use super::call::{Calls, Denied, Failed, asked, words};
use super::life::{Alive, alive, server_time};
use super::mirror::{Key, Mirror};
use super::options::Deadlines;
use super::owner::{RunId, any_run_selector, run_of, run_selector};
use super::site::Kind;
use super::tier::{Object, Served, Visitor, served, visit};
use crate::cluster::{ClusterError, TeardownError};
use crate::model::ClusterPolicyApi;

/// Whose objects are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of one run, also if it is under way.
    Run(RunId),
    /// Those of every run that gives no sign of life.
    Ended,
}

/// Where is looked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Among namespaces: the run makes nothing beside them.
    Namespaces,
    /// Among policies of the cluster too.
    Cluster,
    /// As far as the account may see.
    Sight,
}

/// What was removed, and what was left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The names of namespaces.
    pub removed: Vec<String>,
    /// Policies of the cluster's scope, as `AdminNetworkPolicy/NAME`.
    pub policies: Vec<String>,
    /// The runs that are under way, whose objects are still there.
    pub alive: Vec<Alive>,
    /// Why it is not known whether policies of the cluster's scope are there.
    pub unseen: Option<String>,
}

/// Deletes every policy of the cluster's scope and every namespace, with all that is in it, of a
/// run, or of all runs that have ended, and waits until they are gone. Only what carries a run's
/// labels is touched, and only while it is still the object that was found.
///
/// # Errors
/// A [`TeardownError`] within [`ClusterError::Other`] that names what remains.
pub async fn prune(client: &Client, scope: &Scope) -> Result<Pruned, ClusterError> {
    prune_within(client, scope, Deadlines::default(), Reach::Sight).await
}

/// The runs that are under way on a cluster.
///
/// # Errors
/// Where the API server does not list namespaces, or not say what time it is.
pub async fn under_way(client: &Client) -> Result<Vec<Alive>, ClusterError> {
    let calls = Calls::new(Deadlines::default().call);
    // The time first: a run does not get older by how long the list takes.
    let now = server_time(client, &calls).await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    Ok(alive(&listed(&namespaces, &calls, any_run_selector()).await?, now))
}

/// As [`prune`], within these deadlines, and no further than this.
pub(super) async fn prune_within(
    client: &Client,
    scope: &Scope,
    deadlines: Deadlines,
    reach: Reach,
) -> Result<Pruned, ClusterError> {
    let calls = Calls::new(deadlines.call);
    let mut pruned = Pruned::default();
    let selector = match scope {
        Scope::Run(run) => run_selector(run),
        Scope::Ended => any_run_selector().to_owned(),
    };
    let mut sweep = Sweep {
        client,
        calls: &calls,
        selector,
        runs: BTreeSet::new(),
        kinds: Vec::new(),
        deadlines,
    };
    let now = match scope {
        Scope::Run(_) => None,
        Scope::Ended => Some(server_time(client, &calls).await?),
    };
    // Before the namespaces: a run that begins meanwhile has one before it has policies.
    let found = match reach {
        Reach::Namespaces => BTreeSet::new(),
        Reach::Cluster => sweep.look().await?,
        Reach::Sight => match sweep.look().await {
            Err(ClusterError::Other(error))
                if matches!(error.downcast_ref(), Some(Denied::Rights { .. })) =>
            {
                pruned.unseen = Some(error.to_string());
                BTreeSet::new()
            }
            found => found?,
        },
    };
    sweep.runs = match (scope, now) {
        (Scope::Ended, Some(now)) => {
            let namespaces: Api<Namespace> = Api::all(client.clone());
            let there = listed(&namespaces, &calls, &sweep.selector).await?;
            pruned.alive = alive(&there, now);
            let lives = |run: &RunId| pruned.alive.iter().any(|alive| alive.run == *run);
            found.into_iter().chain(there.iter().filter_map(of)).filter(|run| !lives(run)).collect()
        }
        (Scope::Run(run), _) => [run.clone()].into(),
        (Scope::Ended, None) => BTreeSet::new(),
    };
    let (policies, namespaces) = sweep.pass().await?;
    if !policies.is_empty() || !namespaces.is_empty() {
        // What was just being made when the run was interrupted appears a moment later.
        let later = sweep.pass().await?;
        pruned.policies.extend(later.0);
        pruned.removed.extend(later.1);
    }
    pruned.policies.splice(..0, policies);
    pruned.removed.splice(..0, namespaces);
    Ok(pruned)
}

/// The objects that a selector finds now.
async fn listed<K: Kind>(
    api: &Api<K>,
    calls: &Calls,
    selector: &str,
) -> Result<Vec<K>, ClusterError> {
    let params = ListParams::default().labels(selector);
    Ok(calls.call(asked("list", K::RESOURCE, ""), || api.list(&params)).await?.items)
}

/// The run that an object belongs to.
fn of(object: &impl Resource) -> Option<RunId> {
    run_of(object.meta().labels.as_ref())
}

/// What is looked through for what runs left.
struct Sweep<'a> {
    client: &'a Client,
    calls: &'a Calls,
    selector: String,
    /// Whose objects go.
    runs: BTreeSet<RunId>,
    /// The kinds of policies of the cluster's scope that there are and that may be seen, each in
    /// one version.
    kinds: Vec<ClusterPolicyApi>,
    deadlines: Deadlines,
}

impl Sweep<'_> {
    /// Finds out which kinds there are, and which runs have policies of them.
    async fn look(&mut self) -> Result<BTreeSet<RunId>, ClusterError> {
        let mut kinds: BTreeMap<_, ClusterPolicyApi> = BTreeMap::new();
        for api in served(self.client, self.calls).await? {
            kinds.entry(api.kind()).or_insert(api);
        }
        let mut runs = BTreeSet::new();
        for api in kinds.values() {
            runs.extend(visit(*api, Look(self)).await?);
        }
        self.kinds = kinds.into_values().collect();
        Ok(runs)
    }

    /// Deletes what there is now; returns the policies and the namespaces that went.
    async fn pass(&self) -> Result<(Vec<String>, Vec<String>), ClusterError> {
        let (mut policies, mut remains) = (Vec::new(), Vec::new());
        for api in &self.kinds {
            match visit(*api, Delete(self)).await {
                Ok(names) => policies.extend(names),
                Err(error) => remains.extend(left(error)),
            }
        }
        match self.delete_all::<Namespace>(&conditions).await {
            Ok(namespaces) if remains.is_empty() => return Ok((policies, namespaces)),
            Ok(_) => {}
            Err(error) => remains.extend(left(error)),
        }
        Err(ClusterError::Other(TeardownError(remains).into()))
    }

    /// Deletes the objects of a kind that the runs have now.
    async fn delete_all<K: Kind>(
        &self,
        why: &(dyn Fn(&K) -> String + Sync),
    ) -> Result<Vec<String>, ClusterError> {
        let Self { client, calls, selector, runs, deadlines, .. } = self;
        let api: Api<K> = Api::all((*client).clone());
        let found = listed(&api, calls, selector).await?.into_iter();
        let ours = found.filter(|object| of(object).is_some_and(|run| runs.contains(&run)));
        let ours: BTreeMap<String, String> =
            ours.map(|object| (object.name_any(), object.uid().unwrap_or_default())).collect();
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        let deleted = ours.iter().map(|(name, uid)| delete(calls, &api, name, uid));
        let deleted = futures_util::future::join_all(deleted).await;
        let mut remains: Vec<String> = deleted.into_iter().filter_map(Result::err).collect();
        let mirror = Mirror::start(api.clone(), asked("watch", K::RESOURCE, ""), selector);
        let still = |shown: &BTreeMap<Key, K>| -> Vec<String> {
            let there = shown.values().filter(|it| ours.get(&it.name_any()) == it.uid().as_ref());
            there.map(|object| remaining(object, why)).collect()
        };
        let gone = mirror.until(
            || format!("the run's {} to be gone", K::RESOURCE),
            deadlines.gone,
            |shown| still(shown).is_empty().then_some(Ok(())),
        );
        // Where one could not be deleted, there is nothing to wait for.
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
}

/// Finds the runs that have policies of a kind.
struct Look<'a>(&'a Sweep<'a>);

impl<'a> Visitor for Look<'a> {
    type Output = BoxFuture<'a, Result<Vec<RunId>, ClusterError>>;

    fn visit<T: Served>(self) -> Self::Output {
        let Self(Sweep { client, calls, selector, .. }) = self;
        Box::pin(async move {
            let api: Api<Object<T>> = Api::all((*client).clone());
            Ok(listed(&api, calls, selector).await?.iter().filter_map(of).collect())
        })
    }
}

/// Deletes the policies of a kind that the runs have now.
struct Delete<'a>(&'a Sweep<'a>);

impl<'a> Visitor for Delete<'a> {
    type Output = BoxFuture<'a, Result<Vec<String>, ClusterError>>;

    fn visit<T: Served>(self) -> Self::Output {
        Box::pin(async move {
            let names = self.0.delete_all::<Object<T>>(&finalizers).await?;
            let kind = T::API.kind();
            Ok(names.into_iter().map(|name| format!("{kind}/{name}")).collect())
        })
    }
}

/// What an error says is still there.
fn left(error: ClusterError) -> Vec<String> {
    match error {
        ClusterError::Other(error) => match error.downcast::<TeardownError>() {
            Ok(TeardownError(left)) => left,
            Err(other) => vec![words(other.as_ref())],
        },
        other => vec![words(&other)],
    }
}

async fn delete<K: Kind>(calls: &Calls, api: &Api<K>, name: &str, uid: &str) -> Result<(), String> {
    let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::default() };
    match calls.call(asked("delete", K::RESOURCE, name), || api.delete(name, &params)).await {
        Ok(_) | Err(Failed::Missing(_)) => Ok(()),
        Err(other) => {
            Err(format!("{} `{name}`: {}", singular::<K>(), words(&ClusterError::from(other))))
        }
    }
}

/// An object that remains, and what the API says keeps it.
fn remaining<K: Kind>(object: &K, why: &dyn Fn(&K) -> String) -> String {
    let (kind, name, why) = (singular::<K>(), object.name_any(), why(object));
    if why.is_empty() { format!("{kind} `{name}`") } else { format!("{kind} `{name}`: {why}") }
}

/// One object of a kind, in a word.
fn singular<K: Kind>() -> String {
    match K::RESOURCE {
        "namespaces" => "namespace".to_owned(),
        _ => K::kind(&()).into_owned(),
    }
}

/// What a namespace's conditions say keeps it.
fn conditions(namespace: &Namespace) -> String {
    let conditions = namespace.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|condition| condition.status == "True")
        .filter_map(|condition| condition.message.as_deref())
        .collect::<Vec<_>>()
        .join("; ")
}

/// Who has to let a policy go.
fn finalizers<T: Served>(policy: &Object<T>) -> String {
    match policy.finalizers() {
        [] => String::new(),
        keepers => format!("kept by the finalizers `{}`", keepers.join("`, `")),
    }
}
