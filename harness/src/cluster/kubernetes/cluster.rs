//! A scenario's share of a cluster: [`Cluster`] on a slot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use ringfence_probe::wire::{Listen, Sctp};
use tokio::sync::OwnedMutexGuard;

use super::artifact;
use super::naming::Naming;
use super::needs::Needs;
use super::node::{NodeFacts, stand_ins};
use super::objects::{Agent, Level};
use super::outside::Externals;
use super::pool::{Pool, Tenancy};
use super::secret;
use super::service::Services;
use super::slot::{Slot, Wanted};
use crate::cluster::agents::{NotListening, Traffic};
use crate::cluster::placement::Placement;
use crate::cluster::{
    Artifact, Beside, Capabilities, Cluster, ClusterError, Round, TeardownError, Timeline, Watch,
};
use crate::model::{
    Change, Endpoint, Labels, Name, Namespace, Observation, Origin, Pod, PodName, Protocol,
    Topology, World,
};

/// The namespace of the run's own pods that no policy selects.
pub(super) const WITNESS: &str = "ringfence-witness";

/// Namespaces of the run's own pods, which every scenario has: they stay from one to the next.
const KEPT: [&str; 2] = ["ringfence-sentinel", WITNESS];

/// The namespace of the agents in the networks of nodes.
const NODES: &str = "ringfence-nodes";

/// Whether a change adds pods or what they are in. Those that follow each other are one
/// batch, in which namespaces come first: nothing else depends on their order.
pub(super) fn adds(change: &Change) -> bool {
    matches!(change, Change::AddNamespace(_) | Change::AddPod(_))
}

/// One scenario's share of a Kubernetes cluster.
pub struct Kubernetes {
    pub(super) capabilities: Capabilities,
    pub(super) needs: Needs,
    pool: Arc<Pool>,
    /// `None` once it was torn down.
    pub(super) slot: Option<Slot>,
    pub(super) services: Services,
    pub(super) externals: Externals,
    pub(super) world: World,
    /// The cluster's nodes, by the scenario's names.
    pub(super) nodes: BTreeMap<Name, NodeFacts>,
    placement: Placement,
    pub(super) rewritten: Vec<String>,
    /// Whether every call so far came to its end: only then it is known what stands.
    pub(super) whole: bool,
    /// Whether its pods are in the way of others that come later: by the names of their
    /// namespaces, or by the ports of nodes.
    apart: bool,
    _tenancy: Tenancy,
    _nodes_to_itself: Option<OwnedMutexGuard<()>>,
}

impl Kubernetes {
    /// On a slot, which it gives back when it is torn down.
    pub(super) fn new(
        slot: Slot,
        pool: Arc<Pool>,
        needs: Needs,
        capabilities: Capabilities,
        externals: Externals,
        (tenancy, nodes_to_itself): (Tenancy, Option<OwnedMutexGuard<()>>),
    ) -> Self {
        let apart = slot.naming == Naming::Exact || nodes_to_itself.is_some();
        Self {
            capabilities,
            needs,
            pool,
            slot: Some(slot),
            services: Services::default(),
            externals,
            world: World::default(),
            nodes: BTreeMap::new(),
            placement: Placement::default(),
            rewritten: Vec::new(),
            whole: true,
            apart,
            _tenancy: tenancy,
            _nodes_to_itself: nodes_to_itself,
        }
    }

    /// Whether what it could not remove is in the way of others that come later: its pods, or
    /// its policies of the cluster.
    fn leaves_traces(&self) -> bool {
        self.apart || self.needs.is_of_the_cluster()
    }

    /// The slot, with what else a change or a round needs.
    pub(super) fn slot(&mut self) -> Result<&mut Slot, ClusterError> {
        self.slot.as_mut().ok_or_else(|| ClusterError::Lost("it was torn down".to_owned()))
    }

    /// The slot with the Services in it.
    pub(super) fn parts(&mut self) -> Result<(&mut Slot, &mut Services), ClusterError> {
        match &mut self.slot {
            Some(slot) => Ok((slot, &mut self.services)),
            None => Err(ClusterError::Lost("it was torn down".to_owned())),
        }
    }

