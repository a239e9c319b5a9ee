//! NetworkPolicies: applied from their manifests' own text, replaced, and deleted.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;

use super::apply::Shelf;
use super::mirror::Key;
use super::rewrite;
use super::slot::Slot;
use crate::cluster::ClusterError;
use crate::model::{self, PolicyName};

impl Slot {
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
        let shelf = Shelf { api: self.policies(&key), mirror: &self.site.policies };
        self.site.apply(shelf, &key, &manifest, &self.owner).await?;
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
        let api = |key: &Key| self.policies(key);
        self.site.withdraw(&self.site.policies, &self.owner, wanted, api).await
    }

    fn policy_key(&self, policy: &PolicyName) -> Key {
        (self.naming.namespace(&policy.namespace).to_string(), policy.name.to_string())
    }

    fn policies(&self, (namespace, _): &Key) -> Api<NetworkPolicy> {
        Api::namespaced(self.site.client.clone(), namespace)
    }
}
