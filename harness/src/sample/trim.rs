//! What is left of a policy, a pod or a namespace when one thing of it is taken away.

use super::manifest::manifest;
use crate::model::{
    External, LabelSelector, NAMESPACE_NAME_LABEL, Namespace, NetworkPolicy, Peer, Pod, PolicyPort,
    Rule,
};

/// Every list that has one item less.
fn without_one<T: Clone>(all: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..all.len()).map(|at| {
        let mut rest = all.to_vec();
        rest.remove(at);
        rest
    })
}

/// Every list in which one item is a smaller one.
fn with_one_smaller<T: Clone>(all: &[T], smaller: impl Fn(&T) -> Vec<T>) -> Vec<Vec<T>> {
    let mut lists = Vec::new();
    for (at, one) in all.iter().enumerate() {
        for less in smaller(one) {
            let mut rest = all.to_vec();
            rest[at] = less;
            lists.push(rest);
        }
    }
    lists
}

/// A list that may be absent: absent altogether, one item less, then one of them smaller.
fn list<T: Clone>(all: &Option<Vec<T>>, smaller: impl Fn(&T) -> Vec<T>) -> Vec<Option<Vec<T>>> {
    let Some(all) = all else { return Vec::new() };
    let mut lists = vec![None];
    lists.extend(without_one(all).map(Some));
    lists.extend(with_one_smaller(all, smaller).into_iter().map(Some));
    lists
}

/// Policies that say one thing less.
pub(super) fn policies(policy: &NetworkPolicy) -> Vec<NetworkPolicy> {
    let mut all = Vec::new();
    for ingress in list(&policy.ingress, rules) {
        all.push(NetworkPolicy { ingress, ..policy.clone() });
    }
    for egress in list(&policy.egress, rules) {
        all.push(NetworkPolicy { egress, ..policy.clone() });
    }
    for policy_types in list(&policy.policy_types, |_| Vec::new()) {
        all.push(NetworkPolicy { policy_types, ..policy.clone() });
    }
    for pod_selector in selectors(&policy.pod_selector) {
        all.push(NetworkPolicy { pod_selector, ..policy.clone() });
    }
    all.iter_mut().for_each(|policy| policy.manifest = manifest(policy));
    all
}

fn rules(rule: &Rule) -> Vec<Rule> {
    let mut all = Vec::new();
    for peers in list(&rule.peers, peers) {
        all.push(Rule { peers, ..rule.clone() });
    }
    for ports in list(&rule.ports, ports) {
        all.push(Rule { ports, ..rule.clone() });
    }
    all
}

fn peers(peer: &Peer) -> Vec<Peer> {
    match peer {
        Peer::IpBlock { cidr, except, origin } => without_one(except)
            .map(|except| Peer::IpBlock { cidr: cidr.clone(), except, origin: origin.clone() })
            .collect(),
        Peer::Pods { pod_selector, namespace_selector, origin } => {
            let with = |pod_selector: Option<LabelSelector>, namespace_selector| Peer::Pods {
                pod_selector,
                namespace_selector,
                origin: origin.clone(),
            };
            let (pod, namespace) = (pod_selector, namespace_selector);
            let mut all = Vec::new();
            // One of both has to be there.
            if pod.is_some() && namespace.is_some() {
                all.push(with(None, namespace.clone()));
                all.push(with(pod.clone(), None));
            }
            let less = |one: &Option<LabelSelector>| one.as_ref().map(selectors);
            for less in less(pod).into_iter().flatten() {
                all.push(with(Some(less), namespace.clone()));
            }
            for less in less(namespace).into_iter().flatten() {
                all.push(with(pod.clone(), Some(less)));
            }
            all
        }
    }
}

fn ports(port: &PolicyPort) -> Vec<PolicyPort> {
    let mut all = Vec::new();
    if port.end_port.is_some() {
        all.push(PolicyPort { end_port: None, ..port.clone() });
    }
    if port.port.is_some() {
        all.push(PolicyPort { port: None, end_port: None, ..port.clone() });
    }
    if port.protocol.is_some() {
        all.push(PolicyPort { protocol: None, ..port.clone() });
    }
    all
}

fn selectors(selector: &LabelSelector) -> Vec<LabelSelector> {
    let mut all = Vec::new();
    for key in selector.match_labels.keys() {
        let mut less = selector.clone();
        less.match_labels.remove(key);
        all.push(less);
    }
    for match_expressions in without_one(&selector.match_expressions) {
        all.push(LabelSelector { match_expressions, ..selector.clone() });
    }
    let fewer_values = |one: &crate::model::Requirement| {
        // `In` and `NotIn` have at least one value.
        let fewer = without_one(&one.values).filter(|values| !values.is_empty());
        fewer.map(|values| crate::model::Requirement { values, ..one.clone() }).collect()
    };
    for match_expressions in with_one_smaller(&selector.match_expressions, fewer_values) {
        all.push(LabelSelector { match_expressions, ..selector.clone() });
    }
    all
}

/// Pods of which there is one thing less.
pub(super) fn pods(pod: &Pod) -> Vec<Pod> {
    let mut all = Vec::new();
    for ports in without_one(&pod.ports) {
        all.push(Pod { ports, ..pod.clone() });
    }
    for key in pod.labels.keys() {
        let mut less = pod.clone();
        less.labels.remove(key);
        all.push(less);
    }
    for at in 0..pod.ports.len() {
        let mut less = pod.clone();
        less.ports[at].name = None;
        all.push(less);
    }
    if pod.host_network {
        all.push(Pod { host_network: false, ..pod.clone() });
    }
    if pod.node.is_some() {
        all.push(Pod { node: None, ..pod.clone() });
    }
    all
}

/// Namespaces with one label less.
pub(super) fn namespaces(namespace: &Namespace) -> Vec<Namespace> {
    let keys = namespace.labels.keys().filter(|key| *key != NAMESPACE_NAME_LABEL);
    let without = |key: &String| {
        let mut less = namespace.clone();
        less.labels.remove(key);
        less
    };
    keys.map(without).collect()
}

/// Hosts with one port or one address less.
pub(super) fn externals(host: &External) -> Vec<External> {
    let ports = without_one(&host.ports).map(|ports| External { ports, ..host.clone() });
    let addresses = without_one(&host.addresses).filter(|addresses| !addresses.is_empty());
    ports.chain(addresses.map(|addresses| External { addresses, ..host.clone() })).collect()
}
