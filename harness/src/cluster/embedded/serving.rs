//! Services come when a round first asks for them, and go with their pods.

use super::dataplane::Service;
use super::deployment::Deployment;
use crate::model::{Cell, Pod, PodName};

impl Deployment {
    /// Makes the Services that cells need and that do not stand yet, on every node.
    pub(super) fn raise_services(&mut self, cells: &[Cell]) -> anyhow::Result<()> {
        let topology = &self.world.topology;
        let missing = self.services.missing(cells).into_iter();
        // Without a port there is nothing to serve, without a network nobody.
        let served = |pod: &&Pod| !pod.ports.is_empty() && pod.has_network();
        let pods: Vec<&Pod> =
            missing.filter_map(|name| topology.pods.get(name)).filter(served).collect();
        if pods.is_empty() {
            return Ok(());
        }
        let mut fresh = Vec::with_capacity(pods.len());
        for pod in pods {
            let service = Service {
                addresses: self.network.service_addresses(self.services.next_number())?,
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
        self.services.extend(fresh);
        self.allow_targets();
        Ok(())
    }

    /// Removes the Services of pods that go.
    pub(super) fn raze_services(&mut self, pods: &[PodName]) -> anyhow::Result<()> {
        let razed = self.services.remove(pods);
        if razed.is_empty() {
            return Ok(());
        }
        self.filters.iter().try_for_each(|filter| filter.remove_services(&razed))
    }
}
