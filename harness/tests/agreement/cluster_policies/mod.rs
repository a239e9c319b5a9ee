//! Random policies of the cluster, of every kind and version.
//!
//! Each is valid to the API server, but for what a newer or older one might hold: a peer that
//! is not understood (`{}` in its manifest), and every port of a protocol, which the overview
//! of the API has and its CRDs so far refuse (`tcp: {}`).

mod manifest;

use std::net::IpAddr;
use std::sync::Arc;

use fastrand::Rng;
use ipnet::IpNet;
use ringfence::model::{
    Change, Cidr, ClusterAction, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPolicyName,
    ClusterPolicyVersion, ClusterPort, ClusterRule, ClusterSubject, LabelSelector, Name, Operator,
    Origin, Requirement, Tier, Topology, World,
};
use serde_json::Value;

use crate::worlds::policies::{BLOCKS, namespace_selector, selector};
use crate::worlds::{NUMBERS, PORT_NAMES, protocol};

/// Few enough that some are equal, with both bounds; most policies have another.
const PRIORITIES: [u16; 3] = [0, 50, 1000];

/// How many there are at most, so that what one says is not always another's to decide.
const MOST: usize = 5;

/// Makes up policies of the cluster, and changes to them.
pub(crate) struct ClusterPolicies {
    random: Rng,
    origin: Origin,
    mix: Mix,
    made: usize,
}

/// Which kinds a world has: where AdminNetworkPolicies and ClusterNetworkPolicies disagree the
/// API leaves open what holds, so most worlds have the one or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mix {
    First,
    Later,
    Both,
}

impl ClusterPolicies {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed ^ 0x71e5);
        let mix = match random.u8(..7) {
            0..=2 => Mix::First,
            3..=5 => Mix::Later,
            _ => Mix::Both,
        };
        let origin = Origin::synthetic(&format!("a policy of the cluster, seed {seed}"));
        Self { random, origin, mix, made: 0 }
    }

    /// The first policies of a world that is deployed.
    pub(crate) fn first(&mut self, world: &World) -> Vec<Change> {
        (0..self.random.usize(1..=4)).map(|_| self.apply(&world.topology)).collect()
    }

    /// No change, one, or two.
    pub(crate) fn several(&mut self, world: &World) -> Vec<Change> {
        let mut world = world.clone();
        let wanted = self.random.usize(..=2);
        let mut changes = Vec::new();
        for _ in 0..wanted {
            let Some(change) = self.next(&world) else { continue };
            world.change(&change).expect("the generator makes changes that can be made");
            changes.push(change);
        }
        changes
    }

    /// One change; none where the kind that was drawn cannot be made.
    fn next(&mut self, world: &World) -> Option<Change> {
        let there: Vec<_> = world.cluster_policies.values().collect();
        let one = |random: &mut Rng| random.choice(there.iter().copied().cloned());
        match self.random.u8(..8) {
            0..=2 if there.len() < MOST => Some(self.apply(&world.topology)),
            0..=3 => {
                one(&mut self.random).map(|policy| Change::DeleteClusterPolicy(policy.name.clone()))
            }
            4 | 5 => {
                let before = one(&mut self.random)?;
                Some(Change::ApplyClusterPolicy(Arc::new(self.replaced(&before, &world.topology))))
            }
            // The same again: nothing may change.
            6 => one(&mut self.random).map(Change::ApplyClusterPolicy),
            _ => {
                let before = one(&mut self.random)?;
                Some(Change::ApplyClusterPolicy(Arc::new(self.moved(&before))))
            }
        }
    }

    fn apply(&mut self, topology: &Topology) -> Change {
        self.made += 1;
        let first = match self.mix {
            Mix::First => true,
            Mix::Later => false,
            Mix::Both => self.random.bool(),
        };
        let name = format!("policy-{}", self.made);
        let (kind, name) = match (first, self.random.u8(..3)) {
            (true, 0) => (ClusterPolicyKind::BaselineAdminNetworkPolicy, "default"),
            (true, _) => (ClusterPolicyKind::AdminNetworkPolicy, &*name),
            (false, _) => (ClusterPolicyKind::ClusterNetworkPolicy, &*name),
        };
        let policy = self.policy(ClusterPolicyName::new(kind, name), topology);
        Change::ApplyClusterPolicy(Arc::new(policy))
    }

    fn policy(&mut self, name: ClusterPolicyName, topology: &Topology) -> ClusterPolicy {
        let random = &mut self.random;
        let version = match name.kind {
            ClusterPolicyKind::ClusterNetworkPolicy if random.bool() => {
                ClusterPolicyVersion::V1beta1
            }
            ClusterPolicyKind::ClusterNetworkPolicy => ClusterPolicyVersion::V1alpha2,
            _ => ClusterPolicyVersion::V1alpha1,
        };
        let tier = match name.kind {
            ClusterPolicyKind::AdminNetworkPolicy => Tier::Admin,
            ClusterPolicyKind::BaselineAdminNetworkPolicy => Tier::Baseline,
            ClusterPolicyKind::ClusterNetworkPolicy if random.bool() => Tier::Admin,
            ClusterPolicyKind::ClusterNetworkPolicy => Tier::Baseline,
        };
        let mut rules = Rules { random, origin: &self.origin, kind: name.kind, topology };
        let subject = rules.subject();
        let ingress = rules.several(false);
        let egress = rules.several(true);
        let priority = (name.kind != ClusterPolicyKind::BaselineAdminNetworkPolicy)
            .then(|| priority(&mut self.random));
        let origin = self.origin.clone();
        let manifest = Value::Null;
        told(ClusterPolicy {
            name,
            version,
            tier,
            priority,
            subject,
            ingress,
            egress,
            origin,
            manifest,
        })
    }

    /// With everything different but the name, or the subject alone.
    fn replaced(&mut self, before: &ClusterPolicy, topology: &Topology) -> ClusterPolicy {
        let after = self.policy(before.name.clone(), topology);
        match self.random.bool() {
            true => after,
            false => told(ClusterPolicy { subject: after.subject, ..before.clone() }),
        }
    }

    /// To another priority, and at times another tier, where its kind has a choice; with its
    /// rules the other way round where it has not.
    fn moved(&mut self, before: &ClusterPolicy) -> ClusterPolicy {
        let mut after = before.clone();
        match before.name.kind {
            ClusterPolicyKind::BaselineAdminNetworkPolicy => {
                after.ingress.reverse();
                after.egress.reverse();
                return told(after);
            }
            ClusterPolicyKind::ClusterNetworkPolicy if self.random.bool() => {
                after.tier = match before.tier {
                    Tier::Admin => Tier::Baseline,
                    Tier::Baseline => Tier::Admin,
                };
            }
            _ => {}
        }
        after.priority = Some(priority(&mut self.random));
        told(after)
    }
}

