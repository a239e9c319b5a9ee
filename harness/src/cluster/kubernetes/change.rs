//! Changes that steps make, batch by batch.

use std::collections::BTreeMap;
use std::mem::discriminant;

use futures_util::future::try_join_all;

use super::cluster::{Kubernetes, adds};
use crate::cluster::ClusterError;
use crate::model::{Change, Name, Namespace, PodName, PolicyName};

impl Kubernetes {
    /// Makes changes in order; those of a kind that follow each other at the same time, but
    /// a policy that comes last by itself: whoever sees that one enforced takes the others to
    /// have been handed to the cluster before. Each is waited for until the API shows it.
    pub(super) async fn make(&mut self, changes: &[Change]) -> Result<(), ClusterError> {
        let is_policy =
            |change: &Change| matches!(change, Change::ApplyPolicy(_) | Change::DeletePolicy(_));
        let (rest, last) = match changes.split_last() {
            Some((last, rest)) if is_policy(last) => (rest, std::slice::from_ref(last)),
            _ => (changes, &[][..]),
        };
        let of_a_kind =
            |a: &Change, b: &Change| adds(a) && adds(b) || discriminant(a) == discriminant(b);
        for batch in rest.chunk_by(of_a_kind).chain(last.chunks(1)) {
            for change in batch {
                self.world.change(change).map_err(anyhow::Error::from)?;
            }
            self.make_batch(batch).await?;
        }
        Ok(())
    }

    async fn make_batch(&mut self, batch: &[Change]) -> Result<(), ClusterError> {
        match batch.first() {
            None => Ok(()),
            Some(Change::ApplyPolicy(_)) => self.apply(batch).await,
            Some(Change::DeletePolicy(_)) => {
                let slot = self.slot()?;
                let deleted = batch.iter().filter_map(|change| match change {
                    Change::DeletePolicy(name) => Some(slot.delete_policy(name)),
                    _ => None,
                });
                try_join_all(deleted).await.map(drop)
            }
            Some(Change::ApplyClusterPolicy(_)) => self.apply_cluster_policies(batch).await,
            Some(Change::DeleteClusterPolicy(_)) => {
                let slot = self.slot()?;
                let deleted = batch.iter().filter_map(|change| match change {
                    Change::DeleteClusterPolicy(name) => Some(slot.delete_cluster_policy(name)),
                    _ => None,
                });
                try_join_all(deleted).await.map(drop)
            }
            Some(Change::AddNamespace(_) | Change::AddPod(_)) => {
                let level = |namespace: &Namespace| self.needs.level(&namespace.name);
                let added = batch.iter().filter_map(|change| match change {
                    Change::AddNamespace(added) => Some((added.clone(), level(added))),
                    _ => None,
                });
                let added: Vec<_> = added.collect();
                self.slot()?.raise_namespaces(&added).await?;
                let mut wanted = Vec::with_capacity(batch.len());
                for change in batch {
                    if let Change::AddPod(pod) = change {
                        wanted.extend(self.place(&pod.name)?);
                    }
                }
                self.slot()?.raise_pods(wanted).await
            }
            Some(Change::RemoveNamespace(_)) => {
                let gone = batch.iter().filter_map(|change| match change {
                    Change::RemoveNamespace(name) => Some(name.clone()),
                    _ => None,
                });
                let gone: Vec<Name> = gone.collect();
                self.services.forget(|pod| gone.contains(&pod.namespace));
                self.slot()?.raze_namespaces(&gone, true).await
            }
            Some(Change::LabelNamespace { .. }) => {
                for change in batch {
                    if let Change::LabelNamespace { namespace, labels } = change {
                        self.slot()?.label_namespace(namespace, labels).await?;
                    }
                }
                Ok(())
            }
            Some(Change::RemovePod(_)) => {
                let gone = batch.iter().filter_map(|change| match change {
                    Change::RemovePod(name) => Some(name.clone()),
                    _ => None,
                });
                let gone: Vec<PodName> = gone.collect();
                let (slot, services) = self.parts()?;
                services.raze(slot, |pod| gone.contains(pod)).await?;
                slot.raze_pods(&gone).await
            }
            Some(change @ (Change::EndPod(_) | Change::TerminatePod(_))) => Err(no_end(change)),
            Some(Change::LabelPod { .. }) => {
                for change in batch {
                    if let Change::LabelPod { pod, labels } = change {
                        self.slot()?.label_pod(pod, labels).await?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Applies policies; of one that is applied twice, the last.
    async fn apply(&mut self, batch: &[Change]) -> Result<(), ClusterError> {
        let last: BTreeMap<&PolicyName, _> = batch
            .iter()
            .filter_map(|change| match change {
                Change::ApplyPolicy(policy) => Some((&policy.name, policy)),
                _ => None,
            })
            .collect();
        let slot = self.slot()?;
        let applied = last.into_values().map(|policy| slot.apply_policy(policy));
        let sentences = try_join_all(applied).await?;
        self.rewritten.extend(sentences.into_iter().flatten());
        Ok(())
    }
}

/// Whether a change lets a pod end, or go and stay for a while.
pub(super) fn lingers(change: &Change) -> bool {
    matches!(change, Change::EndPod(_) | Change::TerminatePod(_))
}

/// That such a change is not made here.
pub(super) fn no_end(change: &Change) -> ClusterError {
    ClusterError::Unsupported(format!("pods here neither end nor linger: {change:?}"))
}
