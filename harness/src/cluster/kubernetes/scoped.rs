//! A scenario's policies of the cluster's scope: asked for, applied, and alone.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use futures_util::future::try_join_all;

use super::cluster::Kubernetes;
use crate::cluster::ClusterError;
use crate::model::{Change, ClusterPolicyName, Name};

impl Kubernetes {
    /// Asks, before anything is made for the scenario, whether the cluster takes its policies,
    /// and whether it has none that would decide beside them.
    ///
    /// # Errors
    /// [`ClusterError::Unsupported`] where it does not, or has.
    pub(super) async fn rehearse(&mut self) -> Result<(), ClusterError> {
        if let Some(why) = self.obstacle()? {
            return Err(ClusterError::Unsupported(why));
        }
        let policies = self.needs.cluster_policies.clone();
        let slot = self.slot()?;
        try_join_all(policies.iter().map(|policy| slot.rehearse_cluster_policy(policy))).await?;
        Ok(())
    }

    /// What stands on the cluster now beside the scenario's policies and may decide; `None`
    /// where nothing does, or the scenario has no such policies.
    fn obstacle(&mut self) -> Result<Option<String>, ClusterError> {
        let policies = self.needs.cluster_policies.iter();
        let kinds: BTreeSet<_> = policies.map(|policy| policy.name.kind).collect();
        if kinds.is_empty() {
            return Ok(None);
        }
        let slot = self.slot()?;
        Ok(slot.tier.obstacle(&slot.owner.run, &kinds, &slot.site.options.name))
    }

    /// Whether what was just seen is due to the scenario's policies alone.
    ///
    /// # Errors
    /// That somebody else has made a policy meanwhile: what was seen says nothing.
    pub(super) fn undisturbed(&mut self) -> Result<(), ClusterError> {
        match self.obstacle()? {
            None => Ok(()),
            Some(why) => Err(anyhow!("{why} (it came while the scenario was under way)").into()),
        }
    }

    /// Applies policies; of one that is applied twice, the last.
    pub(super) async fn apply_cluster_policies(
        &mut self,
        batch: &[Change],
    ) -> Result<(), ClusterError> {
        let last: BTreeMap<&ClusterPolicyName, _> = batch
            .iter()
            .filter_map(|change| match change {
                Change::ApplyClusterPolicy(policy) => Some((&policy.name, policy)),
                _ => None,
            })
            .collect();
        let nodes = self.nodes.iter();
        let hosts: BTreeMap<Name, Name> =
            nodes.filter_map(|(name, node)| Some((name.clone(), node.hostname()?))).collect();
        let slot = self.slot()?;
        let applied = last.into_values().map(|policy| slot.apply_cluster_policy(policy, &hosts));
        let sentences = try_join_all(applied).await?;
        self.rewritten.extend(sentences.into_iter().flatten());
        Ok(())
    }
}
