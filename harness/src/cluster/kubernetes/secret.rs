//! The secret with which nodes pull the agent's image, copied to where pods can use it.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;

use super::call::{Failed, asked};
use super::owner::Owner;
use super::site::{Kind, Site};
use crate::cluster::ClusterError;

/// Its name in the run's namespaces.
pub(super) const NAME: &str = "ringfence-pull";

/// Copies the secret that the options name into a namespace of the run's.
pub(super) async fn copy(site: &Site, namespace: &str, owner: &Owner) -> Result<(), ClusterError> {
    let Some(wanted) = &site.options.pull_secret else { return Ok(()) };
    let from = wanted.namespace.as_deref().unwrap_or(site.client.default_namespace());
    let api: Api<Secret> = Api::namespaced(site.client.clone(), from);
    let get = asked("get", Secret::RESOURCE, format!("{from}/{}", wanted.name));
    let Secret { data, type_, .. } = site.calls.call(get, || api.get(&wanted.name)).await?;
    let metadata = ObjectMeta {
        namespace: Some(namespace.to_owned()),
        name: Some(NAME.to_owned()),
        labels: Some(owner.managed_labels()),
        ..ObjectMeta::default()
    };
    let copy = Secret { metadata, data, type_, ..Secret::default() };
    match site.make(&Api::namespaced(site.client.clone(), namespace), &copy).await {
        // In a namespace that the run has just made, it is the run's own: the answer to an
        // earlier try got lost. It is not looked at, which would be a right to read secrets.
        Ok(_) | Err(Failed::Exists(_)) => Ok(()),
        Err(other) => Err(other.into()),
    }
}
