//! What there is in one step of a case, and what is meant of each cell in it.
//!
//! This is no engine: whom a selector means was said by hand beside it, and here the sets
//! are only put together. A pod stands in the sets by the labels that it wears.

mod tiers;

use std::collections::BTreeSet;

use super::cluster_tier::{ClusterPolicy, Tier};
use super::policy::{Policy, Rule};
use super::selection::{Entry, Meant, Namespaces, Pods};
use super::town::{self, Host, Listener, NEXT, OWN, Place, TARGET};
use crate::model::{Cell, Direction, Endpoint, Family, Intent, Protocol, Via};

/// What there is in one step.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) direction: Direction,
    pub(super) protocol: Protocol,
    pub(super) pods: BTreeSet<Place>,
    pub(super) hosts: Vec<Host>,
    /// The node that the target runs on.
    pub(super) target_node: &'static str,
    /// The destinations that are addressed by their Services as well.
    pub(super) served: Vec<Place>,
    /// Whether `b` and `c` of this namespace wear each other's labels for peers.
    pub(super) peers_swapped: Option<&'static str>,
    /// Whether the target and its namespace's `b` wear each other's labels for targets.
    pub(super) targets_swapped: bool,
    /// Whether the policy's namespace and the next one wear each other's labels.
    pub(super) namespaces_swapped: bool,
    /// The policies in force.
    pub(super) policies: Vec<Policy>,
    /// The nodes that the target connects to.
    pub(super) nodes: &'static [&'static str],
    /// The policies of the cluster in force.
    pub(super) cluster: Vec<ClusterPolicy>,
}

/// What one direction's policies make of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Side {
    /// How many policies isolate the pod.
    pub(super) isolating: usize,
    /// How many rules allow the cell.
    pub(super) allowing: usize,
    /// Whether a rule is about it, and the API leaves open whether it is.
    pub(super) open: bool,
}

impl Side {
    /// Whether a policy isolates the pod.
    pub(super) const fn is_isolated(self) -> bool {
        self.isolating > 0
    }

    /// Whether a policy isolates the pod, and no rule is about the cell.
    pub(super) const fn is_shut(self) -> bool {
        self.is_isolated() && self.allowing == 0 && !self.open
    }
}

