//! Objects that are applied from a manifest's own text, replaced, and deleted again.
//!
//! One is created by server-side apply. That would not do to replace it: a field that the API
//! server filled in the first time, such as `policyTypes`, belongs to nobody, so that applying
//! a manifest without the field leaves it as it was filled in for the one before. So what
//! stands is patched until its spec is the manifest's, and the API server fills in what that
//! leaves open.

use anyhow::{Context, anyhow};
use futures_util::future::try_join_all;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::call::{Failed, asked};
use super::mirror::{Key, Mirror};
use super::owner::{MANAGER, Owner};
use super::site::{Kind, Site, path};
use crate::cluster::ClusterError;

/// Objects of a kind where one of them is, and what the API shows of all of them.
pub(super) struct Shelf<'a, K> {
    /// Where it is.
    pub(super) api: Api<K>,
    /// What the API shows.
    pub(super) mirror: &'a Mirror<K>,
}

impl Site {
    /// Applies a manifest and waits until the API shows it.
    ///
    /// # Errors
    /// Also where there is one of that name which is not the slot's: it is left alone.
    pub(super) async fn apply<K: Kind>(
        &self,
        Shelf { api, mirror }: Shelf<'_, K>,
        key: &Key,
        manifest: &Value,
        owner: &Owner,
    ) -> Result<(), ClusterError> {
        let name = path(key);
        let standing = mirror.look(|shown| {
            let ours = shown.get(key).filter(|it| owner.owns(it.meta().labels.as_ref()));
            ours.map(serde_json::to_value)
        });
        let standing = standing.transpose().context("an object that stands is no JSON")?;
        let made = match standing {
            Some(standing) => self.merge(&api, &key.1, &replacement(&standing, manifest)).await?,
            None => {
                let get = asked("get", K::RESOURCE, &name);
                let there = self.calls.call(get, || api.get_opt(&key.1)).await?;
                if there.is_some_and(|it| !owner.owns(it.meta().labels.as_ref())) {
                    return Err(anyhow!(
                        "expected no policy `{name}` ({}), found one that this run did not make: it is left alone",
                        K::RESOURCE
                    )
                    .into());
                }
                self.put(&api, key, manifest, false).await?
            }
        };
        let what = || format!("`{name}` of {} to be shown as it was applied", K::RESOURCE);
        let shown = mirror.until(what, self.call_deadline(), |shown| {
            let (there, made) = (shown.get(key)?.meta(), made.meta());
            (there.uid == made.uid && there.generation >= made.generation).then_some(Ok(()))
        });
        shown.await
    }

    /// Asks whether the API server would take a manifest, and applies nothing.
    pub(super) async fn rehearse<K: Kind>(
        &self,
        api: &Api<K>,
        key: &Key,
        manifest: &Value,
    ) -> Result<(), Failed> {
        self.put(api, key, manifest, true).await.map(drop)
    }

    async fn put<K: Kind>(
        &self,
        api: &Api<K>,
        key: &Key,
        manifest: &Value,
        dry_run: bool,
    ) -> Result<K, Failed> {
        // Forced: the object is the slot's own, whoever else wrote to it.
        let params = PatchParams { dry_run, ..PatchParams::apply(MANAGER).force() };
        let patch = Patch::Apply(manifest);
        let ask = asked("patch", K::RESOURCE, path(key));
        self.calls.call(ask, || api.patch(&key.1, &params, &patch)).await
    }

    /// Deletes the slot's own of those that are wanted, and waits until they are gone.
    pub(super) async fn withdraw<K: Kind>(
        &self,
        mirror: &Mirror<K>,
        owner: &Owner,
        wanted: impl Fn(&Key) -> bool,
        api: impl Fn(&Key) -> Api<K>,
    ) -> Result<(), ClusterError> {
        let there: Vec<(Key, String)> = mirror.look(|shown| {
            let ours = shown
                .iter()
                .filter(|(key, it)| wanted(key) && owner.owns(it.meta().labels.as_ref()));
            ours.map(|(key, it)| (key.clone(), it.meta().uid.clone().unwrap_or_default())).collect()
        });
        let deleted = there.iter().map(|(key, uid)| {
            let api = api(key);
            async move { self.delete(&api, &key.1, uid).await }
        });
        try_join_all(deleted).await?;
        if there.is_empty() { Ok(()) } else { self.gone(mirror, &there).await }
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
