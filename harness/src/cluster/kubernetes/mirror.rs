//! What the API shows of a run's objects, kept up to date by a watch.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::call::{Asked, Denied, refused, words};
use crate::cluster::ClusterError;

/// Namespace and name; the namespace is empty for what is in none.
pub(super) type Key = (String, String);

/// Every object of a kind that the watch's selector finds.
#[derive(Debug)]
pub(super) struct Shown<K> {
    /// The objects.
    pub(super) objects: BTreeMap<Key, K>,
    /// Whether the objects that there were before the watch are among them.
    listed: bool,
    /// What last went wrong with the watch, while it has not come back.
    trouble: Option<String>,
    /// That the watch is not allowed.
    denied: Option<Denied>,
}

/// Follows a kind of object by one watch, however many are waited for. A watch that
/// breaks or expires begins anew, with pauses that grow.
#[derive(Debug)]
pub(super) struct Mirror<K> {
    shown: watch::Receiver<Shown<K>>,
    task: JoinHandle<()>,
}

impl<K> Drop for Mirror<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K> Mirror<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    /// Follows the objects that a label selector finds.
    pub(super) fn start(api: Api<K>, asked: Asked, selector: &str) -> Self {
        let empty = Shown { objects: BTreeMap::new(), listed: false, trouble: None, denied: None };
        let (sender, shown) = watch::channel(empty);
        let stream = watcher(api, watcher::Config::default().labels(selector)).default_backoff();
        let task = tokio::spawn(async move {
            pin_mut!(stream);
            let mut fresh = BTreeMap::new();
            while let Some(event) = stream.next().await {
                sender.send_modify(|shown| take(shown, &mut fresh, event, &asked));
            }
        });
        Self { shown, task }
    }

    /// Looks at what is shown now.
    pub(super) fn look<T>(&self, eye: impl FnOnce(&BTreeMap<Key, K>) -> T) -> T {
        eye(&self.shown.borrow().objects)
    }

    /// Waits until what is shown satisfies, which `eye` says by the value it returns.
    ///
    /// # Errors
    /// What `eye` returns as one, [`ClusterError::Deadline`], or that the watch is denied.
    pub(super) async fn until<T>(
        &self,
        what: impl FnOnce() -> String,
        deadline: Duration,
        mut eye: impl FnMut(&BTreeMap<Key, K>) -> Option<Result<T, ClusterError>>,
    ) -> Result<T, ClusterError> {
        let mut shown = self.shown.clone();
        let waiting = async {
            loop {
                {
                    let now = shown.borrow_and_update();
                    if let Some(denied) = &now.denied {
                        return Err(ClusterError::Other(denied.clone().into()));
                    }
                    if now.listed
                        && let Some(result) = eye(&now.objects)
                    {
                        return result;
                    }
                }
                if shown.changed().await.is_err() {
                    return Err(ClusterError::Lost("its watch ended".to_owned()));
                }
            }
        };
        match timeout(deadline, waiting).await {
            Ok(result) => result,
            Err(_) => {
                let trouble = self.shown.borrow().trouble.clone();
                let trouble = trouble.map(|why| format!(" (the watch is broken: {why})"));
                let what = what() + &trouble.unwrap_or_default();
                Err(ClusterError::Deadline { what, deadline })
            }
        }
    }
}

fn key<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn take<K: Resource>(
    shown: &mut Shown<K>,
    fresh: &mut BTreeMap<Key, K>,
    event: Result<watcher::Event<K>, watcher::Error>,
    asked: &Asked,
) {
    match event {
        Ok(event) => {
            shown.trouble = None;
            match event {
                watcher::Event::Apply(object) => {
                    shown.objects.insert(key(&object), object);
                }
                watcher::Event::Delete(object) => {
                    shown.objects.remove(&key(&object));
                }
                watcher::Event::Init => fresh.clear(),
                watcher::Event::InitApply(object) => {
                    fresh.insert(key(&object), object);
                }
                watcher::Event::InitDone => {
                    shown.objects = std::mem::take(fresh);
                    shown.listed = true;
                }
            }
        }
        Err(error) => {
            shown.denied = denial(&error).and_then(|status| refused(asked, status));
            shown.trouble = Some(words(&error));
        }
    }
}

/// What the server said about a watch that it does not allow.
fn denial(error: &watcher::Error) -> Option<&kube::core::Status> {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status,
        _ => return None,
    };
    (status.code == 403).then_some(status)
}
