//! Random policies of the cluster.

use std::sync::Arc;

use fastrand::Rng;
use ringfence::model::{
    Cidr, ClusterAction, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPolicyName,
    ClusterPolicyVersion, ClusterPort, ClusterRule, ClusterSubject, LabelSelector, Labels, Name,
    Origin, Protocol, Tier, World,
};
use serde_json::Value;

use ringfence::sample::{KEYS, VALUES};

const RANGES: [&str; 7] = [
    "10.0.0.0/24",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "203.0.113.0/25",
    "172.18.0.1/32",
    "fd00::/48",
];

/// The world with two to five policies of the cluster, of few priorities, and with labels
/// on one of its nodes.
pub(crate) fn with_cluster_policies(mut world: World, seed: u64) -> World {
    let mut random = Rng::with_seed(seed.rotate_left(31));
    let origin = Origin::synthetic(&format!("seed {seed}"));
    if let Some(node) = world.topology.nodes.values_mut().next() {
        node.labels = Some(Labels::from([(KEYS[0].to_owned(), VALUES[0].to_owned())]));
    }
    for number in 0..random.usize(2..=5) {
        let policy = policy(&mut random, number, &origin);
        world.cluster_policies.insert(policy.name.clone(), Arc::new(policy));
    }
    world
}

fn policy(random: &mut Rng, number: usize, origin: &Origin) -> ClusterPolicy {
    use ClusterPolicyKind::{AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy};
    let (kind, tier) = match random.u8(..8) {
        0 | 1 => (AdminNetworkPolicy, Tier::Admin),
        2 => (BaselineAdminNetworkPolicy, Tier::Baseline),
        3..=5 => (ClusterNetworkPolicy, Tier::Admin),
        _ => (ClusterNetworkPolicy, Tier::Baseline),
    };
    let name = match kind {
        BaselineAdminNetworkPolicy => "default".to_owned(),
        _ => format!("policy-{number}"),
    };
    let version = match kind {
        ClusterNetworkPolicy => ClusterPolicyVersion::V1alpha2,
        _ => ClusterPolicyVersion::V1alpha1,
    };
    let subject = if random.bool() {
        ClusterSubject::Namespaces { selector: selector(random), origin: origin.clone() }
    } else {
        ClusterSubject::Pods {
            namespace_selector: selector(random),
            pod_selector: selector(random),
            origin: origin.clone(),
        }
    };
    let mut rules = |egress: bool| {
        (0..random.usize(..4)).map(|_| rule(random, kind, egress, origin)).collect::<Vec<_>>()
    };
    let (ingress, egress) = (rules(false), rules(true));
    ClusterPolicy {
        name: ClusterPolicyName::new(kind, &name),
        version,
        tier,
        priority: (kind != BaselineAdminNetworkPolicy).then(|| random.u16(..2)),
        subject,
        ingress,
        egress,
        origin: origin.clone(),
        manifest: Value::Null,
    }
}

fn rule(random: &mut Rng, kind: ClusterPolicyKind, egress: bool, origin: &Origin) -> ClusterRule {
    let action = match random.u8(..3) {
        0 => ClusterAction::Accept,
        1 if kind != ClusterPolicyKind::BaselineAdminNetworkPolicy => ClusterAction::Pass,
        _ => ClusterAction::Deny,
    };
    let peers = (0..random.usize(1..=2)).map(|_| peer(random, egress, origin)).collect();
    let ports = match random.u8(..3) {
        0 => Vec::new(),
        _ => (0..random.usize(1..=2)).map(|_| port(random, origin)).collect(),
    };
    ClusterRule { name: None, action, peers, ports, origin: origin.clone() }
}

fn peer(random: &mut Rng, egress: bool, origin: &Origin) -> ClusterPeer {
    let origin = origin.clone();
    match random.u8(..if egress { 10 } else { 7 }) {
        0 => ClusterPeer::Unknown { origin },
        1..=3 => ClusterPeer::Namespaces { selector: selector(random), origin },
        4..=6 => ClusterPeer::Pods {
            namespace_selector: selector(random),
            pod_selector: selector(random),
            origin,
        },
        7 => ClusterPeer::Nodes { selector: selector(random), origin },
        _ => {
            let cidrs = (0..random.usize(1..=2)).map(|_| RANGES[random.usize(..RANGES.len())]);
            let cidrs = cidrs.map(|text| Cidr::new(text).expect("the ranges are well written"));
            ClusterPeer::Networks { cidrs: cidrs.collect(), origin }
        }
    }
}

fn port(random: &mut Rng, origin: &Origin) -> ClusterPort {
    let origin = origin.clone();
    let protocol = match random.u8(..3) {
        0 => Protocol::Tcp,
        1 => Protocol::Udp,
        _ => Protocol::Sctp,
    };
    match random.u8(..4) {
        0 => ClusterPort::Number { protocol, port: 80, origin },
        1 => ClusterPort::Range { protocol, first: 80, last: 443, origin },
        2 => ClusterPort::Name { name: Name::from("http"), origin },
        _ => ClusterPort::Protocol { protocol, origin },
    }
}

fn selector(random: &mut Rng) -> LabelSelector {
    match random.u8(..3) {
        0 => LabelSelector::everything(),
        _ => LabelSelector::label(
            KEYS[random.usize(..KEYS.len())],
            VALUES[random.usize(..VALUES.len())],
        ),
    }
}
