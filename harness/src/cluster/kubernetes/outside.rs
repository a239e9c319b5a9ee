//! Hosts outside the cluster, as far as one scenario has them.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::site::Site;
use crate::cluster::agents::Agents;
use crate::cluster::docker::{Deployment, ExternalHosts};
use crate::cluster::{ClusterError, TeardownError};
use crate::model::{Endpoint, External, Family, Topology};

/// What makes hosts outside a cluster, and where their own networks must not be.
#[derive(Clone)]
pub struct Outside {
    /// Makes and removes them. It has scenarios that want the same address wait for each other.
    pub hosts: Arc<dyn ExternalHosts>,
    /// The ranges of the cluster's pods and Services. Those of its nodes are known.
    pub avoid: Vec<IpNet>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("avoid", &self.avoid).finish_non_exhaustive()
    }
}

/// A scenario's hosts.
#[derive(Debug, Default)]
pub(super) struct Externals {
    outside: Option<Outside>,
    made: Option<Made>,
}

#[derive(Debug)]
struct Made {
    deployment: Deployment,
    addresses: Vec<IpAddr>,
}

impl Externals {
    /// None yet; none ever without an outside.
    pub(super) fn new(outside: Option<Outside>) -> Self {
        Self { outside, made: None }
    }

    /// Makes a topology's hosts with their addresses as they are declared, in the families that
    /// pods have, and begins sessions with their agents. Where nothing makes any, what needs
    /// them was left out of the run before.
    pub(super) async fn raise(
        &mut self,
        topology: &Topology,
        families: &BTreeSet<Family>,
        avoid: &[IpNet],
        site: &Site,
        agents: &mut Agents,
    ) -> Result<(), ClusterError> {
        let Some(outside) = &self.outside else { return Ok(()) };
        let hosts: Vec<External> = topology
            .externals
            .values()
            .cloned()
            .map(|mut host| {
                host.addresses.retain(|address| families.contains(&Family::of(*address)));
                host
            })
            .filter(|host| !host.addresses.is_empty())
            .collect();
        if hosts.is_empty() {
            return Ok(());
        }
        let nodes = site.nodes.iter().flat_map(|node| &node.addresses).copied();
        let avoid: Vec<IpNet> =
            avoid.iter().chain(&outside.avoid).copied().chain(nodes.map(IpNet::from)).collect();
        let deployment = outside.hosts.deploy(&hosts, &avoid).await?;
        for (name, host) in &deployment.hosts {
            let endpoint = Endpoint::External(name.clone());
            agents.add(endpoint, name.to_string(), Arc::new(host.clone()));
        }
        // A container that starts anew has lost its declared addresses.
        for host in &hosts {
            agents.place(&Endpoint::External(host.name.clone()), host.addresses.clone());
        }
        let endpoints: Vec<Endpoint> =
            deployment.hosts.keys().cloned().map(Endpoint::External).collect();
        let addresses = hosts.iter().flat_map(|host| host.addresses.clone()).collect();
        // Kept first: what does not answer is removed all the same.
        self.made = Some(Made { deployment, addresses });
        let ready = agents.ready(&endpoints, site.options.deadlines.pods).await;
        ready.map_err(|error| ClusterError::Other(error.into()))
    }

    /// Whether a host of this name stands.
    pub(super) fn has(&self, name: &str) -> bool {
        self.made.as_ref().is_some_and(|made| made.deployment.hosts.contains_key(name))
    }

    /// The addresses that hosts have.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        self.made.as_ref().map(|made| made.addresses.as_slice()).unwrap_or_default()
    }

    /// Ends the sessions with the agents, if they still have a place, and removes the hosts.
    pub(super) async fn raze(&mut self, agents: &mut Agents) -> Result<(), TeardownError> {
        let (Some(outside), Some(made)) = (&self.outside, self.made.take()) else {
            return Ok(());
        };
        for name in made.deployment.hosts.keys() {
            agents.remove(&Endpoint::External(name.clone()));
        }
        outside.hosts.remove(made.deployment).await
    }
}
