//! Policies made ready: whom each isolates, and whom each peer selects.

use std::collections::BTreeMap;
use std::sync::Arc;

use fixedbitset::FixedBitSet;

use crate::model::{
    Cell, Cidr, Decision, Direction, External, LabelSelector, Matrix, Name, NetworkPolicy, Node,
    Origin, Peer, Pod, PodName, PolicyPort, World,
};

use super::isolation::{PerDirection, isolates, rules};
use super::selection::Selection;
use super::tiers::Tiers;

/// The meaning of one world's policies, ready to be asked about cells.
///
/// It keeps what it needs of the world, so a changed world needs a new engine.
#[derive(Debug)]
pub struct Engine {
    /// The pods' names, in order; the index of a pod is its place here.
    pub(super) names: Vec<PodName>,
    pub(super) pods: Vec<Pod>,
    pub(super) externals: BTreeMap<Name, External>,
    pub(super) nodes: BTreeMap<Name, Node>,
    pub(super) policies: Vec<Ready>,
    /// For each pod, the policies that isolate it, in order of name.
    pub(super) isolating: PerDirection<Vec<Vec<usize>>>,
    /// The policies of the cluster.
    pub(super) tiers: Tiers,
}

/// A policy with its peers resolved.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) policy: Arc<NetworkPolicy>,
    /// Its rules, none where it selects nothing. Those of a direction that it does not
    /// isolate for are here too, and never asked: only "the `egress` list of some
    /// NetworkPolicy that applies to the pod for egress" allows anything.
    pub(super) rules: PerDirection<Vec<ReadyRule>>,
}

/// A rule with its peers resolved.
#[derive(Debug)]
pub(super) struct ReadyRule {
    /// `None` for any peer: "If this field is empty or missing, this rule matches all
    /// sources" (`NetworkPolicyIngressRule.from`, and likewise `to`).
    pub(super) peers: Option<Vec<PeerSet>>,
    /// `None` for any port: "If this field is empty or missing, this rule matches all
    /// ports" (`NetworkPolicyIngressRule.ports`).
    pub(super) ports: Option<Vec<PolicyPort>>,
    pub(super) origin: Origin,
}

/// What one entry of `from` or `to` covers.
#[derive(Debug)]
pub(super) enum PeerSet {
    /// The pods that its selectors match.
    Pods(FixedBitSet),
    /// A range of addresses.
    Block { cidr: Cidr, except: Vec<Cidr>, origin: Origin },
}

impl Engine {
    /// Works out whom the world's policies isolate and whom their peers select.
    ///
    /// A policy in a namespace that the topology does not have selects nothing.
    pub fn new(world: &World) -> Self {
        let topology = &world.topology;
        let (names, pods): (Vec<PodName>, Vec<Pod>) =
            topology.pods.iter().map(|(name, pod)| (name.clone(), pod.clone())).unzip();
        let mut selection = Selection::new(&names, &pods, &topology.namespaces);
        let tiers = Tiers::new(world, &pods, &mut selection);
        let mut preparation = Preparation { selection: &mut selection };
        let mut policies = Vec::with_capacity(world.policies.len());
        let mut isolating = PerDirection::of(|_| vec![Vec::new(); pods.len()]);
        for policy in world.policies.values() {
            let subjects = preparation.subjects(policy);
            for direction in [Direction::Ingress, Direction::Egress] {
                if isolates(policy, direction) {
                    for pod in subjects.ones() {
                        isolating[direction][pod].push(policies.len());
                    }
                }
            }
            let ready = PerDirection::of(|direction| {
                if subjects.is_clear() {
                    return Vec::new();
                }
                preparation.rules(policy, direction)
            });
            policies.push(Ready { policy: policy.clone(), rules: ready });
        }
        Self {
            externals: topology.externals.clone(),
            nodes: topology.nodes.clone(),
            names,
            pods,
            policies,
            isolating,
            tiers,
        }
    }

    /// The place of a pod among the world's pods in order of name, which is what
    /// [`super::Pairs`] counts by.
    pub fn pod_index(&self, name: &PodName) -> Option<usize> {
        self.names.binary_search(name).ok()
    }

    /// The names of the pods, in order of index.
    pub fn pods(&self) -> &[PodName] {
        &self.names
    }

    /// What the policies mean for each of these cells.
    pub fn matrix(&self, cells: impl IntoIterator<Item = Cell>) -> Matrix<Decision> {
        cells
            .into_iter()
            .map(|cell| {
                let decision = self.decide(&cell);
                (cell, decision)
            })
            .collect()
    }
}

/// Policies of one namespace made ready.
struct Preparation<'s, 'w> {
    selection: &'s mut Selection<'w>,
}

impl Preparation<'_, '_> {
    /// "podSelector selects the pods to which this NetworkPolicy object applies. … An
    /// empty selector matches all pods in the policy's namespace."
    /// (`NetworkPolicySpec.podSelector`)
    fn subjects(&mut self, policy: &NetworkPolicy) -> FixedBitSet {
        self.peer_pods(policy, Some(&policy.pod_selector), None)
    }

    fn rules(&mut self, policy: &NetworkPolicy, direction: Direction) -> Vec<ReadyRule> {
        let ready = rules(policy, direction).iter().map(|rule| ReadyRule {
            peers: rule
                .peers
                .as_deref()
                .filter(|peers| !peers.is_empty())
                .map(|peers| peers.iter().map(|peer| self.peer(policy, peer)).collect()),
            ports: rule.ports.clone().filter(|ports| !ports.is_empty()),
            origin: rule.origin.clone(),
        });
        ready.collect()
    }

    fn peer(&mut self, policy: &NetworkPolicy, peer: &Peer) -> PeerSet {
        match peer {
            Peer::Pods { pod_selector, namespace_selector, .. } => PeerSet::Pods(self.peer_pods(
                policy,
                pod_selector.as_ref(),
                namespace_selector.as_ref(),
            )),
            Peer::IpBlock { cidr, except, origin } => PeerSet::Block {
                cidr: cidr.clone(),
                except: except.clone(),
                origin: origin.clone(),
            },
        }
    }

    /// "If namespaceSelector is also set, then the NetworkPolicyPeer as a whole selects
    /// the pods matching podSelector in the Namespaces selected by NamespaceSelector.
    /// Otherwise it selects the pods matching podSelector in the policy's own
    /// namespace." and "If podSelector is also set, … Otherwise it selects all pods in
    /// the namespaces selected by namespaceSelector." (`NetworkPolicyPeer`)
    fn peer_pods(
        &mut self,
        policy: &NetworkPolicy,
        pod_selector: Option<&LabelSelector>,
        namespace_selector: Option<&LabelSelector>,
    ) -> FixedBitSet {
        match namespace_selector {
            Some(selector) => self.selection.across(selector, pod_selector),
            None => self.selection.within(&policy.name.namespace, pod_selector),
        }
    }
}
