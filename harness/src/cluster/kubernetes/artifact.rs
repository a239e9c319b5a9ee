//! What helps to find out why something went wrong in a slot.
//!
//! What cannot be had becomes an artifact that says so: a bundle with a gap that nobody
//! sees would mislead.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use futures_util::future::{join, join_all};
use k8s_openapi::api::core::v1::{Event, Namespace, Node, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};

use super::call::{Asked, asked};
use super::objects::pod::CONTAINER;
use super::site::{Kind, Site};
use super::slot::Slot;
use super::stored::{missing, stored};
use crate::cluster::{Artifact, ClusterError};

/// Where the pods of CNIs run.
const SYSTEM: &str = "kube-system";

/// How many of its last lines are kept of a log.
const TAIL: i64 = 500;

/// Everything of a slot.
pub(super) async fn of(slot: &Slot) -> Vec<Artifact> {
    let site = &*slot.site;
    let pods = site.pods.look(|pods| owned(slot, pods.values()));
    let policies = site.policies.look(|policies| owned(slot, policies.values()));
    let namespaces = site.namespaces.look(|namespaces| owned(slot, namespaces.values()));
    let nodes: BTreeSet<String> =
        pods.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.clone()).collect();
    let mut artifacts: Vec<Artifact> = Vec::new();
    artifacts.extend(pods.iter().map(|pod| stored("pods", pod)));
    artifacts.extend(policies.iter().map(|policy: &NetworkPolicy| stored("policies", policy)));
    artifacts.extend(slot.tier.stored(&slot.owner));
    artifacts.extend(namespaces.iter().map(|namespace| stored("namespaces", namespace)));
    let events = join_all(namespaces.iter().map(|namespace| events(site, namespace)));
    let logs = join_all(pods.iter().map(|pod| log(site, pod, CONTAINER)));
    let ((events, logs), (nodes, system)) =
        join(join(events, logs), join(conditions(site, &nodes), cni_logs(site, &nodes))).await;
    artifacts.extend(events);
    artifacts.extend(logs);
    artifacts.extend(nodes);
    artifacts.extend(system);
    artifacts
}

fn owned<'a, K: Kind>(slot: &Slot, objects: impl Iterator<Item = &'a K>) -> Vec<K> {
    objects.filter(|it| slot.owner.owns(it.meta().labels.as_ref())).cloned().collect()
}

/// A text, or why it cannot be had.
async fn fetched<F>(site: &Site, path: String, asked: Asked, fetch: impl FnMut() -> F) -> Artifact
where
    F: Future<Output = kube::Result<String>>,
{
    let text = match site.calls.call(asked, fetch).await {
        Ok(text) => text,
        Err(failed) => missing(&super::call::words(&ClusterError::from(failed))),
    };
    Artifact { path, text }
}

async fn log(site: &Site, pod: &Pod, container: &str) -> Artifact {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let api: &Api<Pod> = &Api::namespaced(site.client.clone(), &namespace);
    let params = LogParams {
        container: Some(container.to_owned()),
        tail_lines: Some(TAIL),
        timestamps: true,
        ..LogParams::default()
    };
    let (params, name) = (&params, &name);
    let ask = asked("get", "pods/log", format!("{namespace}/{name}"));
    let path = format!("logs/{namespace}-{name}-{container}.txt");
    fetched(site, path, ask, || api.logs(name, params)).await
}

async fn events(site: &Site, namespace: &Namespace) -> Artifact {
    let name = namespace.name_any();
    let api: Api<Event> = Api::namespaced(site.client.clone(), &name);
    let params = ListParams::default();
    let path = format!("events/{name}.txt");
    let (api, params) = (&api, &params);
    fetched(site, path, asked("list", "events", &name), || async move {
        let mut events = api.list(params).await?.items;
        events.sort_by_key(|event| {
            event.last_timestamp.clone().or(event.metadata.creation_timestamp.clone())
        });
        let mut text = String::new();
        for event in events {
            let at = event.last_timestamp.or(event.metadata.creation_timestamp);
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{} {}/{} {}: {}",
                at.map(|at| at.0.to_string()).unwrap_or_default(),
                event.involved_object.kind.unwrap_or_default(),
                event.involved_object.name.unwrap_or_default(),
                event.reason.unwrap_or_default(),
                event.message.unwrap_or_default().trim(),
            );
        }
        Ok(text)
    })
    .await
}

/// What the nodes say of themselves.
async fn conditions(site: &Site, nodes: &BTreeSet<String>) -> Vec<Artifact> {
    let api: &Api<Node> = &Api::all(site.client.clone());
    let params = &ListParams::default();
    let found = site.calls.call(asked("list", "nodes", ""), || api.list(params)).await;
    let found = match found {
        Ok(found) => found.items,
        Err(failed) => {
            let text = missing(&super::call::words(&ClusterError::from(failed)));
            return vec![Artifact { path: "nodes.txt".to_owned(), text }];
        }
    };
    let concerned = found.iter().filter(|node| nodes.contains(&node.name_any()));
    let artifacts = concerned.map(|node| {
        let path = format!("nodes/{}.json", node.name_any());
        let text = serde_json::to_string_pretty(&node.status)
            .unwrap_or_else(|error| missing(&format!("its status: {error}")));
        Artifact { path, text }
    });
    artifacts.collect()
}

/// The logs of pods that share their node's network in the system's namespace, on the nodes
/// concerned: those of CNIs are among them, whichever it is.
async fn cni_logs(site: &Site, nodes: &BTreeSet<String>) -> Vec<Artifact> {
    let api: &Api<Pod> = &Api::namespaced(site.client.clone(), SYSTEM);
    let params = &ListParams::default();
    let found = site.calls.call(asked("list", "pods", SYSTEM), || api.list(params)).await;
    let pods = match found {
        Ok(found) => found.items,
        Err(failed) => {
            let text = missing(&super::call::words(&ClusterError::from(failed)));
            return vec![Artifact { path: format!("cni/{SYSTEM}.txt"), text }];
        }
    };
    let concerned = pods.iter().filter(|pod| {
        let spec = pod.spec.as_ref();
        let node = spec.and_then(|spec| spec.node_name.as_ref());
        spec.and_then(|spec| spec.host_network) == Some(true)
            && node.is_some_and(|node| nodes.contains(node))
            && pod.owner_references().iter().any(|owner| owner.kind == "DaemonSet")
    });
    let logs = concerned.flat_map(|pod| {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        containers.map(move |container| log(site, pod, &container.name))
    });
    let mut logs = join_all(logs).await;
    for artifact in &mut logs {
        artifact.path = artifact.path.replacen("logs/", "cni/", 1);
    }
    if logs.is_empty() {
        let nodes: Vec<String> = nodes.iter().map(|node| format!("`{node}`")).collect();
        let text = missing(&format!(
            "no DaemonSet in `{SYSTEM}` has pods in the network of {}",
            nodes.join(", ")
        ));
        logs.push(Artifact { path: format!("cni/{SYSTEM}.txt"), text });
    }
    logs
}
