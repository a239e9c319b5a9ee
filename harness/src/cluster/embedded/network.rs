//! The wires: a router, nodes behind it, pods behind nodes, external hosts behind the router.
//!
//! ```text
//!   pod ── node ──┐
//!   pod ── node ── router ── external host
//! ```
//!
//! Every line is a veth pair, every word a network namespace. Pods are routed, one
//! /32 and /128 each, and not bridged: traffic across a bridge within a node would
//! pass the packet filter's forward hook unseen. Neighbours are permanent, so no
//! packet is ever spent on finding one. No route leads out of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use ipnet::IpNet;

use super::addresses::AddressPlan;
use super::namespace::{Namespace, forward_ipv6};
use super::netlink::route::{self, LOOPBACK, Mac, Role, VethEnd};
use super::netlink::{Family, Messages, Socket};
use super::obstacle::{Obstacle, Part};
use crate::model::{Endpoint, External, Name, PodName};

/// The interface that leads out of a node, a pod or an external host.
const UPLINK: u32 = 2;
const UPLINK_NAME: &str = "eth0";
/// Where the indexes of a node's and the router's own links begin.
const FIRST_LINK: u32 = 10;
/// Where the router's links to external hosts begin; nodes come before.
const FIRST_EXTERNAL: u32 = 1000;

/// How long a thousand links may take until they pass packets.
const SETTLE: Duration = Duration::from_secs(20);

/// A network namespace and a socket that configures it.
#[derive(Debug)]
struct Station {
    namespace: Namespace,
    links: Socket,
    /// Links that were made and are not known to pass packets yet.
    fresh: BTreeSet<u32>,
}

impl Station {
    /// Makes a namespace with its loopback up (before that, the kernel takes no
    /// route by a gateway), and leaves the calling thread in it.
    fn create(role: Role, ipv6: bool) -> anyhow::Result<Self> {
        let namespace =
            Namespace::create().map_err(|error| Obstacle::meet(Part::NetworkNamespace, error))?;
        if role == Role::Router && ipv6 {
            forward_ipv6().context("switch on IPv6 forwarding")?;
        }
        Self::of(namespace)
    }

