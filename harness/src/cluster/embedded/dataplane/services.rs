//! ClusterIP Services: connections to a Service's address and port go to its pod.
//!
//! As with kube-proxy, it happens on the node that a connection starts from: before the
//! first packet is routed its destination becomes the pod's address and port, so that
//! policies judge these, wherever they are enforced, and the source stays as it is. The
//! kernel undoes it in answers (connection tracking). One case is different: a pod that
//! reaches itself by its Service would take packets from its own address for forged ones,
//! so their source becomes the node's, behind all policies.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::super::netlink::nftables::{
    DataType, Element, Expressions, Hook, Key, Register, Rewrite, Set, Transaction, Values,
};
use super::super::netlink::{NetlinkError, Socket};
use super::encode::{address_key, family_number, load_destination, load_ends, with_service};
use super::table::limit;
use crate::model::{Family, Protocol, service_port};

/// The table of all Services; rulesets have others, and come and go without it.
const TABLE: &str = "ringfence-services";

/// How many elements are written before the size of a transaction is looked at again.
const ELEMENTS: usize = 512;

/// A Service, as nodes lead to its pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Service {
    /// Its own addresses, at most one of each family.
    pub(in super::super) addresses: Vec<IpAddr>,
    /// The pod's.
    pub(in super::super) pod: Vec<IpAddr>,
    /// The pod's ports.
    pub(in super::super) ports: BTreeSet<(Protocol, u16)>,
    /// Whether the pod has its node's network: then it is not routed to, and may dial itself.
    pub(in super::super) host_network: bool,
}

impl Service {
    /// Its address and the pod's, of a family that both have.
    pub(in super::super) fn ends(&self, family: Family) -> Option<(IpAddr, IpAddr)> {
        let of = |all: &[IpAddr]| all.iter().copied().find(|one| Family::of(*one) == family);
        Some((of(&self.addresses)?, of(&self.pod)?))
    }

    /// What it adds to the sets of a family, by their names.
    fn elements(&self, family: Family) -> Vec<(String, Vec<Element<'static>>)> {
        let Some((own, pod)) = self.ends(family) else { return Vec::new() };
        let doors = self.ports.iter().map(|(protocol, port)| {
            let from = with_service(address_key(own), *protocol, service_port(*port));
            Element::Value(from, address_key(pod).with(&port.to_be_bytes()))
        });
        let mut elements = vec![(doors_name(family), doors.collect())];
        if !self.host_network {
            let both = match pod {
                IpAddr::V4(pod) => Key::default().with(&pod.octets()).with(&pod.octets()),
                IpAddr::V6(pod) => Key::default().with(&pod.octets()).with(&pod.octets()),
            };
            elements.push((hairpins_name(family), vec![Element::Key(both)]));
        }
        elements
    }
}

impl fmt::Display for Service {
    /// `10.96.0.1:10080/TCP -> 10.244.0.3:80`, a line for each port and family.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (own, pod) in Family::ALL.into_iter().filter_map(|family| self.ends(family)) {
            for (protocol, port) in &self.ports {
                let from = std::net::SocketAddr::new(own, service_port(*port));
                let to = std::net::SocketAddr::new(pod, *port);
                writeln!(f, "{from}/{protocol} -> {to}")?;
            }
        }
        Ok(())
    }
}

/// Makes the table, without Services, on a node with these addresses.
pub(super) fn begin(socket: &Socket, node: &[IpAddr]) -> Result<(), NetlinkError> {
    let mut transaction = Transaction::begin(socket);
    transaction.add_table(TABLE);
    let families = Family::ALL.map(|family| {
        let address = node.iter().copied().find(|address| Family::of(*address) == family);
        address.map(|address| (family, address))
    });
    for (family, _) in families.into_iter().flatten() {
        let address = address_type(family);
        let set = |name, key, values| Set { name, key, interval: false, values, size: None };
        let (doors, hairpins) = (doors_name(family), hairpins_name(family));
        let key = &[address, DataType::Protocol, DataType::Port];
        let to = &[address, DataType::Port];
        transaction.add_set(TABLE, &set(&doors, key, Values::Keys(to)));
        transaction.add_set(TABLE, &set(&hairpins, &[address, address], Values::None));
    }
    for (chain, hook) in [("incoming", Hook::RewriteIncoming), ("own", Hook::RewriteOwn)] {
        transaction.add_base_chain(TABLE, chain, hook);
        for (family, _) in families.into_iter().flatten() {
            transaction.add_rule(TABLE, chain, |e| lead(e, family));
        }
    }
    transaction.add_base_chain(TABLE, "outgoing", Hook::RewriteOutgoing);
    for (family, address) in families.into_iter().flatten() {
        transaction.add_rule(TABLE, "outgoing", |e| hide(e, family, address));
    }
    transaction.commit(socket)
}

/// Removes the table.
pub(super) fn end(socket: &Socket) -> Result<(), NetlinkError> {
    let mut transaction = Transaction::begin(socket);
    transaction.delete_table(TABLE);
    transaction.commit(socket)
}

/// Leads to these Services from now on.
pub(super) fn add(socket: &Socket, services: &[Service]) -> Result<(), NetlinkError> {
    change(socket, services, Transaction::add_elements)
}

/// Leads to these Services no longer; connections that are there go on.
pub(super) fn remove(socket: &Socket, services: &[Service]) -> Result<(), NetlinkError> {
    change(socket, services, Transaction::delete_elements)
}

fn change(
    socket: &Socket,
    services: &[Service],
    how: impl Fn(&mut Transaction, &str, &str, &[Element<'_>]),
) -> Result<(), NetlinkError> {
    let limit = limit(socket)?;
    let mut transaction = Transaction::begin(socket);
    let families = services.iter().flat_map(|one| Family::ALL.map(|family| one.elements(family)));
    for (set, elements) in families.flatten() {
        for part in elements.chunks(ELEMENTS) {
            if transaction.size() >= limit {
                std::mem::replace(&mut transaction, Transaction::begin(socket)).commit(socket)?;
            }
            how(&mut transaction, TABLE, &set, part);
        }
    }
    transaction.commit(socket)
}

/// Writes the rule that leads to pods.
fn lead(e: &mut Expressions<'_>, family: Family) {
    // Behind the key: the longest is an IPv6 address, a protocol and a port.
    let address = Register(6);
    load_destination(e, family);
    e.map(&doors_name(family), Register(0), address);
    let port = Register(address.0 + registers(family));
    e.rewrite(Rewrite::Destination, family_number(family), address, Some(port));
}

/// Writes the rule that hides a pod from itself behind its node.
fn hide(e: &mut Expressions<'_>, family: Family, node: IpAddr) {
    load_ends(e, family);
    e.lookup(&hairpins_name(family), Register(0));
    e.value(address_key(node).bytes(), Register(0));
    e.rewrite(Rewrite::Source, family_number(family), Register(0), None);
}

const fn address_type(family: Family) -> DataType {
    match family {
        Family::Ipv4 => DataType::Ipv4,
        Family::Ipv6 => DataType::Ipv6,
    }
}

/// How many registers an address fills.
const fn registers(family: Family) -> u32 {
    match family {
        Family::Ipv4 => 1,
        Family::Ipv6 => 4,
    }
}

/// From a Service's address, protocol and port to the pod's address and port.
fn doors_name(family: Family) -> String {
    format!("services-{family}")
}

/// Pods twice, as source and as destination.
fn hairpins_name(family: Family) -> String {
    format!("hairpins-{family}")
}
