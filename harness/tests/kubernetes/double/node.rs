//! What makes objects come true: scheduler, kubelets and controllers in one task.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;

use ringfence::cluster::Cluster;
use ringfence::cluster::embedded::Embedded;
use ringfence::model::{
    Change, ClusterPolicyKind, ClusterPolicyName, LabelChanges, Labels, Name, Namespace, Origin,
    Pod, PodName, PolicyName,
};
use ringfence::scenario::{LoadOptions, parse_manifests};
use ringfence_probe::agent::WATCH;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::sync::mpsc;

use super::api;
use super::container::{self, Place};
use super::resource::{self, Query};
use super::store::{Event, Key, Store, is_leaving};
use super::{IMAGE, NAMESPACES};

/// What the task is told.
pub(super) enum Command {
    Event(Event),
    Evict(Key),
    Crash(Key),
    Remake(Key),
    RemoveNode(String),
}

pub(super) struct Machine {
    embedded: Embedded,
    store: Arc<Store>,
    /// What runs, by pod.
    running: BTreeMap<Key, Vec<Child>>,
    namespaces: BTreeSet<String>,
    turn: usize,
}

impl Machine {
    pub(super) fn new(embedded: Embedded, store: Arc<Store>) -> Self {
        let namespaces = NAMESPACES.map(str::to_owned).into();
        Self { embedded, store, running: BTreeMap::new(), namespaces, turn: 0 }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = inbox.recv().await {
            match command {
                Command::Event(event) => self.event(event).await,
                Command::Evict(key) => self.evict(&key).await,
                Command::Crash(key) => self.crash(&key).await,
                Command::Remake(key) => self.remake(&key).await,
                Command::RemoveNode(name) => self.remove_node(&name).await,
            }
        }
    }

    /// Changes the embedded cluster. What an object asks for and cannot be had is told on
    /// standard error: the object then stays as it is, and whoever waits says so.
    async fn change(&mut self, change: Change) -> bool {
        let result = self.embedded.change(&[change]).await;
        result.map_err(|error| eprintln!("double: {error:#}")).is_ok()
    }

    async fn event(&mut self, event: Event) {
        let Event { key, before, after, .. } = event;
        match key.plural {
            "namespaces" => self.namespace(&key, after.as_ref(), before.as_ref()).await,
            "pods" => self.pod(&key, before.as_ref(), after.as_ref()).await,
            "networkpolicies" => self.policy(&key, before.as_ref(), after.as_ref()).await,
            _ if key.resource().is_tier() => {
                self.cluster_policy(&key, before.as_ref(), after.as_ref()).await;
            }
            _ => {}
        }
        let namespace = if key.plural == "namespaces" { &key.name } else { &key.namespace };
        self.sweep(namespace);
    }

    async fn namespace(&mut self, key: &Key, after: Option<&Value>, before: Option<&Value>) {
        let name = Name::from(key.name.as_str());
        let Some(after) = after else {
            self.namespaces.remove(&key.name);
            self.change(Change::RemoveNamespace(name)).await;
            return;
        };
        if self.namespaces.insert(key.name.clone()) {
            let origin = Origin::synthetic("double");
            let namespace = Namespace::new(&name, labels(after), origin);
            self.change(Change::AddNamespace(namespace)).await;
        } else if let Some(labels) = before.and_then(|before| changes(before, after)) {
            self.change(Change::LabelNamespace { namespace: name, labels }).await;
        }
        if before.is_none() {
            let account = Key::new("serviceaccounts", &key.name, "default");
            // A namespace that was made again has it already.
            let _ = self.store.create(&account, json!({}));
        }
    }

