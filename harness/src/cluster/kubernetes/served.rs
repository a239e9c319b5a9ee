//! Whether Services lead anywhere yet.
//!
//! The API shows a Service before any node does what it says: a controller lists its
//! endpoints, and every node's proxy takes note of both. Until then silence, or a refusal,
//! says nothing of a policy. No node tells when it is done. So once Services are made, one
//! more is, in front of a pod of the run's own that no policy selects; a proxy hears of
//! Services in the order in which they were made, and where this one leads to its pod, those
//! before it do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use tokio::time::{Instant, sleep_until};

use super::cluster::WITNESS;
use super::objects::{Exposure, pod as pod_object, service as object};
use super::service::access;
use super::slot::Slot;
use crate::cluster::ClusterError;
use crate::cluster::agents::Planned;
use crate::model::{Endpoint, Family, Name, Pod, Protocol, service_port};

/// How long an attempt waits for an answer.
const SILENCE: Duration = Duration::from_millis(500);

/// The first pause between attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Slot {
    /// Waits until Services that were made so far lead to their pods from every node on which
    /// the slot has a witness. There is none before the run has put it there.
    pub(super) async fn served(&mut self) -> Result<(), ClusterError> {
        let (target, sources) = self.witnesses();
        let Some((target, port)) = target else { return Ok(()) };
        let naming = &self.naming;
        let Some(mut service) = object::object(&target, Exposure::Cluster, naming, &self.owner)
        else {
            return Ok(());
        };
        let name = format!("served-{:08x}", fastrand::u32(..));
        service.metadata.name = Some(name.clone());
        let namespace = naming.namespace(&target.name.namespace);
        let api: Api<Service> = Api::namespaced(self.site.client.clone(), &namespace);
        let made = access(&self.site.create(&api, &service, &self.owner).await?);
        let expect = pod_object::identity(&target.name, naming);
        let planned: Vec<Planned> = sources
            .into_values()
            .flat_map(|source| {
                let has = |family| source.addresses.iter().any(|a| Family::of(*a) == family);
                let reached =
                    made.addresses.iter().filter(|address| has(Family::of(**address))).copied();
                let planned = reached.map(|address| Planned {
                    source: Endpoint::Pod(source.name.clone()),
                    destination: Endpoint::Pod(target.name.clone()),
                    protocol: Protocol::Tcp,
                    target: SocketAddr::new(address, service_port(port)),
                    expect: expect.clone(),
                });
                planned.collect::<Vec<_>>()
            })
            .collect();
        self.agents.allow_targets(made.addresses.iter().copied());
        let deadline = self.site.call_deadline();
        let end = Instant::now() + deadline;
        let mut pause = FIRST_PAUSE;
        loop {
            let seen = self.agents.probe(planned.clone(), SILENCE).await;
            let mut shut =
                planned.iter().zip(&seen).filter(|(_, seen)| !seen.outcome.is_connected());
            let Some((attempt, seen)) = shut.next() else { break };
            if Instant::now() >= end {
                let Planned { source, destination, target, .. } = attempt;
                let what = format!(
                    "a Service at `{target}` to lead from `{source}` to `{destination}`, which no policy selects ({})",
                    seen.outcome
                );
                return Err(ClusterError::Deadline { what, deadline });
            }
            sleep_until((Instant::now() + pause).min(end)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.site.delete(&api, &name, &made.uid).await
    }

    /// A pod of the witness's with a TCP port, and on each node another one.
    fn witnesses(&self) -> (Option<(Pod, u16)>, BTreeMap<Name, Pod>) {
        let pods: Vec<Pod> = self.standing(WITNESS).collect();
        let tcp = |pod: &Pod| {
            pod.ports.iter().find(|port| port.protocol == Protocol::Tcp).map(|port| port.number)
        };
        let target = pods.iter().rev().find_map(|pod| Some((pod.clone(), tcp(pod)?)));
        let mut sources = BTreeMap::new();
        for pod in pods {
            let is_target = target.as_ref().is_some_and(|(target, _)| target.name == pod.name);
            if let Some(node) = pod.node.clone().filter(|_| !is_target) {
                sources.entry(node).or_insert(pod);
            }
        }
        (target, sources)
    }
}
