//! A second, slow reading of the API of the cluster's policies.
//!
//! It plays one connection through the tiers as the API's text has it, and where the text
//! or a fact leaves something open it throws a coin. Every fall of the coins is played:
//! what comes out each time is decided.

use std::net::IpAddr;

use ringfence::model::{
    Cell, ClusterAction, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPort, ClusterRule,
    ClusterSubject, Direction, Endpoint, Family, LabelSelector, Pod, Tier, Via, World,
};
use ringfence::semantics::isolates;

use crate::reference::{self, Outcomes};

/// The falls of the coins so far, and those that are still to be played.
#[derive(Default)]
struct Coins {
    falls: Vec<bool>,
    next: usize,
}

impl Coins {
    fn toss(&mut self) -> bool {
        if self.next == self.falls.len() {
            self.falls.push(false);
        }
        self.next += 1;
        self.falls[self.next - 1]
    }

    /// The next series of falls; `false` after the last.
    fn again(&mut self) -> bool {
        while self.falls.last() == Some(&true) {
            self.falls.pop();
        }
        self.next = 0;
        match self.falls.last_mut() {
            Some(last) => {
                *last = true;
                true
            }
            None => false,
        }
    }
}

/// What comes of all falls.
pub(crate) fn outcomes(world: &World, cell: &Cell, direction: Direction) -> Outcomes {
    let mut coins = Coins::default();
    let (mut works, mut fails) = (false, false);
    loop {
        if play(world, cell, direction, &mut coins) {
            works = true;
        } else {
            fails = true;
        }
        if works && fails {
            return Outcomes::Either;
        }
        if !coins.again() {
            break;
        }
    }
    if works { Outcomes::Works } else { Outcomes::Fails }
}

struct Play<'a> {
    world: &'a World,
    cell: &'a Cell,
    direction: Direction,
    pod: &'a Pod,
    other: &'a Endpoint,
}

fn play(world: &World, cell: &Cell, direction: Direction, coins: &mut Coins) -> bool {
    let (subject, other) = match direction {
        Direction::Egress => (&cell.source, &cell.destination),
        Direction::Ingress => (&cell.destination, &cell.source),
    };
    let Endpoint::Pod(name) = subject else { return true };
    let pod = &world.topology.pods[name];
    let play = Play { world, cell, direction, pod, other };
    match play.tier(Tier::Admin, coins) {
        Some(ClusterAction::Accept) => return true,
        Some(ClusterAction::Deny) => return false,
        Some(ClusterAction::Pass) | None => {}
    }
    let known = world.topology.namespaces.contains_key(&name.namespace);
    let selected = known
        && world.policies.values().any(|policy| {
            policy.name.namespace == name.namespace
                && policy.pod_selector.matches(&pod.labels)
                && isolates(policy, direction)
        });
    if selected {
        return match reference::outcomes(world, cell, direction) {
            Outcomes::Works => true,
            Outcomes::Fails => false,
            Outcomes::Either => coins.toss(),
        };
    }
    match play.tier(Tier::Baseline, coins) {
        Some(ClusterAction::Deny) => false,
        Some(ClusterAction::Accept | ClusterAction::Pass) | None => true,
    }
}

