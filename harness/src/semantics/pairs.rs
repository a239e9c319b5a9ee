//! All pairs of pods at once, for whole matrices of large clusters.

use std::collections::{BTreeMap, HashMap};

use fixedbitset::FixedBitSet;

use crate::model::{
    Cell, Clause, Direction, Effect, Endpoint, Family, MissingFact, Name, Phase, Pod, PolicyPort,
    PortRef, Protocol, Verdict, Via,
};

use super::Engine;
use super::coverage::{Coverage, coverage, names_port};
use super::engine::{PeerSet, ReadyRule};
use super::isolation::PerDirection;
use super::side::combine;

/// Verdicts of pods to pods by their own addresses, over one family.
///
/// It gives what [`Engine::decide`] gives, from sets of pods in place of one
/// question for each cell. Pods go by [`Engine::pod_index`], a port by its place
/// in [`Pod::ports`].
#[derive(Debug)]
pub struct Pairs<'e> {
    engine: &'e Engine,
    family: Family,
    /// The peers of every rule, as sets: by policy, then rule.
    rules: PerDirection<Vec<Vec<Reach>>>,
    /// Who reaches each port of each pod.
    ingress: Vec<Vec<Option<Reach>>>,
    /// The distinct ports of the world.
    keys: Vec<(u16, Protocol)>,
    /// The pods that call a port by a name, by the name and the port's place in `keys`.
    named: HashMap<Name, BTreeMap<usize, FixedBitSet>>,
    /// For each pod and each of its ports, the place in `keys`.
    key_of: Vec<Vec<usize>>,
    /// Pods that policies do not treat like others, and those that policies of the cluster
    /// are about, by the direction in which they are asked.
    special: PerDirection<FixedBitSet>,
}

/// Pods by how rules answer for them; a pod in several counts in the first.
#[derive(Debug, Clone)]
struct Reach {
    yes: FixedBitSet,
    /// An ipBlock contains the pod's address.
    on_pod: FixedBitSet,
    /// An ipBlock is asked, and the pod's address is not known.
    no_address: FixedBitSet,
}

impl Reach {
    fn none(pods: usize) -> Self {
        let none = FixedBitSet::with_capacity(pods);
        Self { yes: none.clone(), on_pod: none.clone(), no_address: none }
    }

    fn sets(&mut self) -> [&mut FixedBitSet; 3] {
        [&mut self.yes, &mut self.on_pod, &mut self.no_address]
    }

    /// Adds another's pods, those of `within` only where it is given.
    fn add(&mut self, other: &Self, within: Option<&FixedBitSet>) {
        let theirs = [&other.yes, &other.on_pod, &other.no_address];
        for (ours, theirs) in self.sets().into_iter().zip(theirs) {
            match within {
                None => ours.union_with(theirs),
                Some(within) => {
                    let mut part = theirs.clone();
                    part.intersect_with(within);
                    ours.union_with(&part);
                }
            }
        }
    }

    fn effect(&self, pod: usize) -> Effect {
        if self.yes.contains(pod) {
            Effect::Allowed
        } else if self.on_pod.contains(pod) {
            Effect::Undefined(Clause::IpBlockOnPod)
        } else if self.no_address.contains(pod) {
            Effect::Unknown(MissingFact::Address)
        } else {
            Effect::Denied
        }
    }
}

/// The verdicts of one source.
#[derive(Debug)]
pub struct Row<'p> {
    pairs: &'p Pairs<'p>,
    source: usize,
    /// Whom the source reaches, by key; `None` where it is not isolated.
    egress: Option<Vec<Reach>>,
}

impl Engine {
    /// Makes ready to judge all pairs of pods over one family.
    pub fn pairs(&self, family: Family) -> Pairs<'_> {
        let rules = PerDirection::of(|direction| {
            let reaches =
                |rules: &[ReadyRule]| rules.iter().map(|rule| self.reach(rule, family)).collect();
            self.policies.iter().map(|ready| reaches(&ready.rules[direction])).collect()
        });
        let mut places = BTreeMap::new();
        let mut keys = Vec::new();
        let mut place = |key: (u16, Protocol)| {
            *places.entry(key).or_insert_with(|| {
                keys.push(key);
                keys.len() - 1
            })
        };
        let mut named: HashMap<Name, BTreeMap<usize, FixedBitSet>> = HashMap::new();
        let mut key_of = Vec::with_capacity(self.pods.len());
        for (index, pod) in self.pods.iter().enumerate() {
            let mut pod_keys = Vec::with_capacity(pod.ports.len());
            for port in &pod.ports {
                let key = place((port.number, port.protocol));
                pod_keys.push(key);
                if let Some(name) = &port.name {
                    let by_key = named.entry(name.clone()).or_default();
                    let empty = || FixedBitSet::with_capacity(self.pods.len());
                    by_key.entry(key).or_insert_with(empty).insert(index);
                }
            }
            key_of.push(pod_keys);
        }
        let special = PerDirection::of(|direction| {
            let mut special = FixedBitSet::with_capacity(self.pods.len());
            for (index, pod) in self.pods.iter().enumerate() {
                let tiers = &self.tiers.about[direction][index];
                let plain = !pod.host_network && pod.phase == Phase::Running && tiers.is_empty();
                special.set(index, !plain);
            }
            special
        });
        let ingress = Vec::new();
        let mut pairs =
            Pairs { engine: self, family, rules, ingress, keys, named, key_of, special };
        pairs.ingress = (0..self.pods.len()).map(|pod| pairs.ingress_of(pod)).collect();
        pairs
    }

    /// The pods that a rule's peers cover, whatever its ports.
    fn reach(&self, rule: &ReadyRule, family: Family) -> Reach {
        let mut reach = Reach::none(self.pods.len());
        let Some(peers) = &rule.peers else {
            reach.yes.insert_range(..);
            return reach;
        };
        for peer in peers {
            match peer {
                PeerSet::Pods(pods) => reach.yes.union_with(pods),
                PeerSet::Block { cidr, except, .. } => {
                    for (index, pod) in self.pods.iter().enumerate() {
                        match coverage(cidr, except, &pod.addresses, family) {
                            Coverage::Always | Coverage::Here => reach.on_pod.insert(index),
                            Coverage::Unknown => reach.no_address.insert(index),
                            Coverage::Never => {}
                        }
                    }
                }
            }
        }
        reach
    }
}

