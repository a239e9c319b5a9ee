//! Policies → ruleset.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::addresses::Addresses;
use super::pods::{Pods, Scope};
use super::ports::{Ports, SomePorts, numbers_of};
use super::ruleset::{
    Chain, Handling, LogText, Match, Rule, Ruleset, Ruling, Set, SetId, TierChain, TierRule,
};
use super::tiers;
use super::{LocalPod, NodeView};
use crate::model::{
    self, ClusterAction, ClusterPeer, ClusterPolicy, ClusterRule, Direction, Family, NetworkPolicy,
    Peer, Pod, PodName, PolicyType, Tier, Topology, World,
};

/// The rules by which a node enforces the world's policies on its pods. With `evidence`
/// every drop is told to the packet log.
pub(in super::super) fn compile(world: &World, node: &NodeView, evidence: bool) -> Ruleset {
    let pods = Pods::new(&world.topology);
    let mut sets = Sets::default();
    let (mut chains, mut tiers) = (Vec::new(), Vec::new());
    for direction in [Direction::Egress, Direction::Ingress] {
        let policies = world.policies.values().map(|policy| &**policy);
        let isolating: Vec<&NetworkPolicy> =
            policies.filter(|policy| affects(policy, direction)).collect();
        let mut compiler = Compiler { direction, pods: &pods, sets: &mut sets, evidence };
        let isolated = compiler.chains(node, &isolating);
        for tier in [Tier::Admin, Tier::Baseline] {
            let policies = tiers::in_order(world, tier);
            // "v1.NetworkPolicy always makes a final decision for selected pods. Further
            // evaluation only happens for Pods not selected by a v1.NetworkPolicy."
            // (`ClusterNetworkPolicySpec.tier`) A pod is selected by direction.
            let decided = match tier {
                Tier::Admin => HashSet::new(),
                Tier::Baseline => isolated.iter().map(|chain| &chain.pod).collect(),
            };
            tiers.extend(compiler.tier(node, &world.topology, tier, &policies, &decided));
        }
        chains.extend(isolated);
    }
    Ruleset { sets: sets.finish(), chains, tiers, handling: Handling::default() }
}

/// Whether the policy isolates its pods in this direction.
///
/// "If this field is not specified, it will default based on the existence of ingress or
/// egress rules; policies that contain an egress section are assumed to affect egress, and
/// all policies (whether or not they contain an ingress section) are assumed to affect
/// ingress" (`NetworkPolicySpec.policyTypes`). To the API server an empty list is one that
/// is not specified, and a section without rules is none (`SetDefaults_NetworkPolicy`).
pub(in super::super) fn affects(policy: &NetworkPolicy, direction: Direction) -> bool {
    let types = policy.policy_types.as_deref().unwrap_or_default();
    match direction {
        Direction::Ingress => types.is_empty() || types.contains(&PolicyType::Ingress),
        Direction::Egress if types.is_empty() => {
            policy.egress.as_ref().is_some_and(|rules| !rules.is_empty())
        }
        Direction::Egress => types.contains(&PolicyType::Egress),
    }
}

/// The sets of a ruleset, each content once.
#[derive(Debug, Default)]
struct Sets(HashMap<Set, usize>);

impl Sets {
    fn id(&mut self, set: Set) -> SetId {
        let next = self.0.len();
        SetId(*self.0.entry(set).or_insert(next))
    }

    fn finish(self) -> Vec<Set> {
        let mut sets: Vec<(Set, usize)> = self.0.into_iter().collect();
        sets.sort_unstable_by_key(|(_, position)| *position);
        sets.into_iter().map(|(set, _)| set).collect()
    }
}

/// Compiles one direction.
struct Compiler<'a, 's> {
    direction: Direction,
    pods: &'a Pods<'a>,
    sets: &'s mut Sets,
    /// Whether drops are told to the packet log.
    evidence: bool,
}

