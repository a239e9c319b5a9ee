//! How much there is of a case: what makes an end to shrinking.

use super::case::Sample;
use crate::model::{
    Change, LabelSelector, Namespace, NetworkPolicy, Peer, Pod, PolicyPort, Port, Rule,
};

/// How many things a case is made of: steps, changes, pods, labels, ports, rules, peers and so
/// on. Of everything that can be taken away there is one less then.
pub(super) fn size(sample: &Sample) -> usize {
    let topology = &sample.topology;
    let externals = topology.externals.values();
    sample.steps.iter().map(|step| 1 + sum(step, change)).sum::<usize>()
        + topology.namespaces.values().map(namespace).sum::<usize>()
        + topology.pods.values().map(pod).sum::<usize>()
        + externals.map(|host| 1 + host.addresses.len() + host.ports.len()).sum::<usize>()
        + topology.nodes.values().map(|node| node.ports.len()).sum::<usize>()
        + sample.services.len()
}

fn sum<T>(all: &[T], one: fn(&T) -> usize) -> usize {
    all.iter().map(one).sum()
}

/// A list that may be absent: present and empty is one thing more.
fn list<T>(all: &Option<Vec<T>>, one: fn(&T) -> usize) -> usize {
    all.as_ref().map_or(0, |all| 1 + sum(all, one))
}

fn change(change: &Change) -> usize {
    1 + match change {
        Change::ApplyPolicy(applied) => policy(applied),
        Change::AddNamespace(added) => namespace(added),
        Change::AddPod(added) => pod(added),
        Change::LabelPod { labels, .. } | Change::LabelNamespace { labels, .. } => labels.len(),
        _ => 0,
    }
}

fn namespace(namespace: &Namespace) -> usize {
    1 + namespace.labels.len()
}

fn pod(pod: &Pod) -> usize {
    1 + pod.labels.len()
        + sum(&pod.ports, |port: &Port| 1 + usize::from(port.name.is_some()))
        + usize::from(pod.host_network)
        + usize::from(pod.node.is_some())
}

fn policy(policy: &NetworkPolicy) -> usize {
    1 + selector(&policy.pod_selector)
        + list(&policy.policy_types, |_| 1)
        + list(&policy.ingress, rule)
        + list(&policy.egress, rule)
}

fn rule(rule: &Rule) -> usize {
    1 + list(&rule.peers, peer) + list(&rule.ports, port)
}

fn peer(peer: &Peer) -> usize {
    1 + match peer {
        Peer::Pods { pod_selector, namespace_selector, .. } => {
            let present =
                |one: &Option<LabelSelector>| one.as_ref().map_or(0, |one| 1 + selector(one));
            present(pod_selector) + present(namespace_selector)
        }
        Peer::IpBlock { except, .. } => except.len(),
    }
}

fn port(port: &PolicyPort) -> usize {
    1 + usize::from(port.protocol.is_some())
        + usize::from(port.port.is_some())
        + usize::from(port.end_port.is_some())
}

fn selector(selector: &LabelSelector) -> usize {
    selector.match_labels.len()
        + selector.match_expressions.iter().map(|one| 1 + one.values.len()).sum::<usize>()
}
