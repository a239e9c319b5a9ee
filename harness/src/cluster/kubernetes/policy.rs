//! Policies: applied from their manifests' own text, and deleted.

use anyhow::anyhow;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};

use super::call::asked;
use super::mirror::Key;
use super::owner::MANAGER;
use super::rewrite;
use super::site::{Kind, path};
use super::slot::Slot;
use crate::cluster::ClusterError;
use crate::model::{self, PolicyName};

impl Slot {
    fn policy_key(&self, policy: &PolicyName) -> Key {
        (self.naming.namespace(&policy.namespace).to_string(), policy.name.to_string())
    }

    /// Applies a policy and waits until the API shows it; returns where it differs from
    /// what was written.
    ///
    /// # Errors
    /// Also where there is one of that name which is not the slot's: it is left alone.
    pub(super) async fn apply_policy(
        &self,
        policy: &model::NetworkPolicy,
    ) -> Result<Vec<String>, ClusterError> {
        let rewrite::Rewritten { manifest, sentences } =
            rewrite::policy(policy, &self.naming, &self.owner);
        let key = self.policy_key(&policy.name);
        let (site, name) = (&self.site, path(&key));
        let api: Api<NetworkPolicy> = Api::namespaced(site.client.clone(), &key.0);
        let known = site.policies.look(|shown| shown.contains_key(&key));
        if !known {
            let get = asked("get", NetworkPolicy::RESOURCE, &name);
            let there = site.calls.call(get, || api.get_opt(&key.1)).await?;
            if there.is_some_and(|policy| !self.owner.owns(policy.metadata.labels.as_ref())) {
                return Err(anyhow!(
                    "expected no policy `{name}`, found one that this run did not make: it is left alone"
                )
                .into());
            }
        }
        // Forced: the policy is the slot's own, whoever else wrote to it.
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(&manifest);
        let ask = asked("patch", NetworkPolicy::RESOURCE, &name);
        let made = site.calls.call(ask, || api.patch(&key.1, &params, &patch)).await?;
        let what = || format!("the policy `{name}` to be shown as it was applied");
        let shown = site.policies.until(what, site.call_deadline(), |shown| {
            let there = shown.get(&key)?;
            let same = there.metadata.uid == made.metadata.uid;
            (same && there.metadata.generation >= made.metadata.generation).then_some(Ok(()))
        });
        shown.await?;
        Ok(sentences)
    }

    /// Deletes a policy and waits until it is gone.
    pub(super) async fn delete_policy(&self, policy: &PolicyName) -> Result<(), ClusterError> {
        let key = self.policy_key(policy);
        self.delete_policies(|there| *there == key).await
    }

    /// Deletes every policy of the slot, and waits until they are gone.
    pub(super) async fn lift_policies(&self) -> Result<(), ClusterError> {
        self.delete_policies(|_| true).await
    }

    async fn delete_policies(&self, wanted: impl Fn(&Key) -> bool) -> Result<(), ClusterError> {
        let site = &self.site;
        let there: Vec<(Key, String)> = site.policies.look(|shown| {
            let ours = shown.iter().filter(|(key, policy)| {
                wanted(key) && self.owner.owns(policy.metadata.labels.as_ref())
            });
            ours.map(|(key, policy)| (key.clone(), policy.uid().unwrap_or_default())).collect()
        });
        let deleted = there.iter().map(|((namespace, name), uid)| async move {
            let api: Api<NetworkPolicy> = Api::namespaced(site.client.clone(), namespace);
            site.delete(&api, name, uid).await
        });
        futures_util::future::try_join_all(deleted).await?;
        if there.is_empty() { Ok(()) } else { site.gone(&site.policies, &there).await }
    }
}
