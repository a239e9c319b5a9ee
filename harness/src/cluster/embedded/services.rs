//! The Services in front of pods, each made when a round first asks for it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::dataplane::Service;
use super::deployment::Deployment;
use crate::model::{Cell, Endpoint, Pod, PodName, Via, service_port};

/// The Services of a cluster.
#[derive(Debug, Default)]
pub(super) struct Services {
    standing: BTreeMap<PodName, Service>,
    /// How many there were so far: no address is given twice.
    given: u16,
}

/// Where an attempt is sent, and where it is to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) dialled: SocketAddr,
    pub(super) reached: SocketAddr,
}

impl Services {
    /// The pods that cells reach by a Service that does not stand yet.
    fn missing<'c>(&self, cells: &'c [Cell]) -> Vec<&'c PodName> {
        let wanted = cells.iter().filter(|cell| cell.via == Via::Service);
        let mut missing: Vec<&PodName> = wanted
            .filter_map(|cell| cell.destination.as_pod())
            .filter(|pod| !self.standing.contains_key(*pod))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Their own addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.standing.values().flat_map(|service| service.addresses.iter().copied())
    }

    /// Each pod's name with its Service.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&PodName, &Service)> {
        self.standing.iter()
    }

    /// Where a cell by way of a Service leads, or why nowhere.
    pub(super) fn target(&self, cell: &Cell) -> Result<Target, String> {
        let Cell { source, destination, port, family, .. } = cell;
        if let Endpoint::External(name) = source {
            return Err(format!(
                "external host `{name}` has no way to a Service: a ClusterIP is the cluster's own"
            ));
        }
        let service = destination.as_pod().and_then(|pod| self.standing.get(pod));
        let service =
            service.ok_or_else(|| format!("expected a Service for `{destination}`, found none"))?;
        let (own, pod) = service
            .ends(*family)
            .ok_or_else(|| format!("the Service of `{destination}` has no {family} address"))?;
        Ok(Target {
            dialled: SocketAddr::new(own, service_port(*port)),
            reached: SocketAddr::new(pod, *port),
        })
    }
}

impl Deployment {
    /// Makes the Services that cells need and that do not stand yet, on every node.
    pub(super) fn raise_services(&mut self, cells: &[Cell]) -> anyhow::Result<()> {
        let missing = self.services.missing(cells);
        let topology = &self.world.topology;
        let pods = missing.into_iter().filter_map(|name| topology.pods.get(name));
        // Without a port there is nothing to serve, without an address nobody.
        let served = |pod: &&Pod| !pod.ports.is_empty() && !pod.addresses.is_empty();
        let pods: Vec<&Pod> = pods.filter(served).collect();
        if pods.is_empty() {
            return Ok(());
        }
        let mut fresh = Vec::with_capacity(pods.len());
        for pod in pods {
            let addresses = self.network.service_addresses(self.services.given)?;
            self.services.given += 1;
            let service = Service {
                addresses,
                pod: pod.addresses.clone(),
                ports: pod.ports.iter().map(|port| (port.protocol, port.number)).collect(),
                host_network: pod.host_network,
            };
            fresh.push((pod.name.clone(), service));
        }
        let services: Vec<Service> = fresh.iter().map(|(_, service)| service.clone()).collect();
        for (node, filter) in self.filters.iter_mut().enumerate() {
            filter.add_services(&self.network.node_addresses(node), &services)?;
        }
        self.services.standing.extend(fresh);
        self.allow_targets();
        Ok(())
    }

    /// Removes the Services of pods that go.
    pub(super) fn raze_services(&mut self, pods: &[PodName]) -> anyhow::Result<()> {
        let standing = &mut self.services.standing;
        let razed: Vec<Service> = pods.iter().filter_map(|pod| standing.remove(pod)).collect();
        if razed.is_empty() {
            return Ok(());
        }
        self.filters.iter().try_for_each(|filter| filter.remove_services(&razed))
    }
}
