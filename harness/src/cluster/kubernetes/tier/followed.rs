//! One kind of policies of the cluster's scope, whichever it is: what stands, and changes of it.

use async_trait::async_trait;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::super::apply::Shelf;
use super::super::call::{Failed, asked};
use super::super::mirror::{Key, Mirror};
use super::super::owner::{Owner, RunId, run_of};
use super::super::site::{Kind, Site};
use super::super::stored::stored;
use super::object::{Object, Served, Visitor, visit};
use crate::cluster::{Artifact, ClusterError};
use crate::model::{ClusterPolicyApi, ClusterPolicyName};

/// A policy that stands on the cluster and is not this run's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Other {
    /// What it is called.
    pub(in super::super) name: ClusterPolicyName,
    /// The run that made it; `None`: somebody else did.
    pub(in super::super) run: Option<RunId>,
}

/// A kind in one version, and all objects of it that the cluster has.
#[async_trait]
pub(in super::super) trait Followed: Send + Sync {
    /// Waits until it is known what stands.
    async fn known(&self, site: &Site) -> Result<(), ClusterError>;

    /// What stands now and is not this run's.
    fn others(&self, run: &RunId) -> Vec<Other>;

    /// Applies a manifest.
    async fn apply(
        &self,
        site: &Site,
        owner: &Owner,
        name: &str,
        manifest: &Value,
    ) -> Result<(), ClusterError>;

    /// Asks whether a manifest would be taken, and applies nothing.
    async fn rehearse(&self, site: &Site, name: &str, manifest: &Value) -> Result<(), Failed>;

    /// Deletes the owner's policy of this name, or all of the owner's, and waits until they are
    /// gone.
    async fn withdraw(
        &self,
        site: &Site,
        owner: &Owner,
        name: Option<&str>,
    ) -> Result<(), ClusterError>;

    /// The owner's policies as they are stored.
    fn stored(&self, owner: &Owner) -> Vec<Artifact>;
}

/// Follows every object of a kind, whosever it is.
pub(super) fn follow(client: &Client, api: ClusterPolicyApi) -> Box<dyn Followed> {
    visit(api, Follow { client })
}

struct Follow<'a> {
    client: &'a Client,
}

impl Visitor for Follow<'_> {
    type Output = Box<dyn Followed>;

    fn visit<T: Served>(self) -> Self::Output {
        let api: Api<Object<T>> = Api::all(self.client.clone());
        let ask = asked("watch", <Object<T> as Kind>::RESOURCE, "");
        Box::new(Mirrored { mirror: Mirror::start(api.clone(), ask, ""), api })
    }
}

struct Mirrored<T: Served> {
    api: Api<Object<T>>,
    mirror: Mirror<Object<T>>,
}

fn key(name: &str) -> Key {
    (String::new(), name.to_owned())
}

#[async_trait]
impl<T: Served> Followed for Mirrored<T> {
    async fn known(&self, site: &Site) -> Result<(), ClusterError> {
        let what = || format!("the API server to list {}", <Object<T> as Kind>::RESOURCE);
        self.mirror.until(what, site.call_deadline(), |_| Some(Ok(()))).await
    }

    fn others(&self, run: &RunId) -> Vec<Other> {
        self.mirror.look(|shown| {
            let runs = shown.values().map(|it| (it.name_any(), run_of(Some(it.labels()))));
            let others = runs.filter(|(_, of)| of.as_ref() != Some(run));
            let name = |name: &str| ClusterPolicyName::new(T::API.kind(), name);
            others.map(|(other, run)| Other { name: name(&other), run }).collect()
        })
    }

    async fn apply(
        &self,
        site: &Site,
        owner: &Owner,
        name: &str,
        manifest: &Value,
    ) -> Result<(), ClusterError> {
        let shelf = Shelf { api: self.api.clone(), mirror: &self.mirror };
        site.apply(shelf, &key(name), manifest, owner).await
    }

    async fn rehearse(&self, site: &Site, name: &str, manifest: &Value) -> Result<(), Failed> {
        site.rehearse(&self.api, &key(name), manifest).await
    }

    async fn withdraw(
        &self,
        site: &Site,
        owner: &Owner,
        name: Option<&str>,
    ) -> Result<(), ClusterError> {
        let wanted = |(_, there): &Key| name.is_none_or(|name| name == there);
        site.withdraw(&self.mirror, owner, wanted, |_| self.api.clone()).await
    }

    fn stored(&self, owner: &Owner) -> Vec<Artifact> {
        self.mirror.look(|shown| {
            let own = shown.values().filter(|it| owner.owns(Some(it.labels())));
            own.map(|it| stored("cluster-policies", it)).collect()
        })
    }
}
