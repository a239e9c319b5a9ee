//! Policies of the cluster's scope that are a slot's: applied, replaced, and deleted.

use std::collections::BTreeMap;

use anyhow::anyhow;

use super::call::{Denied, Failed};
use super::rewrite::{self, Rewritten};
use super::site::Site;
use super::slot::Slot;
use super::tier::Followed;
use crate::cluster::ClusterError;
use crate::model::{ClusterPolicy, ClusterPolicyApi, ClusterPolicyName, Name};

impl Slot {
    /// Applies a policy of the cluster and waits until the API shows it; returns where it
    /// differs from what was written. `hosts` are the nodes' hostnames by the scenario's names.
    ///
    /// # Errors
    /// Also where there is one of that name which is not the slot's: it is left alone.
    pub(super) async fn apply_cluster_policy(
        &self,
        policy: &ClusterPolicy,
        hosts: &BTreeMap<Name, Name>,
    ) -> Result<Vec<String>, ClusterError> {
        let kind = self.kind(policy.api())?;
        let name = rewrite::cluster::name(&policy.name, &self.naming);
        let Rewritten { manifest, sentences } =
            rewrite::cluster::policy(policy, &self.naming, &self.owner, hosts);
        kind.apply(&self.site, &self.owner, &name, &manifest).await?;
        Ok(sentences)
    }

    /// Asks whether the API server would take a policy of the cluster, before anything is made
    /// for it.
    ///
    /// # Errors
    /// [`ClusterError::Unsupported`] where the resource that it has lacks a field.
    pub(super) async fn rehearse_cluster_policy(
        &self,
        policy: &ClusterPolicy,
    ) -> Result<(), ClusterError> {
        let kind = self.kind(policy.api())?;
        let name = rewrite::cluster::name(&policy.name, &self.naming);
        let hosts = BTreeMap::new();
        let rewritten = rewrite::cluster::policy(policy, &self.naming, &self.owner, &hosts);
        match kind.rehearse(&self.site, &name, &rewritten.manifest).await {
            Err(Failed::Cluster(ClusterError::Other(error))) => match error.downcast_ref() {
                Some(Denied::Field { message, .. }) => {
                    Err(ClusterError::Unsupported(lacks(policy.api(), message, &self.site)))
                }
                _ => Err(ClusterError::Other(error)),
            },
            answer => Ok(answer?),
        }
    }

    /// Deletes a policy of the cluster and waits until it is gone.
    pub(super) async fn delete_cluster_policy(
        &self,
        policy: &ClusterPolicyName,
    ) -> Result<(), ClusterError> {
        let name = rewrite::cluster::name(policy, &self.naming);
        // Every version shows it, also the one that it was not written in.
        for (_, kind) in self.tier.all().filter(|(api, _)| api.kind() == policy.kind) {
            kind.withdraw(&self.site, &self.owner, Some(&name)).await?;
        }
        Ok(())
    }

    /// Deletes every policy of the cluster that is the slot's, and waits until they are gone.
    pub(super) async fn lift_cluster_policies(&self) -> Result<(), ClusterError> {
        for (_, kind) in self.tier.all() {
            kind.withdraw(&self.site, &self.owner, None).await?;
        }
        Ok(())
    }

    fn kind(&self, api: ClusterPolicyApi) -> Result<&dyn Followed, ClusterError> {
        let kind = self.tier.kind(api);
        // A run asks before whether the cluster can be given it.
        kind.ok_or_else(|| {
            anyhow!("expected a cluster that can be given a {api}, found one that cannot").into()
        })
    }
}

/// That a kind lacks a field here, in words that are the same for every scenario with it.
fn lacks(api: ClusterPolicyApi, message: &str, site: &Site) -> String {
    let path = message.split_once(": field not declared").map_or(message, |(path, _)| path);
    let field = path.rsplit('.').next().unwrap_or(path);
    format!(
        "the {api} that `{}` serves has no field `{field}`: the CustomResourceDefinition of the experimental channel may have it",
        site.options.name
    )
}
