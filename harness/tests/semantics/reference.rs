//! A second, slow reading of the API, to hold the engine against.
//!
//! The engine reasons about what is open; this one does not. It answers plainly yes
//! or no for a cluster whose behaviour and facts are given, and asks that of every
//! kind of cluster that the API allows: what all of them do is decided.

use std::net::IpAddr;

use ringfence::model::{
    Cell, Direction, Endpoint, Family, NetworkPolicy, Peer, Pod, PolicyPort, PolicyType, PortRef,
    Protocol, Rule, Via, World,
};

/// What the clusters that the API allows do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcomes {
    Works,
    Fails,
    Either,
}

/// One kind of cluster.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    /// It polices hostNetwork pods like others; else it takes them for their nodes.
    knows_host_network: bool,
    /// Whatever is left to it or not known turns out in favour of the connection.
    generous: bool,
    /// Pods that are not placed turn out to sit on the node in question.
    together: bool,
}

pub(crate) fn outcomes(world: &World, cell: &Cell, direction: Direction) -> Outcomes {
    let mut works = Vec::new();
    for kind in 0..8 {
        let cluster = Cluster {
            knows_host_network: kind & 1 != 0,
            generous: kind & 2 != 0,
            together: kind & 4 != 0,
        };
        works.push(cluster.lets_through(world, cell, direction));
    }
    match (works.contains(&true), works.contains(&false)) {
        (true, false) => Outcomes::Works,
        (false, true) => Outcomes::Fails,
        _ => Outcomes::Either,
    }
}

impl Cluster {
    fn lets_through(self, world: &World, cell: &Cell, direction: Direction) -> bool {
        let (subject, other) = match direction {
            Direction::Egress => (&cell.source, &cell.destination),
            Direction::Ingress => (&cell.destination, &cell.source),
        };
        let Endpoint::Pod(subject_name) = subject else { return true };
        let pod = &world.topology.pods[subject_name];
        if pod.host_network && !self.knows_host_network {
            return true;
        }
        let policies: Vec<&NetworkPolicy> = world
            .policies
            .values()
            .map(|policy| &**policy)
            .filter(|policy| selects(world, policy, pod) && is_about(policy, direction))
            .collect();
        if policies.is_empty() {
            return true;
        }
        if subject == other && self.generous {
            return true;
        }
        let masked = match cell.via {
            Via::Pod => false,
            Via::NodePort | Via::LocalNodePort => true,
            Via::Service => {
                direction == Direction::Ingress && matches!(other, Endpoint::External(_))
            }
        };
        if masked && self.generous {
            return true;
        }
        if let Some(node) = self.node_of(world, other) {
            let own = match (&pod.node, node) {
                (Some(one), Some(other)) => **one == *other,
                _ => self.together,
            };
            let settled = direction == Direction::Ingress && !masked;
            if own && (settled || self.generous) {
                return true;
            }
        }
        policies.iter().any(|policy| {
            let rules = match direction {
                Direction::Ingress => &policy.ingress,
                Direction::Egress => &policy.egress,
            };
            rules.iter().flatten().any(|rule| {
                self.peer_fits(world, cell, policy, rule, other, masked)
                    && self.port_fits(world, cell, rule, masked && direction == Direction::Egress)
            })
        })
    }

    /// The node that this cluster takes the endpoint for: `Some(None)` for one that is
    /// not placed, `None` for what it does not take for a node.
    fn node_of<'w>(self, world: &'w World, endpoint: &'w Endpoint) -> Option<Option<&'w str>> {
        match endpoint {
            Endpoint::Node(name) => Some(Some(name)),
            Endpoint::Pod(name) => {
                let pod = &world.topology.pods[name];
                (pod.host_network && !self.knows_host_network).then_some(pod.node.as_deref())
            }
            Endpoint::External(_) => None,
        }
    }

