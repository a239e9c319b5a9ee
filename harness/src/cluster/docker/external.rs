//! Hosts outside the cluster: containers whose declared addresses only nodes reach.
//!
//! A host is a container of the agent on an *internal* Docker network, which has no way out. Its
//! declared addresses are on its loopback interface, each alone. Docker drops packets on an
//! internal network that are from or to an address outside of the network's range, wherever the
//! kernel filters bridges (moby/libnetwork#2260, `bridge-nf-call-iptables`). So declared
//! addresses travel in a tunnel (VXLAN) between the host and the nodes, whose outer packets are
//! within the range. IPv6 travels in the same tunnel and needs nothing from Docker.
//!
//! Nodes alone have routes to declared addresses, by the tunnel. Beneath each lies a route of
//! last resort that makes the address unreachable: a packet that comes when the host is gone
//! does not leave the node by its default route. It stays for as long as the node does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkConnectRequest,
    NetworkCreateRequest,
};
use futures_util::future::{join_all, try_join_all};
use ipnet::IpNet;
use ringfence_probe::agent::network::{NetworkPlan, Range, Route, Tunnel};

use super::claims::{Claim, Claims};
use super::container::Spec;
use super::engine::{Engine, EngineError, refused, status};
use super::ranges::{Ranges, choose, nth};
use super::{KIND, RUN};
use crate::cluster::agents::{BoxStream, Dial, DialError};
use crate::cluster::{ClusterError, TeardownError};
use crate::model::{External, Name};

/// How often another range is tried when Docker says that one is taken after all.
const TRIES: u32 = 8;

/// Where a host's bridge finds its agent.
const BRIDGE: [&str; 2] = ["/ringfence-agent", "bridge"];

/// A node that is a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeContainer {
    /// The container's name or identifier.
    pub container: String,
    /// The ranges of the pods that are reached by it.
    pub pods: Vec<IpNet>,
}

/// Makes the hosts outside a cluster.
#[async_trait]
pub trait ExternalHosts: Send + Sync {
    /// Makes hosts, each with an agent that waits and listens on the declared ports. Waits for
    /// as long as another deployment has one of their addresses: nodes have one route to each.
    /// `avoid` is what the run's own networks must keep out of, besides declared addresses:
    /// the ranges of pods, Services and nodes, and those that policies name.
    ///
    /// A call that is dropped may leave something behind, which pruning the run removes.
    ///
    /// # Errors
    /// Where Docker refuses, or every range is taken. What was made by then is removed.
    async fn deploy(&self, hosts: &[External], avoid: &[IpNet])
    -> Result<Deployment, ClusterError>;

    /// Removes hosts, and gives their addresses back.
    ///
    /// # Errors
    /// What remains; everything was tried.
    async fn remove(&self, deployment: Deployment) -> Result<(), TeardownError>;
}

/// Hosts that were made.
#[derive(Debug)]
pub struct Deployment {
    /// The hosts, by their names in the scenario.
    pub hosts: BTreeMap<Name, Host>,
    network: String,
    /// Held until the routes may lead elsewhere.
    _claim: Option<Claim>,
}

impl Deployment {
    /// Hosts on a network of this name, made by other means than [`DockerHosts`].
    pub fn new(network: impl Into<String>, hosts: BTreeMap<Name, Host>) -> Self {
        Self { hosts, network: network.into(), _claim: None }
    }

    /// The name of their network.
    pub fn network(&self) -> &str {
        &self.network
    }
}

/// A host that was made; opens sessions with its agent.
#[derive(Clone)]
pub struct Host {
    container: String,
    dial: Arc<dyn Dial>,
}

impl Host {
    /// A host of this identifier, whose agent is reached in this way.
    pub fn new(container: impl Into<String>, dial: Arc<dyn Dial>) -> Self {
        Self { container: container.into(), dial }
    }

    /// The container's identifier.
    pub fn container(&self) -> &str {
        &self.container
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("container", &self.container).finish_non_exhaustive()
    }
}

