//! Watches: events of some objects after a version, one JSON document a line.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;
use super::resource::{Query, Resource};
use super::selector::Selector;
use super::store::{Event, Store};

/// How long a watch lasts where the client does not say; the real server takes 30 to 60 minutes.
const USUAL: u64 = 1800;

/// What a watch shows.
struct View {
    resource: &'static Resource,
    namespace: Option<String>,
    selector: Selector,
}

impl View {
    /// What an event is to somebody who sees only some objects.
    fn show(&self, event: &Event) -> Option<Value> {
        let concerns = event.key.plural == self.resource.plural
            && self.namespace.as_ref().is_none_or(|name| *name == event.key.namespace);
        if !concerns {
            return None;
        }
        let seen = |object: &Option<Value>| {
            object.as_ref().is_some_and(|object| self.selector.matches(object))
        };
        let (kind, object) = match (seen(&event.before), seen(&event.after)) {
            (false, true) => ("ADDED", event.after.clone()?),
            (true, true) => ("MODIFIED", event.after.clone()?),
            (true, false) => {
                let mut object = event.before.clone()?;
                object["metadata"]["resourceVersion"] = event.version.to_string().into();
                ("DELETED", object)
            }
            (false, false) => return None,
        };
        Some(json!({ "type": kind, "object": object }))
    }

    fn bookmark(&self, version: u64, initial: bool) -> Value {
        let mut object = json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(),
            "metadata": { "resourceVersion": version.to_string() },
        });
        if initial {
            object["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        json!({ "type": "BOOKMARK", "object": object })
    }
}

/// The body of a watch's answer.
pub(super) fn watch(
    store: Arc<Store>,
    resource: &'static Resource,
    namespace: Option<String>,
    query: &Query,
) -> Result<impl Stream<Item = Bytes> + Send + 'static, Failure> {
    let view = View { resource, namespace, selector: Selector::of(query)? };
    let bookmarks = query.is("allowWatchBookmarks");
    let seconds = query.get("timeoutSeconds").parse().unwrap_or(USUAL);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut first = Vec::new();
    let from = match query.get("resourceVersion") {
        "" | "0" => {
            let (version, objects) = store.list(resource, view.namespace.as_deref());
            let there = objects.into_iter().filter(|object| view.selector.matches(object));
            first.extend(there.map(|object| json!({ "type": "ADDED", "object": object })));
            if query.is("sendInitialEvents") {
                first.push(view.bookmark(version, true));
            }
            version
        }
        version => version.parse().map_err(|_| {
            Failure::bad_request(format!("Invalid value: \"{version}\": resourceVersion"))
        })?,
    };
    let versions = store.versions();
    let rest = stream::unfold(Some((from, versions)), move |at| step(store.clone(), at, end));
    let rest = rest.flat_map(move |told| {
        let lines = match told {
            Told::Events(events) => events.iter().filter_map(|event| view.show(event)).collect(),
            Told::End(version) if bookmarks => vec![view.bookmark(version, false)],
            Told::End(_) => Vec::new(),
            Told::Expired(failure) => {
                vec![json!({ "type": "ERROR", "object": failure.status() })]
            }
        };
        stream::iter(lines)
    });
    Ok(stream::iter(first).chain(rest).map(|line| Bytes::from(format!("{line}\n"))))
}

enum Told {
    Events(Vec<Event>),
    End(u64),
    Expired(Failure),
}

type At = Option<(u64, tokio::sync::watch::Receiver<u64>)>;

/// What comes next, and from where to go on; nothing after the end.
async fn step(store: Arc<Store>, at: At, end: Instant) -> Option<(Told, At)> {
    let (from, mut versions) = at?;
    loop {
        versions.borrow_and_update();
        let events = match store.since(from) {
            Ok(events) => events,
            Err(failure) => return Some((Told::Expired(failure), None)),
        };
        if let Some(last) = events.last().map(|event| event.version) {
            return Some((Told::Events(events), Some((last, versions))));
        }
        if !matches!(timeout_at(end, versions.changed()).await, Ok(Ok(()))) {
            return Some((Told::End(from), None));
        }
    }
}
