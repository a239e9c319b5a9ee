//! Real packets through every kind of match: what arrives, and what the packet log says of
//! the rest. Every attempt must end in one of the two.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::libc;
use ringfence_probe::Report;
use socket2::{Domain, SockAddr, Socket, Type};

use super::super::super::addresses::AddressPlan;
use super::super::super::network::{Network, Slot};
use super::super::{Dataplane, DropLog, LocalPod, NodeView, compile};
use super::lab::in_namespace;
use super::world::*;
use crate::model::{
    Endpoint, External, Family, Name, Node, Operator, Origin, PolicyType::*, Protocol, World,
};

/// How long an attempt may take until it has arrived or is logged.
const DEADLINE: Duration = Duration::from_secs(5);

/// A cluster on the wires of the embedded cluster: two nodes, and hosts outside.
struct Lab {
    world: World,
    network: Network,
    filters: Vec<(NodeView, Dataplane, DropLog)>,
}

impl Lab {
    fn build(mut world: World, nodes: &[&str]) -> Self {
        let names: Vec<Name> = nodes.iter().copied().map(Name::from).collect();
        let externals = world.topology.externals.values();
        let avoid: Vec<_> =
            externals.flat_map(|host| host.addresses.iter().copied().map(Into::into)).collect();
        let plan = AddressPlan::choose(&avoid, names.len(), 8, true).unwrap();
        let externals: Vec<External> = world.topology.externals.values().cloned().collect();
        let mut network = Network::build(plan, &names, &externals).unwrap();
        let mut filters = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let mut view = NodeView { name: name.clone(), pods: Vec::new() };
            let here = world.topology.pods.values_mut();
            for pod in here.filter(|pod| pod.node.as_ref() == Some(name)) {
                let slot: Slot = network.reserve(number).unwrap();
                pod.addresses.clone_from(&slot.addresses);
                view.pods.push(LocalPod { name: pod.name.clone(), interface: slot.interface });
                network.add_pod(&pod.name, slot).unwrap();
            }
            let addresses = network.node_addresses(number);
            let node = Node { addresses, ..Node::new(name.clone()) };
            world.topology.nodes.insert(name.clone(), node);
            network.enter(&Endpoint::Node(name.clone())).unwrap();
            let dataplane = Dataplane::open().unwrap();
            let log = dataplane.drop_log(name.clone()).unwrap();
            filters.push((view, dataplane, log));
        }
        network.settle().unwrap();
        Self { world, network, filters }
    }

    fn install(&mut self) {
        for (view, dataplane, _) in &mut self.filters {
            dataplane.install(&compile(&self.world, view, true)).unwrap();
        }
    }

    fn endpoint(name: &str) -> Endpoint {
        name.parse().unwrap()
    }

    /// Sends one packet that opens a connection, and says what the packet log has of it;
    /// `None` where it arrived.
    fn attempt(
        &mut self,
        source: &str,
        destination: &str,
        protocol: Protocol,
        port: u16,
        family: Family,
    ) -> Option<String> {
        let topology = &self.world.topology;
        let [from, to] = [source, destination]
            .map(|name| topology.address(&Self::endpoint(name), family).expect("an address"));
        self.network.enter(&Self::endpoint(destination)).unwrap();
        let listener = listen(protocol, SocketAddr::new(to, port));
        self.network.enter(&Self::endpoint(source)).unwrap();
        let (client, local) = send(protocol, from, SocketAddr::new(to, port));
        let until = Instant::now() + DEADLINE;
        loop {
            let mut dropped: Vec<Report> = Vec::new();
            for (_, _, log) in &mut self.filters {
                log.read(&mut |report| dropped.push(report));
            }
            let ends = (protocol, local, SocketAddr::new(to, port));
            let dropped = dropped.into_iter().find(|r| (r.protocol, r.source, r.target) == ends);
            let arrived = listener.has_arrived(protocol, local);
            match dropped {
                Some(_) if arrived => panic!("{ends:?} was logged as dropped and arrived"),
                Some(report) => return Some(report.evidence.text),
                None if arrived => break,
                None if Instant::now() > until => {
                    panic!("expected {ends:?} to arrive or be logged within {DEADLINE:?}")
                }
                None => std::thread::yield_now(),
            }
        }
        drop(client);
        None
    }
}

fn domain(address: IpAddr) -> Domain {
    if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 }
}

