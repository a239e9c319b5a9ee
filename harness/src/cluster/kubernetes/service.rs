//! Services in front of pods, made when a round first asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::Service;
use kube::{Api, ResourceExt};

use super::objects::{Exposure, service as object};
use super::slot::Slot;
use crate::cluster::ClusterError;
use crate::model::{Endpoint, Family, Name, Pod, PodName, Protocol, service_port};

/// From which node, to which address and port of a Service.
pub(super) type Way = (Option<Name>, SocketAddr, Protocol);

/// How a pod is reached through a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) uid: String,
    /// Its `clusterIPs`.
    pub(super) addresses: Vec<IpAddr>,
    /// The nodes' ports, by the Service's own.
    node_ports: BTreeMap<(Protocol, u16), u16>,
    /// The ways by which it was seen to lead to its pod.
    led: BTreeSet<Way>,
    /// How many sessions with its pod's agent were lost when it was made.
    lost: u64,
}

impl Access {
    /// Its address of a family.
    pub(super) fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| Family::of(*address) == family)
    }

    /// The nodes' port that leads to a pod's.
    pub(super) fn node_port(&self, protocol: Protocol, port: u16) -> Option<u16> {
        self.node_ports.get(&(protocol, service_port(port))).copied()
    }
}

/// The Services of a scenario.
#[derive(Debug, Default)]
pub(super) struct Services(BTreeMap<(PodName, Exposure), Access>);

impl Services {
    /// How a pod is reached.
    pub(super) fn get(&self, pod: &PodName, exposure: Exposure) -> Option<&Access> {
        self.0.get(&(pod.clone(), exposure))
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Access> {
        self.0.values()
    }

    /// Takes note that something came through, when so many sessions with the pod's agent had
    /// been lost: where more were than when the Service was made, nothing follows from it.
    pub(super) fn lead(&mut self, pod: &PodName, exposure: Exposure, way: Way, lost: u64) {
        let access = self.0.get_mut(&(pod.clone(), exposure));
        if let Some(access) = access.filter(|access| access.lost == lost) {
            access.led.insert(way);
        }
    }

    /// Whether something came through by this way, and the pod's agent was not restarted since.
    pub(super) fn led(&self, pod: &PodName, exposure: Exposure, way: &Way, lost: u64) -> bool {
        let access = self.get(pod, exposure);
        access.is_some_and(|access| access.lost == lost && access.led.contains(way))
    }

    /// Makes those that are not there yet, and waits until they lead to their pods. A pod
    /// without ports has none.
    pub(super) async fn raise(
        &mut self,
        slot: &mut Slot,
        wanted: Vec<(&Pod, Exposure)>,
    ) -> Result<(), ClusterError> {
        let missing = wanted.into_iter().filter_map(|(pod, exposure)| {
            let key = (pod.name.clone(), exposure);
            let object = object::object(pod, exposure, &slot.naming, &slot.owner)?;
            (!self.0.contains_key(&key)).then_some((key, object))
        });
        let standing = &*slot;
        let made = missing.map(|(key, object)| async move {
            let namespace = standing.naming.namespace(&key.0.namespace);
            let api: Api<Service> = Api::namespaced(standing.site.client.clone(), &namespace);
            let made = standing.site.create(&api, &object, &standing.owner).await?;
            let lost = standing.agents.lost(&Endpoint::Pod(key.0.clone()));
            Ok::<_, ClusterError>((key, Access { lost, ..access(&made) }))
        });
        let made = try_join_all(made.collect::<Vec<_>>()).await?;
        if made.is_empty() {
            return Ok(());
        }
        self.0.extend(made);
        slot.served().await
    }

    /// Forgets those of pods whose namespaces went, and with them the Services.
    pub(super) fn forget(&mut self, gone: impl Fn(&PodName) -> bool) {
        self.0.retain(|(pod, _), _| !gone(pod));
    }

    /// Deletes those of some pods.
    pub(super) async fn raze(
        &mut self,
        slot: &Slot,
        of: impl Fn(&PodName) -> bool,
    ) -> Result<(), ClusterError> {
        let razed = self.0.iter().filter(|((pod, _), _)| of(pod));
        let razed = razed.map(|((pod, exposure), access)| async move {
            let namespace = slot.naming.namespace(&pod.namespace);
            let api: Api<Service> = Api::namespaced(slot.site.client.clone(), &namespace);
            slot.site.delete(&api, &object::name(&pod.name, *exposure), &access.uid).await
        });
        try_join_all(razed.collect::<Vec<_>>()).await?;
        self.forget(of);
        Ok(())
    }
}

/// How a pod is reached through a Service as it was made.
pub(super) fn access(service: &Service) -> Access {
    let spec = service.spec.as_ref();
    let addresses = spec.into_iter().flat_map(|spec| spec.cluster_ips.iter().flatten());
    let ports = spec.into_iter().flat_map(|spec| spec.ports.iter().flatten());
    Access {
        uid: service.uid().unwrap_or_default(),
        addresses: addresses.filter_map(|address| address.parse().ok()).collect(),
        node_ports: ports
            .filter_map(|port| {
                let protocol = port.protocol.as_deref()?.parse().ok()?;
                let node_port = u16::try_from(port.node_port?).ok()?;
                Some(((protocol, u16::try_from(port.port).ok()?), node_port))
            })
            .collect(),
        led: BTreeSet::new(),
        lost: 0,
    }
}