impl<'e> Pairs<'e> {
    /// How many pods there are.
    pub fn len(&self) -> usize {
        self.engine.pods.len()
    }

    /// Whether there are no pods.
    pub fn is_empty(&self) -> bool {
        self.engine.pods.is_empty()
    }

    /// How many ports a pod has; 0 for an index beyond the pods.
    pub fn ports(&self, destination: usize) -> usize {
        self.key_of.get(destination).map_or(0, Vec::len)
    }

    /// The verdicts of one source. An index beyond the pods has the row of a pod that
    /// is not there.
    pub fn row(&self, source: usize) -> Row<'_> {
        let isolating = self.engine.isolating[Direction::Egress].get(source);
        let egress = isolating.filter(|policies| !policies.is_empty()).map(|policies| {
            let rules: Vec<_> = self.rules(policies, Direction::Egress).collect();
            let mut reaches = vec![Reach::none(self.len()); self.keys.len()];
            for (key, reach) in reaches.iter_mut().enumerate() {
                for (rule, peers) in &rules {
                    match &rule.ports {
                        None => reach.add(peers, None),
                        Some(ports) => {
                            ports.iter().for_each(|entry| self.add_port(reach, peers, entry, key));
                        }
                    }
                }
            }
            reaches
        });
        Row { pairs: self, source, egress }
    }

    /// Adds what an egress rule with this entry covers on a port: every pod of its
    /// peers, or for a named port those among them that call the port so.
    fn add_port(&self, reach: &mut Reach, peers: &Reach, entry: &PolicyPort, key: usize) {
        let (number, protocol) = self.keys[key];
        if entry.protocol.unwrap_or_default() != protocol {
            return;
        }
        match &entry.port {
            None => reach.add(peers, None),
            Some(PortRef::Name(name)) => {
                let named = self.named.get(name).and_then(|by_key| by_key.get(&key));
                if let Some(named) = named {
                    reach.add(peers, Some(named));
                }
            }
            Some(PortRef::Number(first)) => {
                if (*first..=entry.end_port.unwrap_or(*first)).contains(&number) {
                    reach.add(peers, None);
                }
            }
        }
    }

    fn ingress_of(&self, destination: usize) -> Vec<Option<Reach>> {
        let pod = &self.engine.pods[destination];
        let policies = &self.engine.isolating[Direction::Ingress][destination];
        let reach = |number, protocol| {
            let mut reach = Reach::none(self.len());
            for (rule, peers) in self.rules(policies, Direction::Ingress) {
                let open = rule.ports.as_ref().is_none_or(|ports| {
                    ports.iter().any(|entry| opens(entry, pod, number, protocol))
                });
                if open {
                    reach.add(peers, None);
                }
            }
            reach
        };
        let ports = pod.ports.iter();
        ports
            .map(|port| (!policies.is_empty()).then(|| reach(port.number, port.protocol)))
            .collect()
    }

    fn rules(
        &self,
        policies: &[usize],
        direction: Direction,
    ) -> impl Iterator<Item = (&ReadyRule, &Reach)> {
        policies.iter().flat_map(move |policy| {
            let rules = &self.engine.policies[*policy].rules[direction];
            rules.iter().zip(&self.rules[direction][*policy])
        })
    }
}

/// Whether an entry of an ingress rule covers a port of the pod that it is about.
fn opens(entry: &PolicyPort, pod: &Pod, number: u16, protocol: Protocol) -> bool {
    entry.protocol.unwrap_or_default() == protocol
        && match &entry.port {
            None => true,
            Some(PortRef::Name(name)) => names_port(pod, name, number, protocol),
            Some(PortRef::Number(first)) => {
                (*first..=entry.end_port.unwrap_or(*first)).contains(&number)
            }
        }
}

impl Row<'_> {
    /// The verdict on a port of a destination.
    pub fn verdict(&self, destination: usize, port: usize) -> Verdict {
        let pairs = self.pairs;
        let pods = pairs.len();
        if self.source >= pods || port >= pairs.ports(destination) {
            return Verdict::Unknown(MissingFact::NoSuchEndpoint);
        }
        if self.source == destination
            || pairs.special[Direction::Egress].contains(self.source)
            || pairs.special[Direction::Ingress].contains(destination)
        {
            return self.one_by_one(destination, port);
        }
        let egress = self.egress.as_ref().map_or(Effect::NotIsolated, |keys| {
            keys[pairs.key_of[destination][port]].effect(destination)
        });
        let ingress = pairs.ingress[destination][port]
            .as_ref()
            .map_or(Effect::NotIsolated, |reach| reach.effect(self.source));
        combine(egress, ingress)
    }

    fn one_by_one(&self, destination: usize, port: usize) -> Verdict {
        let engine = self.pairs.engine;
        let port = &engine.pods[destination].ports[port];
        engine.verdict(&Cell {
            source: Endpoint::Pod(engine.names[self.source].clone()),
            destination: Endpoint::Pod(engine.names[destination].clone()),
            port: port.number,
            protocol: port.protocol,
            family: self.pairs.family,
            via: Via::Pod,
        })
    }
}