fn priority(random: &mut Rng) -> u16 {
    match random.u8(..3) {
        0 => PRIORITIES[random.usize(..PRIORITIES.len())],
        _ => random.u16(..=1000),
    }
}

/// The policy with a manifest that says what it says.
fn told(mut policy: ClusterPolicy) -> ClusterPolicy {
    policy.manifest = manifest::manifest(&policy);
    policy
}

/// Makes up what one policy says.
struct Rules<'a> {
    random: &'a mut Rng,
    origin: &'a Origin,
    kind: ClusterPolicyKind,
    topology: &'a Topology,
}

impl Rules<'_> {
    fn subject(&mut self) -> ClusterSubject {
        let origin = self.origin.clone();
        match self.random.u8(..4) {
            0 => ClusterSubject::Namespaces { selector: LabelSelector::everything(), origin },
            1 => ClusterSubject::Namespaces { selector: namespace_selector(self.random), origin },
            _ => {
                let (namespace_selector, pod_selector) = self.namespaced_pod();
                ClusterSubject::Pods { namespace_selector, pod_selector, origin }
            }
        }
    }

    fn namespaced_pod(&mut self) -> (LabelSelector, LabelSelector) {
        let namespaces = match self.random.bool() {
            true => LabelSelector::everything(),
            false => namespace_selector(self.random),
        };
        (namespaces, selector(self.random))
    }

    fn several(&mut self, egress: bool) -> Vec<ClusterRule> {
        (0..self.random.usize(..=4)).map(|_| self.rule(egress)).collect()
    }

    fn rule(&mut self, egress: bool) -> ClusterRule {
        let action = match self.random.u8(..8) {
            0..=2 => ClusterAction::Accept,
            6.. if self.kind != ClusterPolicyKind::BaselineAdminNetworkPolicy => {
                ClusterAction::Pass
            }
            _ => ClusterAction::Deny,
        };
        let peers: Vec<ClusterPeer> =
            (0..self.random.usize(1..=3)).map(|_| self.peer(egress)).collect();
        // "networks/nodes/domainNames peer cannot be set with namedPorts"
        let all_pods = peers
            .iter()
            .all(|peer| matches!(peer, ClusterPeer::Namespaces { .. } | ClusterPeer::Pods { .. }));
        let ports = match self.random.u8(..3) {
            0 => Vec::new(),
            _ => (0..self.random.usize(1..=3)).map(|_| self.port(all_pods)).collect(),
        };
        let name = (self.random.u8(..3) == 0).then(|| Name::from("a \"rule\""));
        ClusterRule { name, action, peers, ports, origin: self.origin.clone() }
    }

    fn peer(&mut self, egress: bool) -> ClusterPeer {
        let origin = self.origin.clone();
        match self.random.u8(..16) {
            0..=2 => ClusterPeer::Namespaces { selector: namespace_selector(self.random), origin },
            3 => ClusterPeer::Namespaces { selector: LabelSelector::everything(), origin },
            4 => ClusterPeer::Unknown { origin },
            5..=7 if egress => {
                let cidrs = (0..self.random.usize(1..=2)).map(|_| self.range()).collect();
                ClusterPeer::Networks { cidrs, origin }
            }
            8..=9 if egress => ClusterPeer::Nodes { selector: self.node_selector(), origin },
            _ => {
                let (namespace_selector, pod_selector) = self.namespaced_pod();
                ClusterPeer::Pods { namespace_selector, pod_selector, origin }
            }
        }
    }

    /// Around an endpoint of the cluster or outside it, or everything of a family.
    fn range(&mut self) -> Cidr {
        let pods = self.topology.pods.values().flat_map(|pod| &pod.addresses);
        let nodes = self.topology.nodes.values().flat_map(|node| &node.addresses);
        let addresses: Vec<IpAddr> = pods.chain(nodes).copied().collect();
        let text = match self.random.u8(..4) {
            0 => BLOCKS[self.random.usize(..BLOCKS.len())].0.to_owned(),
            1 => (if self.random.bool() { "0.0.0.0/0" } else { "::/0" }).to_owned(),
            _ => {
                let around = self.random.choice(addresses).expect("nodes have addresses");
                let whole = if around.is_ipv4() { 32 } else { 128 };
                let length = whole - [0, 1, 2, 8, 16][self.random.usize(..5)];
                let net =
                    IpNet::new(around, length).expect("no prefix is longer than its family's");
                net.trunc().to_string()
            }
        };
        Cidr::new(&text).expect("the generator writes ranges well")
    }

    /// By the labels that every node has.
    fn node_selector(&mut self) -> LabelSelector {
        let nodes: Vec<Name> = self.topology.nodes.keys().cloned().collect();
        let node = self.random.choice(nodes).expect("there are nodes").to_string();
        let hostname = |operator, values| LabelSelector {
            match_expressions: vec![Requirement {
                key: "kubernetes.io/hostname".to_owned(),
                operator,
                values,
            }],
            ..LabelSelector::everything()
        };
        match self.random.u8(..6) {
            0 => LabelSelector::everything(),
            1 => LabelSelector::label("kubernetes.io/os", "linux"),
            2 => LabelSelector::label("kubernetes.io/os", "windows"),
            3 => hostname(Operator::NotIn, vec![node]),
            4 => hostname(Operator::DoesNotExist, Vec::new()),
            _ => LabelSelector::label("kubernetes.io/hostname", &node),
        }
    }

    fn port(&mut self, may_be_named: bool) -> ClusterPort {
        let (protocol, origin) = (protocol(self.random), self.origin.clone());
        let number = NUMBERS[self.random.usize(..NUMBERS.len())];
        match self.random.u8(..8) {
            0 | 1 if may_be_named => {
                let name = Name::from(PORT_NAMES[self.random.usize(..PORT_NAMES.len())]);
                ClusterPort::Name { name, origin }
            }
            2 | 3 => {
                // Ends at a port that pods listen on, or before or behind it; or begins there.
                let (first, last) = match self.random.bool() {
                    true => (number - self.random.u16(1..79), number + self.random.u16(..=2) - 1),
                    false => (number, number + self.random.u16(1..400)),
                };
                match first < last {
                    true => ClusterPort::Range { protocol, first, last, origin },
                    false => ClusterPort::Number { protocol, port: last, origin },
                }
            }
            4 if self.kind == ClusterPolicyKind::ClusterNetworkPolicy => {
                ClusterPort::Protocol { protocol, origin }
            }
            _ => ClusterPort::Number { protocol, port: number, origin },
        }
    }
}
