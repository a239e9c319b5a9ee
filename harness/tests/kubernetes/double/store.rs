//! The objects and their history.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::failure::Failure;
use super::node::Command;
use super::resource::{Resource, by_plural};

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) plural: &'static str,
    /// Empty where the kind has none.
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(plural: &str, namespace: &str, name: &str) -> Self {
        let plural = by_plural(plural).expect("a kind that there is").plural;
        Self { plural, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(super) fn resource(&self) -> &'static Resource {
        by_plural(self.plural).expect("a kind that there is")
    }

    pub(super) fn not_found(&self) -> Failure {
        Failure::not_found(self.resource(), &self.name)
    }
}

/// What became of an object.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) version: u64,
    pub(super) key: Key,
    /// `None`: it was made.
    pub(super) before: Option<Value>,
    /// `None`: it was removed.
    pub(super) after: Option<Value>,
}

/// Every object, and every event since the last that was forgotten.
pub(super) struct Store {
    state: Mutex<State>,
    version: watch::Sender<u64>,
    listener: mpsc::UnboundedSender<Command>,
    /// By how many seconds its clock is ahead of the machine's.
    ahead: AtomicI64,
}

#[derive(Default)]
struct State {
    version: u64,
    forgotten: u64,
    uids: u64,
    objects: BTreeMap<Key, Value>,
    events: Vec<Event>,
    /// What managers applied, by object and manager.
    applied: BTreeMap<(Key, String), Value>,
}

impl Store {
    /// An empty store that tells every event to a listener.
    pub(super) fn new(listener: mpsc::UnboundedSender<Command>) -> Self {
        let (version, _) = watch::channel(0);
        Self { state: Mutex::default(), version, listener, ahead: AtomicI64::default() }
    }

    /// Sets its clock ahead.
    pub(super) fn advance(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    /// What time it is by its clock.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed))
    }

    /// As objects have it: in seconds.
    pub(super) fn stamp(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Value> {
        self.lock().objects.get(key).cloned()
    }

    /// The objects of a kind, in one namespace or all, and the version at which they are so.
    pub(super) fn list(&self, resource: &Resource, namespace: Option<&str>) -> (u64, Vec<Value>) {
        let state = self.lock();
        let there = state.objects.iter().filter(|(key, _)| {
            key.plural == resource.plural && namespace.is_none_or(|name| name == key.namespace)
        });
        (state.version, there.map(|(_, object)| object.clone()).collect())
    }

    /// Whether nothing is in a namespace.
    pub(super) fn is_empty(&self, namespace: &str) -> bool {
        !self.lock().objects.keys().any(|key| key.namespace == namespace)
    }

    /// The keys of what is in a namespace.
    pub(super) fn content(&self, namespace: &str) -> Vec<Key> {
        let state = self.lock();
        state.objects.keys().filter(|key| key.namespace == namespace).cloned().collect()
    }

    pub(super) fn create(&self, key: &Key, mut object: Value) -> Result<Value, Failure> {
        self.update(key, |found| {
            if found.is_some() {
                return Err(Failure::already_exists(key.resource(), &key.name));
            }
            object["metadata"]["uid"] = Value::Null;
            Ok(Some(object))
        })
    }

    pub(super) fn remove(&self, key: &Key) -> Result<Value, Failure> {
        self.update(key, |found| found.map(|_| None).ok_or_else(|| key.not_found()))
    }

    /// Changes, makes or removes (`None`) an object in one go; the object as it is or was.
    pub(super) fn update(
        &self,
        key: &Key,
        change: impl FnOnce(Option<&Value>) -> Result<Option<Value>, Failure>,
    ) -> Result<Value, Failure> {
        let mut state = self.lock();
        let before = state.objects.get(key).cloned();
        let mut after = change(before.as_ref())?;
        if let Some(after) = &mut after {
            state.complete(key, before.as_ref(), after, &self.stamp());
        }
        if after == before {
            return Ok(after.unwrap_or_default());
        }
        state.version += 1;
        let version = state.version;
        let mut result = Value::Null;
        match &mut after {
            Some(after) => {
                after["metadata"]["resourceVersion"] = version.to_string().into();
                state.objects.insert(key.clone(), after.clone());
                result = after.clone();
            }
            None => {
                state.objects.remove(key);
                state.applied.retain(|(of, _), _| of != key);
                if let Some(before) = &before {
                    result = before.clone();
                    result["metadata"]["resourceVersion"] = version.to_string().into();
                }
            }
        }
        let event = Event { version, key: key.clone(), before, after };
        state.events.push(event.clone());
        // Where the cluster is over already, nobody listens.
        let _ = self.listener.send(Command::Event(event));
        self.version.send_replace(version);
        Ok(result)
    }

    /// Notes what a manager applies, and returns what it applied before.
    pub(super) fn apply(&self, key: &Key, manager: &str, object: &Value) -> Option<Value> {
        self.lock().applied.insert((key.clone(), manager.to_owned()), object.clone())
    }

    /// The events after a version.
    pub(super) fn since(&self, version: u64) -> Result<Vec<Event>, Failure> {
        let state = self.lock();
        if version < state.forgotten {
            return Err(Failure::expired(version, state.forgotten));
        }
        let at = state.events.partition_point(|event| event.version <= version);
        Ok(state.events[at..].to_vec())
    }

    /// Forgets every event. No watch is up to date after it.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        state.version += 1;
        state.forgotten = state.version;
        state.events.clear();
        self.version.send_replace(state.version);
    }

    /// Tells of every new version.
    pub(super) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

impl State {
    /// Fills in what the server does, and what nobody else may.
    fn complete(&mut self, key: &Key, before: Option<&Value>, object: &mut Value, now: &str) {
        object["apiVersion"] = key.resource().api_version().into();
        object["kind"] = key.resource().kind.into();
        let metadata = &mut object["metadata"];
        metadata["name"] = key.name.clone().into();
        if key.resource().namespaced {
            metadata["namespace"] = key.namespace.clone().into();
        }
        let kept = ["uid", "creationTimestamp", "resourceVersion"];
        match before {
            Some(before) => kept.into_iter().for_each(|field| {
                metadata[field] = before["metadata"][field].clone();
            }),
            None => {
                self.uids += 1;
                metadata["uid"] = format!("00000000-0000-4000-8000-{:012x}", self.uids).into();
                metadata["creationTimestamp"] = now.into();
            }
        }
        if matches!(key.plural, "pods" | "networkpolicies") || key.resource().is_tier() {
            let generation =
                before.map_or(0, |it| it["metadata"]["generation"].as_u64().unwrap_or(0));
            let changed = before.is_none_or(|before| before["spec"] != object["spec"]);
            object["metadata"]["generation"] = (generation + u64::from(changed)).into();
        }
        if key.plural == "services" && object["spec"]["clusterIPs"].is_null() {
            let [.., high, low] = (self.uids % (1 << 16)).to_be_bytes();
            let address = format!("10.96.{high}.{low}");
            object["spec"]["clusterIP"] = address.clone().into();
            object["spec"]["clusterIPs"] = json!([address]);
        }
        if key.plural == "pods" && object["status"]["phase"].is_null() {
            object["status"] = json!({ "phase": "Pending" });
        }
        if key.plural == "namespaces" {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = key.name.clone().into();
            if object["status"]["phase"].is_null() {
                object["spec"] = json!({ "finalizers": ["kubernetes"] });
                object["status"] = json!({ "phase": "Active" });
            }
        }
    }
}

/// Whether somebody has asked for its removal.
pub(super) fn is_leaving(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}
