//! A cluster that a run is on: its API, what it shows of the run's objects, and its nodes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::{Asked, Calls, Failed, asked};
use super::mirror::{Key, Mirror};
use super::node::{NodeFacts, closed, schedulable};
use super::options::Options;
use super::owner::{MANAGER, Owner, RunId, run_selector};
use crate::cluster::ClusterError;

/// What slots share.
pub(super) struct Site {
    pub(super) client: Client,
    pub(super) options: Options,
    pub(super) calls: Calls,
    pub(super) namespaces: Mirror<core::Namespace>,
    pub(super) pods: Mirror<core::Pod>,
    pub(super) policies: Mirror<NetworkPolicy>,
    /// Those that take pods.
    pub(super) nodes: Vec<NodeFacts>,
    /// The version of the API server, such as `v1.36.2`.
    pub(super) version: String,
}

/// A kind of object that the run makes: its resource as roles name it.
pub(super) trait Kind:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
    const RESOURCE: &'static str;
}

impl Kind for core::Namespace {
    const RESOURCE: &'static str = "namespaces";
}
impl Kind for core::Pod {
    const RESOURCE: &'static str = "pods";
}
impl Kind for core::Service {
    const RESOURCE: &'static str = "services";
}
impl Kind for core::Secret {
    const RESOURCE: &'static str = "secrets";
}
impl Kind for NetworkPolicy {
    const RESOURCE: &'static str = "networkpolicies.networking.k8s.io";
}

impl Site {
    /// Asks the cluster who it is, and begins to follow the run's objects.
    pub(super) async fn open(
        client: Client,
        options: Options,
        run: &RunId,
    ) -> Result<Self, ClusterError> {
        let calls = Calls::new(options.deadlines.call);
        let version = asked("get", "/version", "");
        let version = calls.call(version, || client.apiserver_version()).await?.git_version;
        let all: Api<core::Node> = Api::all(client.clone());
        let params = ListParams::default();
        let found = calls.call(asked("list", "nodes", ""), || all.list(&params)).await?;
        let nodes = schedulable(&found.items);
        if nodes.is_empty() {
            let reasons: Vec<String> = found
                .items
                .iter()
                .filter_map(|node| Some(format!("`{}` {}", node.name_any(), closed(node)?)))
                .collect();
            let found = if reasons.is_empty() { "no node".to_owned() } else { reasons.join(", ") };
            return Err(ClusterError::Unsupported(format!(
                "expected nodes that take pods in `{}`, found: {found}",
                options.name
            )));
        }
        let selector = run_selector(run);
        Ok(Self {
            namespaces: follow(&client, &selector),
            pods: follow(&client, &selector),
            policies: follow(&client, &selector),
            client,
            options,
            calls,
            nodes,
            version,
        })
    }

    /// Creates an object; one that is there already and the slot's own is taken for it,
    /// since the answer to an earlier try may have got lost.
    ///
    /// # Errors
    /// Where there is one that is not the slot's: it is left alone.
    pub(super) async fn create<K: Kind>(
        &self,
        api: &Api<K>,
        object: &K,
        owner: &Owner,
    ) -> Result<K, ClusterError> {
        self.ensure(api, object, |labels| owner.owns(labels)).await
    }

    /// As [`Site::create`], for an object that is the run's own by these labels.
    pub(super) async fn ensure<K: Kind>(
        &self,
        api: &Api<K>,
        object: &K,
        owns: impl FnOnce(Option<&BTreeMap<String, String>>) -> bool,
    ) -> Result<K, ClusterError> {
        match self.make(api, object).await {
            Ok(made) => return Ok(made),
            Err(Failed::Exists(_)) => {}
            Err(other) => return Err(other.into()),
        }
        let name = label(object);
        let get = asked("get", K::RESOURCE, &name);
        let own_name = object.name_any();
        let there = self.calls.call(get, || api.get(&own_name)).await?;
        if owns(there.meta().labels.as_ref()) && there.meta().deletion_timestamp.is_none() {
            return Ok(there);
        }
        Err(ClusterError::Other(anyhow::anyhow!(
            "expected no `{name}` among the {} of the cluster, found one that this run did not make: it is left alone; delete it if nobody needs it, or run again for other names",
            K::RESOURCE
        )))
    }

    /// Creates an object.
    ///
    /// # Errors
    /// Also where there is one of its name, whosever that is.
    pub(super) async fn make<K: Kind>(&self, api: &Api<K>, object: &K) -> Result<K, Failed> {
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
        let create = asked("create", K::RESOURCE, label(object));
        self.calls.call(create, || api.create(&params, object)).await
    }

    /// Deletes an object if it is still the one of this `uid`; returns when the API has
    /// accepted it, which is before it is gone.
    pub(super) async fn delete<K: Kind>(
        &self,
        api: &Api<K>,
        name: &str,
        uid: &str,
    ) -> Result<(), ClusterError> {
        let uid = Some(uid.to_owned());
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        match self
            .calls
            .call(asked("delete", K::RESOURCE, name), || api.delete(name, &params))
            .await
        {
            Ok(_) | Err(Failed::Missing(_)) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    /// Changes an object's labels if it is still the one of this `uid`.
    pub(super) async fn merge<K: Kind>(
        &self,
        api: &Api<K>,
        name: &str,
        patch: &Value,
    ) -> Result<K, ClusterError> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
        let patch = Patch::Merge(patch);
        let ask = asked("patch", K::RESOURCE, name);
        Ok(self.calls.call(ask, || api.patch(name, &params, &patch)).await?)
    }

    /// Waits until the API shows no object of these names and identities.
    pub(super) async fn gone<K: Kind>(
        &self,
        mirror: &Mirror<K>,
        objects: &[(Key, String)],
    ) -> Result<(), ClusterError> {
        let deadline = self.options.deadlines.gone;
        let still = |shown: &BTreeMap<Key, K>| -> Vec<String> {
            let there = objects.iter().filter(|(key, uid)| {
                shown.get(key).is_some_and(|object| object.meta().uid.as_ref() == Some(uid))
            });
            there.map(|(key, _)| format!("`{}`", path(key))).collect()
        };
        let what = || format!("{} {} to be gone", K::RESOURCE, mirror.look(still).join(", "));
        mirror.until(what, deadline, |shown| still(shown).is_empty().then_some(Ok(()))).await
    }

    /// How long a call may take.
    pub(super) fn call_deadline(&self) -> Duration {
        self.options.deadlines.call
    }
}

fn follow<K: Kind>(client: &Client, selector: &str) -> Mirror<K> {
    let ask: Asked = asked("watch", K::RESOURCE, "");
    Mirror::start(Api::all(client.clone()), ask, selector)
}

fn label<K: Resource>(object: &K) -> String {
    path(&(object.namespace().unwrap_or_default(), object.name_any()))
}

/// `namespace/name`, or the name of what is in no namespace.
pub(super) fn path((namespace, name): &Key) -> String {
    if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") }
}
