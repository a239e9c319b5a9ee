//! What a scenario may not speak of where namespaces and pods carry labels of the run's own.
//!
//! A selector that asks for such a label would see what the scenario never declared, and
//! a label of that key would say that someone else's object is a run's.

use std::sync::Arc;

use super::objects::namespace::ENFORCE;
use super::owner::DOMAIN;
use crate::model::{
    Change, LabelChanges, LabelSelector, Labels, Namespace, NetworkPolicy, Peer, Pod,
};
use crate::scenario::Scenario;

/// Why a scenario cannot run where the run labels namespaces and pods: the first label
/// that it declares or asks for and that is the run's. `None` where it can.
pub fn obstacle(scenario: &Scenario) -> Option<String> {
    let topology = &scenario.topology;
    let declared = topology.namespaces.values().find_map(namespace);
    let declared = declared.or_else(|| topology.pods.values().find_map(pod));
    declared.or_else(|| {
        let changes = scenario.steps.iter().flat_map(|step| &step.changes);
        changes.into_iter().find_map(|change| match change {
            Change::ApplyPolicy(policy) => selectors(policy),
            Change::AddNamespace(added) => namespace(added),
            Change::AddPod(added) => pod(added),
            Change::LabelNamespace { namespace, labels } => {
                changed(labels).map(|key| declares("namespace", namespace, key))
            }
            Change::LabelPod { pod, labels } => {
                changed(labels).map(|key| declares("pod", pod, key))
            }
            Change::EndPod(pod) => Some(format!("`{pod}` cannot be ended here: its agent runs on")),
            Change::TerminatePod(pod) => {
                Some(format!("`{pod}` cannot be kept running here once it is marked for deletion"))
            }
            Change::DeletePolicy(_)
            | Change::ApplyClusterPolicy(_)
            | Change::DeleteClusterPolicy(_)
            | Change::RemoveNamespace(_)
            | Change::RemovePod(_) => None,
        })
    })
}

fn is_ours(key: &str) -> bool {
    key.starts_with(DOMAIN)
}

fn first(labels: &Labels) -> Option<&str> {
    labels.keys().map(String::as_str).find(|key| is_ours(key))
}

fn changed(labels: &LabelChanges) -> Option<&str> {
    labels.keys().map(String::as_str).find(|key| is_ours(key))
}

fn namespace(namespace: &Namespace) -> Option<String> {
    first(&namespace.labels).map(|key| declares("namespace", &namespace.name, key))
}

fn pod(pod: &Pod) -> Option<String> {
    first(&pod.labels).map(|key| declares("pod", &pod.name, key))
}

fn declares(kind: &str, name: &impl std::fmt::Display, key: &str) -> String {
    format!(
        "{kind} `{name}` is given the label `{key}`, and labels under `{DOMAIN}` are the run's own"
    )
}

/// The first selector of a policy that asks for a label of the run's.
fn selectors(policy: &Arc<NetworkPolicy>) -> Option<String> {
    let asks = |key: &str| {
        format!(
            "policy `{}` ({}) selects by the label `{key}`, which the run itself gives to what \
             it makes",
            policy.name, policy.origin
        )
    };
    if let Some(key) = keys(&policy.pod_selector).find(|key| is_ours(key)) {
        return Some(asks(key));
    }
    let rules = policy.ingress.iter().chain(&policy.egress).flatten();
    let peers = rules.flat_map(|rule| rule.peers.iter().flatten());
    for peer in peers {
        let Peer::Pods { pod_selector, namespace_selector, .. } = peer else { continue };
        let pods = pod_selector.iter().flat_map(keys).find(|key| is_ours(key));
        let mut namespaces = namespace_selector.iter().flat_map(keys);
        let namespaces = namespaces.find(|key| is_ours(key) || *key == ENFORCE);
        if let Some(key) = pods.or(namespaces) {
            return Some(asks(key));
        }
    }
    None
}

fn keys(selector: &LabelSelector) -> impl Iterator<Item = &str> {
    let expressions = selector.match_expressions.iter().map(|requirement| &requirement.key);
    selector.match_labels.keys().chain(expressions).map(String::as_str)
}
