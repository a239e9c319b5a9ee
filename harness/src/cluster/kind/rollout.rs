//! Waiting for a cluster: workloads that roll out, nodes that become ready.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::Node;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::execute::Told;
use crate::cluster::cni::{Rollout, Workload};

/// How long a watch that failed is left alone: first, and at most.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits until a workload has rolled out. Never ends by itself where it does not.
pub(super) async fn rolled_out(client: &Client, rollout: &Rollout, told: &Told) {
    let (namespace, name) = (&rollout.namespace, &rollout.name);
    match rollout.kind {
        Workload::DaemonSet => {
            let api: Api<DaemonSet> = Api::namespaced(client.clone(), namespace);
            until(&api, name, told, daemon_set).await;
        }
        Workload::Deployment => {
            let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
            until(&api, name, told, deployment).await;
        }
    }
}

/// Waits until a node is ready. Never ends by itself where it is not.
pub(super) async fn ready(client: &Client, node: &str, told: &Told) {
    until(&Api::<Node>::all(client.clone()), node, told, node_ready).await;
}

/// Waits until an object is as it should be; `look` says what is wrong with it.
async fn until<K>(api: &Api<K>, name: &str, told: &Told, look: fn(&K) -> Result<(), String>)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut pause = FIRST;
    loop {
        let condition = |object: Option<&K>| {
            let found = object.map_or_else(|| Err("it is not there".to_owned()), look);
            if let Err(wrong) = &found {
                told.tell(format!("`{name}`: {wrong}"));
            }
            found.is_ok()
        };
        match await_condition(api.clone(), name, condition).await {
            Ok(_) => return,
            Err(error) => {
                told.tell(format!("`{name}`: {error}"));
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST);
            }
        }
    }
}

/// As `kubectl rollout status` judges a DaemonSet.
fn daemon_set(set: &DaemonSet) -> Result<(), String> {
    let status = set.status.as_ref().ok_or("it has no status")?;
    if status.observed_generation < set.metadata.generation {
        return Err("its change was not seen yet".to_owned());
    }
    let wanted = status.desired_number_scheduled;
    let updated = status.updated_number_scheduled.unwrap_or_default();
    let available = status.number_available.unwrap_or_default();
    if wanted == 0 || updated < wanted || available < wanted {
        return Err(format!("{available} of {wanted} pods are available"));
    }
    Ok(())
}

/// As `kubectl rollout status` judges a Deployment.
fn deployment(deployment: &Deployment) -> Result<(), String> {
    let status = deployment.status.as_ref().ok_or("it has no status")?;
    if status.observed_generation < deployment.metadata.generation {
        return Err("its change was not seen yet".to_owned());
    }
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let updated = status.updated_replicas.unwrap_or_default();
    let available = status.available_replicas.unwrap_or_default();
    if updated < wanted || available < wanted || status.replicas.unwrap_or_default() > updated {
        return Err(format!("{available} of {wanted} pods are available"));
    }
    Ok(())
}

fn node_ready(node: &Node) -> Result<(), String> {
    let status = node.status.as_ref().ok_or("it has no status")?;
    let conditions = status.conditions.iter().flatten();
    match conditions.into_iter().find(|condition| condition.type_ == "Ready") {
        Some(ready) if ready.status == "True" => Ok(()),
        Some(ready) => Err(ready.message.clone().unwrap_or_else(|| "it is not ready".to_owned())),
        None => Err("it has not said that it is ready".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged<K: DeserializeOwned>(
        look: fn(&K) -> Result<(), String>,
        object: serde_json::Value,
    ) -> Result<(), String> {
        look(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn a_rollout_is_over_when_every_pod_is_available_in_the_latest_form() {
        let set = |generation: i64, wanted: i32, available: i32| {
            json!({ "metadata": { "generation": generation }, "status": {
                "observedGeneration": 2, "desiredNumberScheduled": wanted, "currentNumberScheduled": wanted,
                "numberMisscheduled": 0, "numberReady": available, "updatedNumberScheduled": wanted,
                "numberAvailable": available } })
        };
        assert_eq!(judged(daemon_set, set(2, 3, 3)), Ok(()));
        assert_eq!(judged(daemon_set, set(2, 3, 1)), Err("1 of 3 pods are available".into()));
        assert_eq!(judged(daemon_set, set(3, 3, 3)), Err("its change was not seen yet".into()));
        // No node has come yet.
        assert!(judged(daemon_set, set(2, 0, 0)).is_err());
        let deploy = |replicas: i32, updated: i32, available: i32| {
            json!({ "metadata": { "generation": 1 },
                "spec": { "replicas": 2, "selector": {}, "template": {} },
                "status": { "observedGeneration": 1, "replicas": replicas,
                    "updatedReplicas": updated, "availableReplicas": available } })
        };
        assert_eq!(judged(deployment, deploy(2, 2, 2)), Ok(()));
        for old in [deploy(3, 2, 2), deploy(2, 1, 2), deploy(2, 2, 1)] {
            assert!(judged(deployment, old).is_err());
        }
    }

    #[test]
    fn a_node_says_why_it_is_not_ready() {
        let node = |status: &str| {
            json!({ "status": { "conditions": [{ "type": "Ready", "status": status,
                "message": "cni plugin not initialized" }] } })
        };
        assert_eq!(judged(node_ready, node("True")), Ok(()));
        assert_eq!(judged(node_ready, node("False")), Err("cni plugin not initialized".into()));
        assert!(judged(node_ready, json!({})).is_err());
    }
}