    /// Gives a pod of the world its node, and says how it is made there; `None` where it
    /// has ended and so has no network.
    pub(super) fn place(&mut self, name: &PodName) -> Result<Option<Wanted>, ClusterError> {
        let names: Vec<Name> = self.nodes.keys().cloned().collect();
        let Some(pod) = self.world.topology.pods.get_mut(name) else { return Ok(None) };
        let index = self.placement.place(pod, &names).ok_or_else(|| {
            let wanted = pod.node.as_deref().unwrap_or_default();
            anyhow::anyhow!(
                "expected pod `{name}` to name one of the nodes `{}`, found `{wanted}`",
                names.join("`, `")
            )
        })?;
        pod.node = Some(names[index].clone());
        if !pod.has_network() {
            return Ok(None);
        }
        let pod = pod.clone();
        let endpoint = Endpoint::Pod(name.clone());
        Ok(Some(self.wanted(pod, endpoint)?))
    }

    fn wanted(&mut self, mut pod: Pod, endpoint: Endpoint) -> Result<Wanted, ClusterError> {
        let real = pod.node.as_ref().and_then(|node| self.nodes.get(node));
        pod.node = real.map(|node| node.name.clone());
        pod.addresses = Vec::new();
        // Where it was declared is no part of what it is.
        pod.origin = Origin::synthetic("slot");
        let net_raw = self.needs.net_raw;
        let options = &self.slot()?.site.options;
        let secrets = options.pull_secret.iter().map(|_| secret::NAME.to_owned());
        let agent = Agent {
            image: options.image.clone(),
            pull_policy: Some(options.pull_policy.as_str().to_owned()),
            pull_secrets: secrets.collect(),
            net_raw,
        };
        Ok(Wanted { pod, agent, endpoint })
    }

    /// The agents in the networks of nodes, where nodes are ends of cells. Their ports
    /// are opened later: a node may have a listener of its own on one.
    fn node_agents(&mut self) -> Result<Vec<Wanted>, ClusterError> {
        if !self.needs.nodes {
            return Ok(Vec::new());
        }
        let names: Vec<Name> = self.nodes.keys().cloned().collect();
        let agents = names.into_iter().map(|node| {
            let mut pod = Pod::new(PodName::new(NODES, &node), Origin::synthetic("nodes"));
            pod.node = Some(node.clone());
            pod.host_network = true;
            self.wanted(pod, Endpoint::Node(node))
        });
        agents.collect()
    }

    /// Whether the agents may open raw sockets, where SCTP rests on them.
    fn speaks_sctp(&mut self) -> Result<(), ClusterError> {
        if !self.needs.net_raw || !self.capabilities.protocols.contains(&Protocol::Sctp) {
            return Ok(());
        }
        let slot = self.slot()?;
        let cannot =
            |endpoint: &&Endpoint| slot.agents.sctp(endpoint).is_none_or(|sctp| sctp == Sctp::None);
        let mut endpoints = slot.pods.values().map(|placed| &placed.endpoint);
        endpoints.find(cannot).map_or(Ok(()), |endpoint| {
            Err(ClusterError::Unsupported(format!(
                "it is tagged `net-raw`, and the agent of `{endpoint}` still gets no raw sockets, without which it speaks no SCTP"
            )))
        })
    }

    /// Has the agents of nodes listen on the ports that the scenario gives them.
    async fn open_nodes(&mut self) -> Result<(), ClusterError> {
        if !self.needs.nodes {
            return Ok(());
        }
        let nodes: Vec<_> = self.world.topology.nodes.values().cloned().collect();
        let slot = self.slot()?;
        for node in nodes {
            let listens =
                node.ports.iter().map(|p| Listen { protocol: p.protocol, port: p.number });
            let endpoint = Endpoint::Node(node.name.clone());
            match slot.agents.listen(&endpoint, listens.collect()).await {
                Ok(()) => {}
                Err(error @ NotListening::Ports { .. }) => {
                    return Err(ClusterError::Unsupported(format!(
                        "{error}; something of the node's own listens there"
                    )));
                }
                Err(error) => return Err(ClusterError::Other(error.into())),
            }
        }
        Ok(())
    }

    /// Fills in the addresses that are known now.
    pub(super) fn topology(&mut self) -> Result<Topology, ClusterError> {
        let Some(slot) = &self.slot else {
            return Err(ClusterError::Lost("it was torn down".to_owned()));
        };
        for (name, pod) in &mut self.world.topology.pods {
            let placed = slot.pods.get(name);
            pod.addresses = placed.map(|placed| placed.addresses.clone()).unwrap_or_default();
        }
        Ok(self.world.topology.clone())
    }

