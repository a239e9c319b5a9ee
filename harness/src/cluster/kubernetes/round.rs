//! Rounds: cells become attempts between agents.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::cluster::Kubernetes;
use super::objects::{Exposure, pod as pod_object};
use crate::cluster::agents::Planned;
use crate::cluster::{ClusterError, Round};
use crate::model::{Cell, Endpoint, Observation, Pod, PodName, Via, service_port};

/// Through which kind of Service a way leads.
pub(super) fn exposure(via: Via) -> Option<Exposure> {
    match via {
        Via::Pod => None,
        Via::Service => Some(Exposure::Cluster),
        Via::NodePort => Some(Exposure::Nodes),
        Via::LocalNodePort => Some(Exposure::OwnNode),
    }
}

impl Kubernetes {
    /// Attempts every cell of a round. A cell of which an end is not there any more, or
    /// is not the one it was, is not attempted: it says nothing.
    pub(super) async fn attempt(
        &mut self,
        round: &Round,
    ) -> Result<Vec<Observation>, ClusterError> {
        self.raise_services(&round.cells).await?;
        let mut seen: Vec<Option<Observation>> = vec![None; round.cells.len()];
        let mut planned = Vec::with_capacity(round.cells.len());
        let mut numbers = Vec::with_capacity(round.cells.len());
        let mut targets = BTreeMap::new();
        let plan = self.plan(&round.cells)?;
        for (number, attempt) in plan.into_iter().enumerate() {
            match attempt {
                Ok(attempt) => {
                    targets.insert(number, attempt.target);
                    planned.push(attempt);
                    numbers.push(number);
                }
                Err(reason) => seen[number] = Some(Observation::broken(reason)),
            }
        }
        let allowed = self.own_addresses()?;
        let slot = self.slot()?;
        slot.agents.allow_targets(allowed);
        let found = slot.agents.probe(planned.clone(), round.deadline).await;
        self.undisturbed()?;
        let ailments = self.ailments();
        for ((number, attempt), observation) in numbers.into_iter().zip(&planned).zip(found) {
            // What ails an end now may have ailed it while it was dialled.
            let ends = [&attempt.source, &attempt.destination];
            let ailment = ends.into_iter().find_map(|end| ailments.get(end)).cloned();
            seen[number] = Some(ailment.map_or(observation, Observation::broken));
        }
        self.weigh(&round.cells, &targets, &mut seen);
        let forgotten = || Observation::broken("its agent said nothing of it");
        Ok(seen.into_iter().map(|seen| seen.unwrap_or_else(forgotten)).collect())
    }

    /// What is wrong with the pods that stand, by whose agent they hold.
    pub(super) fn ailments(&self) -> BTreeMap<Endpoint, String> {
        let pods = self.slot.iter().flat_map(|slot| slot.pods.iter().map(move |pod| (slot, pod)));
        pods.filter_map(|(slot, (name, placed))| {
            Some((placed.endpoint.clone(), slot.ailment(name)?))
        })
        .collect()
    }

    /// The addresses that attempts may target: those of the slot's own pods and Services,
    /// and of nodes where agents of the slot listen.
    pub(super) fn own_addresses(&mut self) -> Result<Vec<IpAddr>, ClusterError> {
        let nodes = self.needs.nodes || self.capabilities.ways.iter().any(|way| way.is_node_port());
        let nodes: Vec<IpAddr> = match nodes {
            true => self.nodes.values().flat_map(|node| node.addresses.clone()).collect(),
            false => Vec::new(),
        };
        let (slot, services) = self.parts()?;
        let pods = slot.pods.values().flat_map(|placed| placed.addresses.iter().copied());
        let services = services.all().flat_map(|access| access.addresses.iter().copied());
        let own: Vec<IpAddr> = pods.chain(services).chain(nodes).collect();
        Ok(own.into_iter().chain(self.externals.addresses().iter().copied()).collect())
    }