    /// Waits until every link that was made passes packets.
    fn settle(&mut self, deadline: Instant) -> anyhow::Result<()> {
        // So many answers fit a receive buffer of the usual size.
        const AT_ONCE: usize = 32;
        while let Some(first) = self.fresh.first() {
            if Instant::now() > deadline {
                bail!("expected link {first} to pass packets within {} s", SETTLE.as_secs());
            }
            for part in Vec::from_iter(self.fresh.iter().copied()).chunks(AT_ONCE) {
                let mut messages = self.links.messages();
                part.iter().for_each(|index| route::inquire(&mut messages, *index));
                self.links.query(&mut messages, |answer| {
                    if let Some((index, true)) = route::is_running(answer) {
                        self.fresh.remove(&index);
                    }
                })?;
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    fn of(namespace: Namespace) -> anyhow::Result<Self> {
        let links = Socket::open(Family::Route)?;
        let mut messages = links.messages();
        route::up(&mut messages, LOOPBACK);
        links.execute(&mut messages).context("bring up the loopback interface")?;
        Ok(Self { namespace, links, fresh: BTreeSet::new() })
    }
}

/// A node's place in the network.
#[derive(Debug)]
struct Node {
    station: Station,
    place: u32,
    pods: u16,
    /// The numbers of pods that ended.
    vacant: Vec<u16>,
}

/// What a pod will have once it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    /// The node, by its number.
    pub(super) node: usize,
    /// The index of the node's interface that leads to the pod.
    pub(super) interface: u32,
    /// The pod's addresses.
    pub(super) addresses: Vec<IpAddr>,
    number: u16,
}

/// The network of one cluster.
#[derive(Debug)]
pub(super) struct Network {
    plan: AddressPlan,
    nodes: Vec<Node>,
    /// The namespaces in which something dials or listens; a removed pod's is gone.
    places: Vec<Option<Namespace>>,
    /// The places of nodes' pods, by the number of the node and of the pod there.
    seats: BTreeMap<(usize, u16), u32>,
    endpoints: BTreeMap<Endpoint, u32>,
    slots: BTreeMap<PodName, Slot>,
    // Kept for the router's namespace, which nothing else refers to.
    router: Station,
}

impl Network {
    /// Makes router, nodes and external hosts.
    pub(super) fn build<'a>(
        plan: AddressPlan,
        nodes: &[Name],
        externals: impl IntoIterator<Item = &'a External>,
    ) -> anyhow::Result<Self> {
        let router = Station::create(Role::Router, plan.has_ipv6())?;
        let mut network = Self {
            plan,
            nodes: Vec::new(),
            places: Vec::new(),
            seats: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            slots: BTreeMap::new(),
            router,
        };
        for name in nodes {
            network.add_node(name).with_context(|| format!("make node `{name}`"))?;
        }
        for (number, external) in externals.into_iter().enumerate() {
            let name = &external.name;
            network
                .add_external(number as u16, external)
                .with_context(|| format!("make external host `{name}`"))?;
        }
        Ok(network)
    }

    fn add_node(&mut self, name: &Name) -> anyhow::Result<()> {
        let ipv6 = self.plan.has_ipv6();
        let number = self.nodes.len() as u16;
        let station = Station::create(Role::Router, ipv6)?;
        let (here, there) = (mac(1, number, 0), mac(2, number, 0));
        let index = FIRST_LINK + u32::from(number);
        let link = format!("node{number}");
        let mut messages = self.router.links.messages();
        route::veth(
            &mut messages,
            VethEnd { name: &link, index, mac: here },
            VethEnd { name: UPLINK_NAME, index: UPLINK, mac: there },
            station.namespace.as_fd(),
        );
        route::configure(&mut messages, index, Role::Router, ipv6);
        route::up(&mut messages, index);
        let own = self.plan.node(number).into_iter().map(IpNet::from);
        let ranges: Vec<IpNet> = self.plan.node_blocks(number).into_iter().chain(own).collect();
        for gateway in self.plan.gateways() {
            route::neighbour(&mut messages, index, gateway, there);
            for range in ranges.iter().filter(|range| range.addr().is_ipv4() == gateway.is_ipv4()) {
                route::route(&mut messages, *range, index, Some(gateway));
            }
        }
        Obstacle::links(self.router.links.execute(&mut messages))?;
        self.router.fresh.insert(index);

        let mut messages = station.links.messages();
        self.uplink(&mut messages, Role::Router, &self.plan.node(number), here);
        station.links.execute(&mut messages)?;
        let place = self.add_place(Namespace::current()?);
        self.endpoints.insert(Endpoint::Node(name.clone()), place);
        self.nodes.push(Node { station, place, pods: 0, vacant: Vec::new() });
        Ok(())
    }

    fn add_external(&mut self, number: u16, external: &External) -> anyhow::Result<()> {
        let ipv6 = self.plan.has_ipv6();
        let host = Station::create(Role::Host, ipv6)?;
        let (here, there) = (mac(5, number, 0), mac(6, number, 0));
        let index = FIRST_EXTERNAL + u32::from(number);
        let link = format!("host{number}");
        let addresses: Vec<IpAddr> = external
            .addresses
            .iter()
            .copied()
            .filter(|address| ipv6 || address.is_ipv4())
            .collect();
        let mut messages = self.router.links.messages();
        wire(&mut messages, &link, index, here, there, &host.namespace, &addresses, ipv6);
        Obstacle::links(self.router.links.execute(&mut messages))?;
        self.router.fresh.insert(index);
        let mut messages = host.links.messages();
        self.uplink(&mut messages, Role::Host, &addresses, here);
        host.links.execute(&mut messages)?;
        let place = self.add_place(host.namespace);
        self.endpoints.insert(Endpoint::External(external.name.clone()), place);
        Ok(())
    }

    /// Keeps addresses and an interface for a pod that is still to be made, so that
    /// the packet filter can know it first.
    pub(super) fn reserve(&mut self, node: usize) -> anyhow::Result<Slot> {
        let vacant = self.nodes[node].vacant.pop();
        let number = vacant.unwrap_or(self.nodes[node].pods);
        let slot = self.slot(node, number)?;
        if vacant.is_none() {
            self.nodes[node].pods += 1;
        }
        Ok(slot)
    }

    /// What a pod of this number on this node has.
    pub(super) fn slot(&self, node: usize, number: u16) -> anyhow::Result<Slot> {
        let addresses = self.plan.pod(node as u16, number)?;
        Ok(Slot { node, interface: FIRST_LINK + u32::from(number), addresses, number })
    }

    /// Takes note that on each node so many pods have the first numbers, and that the others
    /// were never given.
    pub(super) fn take(&mut self, pods: &[u16]) {
        for (node, pods) in self.nodes.iter_mut().zip(pods) {
            (node.pods, node.vacant) = (*pods, Vec::new());
        }
    }

    /// The addresses.
    pub(super) fn plan(&self) -> &AddressPlan {
        &self.plan
    }

    /// Makes a pod and leaves the calling thread in its namespace.
    pub(super) fn add_pod(&mut self, name: &PodName, slot: Slot) -> anyhow::Result<()> {
        self.wire_pod(&slot).with_context(|| format!("make pod `{name}`")).map(|namespace| {
            let place = self.seat(&slot, namespace);
            self.nodes[slot.node].station.fresh.insert(slot.interface);
            self.endpoints.insert(Endpoint::Pod(name.clone()), place);
            self.slots.insert(name.clone(), slot);
        })
    }

    fn wire_pod(&self, slot: &Slot) -> anyhow::Result<Namespace> {
        let ipv6 = self.plan.has_ipv6();
        let pod = Station::create(Role::Host, ipv6)?;
        let node = &self.nodes[slot.node].station;
        let (here, there) =
            (mac(3, slot.node as u16, slot.number), mac(4, slot.node as u16, slot.number));
        let link = format!("pod{}", slot.number);
        let mut messages = node.links.messages();
        let namespace = &pod.namespace;
        wire(&mut messages, &link, slot.interface, here, there, namespace, &slot.addresses, ipv6);
        Obstacle::links(node.links.execute(&mut messages))?;
        let mut messages = pod.links.messages();
        self.uplink(&mut messages, Role::Host, &slot.addresses, here);
        pod.links.execute(&mut messages)?;
        Ok(pod.namespace)
    }

    /// Lets a pod share its node's network.
    pub(super) fn add_host_network_pod(&mut self, name: &PodName, node: usize) {
        self.endpoints.insert(Endpoint::Pod(name.clone()), self.nodes[node].place);
    }

    /// Cuts a pod off that has ended. The next one on its node gets its number and addresses:
    /// packet filters have to know that pods which ended have none.
    pub(super) fn end_pod(&mut self, name: &PodName) -> anyhow::Result<()> {
        let vacant = self.slots.get(name).map(|slot| (slot.node, slot.number));
        self.remove_pod(name)?;
        if let Some((node, number)) = vacant {
            self.nodes[node].vacant.push(number);
        }
        Ok(())
    }

    /// Cuts a pod off and removes it. Its number is not given again: a packet filter
    /// that still names it must not mistake another pod for it.
    pub(super) fn remove_pod(&mut self, name: &PodName) -> anyhow::Result<()> {
        let place = self.endpoints.remove(&Endpoint::Pod(name.clone()));
        let Some(slot) = self.slots.remove(name) else { return Ok(()) };
        let station = &mut self.nodes[slot.node].station;
        station.fresh.remove(&slot.interface);
        let links = &station.links;
        let mut messages = links.messages();
        route::delete(&mut messages, slot.interface);
        let removed = links.execute(&mut messages);
        // Only now: the kernel removes the links of a namespace that nothing refers to any
        // more, and then there would be no link to delete (network_namespaces(7)).
        if let Some(place) = place {
            self.places[place as usize] = None;
        }
        removed.with_context(|| format!("remove pod `{name}`"))
    }

    /// Waits until packets pass everything that was made.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLE;
        self.router.settle(deadline)?;
        self.nodes.iter_mut().try_for_each(|node| node.station.settle(deadline))
    }