    /// Makes everything stand at the same time, since pods take seconds to start.
    async fn raise(
        &mut self,
        topology: &Topology,
        nodes: usize,
        avoid: &[IpNet],
        beside: Beside<'_>,
    ) -> Result<Topology, ClusterError> {
        self.rehearse().await?;
        let slot = self.slot()?;
        let given = stand_ins(topology, nodes, &slot.site.nodes, slot.owner.slot);
        let given = given.map_err(ClusterError::Unsupported)?;
        for (name, node) in given.iter().filter(|(name, node)| **name != node.name) {
            self.rewritten.push(format!("node `{name}` is `{}` in the cluster", node.name));
        }
        self.nodes = given;
        self.placement = Placement::default();
        self.world = World::new(topology.clone());
        for (name, facts) in &self.nodes {
            let node = self.world.topology.nodes.entry(name.clone());
            let node = node.or_insert_with(|| crate::model::Node::new(name.clone()));
            node.addresses.clone_from(&facts.addresses);
            if self.needs.is_of_the_cluster() {
                node.labels = Some(facts.labels_as(name));
            }
        }
        let names: Vec<Name> = self.nodes.keys().cloned().collect();
        let (adding, rest): (Vec<_>, Vec<_>) = beside(&names).into_iter().partition(adds);
        for change in &adding {
            self.world.change(change).map_err(anyhow::Error::from)?;
        }
        let names: Vec<PodName> = self.world.topology.pods.keys().cloned().collect();
        let mut wanted = Vec::with_capacity(names.len());
        for name in &names {
            wanted.extend(self.place(name)?);
        }
        wanted.extend(self.node_agents()?);
        let mut namespaces: Vec<(Namespace, Level)> = self
            .world
            .topology
            .namespaces
            .values()
            .map(|namespace| (namespace.clone(), self.needs.level(&namespace.name)))
            .collect();
        if self.needs.nodes {
            let origin = Origin::synthetic("nodes");
            namespaces.push((Namespace::new(NODES, Labels::new(), origin), Level::Privileged));
        }
        let stay: BTreeSet<&Name> =
            namespaces.iter().map(|(namespace, _)| &namespace.name).collect();
        let kept = |name: &Name| KEPT.contains(&&**name) && !topology.namespaces.contains_key(name);
        let added = std::mem::take(&mut self.needs.added_namespaces);
        let slot = self.slot()?;
        // What steps add must be new then. Others may stay without pods: they select nothing.
        let go = |name: &&Name| added.contains(*name) && !stay.contains(name);
        let go: Vec<Name> = slot.namespaces().filter(go).cloned().collect();
        slot.raze_namespaces(&go, false).await?;
        let extra =
            |pod: &&PodName| !kept(&pod.namespace) && !wanted.iter().any(|it| it.pod.name == **pod);
        let extra: Vec<PodName> = slot.pods.keys().filter(extra).cloned().collect();
        slot.dismiss_pods(&extra).await?;
        slot.raise_namespaces(&namespaces).await?;
        slot.raise_pods(wanted).await?;
        self.speaks_sctp()?;
        self.make(&rest).await?;
        self.open_nodes().await?;
        let found = self.topology()?;
        if let Some(why) = inside(topology, &found, avoid) {
            return Err(ClusterError::Unsupported(why));
        }
        self.raise_externals(avoid).await?;
        Ok(found)
    }

    /// Makes the hosts outside the cluster, last: another scenario may be waiting for their
    /// addresses.
    async fn raise_externals(&mut self, avoid: &[IpNet]) -> Result<(), ClusterError> {
        let slot = match &mut self.slot {
            Some(slot) => slot,
            None => return Err(ClusterError::Lost("it was torn down".to_owned())),
        };
        let (topology, families) = (&self.world.topology, &self.capabilities.families);
        self.externals.raise(topology, families, avoid, &slot.site, &mut slot.agents).await
    }
}

/// The first address of a declared pod or a node that lies in a range which policies name,
/// in words.
fn inside(declared: &Topology, topology: &Topology, avoid: &[IpNet]) -> Option<String> {
    let externals = topology.externals.values().flat_map(|host| &host.addresses);
    let ranges: Vec<IpNet> = avoid
        .iter()
        .copied()
        .filter(|range| range.prefix_len() > 0)
        .chain(externals.copied().map(IpNet::from))
        .collect();
    let pods = topology.pods.values().filter(|pod| declared.pods.contains_key(&pod.name));
    let pods = pods.flat_map(|pod| {
        pod.addresses.iter().map(move |address| (format!("pod `{}`", pod.name), *address))
    });
    let nodes = topology.nodes.values().flat_map(|node| {
        node.addresses.iter().map(move |address| (format!("node `{}`", node.name), *address))
    });
    pods.chain(nodes).find_map(|(whose, address)| {
        let range = ranges.iter().find(|range| range.contains(&address))?;
        Some(format!(
            "{whose} has the address {address} in this cluster, and the scenario means something outside of it by {range}"
        ))
    })
}