/// A policy's rule with its peers resolved: they are the same for all pods that it selects.
struct Resolved<'a> {
    /// Ways in which the peer may match; none where nobody is a peer.
    peers: Vec<Vec<Match>>,
    ports: Ports<'a>,
    /// Egress to named ports: ways in which peer and port may match together.
    sockets: Vec<Vec<Match>>,
}

impl<'a> Compiler<'a, '_> {
    fn chains(&mut self, node: &NodeView, policies: &[&'a NetworkPolicy]) -> Vec<Chain> {
        let local: BTreeMap<_, _> = node.pods.iter().map(|pod| (&pod.name, pod)).collect();
        // In order of the interface; for each pod the policies that isolate it, in order.
        let mut isolated = BTreeMap::<u32, (&LocalPod, &'a Pod, Vec<usize>)>::new();
        let mut resolved = Vec::with_capacity(policies.len());
        for (position, policy) in policies.iter().enumerate() {
            let scope = Scope::Namespace(&policy.name.namespace);
            let mut selects_any = false;
            for pod in self.pods.select(scope, &policy.pod_selector) {
                let Some(local) = local.get(&pod.name) else { continue };
                selects_any = true;
                let entry = isolated.entry(local.interface);
                entry.or_insert_with(|| (local, pod, Vec::new())).2.push(position);
            }
            resolved.push(if selects_any { self.resolve(policy) } else { Vec::new() });
        }
        let mut chains = Vec::with_capacity(isolated.len());
        for (interface, (local, pod, isolating)) in isolated {
            let log = self.evidence.then(|| {
                let names: Vec<String> =
                    isolating.iter().map(|at| policies[*at].name.to_string()).collect();
                let by = names.join(", ");
                LogText::new(format!("{} {}: isolated by {by}", self.direction, local.name))
            });
            // "the allowed connections are the sum of what the policies allow": rules that
            // two policies have in common count once.
            let mut rules = Vec::new();
            let mut seen = HashSet::new();
            for rule in isolating.iter().flat_map(|at| &resolved[*at]) {
                for rule in self.rules(rule, pod) {
                    if seen.insert(rule.clone()) {
                        rules.push(rule);
                    }
                }
            }
            let (direction, pod) = (self.direction, local.name.clone());
            chains.push(Chain { direction, pod, interface, rules, log });
        }
        chains
    }

    fn resolve(&mut self, policy: &'a NetworkPolicy) -> Vec<Resolved<'a>> {
        let rules = match self.direction {
            Direction::Ingress => &policy.ingress,
            Direction::Egress => &policy.egress,
        };
        let rules = rules.as_deref().unwrap_or_default();
        rules.iter().map(|rule| self.resolve_rule(policy, rule)).collect()
    }

    fn resolve_rule(&mut self, policy: &NetworkPolicy, rule: &'a model::Rule) -> Resolved<'a> {
        let ports = Ports::read(rule.ports.as_deref());
        // "If this field is empty or missing, this rule matches all sources" (`from`);
        // "… all destinations" (`to`).
        let entries = rule.peers.as_deref().unwrap_or_default();
        let addresses = (!entries.is_empty())
            .then(|| Family::ALL.map(|family| self.peers(policy, entries, family)));
        self.resolved(ports, addresses)
    }

    /// A rule's ports and the addresses of its peers, `None` where everybody is one.
    fn resolved(&mut self, ports: Ports<'a>, addresses: Option<[Addresses; 2]>) -> Resolved<'a> {
        let sockets = match (&ports, self.direction) {
            (Ports::Some(some), Direction::Egress) => self.sockets(some, addresses.as_ref()),
            _ => Vec::new(),
        };
        let peers = match addresses {
            None => vec![Vec::new()],
            Some(addresses) => addresses
                .into_iter()
                .filter(|addresses| !addresses.is_empty())
                .map(|addresses| {
                    if addresses.is_everything() {
                        return vec![Match::Family(addresses.family())];
                    }
                    vec![Match::Peer(self.sets.id(Set::Addresses(addresses)))]
                })
                .collect(),
        };
        Resolved { peers, ports, sockets }
    }

    /// The chains of one tier, from policies in the order in which they are asked. Pods that
    /// are decided about are left out.
    fn tier(
        &mut self,
        node: &NodeView,
        topology: &Topology,
        tier: Tier,
        policies: &[&'a ClusterPolicy],
        decided: &HashSet<&PodName>,
    ) -> Vec<TierChain> {
        let direction = self.direction;
        let undecided = node.pods.iter().filter(|pod| !decided.contains(&pod.name));
        let local: BTreeMap<_, _> = undecided.map(|pod| (&pod.name, pod)).collect();
        let mut chains = BTreeMap::<u32, TierChain>::new();
        for policy in policies {
            let subjects: Vec<(&LocalPod, &'a Pod)> = tiers::subjects(self.pods, policy)
                .into_iter()
                .filter_map(|pod| Some((*local.get(&pod.name)?, pod)))
                .collect();
            if subjects.is_empty() {
                continue;
            }
            // "CNPs with no ingress rules do not affect ingress traffic", nor the others with
            // no egress rules egress: a policy does nothing but what its rules do.
            for (position, rule) in policy.rules(direction).iter().enumerate() {
                let Some((action, resolved)) = self.resolve_cluster_rule(topology, rule) else {
                    continue;
                };
                for (local, pod) in &subjects {
                    let rules = self.rules(&resolved, pod);
                    if rules.is_empty() {
                        continue;
                    }
                    let ruling = match action {
                        ClusterAction::Accept => Ruling::Accept,
                        ClusterAction::Pass => Ruling::Pass,
                        ClusterAction::Deny => Ruling::Deny(self.evidence.then(|| {
                            LogText::new(tiers::denial(
                                direction, &pod.name, policy, position, rule,
                            ))
                        })),
                    };
                    let chain = chains.entry(local.interface).or_insert_with(|| TierChain {
                        direction,
                        tier,
                        pod: pod.name.clone(),
                        interface: local.interface,
                        rules: Vec::new(),
                    });
                    let rules = rules.into_iter();
                    let rules = rules.map(|rule| TierRule { rule, ruling: ruling.clone() });
                    chain.rules.extend(rules);
                }
            }
        }
        chains.into_values().collect()
    }

    /// A rule of a policy of the cluster; `None` where it matches no traffic.
    fn resolve_cluster_rule(
        &mut self,
        topology: &Topology,
        rule: &'a ClusterRule,
    ) -> Option<(ClusterAction, Resolved<'a>)> {
        // "In that case it should fail closed. For "Accept" rules, "fail closed" means: "treat
        // the rule as matching no traffic". For "Deny" and "Pass" rules, "fail closed" means:
        // "treat the rule as a 'Deny all' rule"." (`ClusterNetworkPolicyIngressPeer`)
        if rule.peers.iter().any(|peer| matches!(peer, ClusterPeer::Unknown { .. })) {
            return match rule.action {
                ClusterAction::Accept => None,
                ClusterAction::Deny | ClusterAction::Pass => {
                    Some((ClusterAction::Deny, self.resolved(Ports::Any, None)))
                }
            };
        }
        let of = |family| tiers::addresses(self.pods, topology, &rule.peers, family);
        let addresses = Family::ALL.map(of);
        Some((rule.action, self.resolved(Ports::of_cluster(&rule.ports), Some(addresses))))
    }

    /// The addresses of a rule's peers. "Items in this list are combined using a logical OR
    /// operation": an address that one peer excepts may be another's.
    fn peers(&self, policy: &NetworkPolicy, entries: &[Peer], family: Family) -> Addresses {
        let mut singles = Vec::new();
        let mut blocks = Vec::new();
        for entry in entries {
            match entry {
                // "If podSelector is also set, then the NetworkPolicyPeer as a whole selects
                // the pods matching podSelector in the namespaces selected by
                // namespaceSelector. Otherwise it selects all pods in the namespaces selected
                // by namespaceSelector." "Otherwise it selects the pods matching podSelector
                // in the policy's own namespace."
                Peer::Pods { pod_selector, namespace_selector, .. } => {
                    let everything = model::LabelSelector::everything();
                    let selector = pod_selector.as_ref().unwrap_or(&everything);
                    let scope = match namespace_selector {
                        Some(namespaces) => Scope::Selected(namespaces),
                        None => Scope::Namespace(&policy.name.namespace),
                    };
                    let pods = self.pods.select(scope, selector);
                    singles.extend(pods.into_iter().flat_map(|pod| pod.addresses.iter().copied()));
                }
                Peer::IpBlock { cidr, except, .. } => {
                    blocks.push(Addresses::of_block(cidr, except));
                }
            }
        }
        Addresses::of(family, singles, blocks)
    }

    /// Egress to a named port: the peers that are pods and have a port of that name and
    /// protocol, each with its own number. Nothing else has named ports.
    fn sockets(
        &mut self,
        ports: &SomePorts<'_>,
        peers: Option<&[Addresses; 2]>,
    ) -> Vec<Vec<Match>> {
        let mut sockets = Family::ALL.map(|family| (family, BTreeSet::new()));
        if ports.named.is_empty() {
            return Vec::new();
        }
        for pod in self.pods.all() {
            for address in &pod.addresses {
                let is_peer = |peers: &[Addresses; 2]| peers.iter().any(|p| p.contains(*address));
                if !peers.is_none_or(is_peer) {
                    continue;
                }
                let found = sockets.iter_mut().find(|(family, _)| *family == Family::of(*address));
                let (_, found) = found.expect("every address is of one of all families");
                for (protocol, name) in &ports.named {
                    let numbers = numbers_of(pod, *protocol, name);
                    found.extend(numbers.map(|number| (*address, *protocol, number)));
                }
            }
        }
        let sockets = sockets.into_iter().filter(|(_, sockets)| !sockets.is_empty());
        sockets
            .map(|(family, sockets)| {
                vec![Match::Socket(self.sets.id(Set::Sockets(family, sockets)))]
            })
            .collect()
    }

    /// What a policy's rule comes to for one pod.
    fn rules(&mut self, rule: &Resolved<'_>, pod: &Pod) -> Vec<Rule> {
        // In ingress the pod at the receiving end is the isolated pod itself.
        let ports = match self.direction {
            Direction::Ingress if rule.ports.any_named() => &rule.ports.resolved_on(pod),
            _ => &rule.ports,
        };
        let ports = self.port_matches(ports);
        let mut rules = Vec::with_capacity(rule.peers.len() * ports.len() + rule.sockets.len());
        for peer in &rule.peers {
            for port in &ports {
                rules.push(Rule(peer.iter().chain(port).copied().collect()));
            }
        }
        rules.extend(rule.sockets.iter().cloned().map(Rule));
        rules
    }

    /// Ways in which a packet's protocol and port may match numbered ports.
    fn port_matches(&mut self, ports: &Ports<'_>) -> Vec<Vec<Match>> {
        let Ports::Some(some) = ports else { return vec![Vec::new()] };
        let mut matches = Vec::new();
        let mut exact = some.exact.iter();
        match (exact.next(), exact.next()) {
            (None, _) => {}
            (Some((protocol, port)), None) => {
                matches.push(vec![Match::Port(*protocol, *port, *port)]);
            }
            _ => {
                let set = self.sets.id(Set::Ports(some.exact.clone()));
                matches.push(vec![Match::Service(set)]);
            }
        }
        let ranges = some.ranges.iter();
        matches.extend(ranges.map(|(p, first, last)| vec![Match::Port(*p, *first, *last)]));
        matches.extend(some.protocols.iter().map(|protocol| vec![Match::Protocol(*protocol)]));
        matches
    }
}