    /// The addresses of a Service, by its number.
    pub(super) fn service_addresses(&self, number: u16) -> anyhow::Result<Vec<IpAddr>> {
        Ok(self.plan.service(number)?)
    }

    /// The interface that leads out of a node.
    pub(super) const NODE_UPLINK: u32 = UPLINK;

    /// The ranges from which pods have their addresses.
    pub(super) fn pod_ranges(&self) -> Vec<IpNet> {
        (0..self.nodes.len()).flat_map(|node| self.plan.node_blocks(node as u16)).collect()
    }

    /// The addresses of a node.
    pub(super) fn node_addresses(&self, node: usize) -> Vec<IpAddr> {
        self.plan.node(node as u16)
    }

    /// The pods that have links of their own on a node, with the node's interfaces.
    pub(super) fn slots(&self) -> &BTreeMap<PodName, Slot> {
        &self.slots
    }

    /// Where an endpoint dials and listens.
    pub(super) fn place(&self, endpoint: &Endpoint) -> Option<u32> {
        self.endpoints.get(endpoint).copied()
    }

    /// The namespaces, by place.
    pub(super) fn places(&self) -> &[Option<Namespace>] {
        &self.places
    }

    /// Moves the calling thread to an endpoint.
    pub(super) fn enter(&self, endpoint: &Endpoint) -> anyhow::Result<()> {
        let namespace = self.place(endpoint).and_then(|place| self.places[place as usize].as_ref());
        namespace
            .ok_or_else(|| anyhow!("expected `{endpoint}` to have a network, found none"))?
            .enter()
            .with_context(|| format!("enter the network of `{endpoint}`"))
    }