    fn peer_fits(
        self,
        world: &World,
        cell: &Cell,
        policy: &NetworkPolicy,
        rule: &Rule,
        other: &Endpoint,
        masked: bool,
    ) -> bool {
        let peers = rule.peers.as_deref().unwrap_or(&[]);
        peers.is_empty()
            || peers.iter().any(|peer| match peer {
                Peer::Pods { pod_selector, namespace_selector, .. } => {
                    let Endpoint::Pod(name) = other else { return false };
                    let pod = &world.topology.pods[name];
                    let Some(namespace) = world.topology.namespaces.get(&name.namespace) else {
                        return false;
                    };
                    let namespace_fits = match namespace_selector {
                        Some(selector) => selector.matches(&namespace.labels),
                        None => namespace.name == policy.name.namespace,
                    };
                    let pod_fits =
                        pod_selector.as_ref().is_none_or(|selector| selector.matches(&pod.labels));
                    !masked && self.node_of(world, other).is_none() && namespace_fits && pod_fits
                }
                Peer::IpBlock { cidr, except, .. } => {
                    let family = Family::of(cidr.net.addr());
                    if family != cell.family {
                        return false;
                    }
                    let all = cidr.net.prefix_len() == 0 && except.is_empty();
                    let pod = matches!(other, Endpoint::Pod(_));
                    if cell.via != Via::Pod {
                        return self.generous || all && !pod;
                    }
                    let holds = |address: IpAddr| {
                        cidr.net.contains(&address)
                            && except.iter().all(|hole| !hole.net.contains(&address))
                    };
                    let known = addresses(world, other, family);
                    let inside = known.iter().filter(|address| holds(**address)).count();
                    if inside == 0 && !known.is_empty() && !all {
                        return false;
                    }
                    let surely = all || inside == known.len() && !known.is_empty();
                    self.generous || surely && !pod
                }
            })
    }

    fn port_fits(self, world: &World, cell: &Cell, rule: &Rule, rewritten: bool) -> bool {
        let ports = rule.ports.as_deref().unwrap_or(&[]);
        ports.is_empty()
            || ports.iter().any(|entry| {
                let PolicyPort { protocol, port, end_port, .. } = entry;
                let fits = match port {
                    None => return protocol.unwrap_or(Protocol::Tcp) == cell.protocol,
                    Some(PortRef::Number(first)) => {
                        *first <= cell.port && cell.port <= end_port.unwrap_or(*first)
                    }
                    Some(PortRef::Name(name)) => {
                        let Endpoint::Pod(pod) = &cell.destination else { return false };
                        self.node_of(world, &cell.destination).is_none()
                            && world.topology.pods[pod].ports.iter().any(|port| {
                                port.name.as_ref() == Some(name)
                                    && port.protocol == cell.protocol
                                    && port.number == cell.port
                            })
                    }
                };
                fits && protocol.unwrap_or(Protocol::Tcp) == cell.protocol && !rewritten
            })
    }
}

fn selects(world: &World, policy: &NetworkPolicy, pod: &Pod) -> bool {
    world.topology.namespaces.contains_key(&policy.name.namespace)
        && policy.name.namespace == pod.name.namespace
        && policy.pod_selector.matches(&pod.labels)
}

fn is_about(policy: &NetworkPolicy, direction: Direction) -> bool {
    let mut types = policy.policy_types.clone().unwrap_or_default();
    if types.is_empty() {
        types.push(PolicyType::Ingress);
        if policy.egress.as_ref().is_some_and(|rules| !rules.is_empty()) {
            types.push(PolicyType::Egress);
        }
    }
    types.contains(match direction {
        Direction::Ingress => &PolicyType::Ingress,
        Direction::Egress => &PolicyType::Egress,
    })
}

fn addresses(world: &World, endpoint: &Endpoint, family: Family) -> Vec<IpAddr> {
    let mut all = world.topology.addresses(endpoint).to_vec();
    if let Endpoint::Pod(name) = endpoint
        && let pod = &world.topology.pods[name]
        && pod.host_network
        && all.is_empty()
        && let Some(node) = pod.node.as_ref().and_then(|node| world.topology.nodes.get(node))
    {
        all.clone_from(&node.addresses);
    }
    all.retain(|address| Family::of(*address) == family);
    all
}