#[async_trait]
impl Dial for Host {
    async fn dial(&self) -> Result<BoxStream, DialError> {
        self.dial.dial().await
    }
}

/// A bridge to the agent in a container, by an exec of the Engine.
struct Bridge {
    engine: Engine,
    container: String,
}

#[async_trait]
impl Dial for Bridge {
    async fn dial(&self) -> Result<BoxStream, DialError> {
        match self.engine.exec(&self.container, &BRIDGE).await {
            Ok(stream) => Ok(Box::new(stream)),
            // Docker knows it no more, or knows that it has stopped.
            Err(error) if error.is_not_found() || error.is_conflict() => {
                Err(DialError::Gone(format!("the container `{}`", self.container)))
            }
            Err(error) => Err(DialError::Failed(error.into())),
        }
    }
}

/// Hosts in containers of one Docker Engine, for one cluster.
#[derive(Debug)]
pub struct DockerHosts {
    engine: Engine,
    image: String,
    run: String,
    nodes: Vec<NodeContainer>,
    claims: Claims,
    count: AtomicU32,
}

impl DockerHosts {
    /// Hosts of a run, made of the agent's image and reached from these nodes. A cluster has one
    /// of these: whoever makes two for the same nodes lets declared addresses collide.
    pub fn new(
        engine: Engine,
        image: impl Into<String>,
        run: impl Into<String>,
        nodes: Vec<NodeContainer>,
    ) -> Self {
        Self {
            engine,
            image: image.into(),
            run: run.into(),
            nodes,
            claims: Claims::default(),
            count: AtomicU32::new(0),
        }
    }