    /// Empties a namespace that is to go, and removes it when it is empty.
    fn sweep(&self, name: &str) {
        let namespace = Key::new("namespaces", "", name);
        if !self.store.get(&namespace).is_some_and(|object| is_leaving(&object)) {
            return;
        }
        for key in self.store.content(name) {
            // What is gone by now needs no removal.
            let _ = match key.plural {
                "pods" => api::remove(&self.store, &key, &Query::default(), &Value::Null),
                _ => self.store.remove(&key),
            };
        }
        if self.store.is_empty(name) {
            let _ = self.store.remove(&namespace);
        }
    }

    async fn policy(&mut self, key: &Key, before: Option<&Value>, after: Option<&Value>) {
        let Some(after) = after else {
            if self.namespaces.contains(&key.namespace) {
                let name = PolicyName::new(&key.namespace, &key.name);
                self.change(Change::DeletePolicy(name)).await;
            }
            return;
        };
        if before.is_some_and(|before| before["spec"] == after["spec"]) {
            return;
        }
        let manifest = json!({
            "apiVersion": after["apiVersion"], "kind": after["kind"], "spec": after["spec"],
            "metadata": { "namespace": key.namespace, "name": key.name },
        });
        let text = manifest.to_string();
        let bundle = parse_manifests("double", &text, &LoadOptions::default());
        match bundle.policies.first() {
            Some(policy) if !bundle.has_errors() => {
                self.change(Change::ApplyPolicy(policy.clone())).await;
            }
            _ => eprintln!("double: {text}: {:?}", bundle.diagnostics),
        }
    }

    async fn cluster_policy(&mut self, key: &Key, before: Option<&Value>, after: Option<&Value>) {
        let Some(after) = after else {
            let mut kinds = ClusterPolicyKind::ALL.into_iter();
            let kind = kinds.find(|kind| kind.as_str() == key.resource().kind);
            let name = ClusterPolicyName::new(kind.expect("a kind that there is"), &key.name);
            self.change(Change::DeleteClusterPolicy(name)).await;
            return;
        };
        if before.is_some_and(|before| before["spec"] == after["spec"]) {
            return;
        }
        let manifest = json!({
            "apiVersion": after["apiVersion"], "kind": after["kind"], "spec": after["spec"],
            "metadata": { "name": key.name },
        });
        let text = manifest.to_string();
        let bundle = parse_manifests("double", &text, &LoadOptions::default());
        match bundle.cluster_policies.first() {
            Some(policy) if !bundle.has_errors() => {
                self.change(Change::ApplyClusterPolicy(policy.clone())).await;
            }
            _ => eprintln!("double: {text}: {:?}", bundle.diagnostics),
        }
    }

    async fn pod(&mut self, key: &Key, before: Option<&Value>, after: Option<&Value>) {
        let Some(after) = after else { return self.stop(key).await };
        match before {
            None => self.schedule(key, after).await,
            Some(before) => {
                let labels = changes(before, after).filter(|_| self.running.contains_key(key));
                if let Some(labels) = labels {
                    self.change(Change::LabelPod { pod: pod_name(key), labels }).await;
                }
            }
        }
        if is_leaving(after) {
            self.stop(key).await;
            // It may have been removed at once in the meantime.
            let _ = self.store.remove(key);
        }
    }

    /// Gives a pod a node, a network and processes.
    async fn schedule(&mut self, key: &Key, object: &Value) {
        let (_, nodes) = self.store.list(resource::by_plural("nodes").expect("nodes"), None);
        let names = nodes.iter().filter_map(|node| node["metadata"]["name"].as_str());
        let fits: Vec<&str> = names.filter(|name| fits(object, name)).collect();
        if fits.is_empty() {
            let message = format!(
                "0/{} nodes are available: {0} node(s) didn't match Pod's node affinity/selector.",
                nodes.len()
            );
            return self.report(key, None, |status| {
                status["conditions"] = json!([{
                    "type": "PodScheduled", "status": "False",
                    "reason": "Unschedulable", "message": message,
                }]);
            });
        }
        self.turn += 1;
        let node = fits[self.turn % fits.len()].to_owned();
        let containers = list(&object["spec"]["containers"]);
        let absent = |container: &&Value| container["image"] != IMAGE;
        if containers.iter().any(|container| absent(&container)) {
            let waiting = containers.iter().map(not_pulled).collect();
            return self.report(key, Some(&node), |status| {
                status["conditions"] = conditions("False");
                status["containerStatuses"] = Value::Array(waiting);
            });
        }
        self.bring_up(key, object, &node, 0).await;
    }

