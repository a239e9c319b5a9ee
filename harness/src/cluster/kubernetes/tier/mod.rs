//! Policies of the cluster's scope (`policy.networking.k8s.io`) on a cluster.
//!
//! They are in no namespace, so what keeps them to a run is their subject
//! ([`super::rewrite::cluster`]), and what keeps others' from deciding the run's connections
//! is that none may stand there. Both are told before anything of a scenario is made.

mod followed;
mod object;

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;

use super::call::{Calls, asked};
use super::owner::{Owner, RunId};
use super::site::Site;
use crate::cluster::{Artifact, ClusterError};
use crate::model::{CLUSTER_POLICY_GROUP, ClusterPolicyApi, ClusterPolicyKind, ClusterPolicyName};

pub(super) use followed::Followed;
use followed::{Other, follow};
pub(super) use object::{Object, Served, Visitor, visit};

/// How many of others' policies a message names.
const NAMED: usize = 5;

/// What the cluster can be given of the tier, and what stands there.
#[derive(Default)]
pub(super) struct Tier {
    kinds: BTreeMap<ClusterPolicyApi, Box<dyn Followed>>,
    /// What it cannot be given and why, in sentences.
    missing: Vec<String>,
}

impl Tier {
    /// Asks which kinds the API server serves, and begins to follow them, where the run may
    /// make any.
    ///
    /// # Errors
    /// That the API server does not say, or not list what stands.
    pub(super) async fn open(site: &Site) -> Result<Self, ClusterError> {
        if !site.options.cluster_scoped() {
            let why = "no policies of the cluster: making any needs `--allow-cluster-scoped`";
            return Ok(Self { missing: vec![why.to_owned()], ..Self::default() });
        }
        let served = served(&site.client, &site.calls).await?;
        if served.is_empty() {
            let why = format!(
                "no policies of the cluster: the API server serves no `{CLUSTER_POLICY_GROUP}`, whose CustomResourceDefinitions come with a network plugin or from https://network-policy-api.sigs.k8s.io/getting-started/"
            );
            return Ok(Self { missing: vec![why], ..Self::default() });
        }
        let there: Vec<String> = served.iter().map(|api| format!("`{api}`")).collect();
        let lacks = ClusterPolicyApi::ALL.into_iter().filter(|api| !served.contains(api));
        let missing = lacks.map(|api| {
            let there = there.join(", ");
            format!("no {api}: of `{CLUSTER_POLICY_GROUP}` the API server serves {there}")
        });
        let missing = missing.collect();
        let kinds: BTreeMap<_, _> =
            served.into_iter().map(|api| (api, follow(&site.client, api))).collect();
        for kind in kinds.values() {
            kind.known(site).await?;
        }
        Ok(Self { kinds, missing })
    }

    /// What the cluster can be given.
    pub(super) fn kinds(&self) -> BTreeSet<ClusterPolicyApi> {
        self.kinds.keys().copied().collect()
    }

    /// A kind that it can be given.
    pub(super) fn kind(&self, api: ClusterPolicyApi) -> Option<&dyn Followed> {
        self.kinds.get(&api).map(AsRef::as_ref)
    }

    /// Every kind that it can be given.
    pub(super) fn all(&self) -> impl Iterator<Item = (ClusterPolicyApi, &dyn Followed)> {
        self.kinds.iter().map(|(api, kind)| (*api, kind.as_ref()))
    }

    /// What it cannot be given and why, and what stands there that is not the run's, in
    /// sentences.
    pub(super) fn missing(&self, run: &RunId) -> Vec<String> {
        let others = self.foreign(run);
        let doubt = (!others.is_empty()).then(|| {
            format!("others' policies: {} may decide connections of every scenario", named(&others))
        });
        self.missing.iter().cloned().chain(doubt).collect()
    }

    /// Why a scenario that applies policies of these kinds cannot run now; `None` where it can.
    ///
    /// A policy of another run has that run's subjects alone. But there is only one
    /// BaselineAdminNetworkPolicy.
    pub(super) fn obstacle(
        &self,
        run: &RunId,
        kinds: &BTreeSet<ClusterPolicyKind>,
        name: &str,
    ) -> Option<String> {
        let foreign = self.foreign(run);
        if !foreign.is_empty() {
            return Some(format!(
                "expected no policies of the cluster on `{name}` but the run's own, found {}, which this run did not make: they may decide its connections, and are left alone; delete them if nobody needs them, or run on a cluster without them",
                named(&foreign)
            ));
        }
        let baseline = ClusterPolicyKind::BaselineAdminNetworkPolicy;
        let of_run = self.others(run).into_iter().find(|other| {
            other.name.kind == baseline && kinds.contains(&baseline) && other.run.is_some()
        });
        of_run.and_then(|Other { name: policy, run }| {
            let run = run?;
            Some(format!(
                "expected no `{policy}` on `{name}`, of which there can be one alone, found that of the run `{run}`: run again when that is over, or remove what it left with `ringfence clusters prune --on {name}`"
            ))
        })
    }

    /// What stands that no run made.
    fn foreign(&self, run: &RunId) -> Vec<ClusterPolicyName> {
        let others = self.others(run).into_iter();
        others.filter(|other| other.run.is_none()).map(|other| other.name).collect()
    }

    /// What stands and is not this run's, in order. Two versions of a kind show the same.
    fn others(&self, run: &RunId) -> BTreeSet<Other> {
        self.kinds.values().flat_map(|kind| kind.others(run)).collect()
    }

    /// A slot's policies as they are stored.
    pub(super) fn stored(&self, owner: &Owner) -> Vec<Artifact> {
        self.kinds.values().flat_map(|kind| kind.stored(owner)).collect()
    }
}

/// The first few names.
fn named(policies: &[ClusterPolicyName]) -> String {
    let mut words: Vec<String> =
        policies.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    if policies.len() > NAMED {
        words.push(format!("{} more", policies.len() - NAMED));
    }
    words.join(", ")
}

/// Which kinds the API server serves, in which versions.
pub(super) async fn served(
    client: &Client,
    calls: &Calls,
) -> Result<BTreeSet<ClusterPolicyApi>, ClusterError> {
    let groups = calls.call(asked("get", "/apis", ""), || client.list_api_groups()).await?.groups;
    let group = groups.into_iter().find(|group| group.name == CLUSTER_POLICY_GROUP);
    let mut served = BTreeSet::new();
    for version in group.into_iter().flat_map(|group| group.versions) {
        let known: Vec<ClusterPolicyApi> = ClusterPolicyApi::ALL
            .into_iter()
            .filter(|api| api.version().as_str() == version.version)
            .collect();
        if known.is_empty() {
            continue;
        }
        let version = &version.group_version;
        let list = asked("get", "/apis", version);
        let list = calls.call(list, || client.list_api_group_resources(version)).await?;
        let there = |api: &ClusterPolicyApi| {
            list.resources.iter().any(|resource| resource.name == object::plural(api.kind()))
        };
        served.extend(known.into_iter().filter(there));
    }
    Ok(served)
}