    /// An internal network of a range that nobody else has.
    async fn network(
        &self,
        number: u32,
        hosts: &[External],
        avoid: &[IpNet],
    ) -> Result<(String, Ranges), ClusterError> {
        let declared = hosts.iter().flat_map(|host| &host.addresses).copied().map(IpNet::from);
        let mut taken: Vec<IpNet> =
            avoid.iter().copied().filter(|range| range.prefix_len() > 0).chain(declared).collect();
        taken.extend(self.engine.ranges().await?);
        let seed = seed(&self.run).wrapping_add(u64::from(number) * 2);
        let mut tries = 0;
        loop {
            let ranges = choose(seed, &taken).ok_or_else(|| {
                ClusterError::Unsupported(
                    "no external hosts: expected a free /24 for their network in 198.18.0.0/15 or 10.0.0.0/8, found all of them taken by policies, pods or Docker networks".to_owned(),
                )
            })?;
            let name = format!("ringfence-{}-{number}", self.run);
            match self.engine.internal_network(&self.run, &name, &ranges).await {
                Ok(()) => return Ok((name, ranges)),
                // Somebody else has just taken it: Docker's "Pool overlaps".
                Err(error) if overlaps(&error) && tries < TRIES => {
                    tries += 1;
                    taken.push(ranges.below.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes containers on a network that is there.
    async fn populate(
        &self,
        network: &str,
        number: u32,
        ranges: &Ranges,
        hosts: &[External],
    ) -> Result<BTreeMap<Name, Host>, EngineError> {
        // Without need IPv6 is left alone: a node may have none.
        let ipv6 = hosts.iter().flat_map(|host| &host.addresses).any(IpAddr::is_ipv6);
        let place = |index: usize| Place::new(ranges, ipv6, index);
        let nodes: Vec<_> = self.nodes.iter().enumerate().map(|(i, n)| (n, place(i))).collect();
        let beyond: Vec<_> = hosts
            .iter()
            .enumerate()
            .map(|(index, host)| (host, place(self.nodes.len() + index)))
            .collect();
        let tunnel = Ends { number: number_of(&self.run, number), nodes: &nodes, hosts: &beyond };

        let nodes_ready = try_join_all(nodes.iter().map(async |(node, place)| {
            self.engine.connect_container(network, &node.container, place.below).await?;
            let plan = tunnel.of_node(place);
            self.engine.configure(&self.run, &self.image, &node.container, &plan).await
        }));
        let hosts_ready = try_join_all(beyond.iter().map(async |(host, place)| {
            let container = self.host(network, host, place).await?;
            let plan = tunnel.of_host(host, place);
            self.engine.configure(&self.run, &self.image, &container, &plan).await?;
            let engine = self.engine.clone();
            let made = Host::new(container.clone(), Arc::new(Bridge { engine, container }));
            Ok::<_, EngineError>((host.name.clone(), made))
        }));
        let (_, hosts) = futures_util::try_join!(nodes_ready, hosts_ready)?;
        Ok(hosts.into_iter().collect())
    }

    /// Starts a host's container.
    async fn host(
        &self,
        network: &str,
        host: &External,
        place: &Place,
    ) -> Result<String, EngineError> {
        let name = format!("{network}-{}", host.name);
        let listen = host.ports.iter().map(|port| format!("{}/{}", port.number, port.protocol));
        let spec = Spec {
            run: &self.run,
            name: Some(&name),
            kind: "external-host",
            image: &self.image,
            arguments: vec![
                "serve".to_owned(),
                "--identity".to_owned(),
                host.name.to_string(),
                "--listen".to_owned(),
                listen.collect::<Vec<_>>().join(","),
            ],
            network,
            address: Some(place.below),
        };
        self.engine.serve(spec, place.ipv6.is_some()).await
    }

    /// Removes whatever a deployment has.
    async fn clear(&self, network: &str) -> Vec<String> {
        let mut left = Vec::new();
        let containers = self.engine.containers_on(network).await;
        match containers {
            Ok(containers) => {
                let removed = containers.iter().map(|id| self.engine.remove_container(id));
                left.extend(join_all(removed).await.into_iter().filter_map(Result::err));
            }
            Err(error) => left.push(error),
        }
        left.extend(self.engine.remove_network(network).await.err());
        left.into_iter().map(|error| format!("{:#}", anyhow::Error::from(error))).collect()
    }
}

#[async_trait]
impl ExternalHosts for DockerHosts {
    async fn deploy(
        &self,
        hosts: &[External],
        avoid: &[IpNet],
    ) -> Result<Deployment, ClusterError> {
        let addresses: BTreeSet<IpAddr> =
            hosts.iter().flat_map(|host| &host.addresses).copied().collect();
        let claim = self.claims.take(addresses).await;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (network, ranges) = self.network(number, hosts, avoid).await?;
        match self.populate(&network, number, &ranges, hosts).await {
            Ok(hosts) => Ok(Deployment { hosts, network, _claim: Some(claim) }),
            Err(error) => {
                let left = self.clear(&network).await;
                let error = anyhow::Error::from(error);
                Err(ClusterError::Other(if left.is_empty() {
                    error
                } else {
                    error.context(TeardownError(left))
                }))
            }
        }
    }

    async fn remove(&self, deployment: Deployment) -> Result<(), TeardownError> {
        let left = self.clear(&deployment.network).await;
        if left.is_empty() { Ok(()) } else { Err(TeardownError(left)) }
    }
}

/// The addresses of one end of a tunnel.
#[derive(Debug, Clone, Copy)]
struct Place {
    below: Ipv4Addr,
    ipv4: Range,
    ipv6: Option<Range>,
}

impl Place {
    /// Those of the end of this index.
    fn new(ranges: &Ranges, ipv6: bool, index: usize) -> Self {
        // The first address of a Docker network is the bridge's own.
        let number = index as u32 + 2;
        let within =
            |range: IpNet| Range { address: nth(range, number), length: range.prefix_len() };
        Self {
            below: Ipv4Addr::from(u32::from(ranges.below.network()) + number),
            ipv4: within(ranges.ipv4.into()),
            ipv6: ipv6.then(|| within(ranges.ipv6.into())),
        }
    }

    /// A route to what lies behind this end; `None` where it has no address of the family.
    fn route(&self, to: IpNet) -> Option<Route> {
        let hop = if to.addr().is_ipv4() { Some(self.ipv4) } else { self.ipv6 };
        let to = Range { address: to.network(), length: to.prefix_len() };
        hop.map(|hop| Route { to, via: hop.address })
    }
}

/// Both sides of a tunnel.
struct Ends<'a> {
    number: u32,
    nodes: &'a [(&'a NodeContainer, Place)],
    hosts: &'a [(&'a External, Place)],
}