    /// Gives a pod a network on a node, and what runs in it.
    async fn bring_up(&mut self, key: &Key, object: &Value, node: &str, restarts: u64) {
        let containers = list(&object["spec"]["containers"]);
        let mut pod = Pod::new(pod_name(key), Origin::synthetic("double"));
        pod.labels = labels(object);
        pod.node = Some(Name::from(node));
        pod.host_network = object["spec"]["hostNetwork"] == true;
        let topology = match self.embedded.change(&[Change::AddPod(pod)]).await {
            Ok(topology) => topology,
            Err(error) => return eprintln!("double: {error:#}"),
        };
        let addresses = topology.pods.get(&pod_name(key)).map(|pod| pod.addresses.clone());
        let addresses: Vec<Value> = addresses
            .into_iter()
            .flatten()
            .map(|address| json!({ "ip": address.to_string() }))
            .collect();
        let host = topology.nodes.get(node).and_then(|node| node.addresses.first());
        let host = host.map(ToString::to_string);
        self.start(key, object, &addresses);
        let now = self.store.stamp();
        self.report(key, Some(node), |status| {
            status["podIP"] = addresses.first().map(|one| one["ip"].clone()).unwrap_or_default();
            status["podIPs"] = addresses.into();
            status["hostIP"] = host.into();
            status["startTime"] = now.as_str().into();
            run(status, &containers, restarts, &now);
        });
    }

    fn start(&mut self, key: &Key, object: &Value, addresses: &[Value]) {
        let address = addresses.first().and_then(|one| one["ip"].as_str()?.parse().ok());
        let (Some(address), Some(helper)) = (address, self.embedded.helper_id()) else { return };
        let containers = list(&object["spec"]["containers"]);
        let started = containers.iter().map(|container| {
            let arguments = list(&container["args"]);
            let arguments = arguments.iter().filter_map(Value::as_str);
            let environment = list(&container["env"]);
            let watch = environment.iter().find(|variable| variable["name"] == WATCH);
            let watch = watch.and_then(|variable| variable["value"].as_str());
            container::start(Place { helper, address }, arguments, watch, Stdio::null)
        });
        match started.collect() {
            Ok(children) => drop(self.running.insert(key.clone(), children)),
            Err(error) => eprintln!("double: start {}/{}: {error}", key.namespace, key.name),
        }
    }

    async fn kill(&mut self, key: &Key) -> bool {
        let Some(children) = self.running.remove(key) else { return false };
        for mut child in children {
            // One that has ended already has nothing to be killed.
            let _ = child.kill().await;
        }
        true
    }

    async fn stop(&mut self, key: &Key) {
        if self.kill(key).await && self.namespaces.contains(&key.namespace) {
            self.change(Change::RemovePod(pod_name(key))).await;
        }
    }

    async fn evict(&mut self, key: &Key) {
        self.stop(key).await;
        self.report(key, None, |status| {
            status["phase"] = "Failed".into();
            status["reason"] = "Evicted".into();
            status["message"] = "The node was low on resource: memory. ".into();
            status["conditions"] = conditions("False");
            status["containerStatuses"] = json!([]);
        });
    }

    async fn crash(&mut self, key: &Key) {
        let Some(object) = self.store.get(key) else { return };
        self.kill(key).await;
        let addresses = list(&object["status"]["podIPs"]);
        self.start(key, &object, &addresses);
        let restarts = object["status"]["containerStatuses"][0]["restartCount"].as_u64();
        let containers = list(&object["spec"]["containers"]);
        let restarts = restarts.unwrap_or_default() + 1;
        let now = self.store.stamp();
        self.report(key, None, |status| run(status, &containers, restarts, &now));
    }

