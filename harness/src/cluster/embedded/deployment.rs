//! A deployed cluster: its world, the network that carries it, the packet filters
//! that enforce its policies, and the listeners.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, anyhow, bail};
use ipnet::IpNet;
use ringfence_probe::wire::Listen;
use ringfence_probe::{Prober, ProberOptions, Servers};

use super::EmbeddedOptions;
use super::addresses::AddressPlan;
use super::dataplane::{LocalPod, NodeView};
use super::fault::{Impairment, Instruction};
use super::filter::Filter;
use super::network::{Network, Slot};
use super::protocol::Demand;
use super::services::Services;
use crate::cluster::placement::{Placement, node_names};
use crate::model::{Change, Endpoint, Name, Pod, PodName, Port, Topology, World};

/// After how many attempts connections are forgotten: with a retry for each, fewer than there
/// are ports, and a fraction of what the kernel lets a packet filter know ("nf_conntrack_max",
/// 262,144 by default; kernel documentation, `networking/nf_conntrack-sysctl`).
const MOST_TRACKED: usize = 10_000;

/// A cluster and everything that it is made of.
pub(super) struct Deployment {
    pub(super) world: World,
    pub(super) network: Network,
    pub(super) filters: Vec<Filter>,
    pub(super) services: Services,
    pub(super) servers: Servers,
    pub(super) probers: Vec<Prober>,
    pub(super) rounds: u32,
    pub(super) nonces: u64,
    pub(super) node_names: Vec<Name>,
    pub(super) placement: Placement,
    /// What is wrong with the dataplane, where something is to be.
    impairment: Option<Impairment>,
    /// How many attempts the packet filters may know; `None` where some were made from ports
    /// that may come back any time.
    pub(super) tracked: Option<usize>,
}

/// A pod that has its place in the world and is still to be made.
pub(super) struct Newcomer {
    pub(super) name: PodName,
    pub(super) node: usize,
    /// `None`: it shares its node's network.
    pub(super) slot: Option<Slot>,
}

impl Deployment {
    /// Makes a cluster of a topology, with what stands beside it.
    pub(super) fn create(
        options: &EmbeddedOptions,
        ipv6: bool,
        demand: Demand,
    ) -> anyhow::Result<Self> {
        let node_names = node_names(&demand.topology, demand.nodes);
        let plan = plan(&demand, &node_names, ipv6)?;
        let network = Network::build(plan, &node_names, demand.topology.externals.values())?;
        let mut filters = Vec::new();
        for name in &node_names {
            network.enter(&Endpoint::Node(name.clone()))?;
            filters.push(Filter::open(name, options.evidence)?);
        }
        let threads = options.threads.max(1);
        let probers =
            (0..threads).map(|_| Prober::new(ProberOptions::default())).collect::<Result<_, _>>();
        let mut deployment = Self {
            world: World::default(),
            network,
            filters,
            services: Services::default(),
            servers: Servers::start().context("start the listeners' thread")?,
            probers: probers.context("start the probers")?,
            rounds: 0,
            nonces: 0,
            node_names,
            placement: Placement::default(),
            impairment: Impairment::new(options),
            tracked: Some(0),
        };
        deployment.rewrite_sources()?;
        deployment.populate(demand)?;
        deployment.open_hosts()?;
        Ok(deployment)
    }

    /// The topology as it is now.
    pub(super) fn topology(&self) -> &Topology {
        &self.world.topology
    }

    /// Makes changes. Where one of them cannot be made, none is.
    ///
    /// Pods that go are cut off first; then the packet filters take the new policies
    /// and learn of the pods that come; then those are made. So a pod's first packet
    /// already meets its policies.
    pub(super) fn change(&mut self, changes: &[Change]) -> anyhow::Result<()> {
        self.change_step_by_step(changes, &mut |_| Ok(()))
    }