fn socket(address: IpAddr, protocol: Protocol) -> Socket {
    let kind = match protocol {
        Protocol::Tcp => Type::STREAM,
        Protocol::Udp => Type::DGRAM,
        Protocol::Sctp => Type::RAW,
    };
    let number = i32::from(protocol.number()).into();
    let socket = Socket::new(domain(address), kind, Some(number)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn listen(protocol: Protocol, at: SocketAddr) -> Listener {
    let listener = socket(at.ip(), protocol);
    // An earlier attempt's connection may still be closing.
    listener.set_reuse_address(true).unwrap();
    // A raw socket gets every port's packets.
    let port = if protocol == Protocol::Sctp { 0 } else { at.port() };
    listener.bind(&SockAddr::from(SocketAddr::new(at.ip(), port))).unwrap();
    if protocol == Protocol::Tcp {
        listener.listen(8).unwrap();
        return Listener::Stream(listener);
    }
    Listener::Packets(listener.into())
}

fn send(protocol: Protocol, from: IpAddr, to: SocketAddr) -> (Socket, SocketAddr) {
    let client = socket(from, protocol);
    client.bind(&SockAddr::from(SocketAddr::new(from, 0))).unwrap();
    let local = match protocol {
        Protocol::Sctp => {
            // The common header (RFC 9260, 3.1) and an INIT chunk without parameters.
            let local = SocketAddr::new(from, 40_000);
            let mut packet = [0; 32];
            packet[..2].copy_from_slice(&local.port().to_be_bytes());
            packet[2..4].copy_from_slice(&to.port().to_be_bytes());
            packet[12] = 1;
            packet[15] = 20;
            client.send_to(&packet, &SockAddr::from(SocketAddr::new(to.ip(), 0))).unwrap();
            return (client, local);
        }
        Protocol::Tcp | Protocol::Udp => client.local_addr().unwrap().as_socket().unwrap(),
    };
    match client.connect(&SockAddr::from(to)) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        connected => connected.unwrap(),
    }
    if protocol == Protocol::Udp {
        client.send(b"hello").unwrap();
    }
    (client, local)
}

/// What waits for a packet. The standard library's UDP socket reads raw ones as well.
enum Listener {
    Stream(Socket),
    Packets(UdpSocket),
}

impl Listener {
    fn has_arrived(&self, protocol: Protocol, from: SocketAddr) -> bool {
        let mut packet = [0; 256];
        let sender = match self {
            Self::Stream(listener) => {
                listener.accept().map(|(_, sender)| sender.as_socket().unwrap())
            }
            Self::Packets(socket) => socket.recv_from(&mut packet).map(|(_, sender)| sender),
        };
        match sender {
            Ok(sender) if protocol == Protocol::Sctp => {
                // IPv4 raw sockets see the IP header, here without options; IPv6 ones do not.
                let at = if sender.is_ipv4() { 20 } else { 0 };
                let port = u16::from_be_bytes([packet[at], packet[at + 1]]);
                SocketAddr::new(sender.ip(), port) == from
            }
            Ok(sender) => sender == from,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => panic!("the listener failed: {error}"),
        }
    }
}

/// Every kind of match in both directions, on one node and across two, in both families.
#[test]
fn packets_do_what_the_ruleset_says() {
    use Family::{Ipv4, Ipv6};
    use Protocol::{Sctp, Tcp, Udp};
    let on = |node: &str, mut pod: crate::model::Pod| {
        pod.node = Some(Name::from(node));
        pod
    };
    let pods_now = vec![
        on("one", pod("prod/web", 0, "app=web", &[])),
        on("one", pod("prod/db", 0, "app=db", &["sql:5432/TCP", "http:80/TCP"])),
        on("two", pod("prod/api", 0, "app=api", &["http:8080/TCP", "http:8081/UDP"])),
        on("two", pod("dev/api", 0, "app=api", &["http:8000/TCP"])),
    ];
    let ports = |texts: &[&str]| texts.iter().map(|text| port(text)).collect::<Vec<_>>();
    let long = format!("prod/{}", "long-".repeat(30));
    let policies = vec![
        policy("prod/db-in", app("db")).ingress(&[
            rule(
                Some(&[pods(Some(app("api")), None)]),
                Some(&ports(&["3306", "53/UDP", "8000-8100"])),
            ),
            rule(Some(&[pods(Some(app("web")), None)]), Some(&ports(&["/SCTP"]))),
            rule(
                Some(&[pods(None, Some(requirement("env", Operator::In, &["dev"])))]),
                Some(&ports(&["sql"])),
            ),
            rule(
                Some(&[
                    block("203.0.113.0/24", &["203.0.113.9/32"]),
                    block("2001:db8:7::/64", &["2001:db8:7::9/128"]),
                ]),
                Some(&ports(&["80"])),
            ),
        ]),
        policy(&long, app("web")).types(&[Egress]).egress(&[
            rule(
                Some(&[pods(Some(everything()), None)]),
                Some(&ports(&["http", "http/UDP", "/SCTP"])),
            ),
            rule(Some(&[block("0.0.0.0/0", &[])]), Some(&ports(&["443"]))),
            rule(Some(&[block("2001:db8:7::9/128", &[])]), None),
        ]),
    ];
    let mut world = world(pods_now, policies);
    for (name, last) in [("user", 7), ("backup", 9)] {
        let addresses = [format!("203.0.113.{last}"), format!("2001:db8:7::{last}")];
        let addresses = addresses.map(|text| text.parse().unwrap()).into();
        let (name, origin) = (Name::from(name), Origin::synthetic("test"));
        let host = External { name: name.clone(), addresses, ports: Vec::new(), origin };
        world.topology.externals.insert(name, host);
    }
    world.topology.nodes.clear();

    const DB: Option<&str> = Some("ingress prod/db: isolated by prod/db-in");
    let web = format!("egress prod/web: isolated by {long}");
    let web = Some(web.as_str());
    let both = &[Ipv4, Ipv6][..];
    let cells = [
        ("prod/api", "prod/db", Tcp, 3306, both, None),
        ("prod/api", "prod/db", Udp, 53, both, None),
        ("prod/api", "prod/db", Tcp, 53, both, DB),
        ("prod/api", "prod/db", Udp, 3306, both, DB),
        ("prod/api", "prod/db", Tcp, 7999, both, DB),
        ("prod/api", "prod/db", Tcp, 8000, both, None),
        ("prod/api", "prod/db", Tcp, 8100, both, None),
        ("prod/api", "prod/db", Tcp, 8101, both, DB),
        ("prod/api", "prod/db", Udp, 8050, both, DB),
        ("prod/api", "prod/db", Tcp, 5432, both, DB),
        ("prod/api", "prod/db", Sctp, 9999, both, DB),
        ("dev/api", "prod/db", Tcp, 5432, both, None),
        ("dev/api", "prod/db", Tcp, 3306, both, DB),
        ("user", "prod/db", Tcp, 80, both, None),
        ("user", "prod/db", Tcp, 81, both, DB),
        ("backup", "prod/db", Tcp, 80, both, DB),
        ("node/two", "prod/db", Tcp, 80, both, DB),
        ("node/one", "prod/db", Tcp, 81, both, None),
        ("prod/db", "prod/api", Udp, 7, both, None),
        ("prod/db", "prod/db", Tcp, 81, both, None),
        ("prod/web", "prod/db", Sctp, 9999, both, None),
        ("prod/web", "prod/db", Tcp, 80, both, DB),
        ("prod/web", "prod/db", Tcp, 81, both, web),
        ("prod/web", "prod/api", Tcp, 8080, both, None),
        ("prod/web", "prod/api", Tcp, 80, both, web),
        ("prod/web", "prod/api", Udp, 8081, both, None),
        ("prod/web", "prod/api", Udp, 8080, both, web),
        ("prod/web", "prod/api", Sctp, 1, both, None),
        ("prod/web", "dev/api", Tcp, 8000, both, web),
        ("prod/web", "user", Tcp, 443, &[Ipv4], None),
        ("prod/web", "user", Tcp, 443, &[Ipv6], web),
        ("prod/web", "backup", Udp, 1, &[Ipv6], None),
        ("prod/web", "backup", Udp, 1, &[Ipv4], web),
        ("prod/web", "node/two", Tcp, 1, both, web),
        ("prod/web", "node/one", Tcp, 1, both, None),
    ];
    in_namespace(|| {
        let mut lab = Lab::build(world, &["one", "two"]);
        lab.install();
        for (source, destination, protocol, port, families, expected) in cells {
            for family in families {
                let found = lab.attempt(source, destination, protocol, port, *family);
                let cell = format!("{source} -> {destination}:{port}/{protocol} over {family}");
                assert_eq!(found.as_deref(), expected, "{cell}");
            }
        }
        // Lifted, everything opens.
        lab.world.policies.clear();
        lab.install();
        for (source, destination, protocol, port, families, _) in cells {
            for family in families {
                assert_eq!(lab.attempt(source, destination, protocol, port, *family), None);
            }
        }
    });
}