impl Play<'_> {
    fn to_itself(&self) -> bool {
        matches!(self.other, Endpoint::Pod(name) if *name == self.pod.name)
    }

    fn tier(&self, tier: Tier, coins: &mut Coins) -> Option<ClusterAction> {
        let of_tier = self.world.cluster_policies.values().filter(|policy| policy.tier == tier);
        let (cnp, older): (Vec<_>, Vec<_>) = of_tier
            .map(|policy| &**policy)
            .filter(|policy| self.is_about(policy))
            .partition(|policy| policy.name.kind == ClusterPolicyKind::ClusterNetworkPolicy);
        let found = (self.by_priority(&cnp, coins), self.by_priority(&older, coins));
        match found {
            (Some(one), Some(other)) => Some(if coins.toss() { one } else { other }),
            (one, other) => one.or(other),
        }
    }

    fn by_priority(&self, policies: &[&ClusterPolicy], coins: &mut Coins) -> Option<ClusterAction> {
        let mut priorities: Vec<_> = policies.iter().map(|policy| policy.priority).collect();
        priorities.sort();
        priorities.dedup();
        for priority in priorities {
            let equals = policies.iter().filter(|policy| policy.priority == priority);
            let actions: Vec<ClusterAction> =
                equals.filter_map(|policy| self.first(policy, coins)).collect();
            // The implementation may choose any of those that match.
            let mut chosen = None;
            for (index, action) in actions.iter().enumerate() {
                if chosen.is_none() && (index + 1 == actions.len() || coins.toss()) {
                    chosen = Some(*action);
                }
            }
            if chosen.is_some() {
                return chosen;
            }
        }
        None
    }

    fn is_about(&self, policy: &ClusterPolicy) -> bool {
        let not_policed = policy.name.kind == ClusterPolicyKind::ClusterNetworkPolicy
            && self.to_itself()
            && self.cell.via == Via::Pod;
        let everything = LabelSelector::everything();
        let (namespaces, pods) = match &policy.subject {
            ClusterSubject::Namespaces { selector, .. } => (selector, &everything),
            ClusterSubject::Pods { namespace_selector, pod_selector, .. } => {
                (namespace_selector, pod_selector)
            }
        };
        !not_policed && self.selects(namespaces, pods, self.pod)
    }

    fn selects(&self, namespaces: &LabelSelector, pods: &LabelSelector, pod: &Pod) -> bool {
        let namespace = self.world.topology.namespaces.get(&pod.name.namespace);
        !pod.host_network
            && namespace.is_some_and(|namespace| namespaces.matches(&namespace.labels))
            && pods.matches(&pod.labels)
    }

    fn first(&self, policy: &ClusterPolicy, coins: &mut Coins) -> Option<ClusterAction> {
        for rule in policy.rules(self.direction) {
            let unknown = rule.peers.iter().any(|p| matches!(p, ClusterPeer::Unknown { .. }));
            let (action, mut fits) = match (unknown, rule.action) {
                (true, ClusterAction::Accept) => (ClusterAction::Accept, Some(false)),
                (true, _) => (ClusterAction::Deny, self.denies_all()),
                (false, action) => (action, self.fits(rule)),
            };
            let older = policy.name.kind != ClusterPolicyKind::ClusterNetworkPolicy;
            if older && self.to_itself() && fits == Some(true) {
                fits = None;
            }
            if fits.unwrap_or_else(|| coins.toss()) {
                return Some(action);
            }
        }
        None
    }

    /// A pod's own node is let in, says another API, and whoever has the node's address.
    fn denies_all(&self) -> Option<bool> {
        let pods = &self.world.topology.pods;
        let from = match (self.direction, self.other) {
            (Direction::Egress, _) | (_, Endpoint::External(_)) => return Some(true),
            (_, Endpoint::Node(node)) => Some(node),
            (_, Endpoint::Pod(name)) => match pods.get(name) {
                Some(pod) if pod.host_network => pod.node.as_ref(),
                _ => return Some(true),
            },
        };
        let known = self.pod.node.as_ref().zip(from);
        known.is_some_and(|(own, from)| own != from).then_some(true)
    }

    /// Whether a rule matches; `None` where that is open.
    fn fits(&self, rule: &ClusterRule) -> Option<bool> {
        let peers = any(rule.peers.iter().map(|peer| self.peer(peer)));
        let ports = if rule.ports.is_empty() {
            Some(true)
        } else {
            any(rule.ports.iter().map(|port| self.port(port)))
        };
        match (peers, ports) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    fn peer(&self, peer: &ClusterPeer) -> Option<bool> {
        let node_port = matches!(self.cell.via, Via::NodePort | Via::LocalNodePort);
        let everything = LabelSelector::everything();
        let (namespaces, pods) = match peer {
            ClusterPeer::Namespaces { selector, .. } => (selector, &everything),
            ClusterPeer::Pods { namespace_selector, pod_selector, .. } => {
                (namespace_selector, pod_selector)
            }
            ClusterPeer::Networks { cidrs, .. } => {
                return any(cidrs.iter().map(|cidr| self.network(cidr.net)));
            }
            ClusterPeer::Nodes { selector, .. } if node_port => {
                let some = any(self.world.topology.nodes.keys().map(|n| self.node(n, selector)));
                return if some == Some(false) { some } else { None };
            }
            ClusterPeer::Nodes { selector, .. } => {
                return match self.other {
                    Endpoint::Node(name) => self.node(name, selector),
                    Endpoint::Pod(name) => {
                        let pod = &self.world.topology.pods[name];
                        match (pod.host_network, &pod.node) {
                            (false, _) => Some(false),
                            (true, Some(node)) => self.node(node, selector),
                            (true, None) => selector.is_empty().then_some(true),
                        }
                    }
                    Endpoint::External(_) => Some(false),
                };
            }
            ClusterPeer::DomainNames { .. } => return None,
            ClusterPeer::Unknown { .. } => return Some(true),
        };
        let Endpoint::Pod(name) = self.other else { return Some(false) };
        match self.selects(namespaces, pods, &self.world.topology.pods[name]) {
            true if node_port => None,
            selected => Some(selected),
        }
    }

    fn network(&self, net: ipnet::IpNet) -> Option<bool> {
        if Family::of(net.addr()) != self.cell.family {
            return Some(false);
        }
        if net.prefix_len() == 0 {
            return Some(true);
        }
        if self.cell.via != Via::Pod {
            return None;
        }
        let known = self.addresses();
        let inside = known.iter().filter(|address| net.contains(*address)).count();
        match (inside, known.len()) {
            (_, 0) => None,
            (0, _) => Some(false),
            (inside, all) => (inside == all).then_some(true),
        }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let topology = &self.world.topology;
        let mut all = topology.addresses(self.other).to_vec();
        if let Endpoint::Pod(name) = self.other
            && let pod = &topology.pods[name]
            && let (true, true, Some(node)) = (pod.host_network, all.is_empty(), &pod.node)
        {
            all = topology.addresses(&Endpoint::Node(node.clone())).to_vec();
        }
        all.retain(|address| Family::of(*address) == self.cell.family);
        all
    }

    fn node(&self, name: &str, selector: &LabelSelector) -> Option<bool> {
        if selector.is_empty() {
            return Some(true);
        }
        let labels = self.world.topology.nodes.get(name)?.labels.as_ref()?;
        Some(selector.matches(labels))
    }

    fn port(&self, port: &ClusterPort) -> Option<bool> {
        let cell = self.cell;
        let node_port = matches!(cell.via, Via::NodePort | Via::LocalNodePort);
        let fits = match port {
            ClusterPort::Number { protocol, port, .. } => {
                cell.protocol == *protocol && cell.port == *port
            }
            ClusterPort::Range { protocol, first, last, .. } => {
                cell.protocol == *protocol && *first <= cell.port && cell.port <= *last
            }
            ClusterPort::Protocol { protocol, .. } => return Some(cell.protocol == *protocol),
            ClusterPort::Name { name, .. } => {
                let Endpoint::Pod(pod) = &cell.destination else { return Some(false) };
                self.world.topology.pods[pod].ports.iter().any(|port| {
                    port.name.as_ref() == Some(name)
                        && (port.number, port.protocol) == (cell.port, cell.protocol)
                })
            }
        };
        match (fits, self.direction, node_port) {
            (true, Direction::Egress, true) => None,
            (fits, ..) => Some(fits),
        }
    }
}

/// Any of several, where some may be open.
fn any(items: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let items: Vec<Option<bool>> = items.collect();
    if items.contains(&Some(true)) {
        Some(true)
    } else if items.contains(&None) {
        None
    } else {
        Some(false)
    }
}
