//! Whether a run is under way: its sign of life in the cluster.
//!
//! A run has one namespace with nothing in it, where no CNI has anything to do, and changes an
//! annotation of it again and again; that needs no right which a run does not have anyway. When
//! it did so last, and what time it is now, are both told by the API server: the time of the
//! run's entry in `metadata.managedFields`, which the server renews with every change
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers>), and the
//! `Date` of an answer (RFC 9110, section 6.6.1). So the clocks of the machines on which runs
//! and `prune` are do not matter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822::DateTimeParser;
use kube::api::{ListParams, Patch, PatchParams};
use kube::client::Body;
use kube::core::Request;
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::call::{Calls, Failed, asked};
use super::owner::{MANAGER, RUN, RunId, run_of};
use super::site::Site;
use crate::cluster::ClusterError;

/// The annotation that a run changes; its value is how often it did.
pub const BEAT: &str = "ringfence.dev/beat";

/// How long after its last sign of life a run counts as ended: six times as long as it is
/// between two of them, so that an API server which is away for a moment ends none.
pub const SILENCE: Duration = Duration::from_secs(60);

/// A run that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    /// Which one.
    pub run: RunId,
    /// How long ago its last sign of life was, by the API server's clock, in whole seconds.
    pub ago: Duration,
}

/// Gives signs of life until it is dropped.
pub(super) struct Pulse {
    task: JoinHandle<()>,
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pulse {
    /// Makes the namespace that shows them.
    pub(super) async fn start(site: Arc<Site>, run: &RunId) -> Result<Self, ClusterError> {
        let name = format!("rf-{run}-alive");
        let object = Namespace {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some([(RUN.to_owned(), run.to_string())].into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let api: Api<Namespace> = Api::all(site.client.clone());
        let made = site.ensure(&api, &object, |labels| run_of(labels).as_ref() == Some(run));
        let uid = made.await?.metadata.uid;
        let every = site.options.beat;
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
        let task = tokio::spawn(async move {
            let mut turns = interval_at(Instant::now() + every, every);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for beat in 1_u64.. {
                turns.tick().await;
                let beat = beat.to_string();
                let patch = json!({ "metadata": { "uid": uid, "annotations": { BEAT: beat } } });
                let patch = Patch::Merge(&patch);
                let ask = asked("patch", "namespaces", &name);
                let changed = site.calls.call(ask, || api.patch(&name, &params, &patch)).await;
                // Whoever removed it wanted the run to end. Another failure is for the next
                // turn to overcome; what a run does beside this would tell of it.
                if let Err(Failed::Missing(_)) = changed {
                    break;
                }
            }
        });
        Ok(Self { task })
    }
}

/// What time it is for the API server.
///
/// # Errors
/// Where it does not say.
pub(super) async fn server_time(client: &Client, calls: &Calls) -> Result<Timestamp, ClusterError> {
    let answer = calls.call(asked("list", "namespaces", ""), || async {
        let request = Request::new(Namespace::url_path(&(), None));
        let request = request.list(&ListParams::default().limit(1));
        client.send(request.map_err(kube::Error::BuildRequest)?.map(Body::from)).await
    });
    let answer = answer.await?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let Some(date) = date else {
        return Err(ClusterError::Other(anyhow!(
            "expected the API server to date its answers, by which a run that is under way is known, found no `Date`: name the run that is to be removed, as in `--run x7k2p`"
        )));
    };
    let read = DateTimeParser::new().parse_timestamp(date);
    Ok(read.map_err(|error| anyhow!(error).context(format!("the API server's date `{date}`")))?)
}

/// The runs that are under way among those of these namespaces.
pub(super) fn alive(namespaces: &[Namespace], now: Timestamp) -> Vec<Alive> {
    let mut last: BTreeMap<RunId, Timestamp> = BTreeMap::new();
    for namespace in namespaces {
        let run = run_of(namespace.metadata.labels.as_ref());
        let Some((run, sign)) = run.zip(sign(&namespace.metadata)) else { continue };
        last.entry(run).and_modify(|last| *last = sign.max(*last)).or_insert(sign);
    }
    let ago = |sign: Timestamp| {
        // A server that is a little behind another one is no reason to doubt.
        Duration::from_secs((now.as_second() - sign.as_second()).try_into().unwrap_or_default())
    };
    let all = last.into_iter().map(|(run, sign)| Alive { run, ago: ago(sign) });
    all.filter(|alive| alive.ago < SILENCE).collect()
}

/// When a namespace was last made or changed by its run.
fn sign(metadata: &ObjectMeta) -> Option<Timestamp> {
    let entries = metadata.managed_fields.iter().flatten();
    let own = entries.filter(|entry| entry.manager.as_deref() == Some(MANAGER));
    let changed = own.filter_map(|entry| entry.time.as_ref());
    changed.chain(&metadata.creation_timestamp).map(|time| time.0).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(run: &str, made: &str, changed: &[(&str, &str)]) -> Namespace {
        let fields: Vec<_> = changed
            .iter()
            .map(|(manager, time)| json!({ "manager": manager, "time": time }))
            .collect();
        serde_json::from_value(json!({ "metadata": {
            "name": format!("rf-{run}-alive"),
            "labels": { RUN: run },
            "creationTimestamp": made,
            "managedFields": fields,
        } }))
        .unwrap()
    }

    #[test]
    fn a_run_is_under_way_for_a_minute_after_its_last_sign() {
        let time = |second: u8| format!("2026-11-21T10:{:02}:{:02}Z", second / 60, second % 60);
        let now = time(120).parse().unwrap();
        let namespaces = [
            // Made long ago, and changed since.
            namespace("chang", &time(0), &[("ringfence", &time(0)), ("ringfence", &time(108))]),
            // One of its namespaces is new.
            namespace("added", &time(0), &[]),
            namespace("added", &time(61), &[]),
            // Silent for a minute.
            namespace("ended", &time(0), &[("ringfence", &time(60))]),
            // What others change says nothing.
            namespace("other", &time(0), &[("kubectl-edit", &time(119))]),
            // Another server's clock is ahead.
            namespace("ahead", &time(123), &[]),
            // No run at all.
            namespace("not a run", &time(119), &[]),
        ];
        let found = alive(&namespaces, now);
        let found: Vec<_> = found.iter().map(|it| (it.run.as_str(), it.ago.as_secs())).collect();
        assert_eq!(found, [("added", 59), ("ahead", 0), ("chang", 12)]);
    }
}