    fn add_place(&mut self, namespace: Namespace) -> u32 {
        self.places.push(Some(namespace));
        self.places.len() as u32 - 1
    }

    /// The place of a pod: that of the pod before it with the same addresses, if there was one.
    fn seat(&mut self, slot: &Slot, namespace: Namespace) -> u32 {
        let key = (slot.node, slot.number);
        if let Some(place) = self.seats.get(&key) {
            self.places[*place as usize] = Some(namespace);
            return *place;
        }
        let place = self.add_place(namespace);
        self.seats.insert(key, place);
        place
    }

    /// Configures the one interface that leads out: addresses and default routes.
    fn uplink(&self, messages: &mut Messages, role: Role, addresses: &[IpAddr], beyond: Mac) {
        route::configure(messages, UPLINK, role, self.plan.has_ipv6());
        route::up(messages, UPLINK);
        for address in addresses {
            route::address(messages, UPLINK, *address);
            if let IpAddr::V6(address) = address {
                route::deliver_here(messages, *address, UPLINK);
            }
        }
        for gateway in self.plan.gateways() {
            route::neighbour(messages, UPLINK, gateway, beyond);
            route::route(messages, everything(gateway), UPLINK, Some(gateway));
        }
    }
}

/// Makes the veth pair to a host and routes the host's addresses to it.
#[expect(clippy::too_many_arguments, reason = "each is a different fact about one wire")]
fn wire(
    messages: &mut Messages,
    name: &str,
    index: u32,
    here: Mac,
    there: Mac,
    namespace: &Namespace,
    addresses: &[IpAddr],
    ipv6: bool,
) {
    route::veth(
        messages,
        VethEnd { name, index, mac: here },
        VethEnd { name: UPLINK_NAME, index: UPLINK, mac: there },
        namespace.as_fd(),
    );
    route::configure(messages, index, Role::Router, ipv6);
    route::up(messages, index);
    for address in addresses {
        route::neighbour(messages, index, *address, there);
        route::route(messages, IpNet::from(*address), index, None);
    }
}

fn everything(family: IpAddr) -> IpNet {
    match family {
        IpAddr::V4(_) => ipnet::Ipv4Net::default().into(),
        IpAddr::V6(_) => ipnet::Ipv6Net::default().into(),
    }
}

/// A locally administered hardware address: what it belongs to, and which one.
fn mac(kind: u8, node: u16, pod: u16) -> Mac {
    let ([a, b], [c, d]) = (node.to_be_bytes(), pod.to_be_bytes());
    [0x02, kind, a, b, c, d]
}