#[async_trait]
impl Cluster for Kubernetes {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn deploy(
        &mut self,
        topology: &Topology,
        nodes: usize,
        avoid: &[IpNet],
    ) -> Result<Topology, ClusterError> {
        self.deploy_beside(topology, nodes, avoid, &|_| Vec::new()).await
    }

    async fn deploy_beside(
        &mut self,
        topology: &Topology,
        nodes: usize,
        avoid: &[IpNet],
        beside: Beside<'_>,
    ) -> Result<Topology, ClusterError> {
        self.whole = false;
        let raised = self.raise(topology, nodes, avoid, beside).await;
        // What is not supported is found with everything in its place.
        self.whole = matches!(raised, Ok(_) | Err(ClusterError::Unsupported(_)));
        raised
    }

    async fn change(&mut self, changes: &[Change]) -> Result<Topology, ClusterError> {
        self.whole = false;
        self.make(changes).await?;
        self.whole = true;
        self.topology()
    }

    async fn watch(&mut self, watch: &Watch, changes: &[Change]) -> Result<Timeline, ClusterError> {
        self.whole = false;
        let timeline = self.make_watched(watch, changes).await?;
        self.whole = true;
        Ok(timeline)
    }

    async fn probe(&mut self, round: &Round) -> Result<Vec<Observation>, ClusterError> {
        let whole = std::mem::replace(&mut self.whole, false);
        let seen = self.attempt(round).await?;
        self.whole = whole;
        Ok(seen)
    }

    fn names(&self) -> BTreeMap<Name, Name> {
        let Some(Slot { naming: naming @ Naming::Prefixed(_), .. }) = &self.slot else {
            return BTreeMap::new();
        };
        let namespaces = self.world.topology.namespaces.keys();
        namespaces.map(|name| (name.clone(), naming.namespace(name))).collect()
    }

    fn rewritten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.rewritten)
    }

    fn traffic(&self) -> Option<Traffic> {
        self.slot.as_ref().map(|slot| slot.agents.traffic())
    }

    async fn artifacts(&mut self) -> Vec<Artifact> {
        match &self.slot {
            Some(slot) => artifact::of(slot).await,
            None => Vec::new(),
        }
    }

    async fn teardown(&mut self) -> Result<(), TeardownError> {
        // What this breaks off of is not known for certain any more, and is nobody's again.
        let whole = std::mem::replace(&mut self.whole, false);
        let Some(slot) = &mut self.slot else { return Ok(()) };
        let hosts_left = self.externals.raze(&mut slot.agents).await;
        // First: nobody is to meet them when this scenario is over.
        let scoped = slot.lift_cluster_policies().await;
        let services = &mut self.services;
        let all: Vec<Name> = slot.namespaces().cloned().collect();
        let exact = slot.naming == Naming::Exact;
        let ended = if !whole {
            slot.abandon(self.apart).await
        } else if exact {
            slot.raze_namespaces(&all, true).await
        } else {
            let on_nodes = slot.on_nodes();
            let left = slot.raze_pods(&on_nodes).await;
            let (lifted, razed) =
                futures_util::future::join(slot.lift_policies(), services.raze(slot, |_| true))
                    .await;
            left.and(lifted).and(razed)
        };
        let ended = scoped.and(ended);
        // Whoever comes next has other pods to dial.
        slot.agents.allow_targets([]);
        let prefix = slot.naming.prefix();
        let mut left = hosts_left.err().map(|TeardownError(left)| left).unwrap_or_default();
        let slot = self.slot.take();
        match (ended, slot) {
            (Ok(()), Some(slot)) if whole && !exact => self.pool.give(slot),
            (Ok(()), _) => {}
            (Err(error), slot) => {
                left.push(format!(
                    "objects of the slot `{prefix}`, which the end of the run tries to delete again: {}",
                    super::call::words(&error)
                ));
                self.pool.lose(slot.filter(|_| self.leaves_traces()));
            }
        }
        if left.is_empty() { Ok(()) } else { Err(TeardownError(left)) }
    }
}

impl Drop for Kubernetes {
    /// A share that is dropped without its teardown still has its pods: those that must be alone
    /// wait until they are gone.
    fn drop(&mut self) {
        let slot = self.slot.take().filter(|_| self.leaves_traces());
        self.pool.lose(slot);
    }
}