impl Scene {
    /// Whose labels for peers a pod wears.
    pub(super) fn worn_as_peer(&self, (namespace, name): Place) -> &'static str {
        match name {
            "b" if self.peers_swapped == Some(namespace) => "c",
            "c" if self.peers_swapped == Some(namespace) => "b",
            name => name,
        }
    }

    /// Whose labels for targets a pod wears.
    pub(super) fn worn_as_target(&self, (namespace, name): Place) -> &'static str {
        match name {
            "a" if self.targets_swapped && namespace == OWN => "b",
            "b" if self.targets_swapped && namespace == OWN => "a",
            name => name,
        }
    }

    /// Whose labels a namespace wears.
    pub(super) fn worn_by_namespace(&self, name: &'static str) -> &'static str {
        match name {
            OWN if self.namespaces_swapped => NEXT,
            NEXT if self.namespaces_swapped => OWN,
            name => name,
        }
    }

    /// The place of a pod in the town.
    pub(super) fn place(end: &Endpoint) -> Option<Place> {
        let pod = end.as_pod()?;
        let places = town::PODS.iter().map(|(place, _)| *place);
        places.into_iter().find(|place| *place.0 == *pod.namespace && *place.1 == *pod.name)
    }

    pub(super) fn host(&self, end: &Endpoint) -> Option<Host> {
        self.hosts.iter().copied().find(|host| host.end() == *end)
    }

    /// The ports of a pod: beside nodes, those that nodes have.
    pub(super) fn pod_ports(&self, place: Place) -> Vec<Listener> {
        let mut ports = town::ports(self.direction, self.protocol, place);
        if !self.nodes.is_empty() {
            ports.iter_mut().for_each(|port| port.number += town::NODE_PORT - 80);
        }
        ports
    }

    /// The ports of an end.
    pub(super) fn ports(&self, end: &Endpoint) -> Vec<Listener> {
        let of_pod = Self::place(end).map(|place| self.pod_ports(place));
        let of_host = || self.host(end).map(|host| host.ports(self.direction, self.protocol));
        let of_node = || {
            let known = self.nodes.iter().any(|name| *end == Endpoint::Node((*name).into()));
            known.then(|| town::node_ports(self.protocol))
        };
        of_pod.or_else(of_host).or_else(of_node).unwrap_or_default()
    }

    /// Every end, pods first.
    pub(super) fn ends(&self) -> Vec<Endpoint> {
        let pods = self.pods.iter().map(|(namespace, name)| Endpoint::pod(namespace, name));
        pods.chain(self.hosts.iter().map(|host| host.end())).collect()
    }

    /// The cells from the target to nodes.
    fn to_nodes(&self) -> impl Iterator<Item = Cell> {
        let source = Endpoint::pod(TARGET.0, TARGET.1);
        let ends = self.nodes.iter().filter(|_| self.pods.contains(&TARGET));
        ends.flat_map(move |name| {
            let (source, destination) = (source.clone(), Endpoint::Node((*name).into()));
            self.ports(&destination).into_iter().flat_map(move |port| {
                let (source, destination) = (source.clone(), destination.clone());
                Family::ALL.into_iter().map(move |family| Cell {
                    source: source.clone(),
                    destination: destination.clone(),
                    port: port.number,
                    protocol: port.protocol,
                    family,
                    via: Via::Pod,
                })
            })
        })
    }

    /// Every cell, in order.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let ends = self.ends();
        let mut cells = Vec::new();
        for source in &ends {
            for destination in &ends {
                let pods = [source.as_pod(), destination.as_pod()];
                if source == destination || pods == [None, None] {
                    continue;
                }
                let served = Self::place(destination).is_some_and(|at| self.served.contains(&at));
                let ways: &[Via] = if served && source.as_pod().is_some() {
                    &[Via::Pod, Via::Service]
                } else {
                    &[Via::Pod]
                };
                for port in self.ports(destination) {
                    for family in Family::ALL {
                        cells.extend(ways.iter().map(|via| Cell {
                            source: source.clone(),
                            destination: destination.clone(),
                            port: port.number,
                            protocol: port.protocol,
                            family,
                            via: *via,
                        }));
                    }
                }
            }
        }
        cells.extend(self.to_nodes());
        cells
    }

    /// What one direction's policies make of a cell.
    pub(super) fn side(&self, cell: &Cell, direction: Direction) -> Side {
        let (subject, peer) = match direction {
            Direction::Ingress => (&cell.destination, &cell.source),
            Direction::Egress => (&cell.source, &cell.destination),
        };
        let mut side = Side::default();
        let Some(subject) = Self::place(subject) else { return side };
        for policy in &self.policies {
            if !self.is_subject(policy, subject) || !policy.isolates.contains(&direction) {
                continue;
            }
            side.isolating += 1;
            if policy.direction != direction {
                continue;
            }
            for rule in policy.rules.iter().flatten() {
                match self.rule(policy, rule, peer, cell) {
                    Some(Intent::Allow) => side.allowing += 1,
                    Some(Intent::Any) => side.open = true,
                    Some(Intent::Deny) | None => {}
                }
            }
        }
        side
    }

    /// Whether a policy selects a pod.
    pub(super) fn is_subject(&self, policy: &Policy, pod: Place) -> bool {
        pod.0 == policy.namespace
            && match policy.subjects {
                Pods::Every => true,
                Pods::Wearing(whose) => whose.contains(&self.worn_as_target(pod)),
            }
    }

    /// What a rule says of a cell; `None` where it is not about it.
    fn rule(&self, policy: &Policy, rule: &Rule, peer: &Endpoint, cell: &Cell) -> Option<Intent> {
        let listener = self
            .ports(&cell.destination)
            .into_iter()
            .find(|listener| listener.number == cell.port && listener.protocol == cell.protocol)?;
        let ports = rule.ports.as_ref().filter(|ports| !ports.is_empty());
        if ports.is_some_and(|ports| !ports.iter().any(|opening| opening.means(listener))) {
            return None;
        }
        let Some(peers) = rule.peers.as_ref().filter(|peers| !peers.is_empty()) else {
            return Some(Intent::Allow);
        };
        // `Allow` is the least of the intents, and outweighs the others.
        peers.iter().filter_map(|entry| self.entry(policy, entry, peer, cell.family)).min()
    }

    fn entry(
        &self,
        policy: &Policy,
        entry: &Entry,
        peer: &Endpoint,
        family: Family,
    ) -> Option<Intent> {
        match &entry.meant {
            Meant::Pods(namespaces, pods) => {
                let place = Self::place(peer)?;
                let namespace = match namespaces {
                    Namespaces::Own => place.0 == policy.namespace,
                    Namespaces::Named(name) => place.0 == *name,
                    Namespaces::Wearing(whose) => whose.contains(&self.worn_by_namespace(place.0)),
                    Namespaces::Every => true,
                };
                let pod = match pods {
                    Pods::Every => true,
                    Pods::Wearing(whose) => whose.contains(&self.worn_as_peer(place)),
                };
                (namespace && pod).then_some(Intent::Allow)
            }
            Meant::Hosts(of, hosts) => {
                let host = self.host(peer)?;
                (*of == family && hosts.contains(&host)).then_some(Intent::Allow)
            }
            Meant::Everywhere(of) if *of == family => {
                Some(if peer.as_pod().is_some() { Intent::Any } else { Intent::Allow })
            }
            Meant::Everywhere(_) => None,
        }
    }

    /// What is meant of a cell: both directions must allow it.
    pub(super) fn intent(&self, cell: &Cell) -> Intent {
        let sides = [Direction::Egress, Direction::Ingress].map(|of| self.judged(cell, of));
        if sides.contains(&Intent::Deny) {
            Intent::Deny
        } else if sides.contains(&Intent::Any) {
            Intent::Any
        } else {
            Intent::Allow
        }
    }

    /// What one direction makes of a cell: the Admin tier, then the NetworkPolicies, which
    /// decide of every pod that they isolate, then the Baseline tier.
    pub(super) fn judged(&self, cell: &Cell, direction: Direction) -> Intent {
        let side = self.side(cell, direction);
        let by_policies = || match side {
            side if !side.is_isolated() => None,
            side if side.is_shut() => Some(Intent::Deny),
            side if side.allowing == 0 => Some(Intent::Any),
            _ => Some(Intent::Allow),
        };
        self.by_tier(cell, direction, Tier::Admin)
            .or_else(by_policies)
            .or_else(|| self.by_tier(cell, direction, Tier::Baseline))
            .unwrap_or(Intent::Allow)
    }
}