    pub(super) async fn raise_services(&mut self, cells: &[Cell]) -> Result<(), ClusterError> {
        let wanted: BTreeSet<(&PodName, Exposure)> = cells
            .iter()
            .filter_map(|cell| Some((cell.destination.as_pod()?, exposure(cell.via)?)))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let pods: Vec<(Pod, Exposure)> = wanted
            .into_iter()
            .filter_map(|(name, way)| Some((self.world.topology.pods.get(name)?.clone(), way)))
            .collect();
        let (slot, services) = self.parts()?;
        services.raise(slot, pods.iter().map(|(pod, way)| (pod, *way)).collect()).await
    }

    pub(super) fn plan(
        &mut self,
        cells: &[Cell],
    ) -> Result<Vec<Result<Planned, String>>, ClusterError> {
        let (nodes, externals) = (&self.nodes, &self.externals);
        let outside = &self.world.topology.externals;
        let (slot, services) = match &self.slot {
            Some(slot) => (slot, &self.services),
            None => return Err(ClusterError::Lost("it was torn down".to_owned())),
        };
        let agents: BTreeMap<&Endpoint, &PodName> =
            slot.pods.iter().map(|(name, placed)| (&placed.endpoint, name)).collect();
        let ailments = self.ailments();
        // The name that the agent of an end gives itself.
        let well = |end: &Endpoint| match (ailments.get(end), end) {
            (Some(ailment), _) => Err(ailment.clone()),
            (None, Endpoint::External(name)) if externals.has(name) => Ok(name.to_string()),
            (None, _) => agents
                .get(end)
                .map(|pod| pod_object::identity(pod, &slot.naming))
                .ok_or_else(|| format!("expected an agent for `{end}`, found none")),
        };
        let plan = cells.iter().map(|cell| {
            let Cell { source, destination, port, protocol, family, via } = cell;
            well(source)?;
            let expect = well(destination)?;
            let pod = agents.get(destination).copied();
            let of = |addresses: &[IpAddr]| {
                let found =
                    addresses.iter().copied().find(|a| crate::model::Family::of(*a) == *family);
                found.ok_or_else(|| {
                    format!("expected `{destination}` to have an {family} address, found none")
                })
            };
            let target = match (exposure(*via), destination) {
                (None, Endpoint::Node(node)) => {
                    let addresses = nodes.get(node).map(|node| node.addresses.as_slice());
                    SocketAddr::new(of(addresses.unwrap_or_default())?, *port)
                }
                (None, Endpoint::External(name)) => {
                    let addresses = outside.get(name).map(|host| host.addresses.as_slice());
                    SocketAddr::new(of(addresses.unwrap_or_default())?, *port)
                }
                (None, Endpoint::Pod(pod)) => {
                    let addresses = slot.pods.get(pod).map(|placed| placed.addresses.as_slice());
                    SocketAddr::new(of(addresses.unwrap_or_default())?, *port)
                }
                (Some(way), _) => {
                    let access = pod.and_then(|pod| services.get(pod, way)).ok_or_else(|| {
                        format!("expected a Service for `{destination}`, found none")
                    })?;
                    if way == Exposure::Cluster {
                        let address = access.address(*family).ok_or_else(|| {
                            format!("the Service of `{destination}` has no {family} address")
                        })?;
                        SocketAddr::new(address, service_port(*port))
                    } else {
                        // By the pod's own node, or by another one, where there is one.
                        let own = pod.and_then(|pod| slot.pods.get(pod)?.node());
                        let local = way == Exposure::OwnNode;
                        let node = nodes
                            .values()
                            .find(|node| (Some(&node.name) == own) == local)
                            .or_else(|| nodes.values().next());
                        let addresses = node.map(|node| node.addresses.as_slice());
                        let port = access.node_port(*protocol, *port).ok_or_else(|| {
                            format!("the Service of `{destination}` has no NodePort for {port}")
                        })?;
                        SocketAddr::new(of(addresses.unwrap_or_default())?, port)
                    }
                }
            };
            Ok(Planned {
                source: source.clone(),
                destination: destination.clone(),
                protocol: *protocol,
                target,
                expect,
            })
        });
        Ok(plan.collect())
    }
}