    async fn remake(&mut self, key: &Key) {
        let Some(object) = self.store.get(key) else { return };
        let node = object["spec"]["nodeName"].as_str().unwrap_or_default().to_owned();
        self.stop(key).await;
        self.bring_up(key, &object, &node, 1).await;
    }

    async fn remove_node(&mut self, name: &str) {
        // A second removal changes nothing.
        let _ = self.store.remove(&Key::new("nodes", "", name));
        let keys: Vec<Key> = self.running.keys().cloned().collect();
        for key in keys {
            if self.store.get(&key).is_some_and(|pod| pod["spec"]["nodeName"] == name) {
                self.stop(&key).await;
                let _ = self.store.remove(&key);
            }
        }
    }

    /// Changes a pod's status, where it is still there.
    fn report(&self, key: &Key, node: Option<&str>, change: impl FnOnce(&mut Value)) {
        let _ = self.store.update(key, |found| {
            let mut object = found.ok_or_else(|| key.not_found())?.clone();
            if let Some(node) = node {
                object["spec"]["nodeName"] = node.into();
            }
            change(&mut object["status"]);
            Ok(Some(object))
        });
    }
}

fn pod_name(key: &Key) -> PodName {
    PodName::new(&key.namespace, &key.name)
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn labels(object: &Value) -> Labels {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    labels
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// How labels differ; `None` where they do not.
fn changes(before: &Value, after: &Value) -> Option<LabelChanges> {
    let (before, after) = (labels(before), labels(after));
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let mut changes: LabelChanges = gone.map(|key| (key.clone(), None)).collect();
    let new = after.into_iter().filter(|(key, value)| before.get(key) != Some(value));
    changes.extend(new.map(|(key, value)| (key, Some(value))));
    (!changes.is_empty()).then_some(changes)
}

/// Whether a pod may run on a node: by name, by the label of its name, or by affinity to either.
fn fits(pod: &Value, node: &str) -> bool {
    let spec = &pod["spec"];
    let is = |value: &Value| value.is_null() || value == node;
    let required =
        &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = list(&required["nodeSelectorTerms"]);
    let meets = |term: &Value| {
        let fields = list(&term["matchFields"]).into_iter();
        fields.chain(list(&term["matchExpressions"])).all(|requirement| {
            let named = list(&requirement["values"]).iter().any(|value| value == node);
            named == (requirement["operator"] == "In")
        })
    };
    is(&spec["nodeName"])
        && is(&spec["nodeSelector"]["kubernetes.io/hostname"])
        && (terms.is_empty() || terms.iter().any(meets))
}

fn conditions(ready: &str) -> Value {
    let of = |kind: &str, status: &str| json!({ "type": kind, "status": status });
    let up = [of("PodScheduled", "True"), of("Initialized", "True")];
    [&up[..], &[of("ContainersReady", ready), of("Ready", ready)]].concat().into()
}

fn run(status: &mut Value, containers: &[Value], restarts: u64, now: &str) {
    status["phase"] = "Running".into();
    status["conditions"] = conditions("True");
    let containers = containers.iter().map(|container| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": IMAGE,
            "ready": true, "started": true, "restartCount": restarts,
            "state": { "running": { "startedAt": now } },
        })
    });
    status["containerStatuses"] = containers.collect();
}

fn not_pulled(container: &Value) -> Value {
    let image = container["image"].as_str().unwrap_or_default();
    json!({
        "name": container["name"], "image": image, "imageID": "",
        "ready": false, "started": false, "restartCount": 0,
        "state": { "waiting": {
            "reason": "ImagePullBackOff",
            "message": format!(
                "Back-off pulling image \"{image}\": ErrImagePull: failed to pull and unpack \
                 image \"{image}\": not found"
            ),
        } },
    })
}
