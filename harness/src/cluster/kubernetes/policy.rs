//! Policies: applied from their manifests' own text, replaced, and deleted.
//!
//! A policy is created by server-side apply. That would not do to replace it: a field
//! that the API server filled in the first time, such as `policyTypes`, belongs to nobody,
//! so that applying a manifest without the field leaves it as it was filled in for the
//! policy before. So a policy that stands is patched until its spec is the manifest's, and
//! the API server fills in what that leaves open.

use anyhow::{Context, anyhow};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Map, Value, json};

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
        let standing = site.policies.look(|shown| shown.get(&key).map(serde_json::to_value));
        let standing = standing.transpose().context("a policy that stands is no JSON")?;
        let made = match standing {
            Some(standing) => site.merge(&api, &key.1, &replacement(&standing, &manifest)).await?,
            None => {
                // Forced: the policy is the slot's own, whoever else wrote to it.
                let params = PatchParams::apply(MANAGER).force();
                let patch = Patch::Apply(&manifest);
                let ask = asked("patch", NetworkPolicy::RESOURCE, &name);
                site.calls.call(ask, || api.patch(&key.1, &params, &patch)).await?
            }
        };
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

/// The merge patch that makes the object that stands be what the manifest says of it.
fn replacement(standing: &Value, manifest: &Value) -> Value {
    let field = |object: &Value, path: &str| object.pointer(path).cloned().unwrap_or(json!({}));
    let part = |path: &str| difference(&field(standing, path), &field(manifest, path));
    json!({
        "metadata": {
            "uid": field(standing, "/metadata/uid"),
            "labels": part("/metadata/labels"),
            "annotations": part("/metadata/annotations"),
        },
        "spec": part("/spec"),
    })
}

/// The merge patch from one value to another (RFC 7386): what is not wanted is null.
fn difference(there: &Value, wanted: &Value) -> Value {
    let (Value::Object(there), Value::Object(wanted)) = (there, wanted) else {
        return wanted.clone();
    };
    let removed = there.keys().filter(|key| !wanted.contains_key(*key));
    let removed = removed.map(|key| (key.clone(), Value::Null));
    let set = wanted.iter().map(|(key, value)| {
        let before = there.get(key).unwrap_or(&Value::Null);
        (key.clone(), difference(before, value))
    });
    Value::Object(removed.chain(set).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_new_manifest_does_not_say_is_removed() {
        let standing = json!({
            "metadata": {"uid": "u", "name": "p", "labels": {"a": "1", "b": "2"}},
            "spec": {
                "podSelector": {"matchLabels": {"app": "web"}},
                "ingress": [{"from": []}],
                "policyTypes": ["Ingress"],
            },
        });
        let manifest = json!({
            "metadata": {"name": "p", "labels": {"a": "3"}},
            "spec": {"podSelector": {}, "egress": [{"ports": [{"port": 80}]}]},
        });
        assert_eq!(
            replacement(&standing, &manifest),
            json!({
                "metadata": {"uid": "u", "labels": {"a": "3", "b": null}, "annotations": {}},
                "spec": {
                    "podSelector": {"matchLabels": null},
                    "egress": [{"ports": [{"port": 80}]}],
                    "ingress": null,
                    "policyTypes": null,
                },
            })
        );
    }
}
