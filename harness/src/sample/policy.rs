//! Random policies, aimed at the pods and hosts that there are.

use serde_json::Value;

use super::block::block;
use super::draw::Draw;
use super::manifest::manifest;
use super::selector::{labels, namespace_selector, selector};
use super::topology::protocol;
use crate::model::{
    Direction, LabelSelector, Labels, Name, NetworkPolicy, Origin, Peer, Pod, PolicyName,
    PolicyPort, PolicyType, Port, PortRef, Protocol, Rule, Topology,
};

/// A random policy of a namespace, valid to the API server.
///
/// Most of what it says is about a pod, a port or a host of the topology, or about the nearest
/// thing to one: a label more or another value, the port beside it, the address beside it.
pub fn policy(
    draw: &mut Draw,
    topology: &Topology,
    namespace: &str,
    name: &str,
    origin: &Origin,
) -> NetworkPolicy {
    let aim = Aim { topology, namespace, origin };
    let subject = aim.some_pod(draw, |pod| *pod.name.namespace == *namespace);
    let pod_selector = match (draw.once_in(4), subject) {
        (true, _) => LabelSelector::everything(),
        (false, Some(pod)) => selector(draw, &pod.labels),
        (false, None) => {
            let nobody = labels(draw);
            selector(draw, &nobody)
        }
    };
    let policy_types = match draw.below(8) {
        0 | 1 => None,
        2 => Some(Vec::new()),
        3 | 4 => Some(vec![PolicyType::Ingress]),
        5 | 6 => Some(vec![PolicyType::Egress]),
        _ => Some(vec![PolicyType::Egress, PolicyType::Ingress]),
    };
    let mut rules =
        |direction, seldom| draw.list(seldom, 2, |draw| aim.rule(draw, direction, subject));
    // A list that the types do not name says nothing, so one of both is absent as a rule.
    let ingress = rules(Direction::Ingress, 14);
    let egress = rules(Direction::Egress, 14);
    let mut policy = NetworkPolicy {
        name: PolicyName::new(namespace, name),
        pod_selector,
        policy_types,
        ingress,
        egress,
        origin: origin.clone(),
        manifest: Value::Null,
    };
    policy.manifest = manifest(&policy);
    policy
}

/// What a policy's rules can be about.
struct Aim<'t> {
    topology: &'t Topology,
    namespace: &'t str,
    origin: &'t Origin,
}

impl<'t> Aim<'t> {
    fn some_pod(&self, draw: &mut Draw, wanted: impl Fn(&Pod) -> bool) -> Option<&'t Pod> {
        draw.choose(self.topology.pods.values().filter(|pod| wanted(pod)))
    }

    fn rule(&self, draw: &mut Draw, direction: Direction, subject: Option<&'t Pod>) -> Rule {
        let mut peer = None;
        let peers = draw.list(8, 2, |draw| {
            let (entry, about) = self.peer(draw, subject);
            peer = about.or(peer);
            entry
        });
        let receiving = match direction {
            Direction::Ingress => subject,
            Direction::Egress => peer,
        };
        let receiving = receiving.or_else(|| self.some_pod(draw, |_| true));
        let listening = receiving.map(|pod| pod.ports.as_slice()).unwrap_or_default();
        let ports = draw.list(12, 2, |draw| self.port(draw, listening));
        Rule { peers, ports, origin: self.origin.clone() }
    }

    /// A peer, and the pod that it is about.
    fn peer(&self, draw: &mut Draw, subject: Option<&Pod>) -> (Peer, Option<&'t Pod>) {
        let hosts = self.topology.externals.len();
        let pods = self.topology.pods.len();
        if draw.below(hosts + pods + 1) < hosts {
            return (block(draw, self.topology, self.origin), None);
        }
        let other = self.some_pod(draw, |pod| subject.is_none_or(|own| own.name != pod.name));
        let nobody = Labels::new();
        let (worn, around) = match other {
            Some(pod) => {
                let around = self.topology.namespaces.get(&pod.name.namespace);
                (&pod.labels, around.map_or(&nobody, |around| &around.labels))
            }
            None => (&nobody, &nobody),
        };
        let inside = other.is_some_and(|pod| *pod.name.namespace == *self.namespace);
        // Without a namespaceSelector the peer is in the policy's own namespace: at times that
        // is what keeps it out.
        let (by_pod, by_namespace) = match draw.below(8) {
            0..=3 if inside => (true, false),
            4 if !inside => (true, false),
            0..=4 => (true, true),
            5 => (false, true),
            6 => (true, inside),
            _ => (true, true),
        };
        let peer = Peer::Pods {
            pod_selector: by_pod.then(|| selector(draw, worn)),
            namespace_selector: by_namespace.then(|| namespace_selector(draw, around)),
            origin: self.origin.clone(),
        };
        (peer, other)
    }

    fn port(&self, draw: &mut Draw, listening: &[Port]) -> PolicyPort {
        let known = Port { name: None, number: 80, protocol: Protocol::Tcp };
        let about = draw.choose(listening).unwrap_or(&known);
        let number = about.number;
        let (port, end_port) = match draw.below(12) {
            0 => (None, None),
            1 | 2 => {
                let name = about.name.clone().unwrap_or_else(|| Name::from("http"));
                (Some(PortRef::Name(name)), None)
            }
            // Ranges end at the port, behind it or before it, or begin at it.
            3 => (Some(PortRef::Number(number - 1)), Some(number)),
            4 => (Some(PortRef::Number(number)), Some(number)),
            5 => (Some(PortRef::Number(number)), Some(number + 400)),
            6 => (Some(PortRef::Number(1)), Some(number - 1)),
            7 => (Some(PortRef::Number(number + 1)), None),
            _ => (Some(PortRef::Number(number)), None),
        };
        let protocol = match draw.below(8) {
            0 => Some(protocol(draw)),
            _ if about.protocol == Protocol::Tcp && draw.once_in(2) => None,
            _ => Some(about.protocol),
        };
        PolicyPort { protocol, port, end_port, origin: self.origin.clone() }
    }
}
