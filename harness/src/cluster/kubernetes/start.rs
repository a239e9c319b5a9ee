//! Starts a pod, and waits until its containers run or it is known that they will not.

use std::net::IpAddr;

use anyhow::anyhow;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use tokio::time::Instant;

use super::owner::Owner;
use super::site::{Site, path};
use super::trouble::{runs, trouble};
use crate::cluster::ClusterError;

/// Creates a pod; returns it as it is when it runs and has addresses.
pub(super) async fn start(site: &Site, object: &Pod, owner: &Owner) -> Result<Pod, ClusterError> {
    let key = (object.namespace().unwrap_or_default(), object.name_any());
    let api: Api<Pod> = Api::namespaced(site.client.clone(), &key.0);
    let made = site.create(&api, object, owner).await?;
    let uid = made.metadata.uid;
    let deadline = site.options.deadlines.pods;
    let patience = site.options.deadlines.trouble();
    let end = Instant::now() + deadline;
    let mut troubled = false;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let mut last = None;
        let waited = site.pods.until(String::new, left.min(patience), |pods| {
            let pod = pods.get(&key).filter(|pod| pod.metadata.uid == uid)?;
            if runs(pod) && !addresses(pod).is_empty() {
                return Some(Ok(pod.clone()));
            }
            last = trouble(pod);
            let stuck = last.as_ref().filter(|trouble| !trouble.may_pass)?;
            let why = &stuck.what;
            Some(Err(anyhow!("expected the pod `{}` to start: {why}", path(&key)).into()))
        });
        match waited.await {
            Err(ClusterError::Deadline { .. }) => {}
            other => return other,
        }
        let why = last.map(|trouble| trouble.what);
        match why {
            Some(why) if troubled => {
                let name = path(&key);
                let error = anyhow!(
                    "expected the pod `{name}` to start: {why}, for {} ms, a ninth of the {} ms that pods are given",
                    patience.as_millis(),
                    deadline.as_millis()
                );
                return Err(error.into());
            }
            why if Instant::now() >= end => {
                let why = why.unwrap_or_else(|| "nothing is known to be wrong".to_owned());
                let what = format!("the pod `{}` to start ({why})", path(&key));
                return Err(ClusterError::Deadline { what, deadline });
            }
            why => troubled = why.is_some(),
        }
    }
}

/// A pod's addresses (`status.podIPs`), in the API's order.
pub(super) fn addresses(pod: &Pod) -> Vec<IpAddr> {
    let status = pod.status.iter();
    let addresses = status.flat_map(|status| status.pod_ips.iter().flatten());
    addresses.filter_map(|address| address.ip.parse().ok()).collect()
}