impl Ends<'_> {
    fn tunnel(&self, own: &Place, peers: &[Place], routes: Vec<Route>) -> Option<Tunnel> {
        Some(Tunnel {
            name: format!("rf-{:06x}", self.number),
            number: self.number,
            local: own.below,
            peers: peers.iter().map(|peer| peer.below).collect(),
            addresses: [Some(own.ipv4), own.ipv6].into_iter().flatten().collect(),
            routes,
        })
    }

    /// What a node is told: where declared addresses are.
    fn of_node(&self, own: &Place) -> NetworkPlan {
        let peers: Vec<Place> = self.hosts.iter().map(|(_, place)| *place).collect();
        let declared = self
            .hosts
            .iter()
            .flat_map(|(host, place)| host.addresses.iter().map(move |address| (*address, place)));
        let routes = declared.clone().filter_map(|(address, place)| place.route(address.into()));
        NetworkPlan {
            unreachable: declared.map(|(address, _)| address).collect(),
            tunnel: self.tunnel(own, &peers, routes.collect()),
            ..NetworkPlan::default()
        }
    }

    /// What a host is told: its addresses, and where pods are.
    fn of_host(&self, host: &External, own: &Place) -> NetworkPlan {
        let peers: Vec<Place> = self.nodes.iter().map(|(_, place)| *place).collect();
        let routes = self
            .nodes
            .iter()
            .flat_map(|(node, place)| node.pods.iter().filter_map(|pods| place.route(*pods)));
        NetworkPlan {
            no_way_out: true,
            loopback: host.addresses.clone(),
            unreachable: Vec::new(),
            tunnel: self.tunnel(own, &peers, routes.collect()),
        }
    }
}

/// A number that stands for a run: FNV-1a, which is the same everywhere.
fn seed(run: &str) -> u64 {
    run.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A tunnel's number, of 24 bits. Runs that chose the same share no network.
fn number_of(run: &str, number: u32) -> u32 {
    ((seed(run) >> 32) as u32).wrapping_add(number) & 0x00ff_ffff
}

fn overlaps(error: &EngineError) -> bool {
    matches!(error, EngineError::Refused { source, .. } if matches!(status(source), Some(400 | 403 | 409 | 500))
        && source.to_string().contains("overlaps"))
}

impl Engine {
    async fn internal_network(
        &self,
        run: &str,
        name: &str,
        ranges: &Ranges,
    ) -> Result<(), EngineError> {
        let range = IpamConfig { subnet: Some(ranges.below.to_string()), ..IpamConfig::default() };
        let labels = [(RUN, run), (KIND, "network")];
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            internal: Some(true),
            ipam: Some(Ipam { config: Some(vec![range]), ..Ipam::default() }),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..NetworkCreateRequest::default()
        };
        let made = self.api.create_network(request).await;
        made.map_err(refused(format!("create the network `{name}` of {}", ranges.below)))?;
        Ok(())
    }

    async fn connect_container(
        &self,
        network: &str,
        container: &str,
        address: Ipv4Addr,
    ) -> Result<(), EngineError> {
        let ipam = EndpointIpamConfig {
            ipv4_address: Some(address.to_string()),
            ..EndpointIpamConfig::default()
        };
        let request = NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(EndpointSettings {
                ipam_config: Some(ipam),
                ..EndpointSettings::default()
            }),
        };
        let connected = self.api.connect_network(network, request).await;
        connected.map_err(refused(format!("connect `{container}` to the network `{network}`")))
    }
}
