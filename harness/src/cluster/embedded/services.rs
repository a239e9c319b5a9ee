//! The Services in front of pods, each made when a round first asks for it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::dataplane::Service;
use crate::model::{Cell, Endpoint, PodName, Via, service_port};

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
    pub(super) fn missing<'c>(&self, cells: &'c [Cell]) -> Vec<&'c PodName> {
        let wanted = cells.iter().filter(|cell| cell.via == Via::Service);
        let mut missing: Vec<&PodName> = wanted
            .filter_map(|cell| cell.destination.as_pod())
            .filter(|pod| !self.standing.contains_key(*pod))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// The number of the next Service; no two have the same.
    pub(super) fn next_number(&mut self) -> u16 {
        let number = self.given;
        self.given = self.given.saturating_add(1);
        number
    }

    /// Takes note of Services that were made.
    pub(super) fn extend(&mut self, made: impl IntoIterator<Item = (PodName, Service)>) {
        self.standing.extend(made);
    }

    /// Forgets the Services of some pods, and returns them.
    pub(super) fn remove(&mut self, pods: &[PodName]) -> Vec<Service> {
        pods.iter().filter_map(|pod| self.standing.remove(pod)).collect()
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