    /// Makes changes as [`Deployment::change`] does. Tells when the pods that come have
    /// addresses, before anything is enforced, and whenever one of them has its network.
    pub(super) fn change_step_by_step(
        &mut self,
        changes: &[Change],
        told: &mut dyn FnMut(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut world = self.world.clone();
        let mut gone: Vec<PodName> = Vec::new();
        let mut fresh: Vec<PodName> = Vec::new();
        let mut ended: BTreeSet<PodName> = BTreeSet::new();
        for change in changes {
            world.change(change)?;
            match change {
                Change::AddPod(pod) => fresh.push(pod.name.clone()),
                Change::RemovePod(name) => {
                    remove(&self.world, &mut fresh, &mut gone, |pod| pod == name)
                }
                Change::RemoveNamespace(name) => {
                    remove(&self.world, &mut fresh, &mut gone, |pod| pod.namespace == *name);
                }
                // One that only comes with these changes comes as one that has ended.
                Change::EndPod(name) if !fresh.contains(name) && !gone.contains(name) => {
                    gone.push(name.clone());
                    ended.insert(name.clone());
                }
                _ => {}
            }
        }
        let before = std::mem::replace(&mut self.world, world);
        let newcomers = fresh
            .iter()
            .filter_map(|name| self.welcome(name).transpose())
            .collect::<anyhow::Result<Vec<_>>>();
        let newcomers = match newcomers {
            Ok(newcomers) => newcomers,
            Err(error) => {
                self.world = before;
                return Err(error);
            }
        };
        self.raze_services(&gone)?;
        for name in &gone {
            self.servers.close(&name.to_string());
            match ended.contains(name) {
                true => self.network.end_pod(name)?,
                false => self.network.remove_pod(name)?,
            }
        }
        told(self)?;
        self.enforce(&newcomers)?;
        self.admit(newcomers, told)?;
        self.allow_targets();
        Ok(())
    }

    /// Gives a pod of the world a node and addresses. `None`: it has ended, and has no network.
    fn welcome(&mut self, name: &PodName) -> anyhow::Result<Option<Newcomer>> {
        let pod = self
            .world
            .topology
            .pods
            .get_mut(name)
            .with_context(|| format!("expected a pod named `{name}`, found none"))?;
        pod.addresses.clear();
        let node = self
            .placement
            .place(pod, &self.node_names)
            .ok_or_else(|| no_node(pod, &self.node_names))?;
        pod.node = Some(self.node_names[node].clone());
        if !pod.has_network() {
            return Ok(None);
        }
        let slot = if pod.host_network {
            pod.addresses = self.network.node_addresses(node);
            None
        } else {
            let slot = self.network.reserve(node)?;
            pod.addresses.clone_from(&slot.addresses);
            Some(slot)
        };
        Ok(Some(Newcomer { name: name.clone(), node, slot }))
    }

    /// The nodes with the pods that are there and those that come.
    fn views(&self, newcomers: &[Newcomer]) -> Vec<NodeView> {
        let mut views: Vec<NodeView> = self
            .node_names
            .iter()
            .map(|name| NodeView { name: name.clone(), pods: Vec::new() })
            .collect();
        let coming = newcomers.iter().filter_map(|new| Some((&new.name, new.slot.as_ref()?)));
        for (name, slot) in self.network.slots().iter().chain(coming) {
            let pod = LocalPod { name: name.clone(), interface: slot.interface };
            views[slot.node].pods.push(pod);
        }
        for view in &mut views {
            view.pods.sort_by(|a, b| a.name.cmp(&b.name));
        }
        views
    }

    /// Installs the world's policies wherever they changed, for pods that are there and
    /// pods that come.
    pub(super) fn enforce(&mut self, newcomers: &[Newcomer]) -> anyhow::Result<()> {
        let views = self.views(newcomers);
        // The kernel takes a ruleset in the thread that sends it: as many at a time as
        // there are probers.
        let at_once = self.probers.len();
        let Some(impairment) = &mut self.impairment else {
            let world = &self.world;
            return install(&mut self.filters, at_once, &views, &|filter, view| {
                filter.enforce(world, view)
            });
        };
        let new = newcomers.iter().map(|newcomer| &newcomer.name).collect();
        let orders = impairment.orders(&self.world, &views, &new);
        install(&mut self.filters, at_once, &orders, &|filter, orders: &Vec<Instruction>| {
            filter.obey(orders)
        })
    }

    /// Makes each of so many attempts a new one to the packet filters: none may pass as an
    /// earlier one from the same address and port, which was judged by other policies. A
    /// prober comes back to none of an address's ports within [`MOST_TRACKED`] attempts, so
    /// that connections need be forgotten only then.
    pub(super) fn forget_connections(&mut self, attempts: usize) -> anyhow::Result<()> {
        // One that is late, or not itself, may change by itself.
        let known = self.tracked.filter(|_| self.impairment.is_none());
        let tracked = match known.map(|tracked| tracked + attempts) {
            Some(tracked) if tracked <= MOST_TRACKED => tracked,
            _ => {
                for filter in &mut self.filters {
                    filter.forget_connections()?;
                }
                attempts
            }
        };
        self.tracked = Some(tracked);
        Ok(())
    }

    /// Hides pods behind their nodes, where that is the dataplane's fault.
    fn rewrite_sources(&mut self) -> anyhow::Result<()> {
        if !self.impairment.as_ref().is_some_and(Impairment::rewrites_sources) {
            return Ok(());
        }
        let pods = self.network.pod_ranges();
        self.filters.iter().enumerate().try_for_each(|(node, filter)| {
            let addresses = self.network.node_addresses(node);
            filter.rewrite_sources(&addresses, Network::NODE_UPLINK, &pods)
        })
    }

    /// Makes the pods that come, each with its listeners, and tells of each.
    pub(super) fn admit(
        &mut self,
        newcomers: Vec<Newcomer>,
        told: &mut dyn FnMut(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for Newcomer { name, node, slot } in newcomers {
            match slot {
                Some(slot) => self.network.add_pod(&name, slot)?,
                None => self.network.add_host_network_pod(&name, node),
            }
            self.listen(&Endpoint::Pod(name))?;
            told(self)?;
        }
        self.network.settle()
    }

    /// Opens the listeners of nodes and external hosts.
    fn open_hosts(&mut self) -> anyhow::Result<()> {
        let topology = &self.world.topology;
        let nodes = topology.nodes.keys().cloned().map(Endpoint::Node);
        let externals = topology.externals.keys().cloned().map(Endpoint::External);
        nodes.chain(externals).try_for_each(|endpoint| self.listen(&endpoint))
    }

    /// Opens a listener on every port that an endpoint declares.
    fn listen(&self, endpoint: &Endpoint) -> anyhow::Result<()> {
        let ports: Vec<Listen> = listens(self.world.topology.ports(endpoint));
        if ports.is_empty() {
            return Ok(());
        }
        self.network.enter(endpoint)?;
        let failed = self.servers.listen(&endpoint.to_string(), &ports);
        if let Some((Listen { protocol, port }, reason)) = failed.first() {
            bail!("expected `{endpoint}` to listen on {port}/{protocol}, found: {reason}");
        }
        Ok(())
    }

    /// The addresses that attempts may target: those of the run's own endpoints and Services.
    pub(super) fn own_targets(&self) -> Vec<IpAddr> {
        let mut addresses = own_addresses(&self.world.topology);
        addresses.extend(self.services.addresses());
        addresses
    }

    /// Lets attempts target what there is now, and nothing else.
    pub(super) fn allow_targets(&mut self) {
        let addresses = self.own_targets();
        for prober in &mut self.probers {
            prober.allow_targets(addresses.iter().copied());
        }
    }
}

/// Has every packet filter carry out what it is given, so many at a time.
fn install<T: Sync>(
    filters: &mut [Filter],
    at_once: usize,
    what: &[T],
    how: &(dyn Fn(&mut Filter, &T) -> anyhow::Result<()> + Sync),
) -> anyhow::Result<()> {
    let each = filters.len().div_ceil(at_once);
    std::thread::scope(|scope| {
        let threads: Vec<_> = filters
            .chunks_mut(each)
            .zip(what.chunks(each))
            .map(|(filters, what)| {
                scope.spawn(move || {
                    filters.iter_mut().zip(what).try_for_each(|(filter, what)| how(filter, what))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| anyhow!("a compiler thread panicked"))?
        })
    })
}

/// The addresses of a topology's endpoints.
fn own_addresses(topology: &Topology) -> Vec<IpAddr> {
    let pods = topology.pods.values().flat_map(|pod| &pod.addresses);
    let nodes = topology.nodes.values().flat_map(|node| &node.addresses);
    let externals = topology.externals.values().flat_map(|host| &host.addresses);
    pods.chain(nodes).chain(externals).copied().collect()
}

/// Notes that pods go: those that were there are `gone`, those that were only coming do not come.
fn remove(
    world: &World,
    fresh: &mut Vec<PodName>,
    gone: &mut Vec<PodName>,
    leaves: impl Fn(&PodName) -> bool,
) {
    fresh.retain(|pod| !leaves(pod));
    let there = world.topology.pods.keys().filter(|pod| leaves(pod) && !gone.contains(pod));
    let there: Vec<PodName> = there.cloned().collect();
    gone.extend(there);
}

/// The ports of an endpoint, each once: two container ports may differ in their name alone.
fn listens(ports: &[Port]) -> Vec<Listen> {
    let mut ports: Vec<Listen> =
        ports.iter().map(|port| Listen { protocol: port.protocol, port: port.number }).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The addresses that nodes of these names have and give to pods.
pub(super) fn plan(demand: &Demand, nodes: &[Name], ipv6: bool) -> anyhow::Result<AddressPlan> {
    let Demand { topology, avoid, .. } = demand;
    let mut placement = Placement::default();
    let mut pods = vec![0; nodes.len()];
    for pod in topology.pods.values() {
        let node = placement.place(pod, nodes).ok_or_else(|| no_node(pod, nodes))?;
        pods[node] += 1;
    }
    let externals = topology.externals.values().flat_map(|host| &host.addresses);
    let avoid: Vec<IpNet> =
        avoid.iter().copied().chain(externals.copied().map(IpNet::from)).collect();
    let most = pods.into_iter().max().unwrap_or(0);
    Ok(AddressPlan::choose(&avoid, nodes.len(), most, ipv6)?)
}

pub(super) fn no_node(pod: &Pod, nodes: &[Name]) -> anyhow::Error {
    let (name, wanted) = (&pod.name, pod.node.as_deref().unwrap_or_default());
    let nodes = nodes.join("`, `");
    anyhow!("expected pod `{name}` to name one of the nodes `{nodes}`, found `{wanted}`")
}
