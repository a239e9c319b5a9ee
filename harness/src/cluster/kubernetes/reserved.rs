//! What a scenario may not speak of where namespaces and pods carry labels of the run's own.
//!
//! A selector that asks for such a label would see what the scenario never declared, and
//! a label of that key would say that someone else's object is a run's.

use std::fmt;
use std::sync::Arc;

use super::objects::namespace::ENFORCE;
use super::owner::DOMAIN;
use crate::model::{
    Change, ClusterPeer, ClusterPolicy, ClusterSubject, LabelChanges, LabelSelector, Labels,
    Namespace, NetworkPolicy, Origin, Peer, Pod,
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
            Change::ApplyClusterPolicy(policy) => cluster_selectors(policy),
            Change::DeletePolicy(_)
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

fn declares(kind: &str, name: &impl fmt::Display, key: &str) -> String {
    format!(
        "{kind} `{name}` is given the label `{key}`, and labels under `{DOMAIN}` are the run's own"
    )
}

/// The first selector of a policy that asks for a label of the run's.
fn selectors(policy: &Arc<NetworkPolicy>) -> Option<String> {
    let rules = policy.ingress.iter().chain(&policy.egress).flatten();
    let peers = rules.flat_map(|rule| rule.peers.iter().flatten());
    let asked = std::iter::once(asked(Some(&policy.pod_selector), None)).chain(peers.map(|peer| {
        let Peer::Pods { pod_selector, namespace_selector, .. } = peer else { return None };
        asked(pod_selector.as_ref(), namespace_selector.as_ref())
    }));
    asked.flatten().next().map(|key| asks(&policy.name, &policy.origin, key))
}

/// The same of a policy of the cluster.
fn cluster_selectors(policy: &ClusterPolicy) -> Option<String> {
    let subject = match &policy.subject {
        ClusterSubject::Namespaces { selector, .. } => asked(None, Some(selector)),
        ClusterSubject::Pods { namespace_selector, pod_selector, .. } => {
            asked(Some(pod_selector), Some(namespace_selector))
        }
    };
    let peers = policy.ingress.iter().chain(&policy.egress).flat_map(|rule| &rule.peers);
    let asked = std::iter::once(subject).chain(peers.map(|peer| match peer {
        ClusterPeer::Namespaces { selector, .. } => asked(None, Some(selector)),
        ClusterPeer::Pods { namespace_selector, pod_selector, .. } => {
            asked(Some(pod_selector), Some(namespace_selector))
        }
        ClusterPeer::Networks { .. }
        | ClusterPeer::Nodes { .. }
        | ClusterPeer::DomainNames { .. }
        | ClusterPeer::Unknown { .. } => None,
    }));
    asked.flatten().next().map(|key| asks(&policy.name, &policy.origin, key))
}

/// The first label of the run's that selectors of pods and of their namespaces ask for.
fn asked<'s>(
    pods: Option<&'s LabelSelector>,
    namespaces: Option<&'s LabelSelector>,
) -> Option<&'s str> {
    let pods = pods.into_iter().flat_map(keys).find(|key| is_ours(key));
    let mut namespaces = namespaces.into_iter().flat_map(keys);
    pods.or_else(|| namespaces.find(|key| is_ours(key) || *key == ENFORCE))
}

fn asks(policy: &impl fmt::Display, origin: &Origin, key: &str) -> String {
    format!(
        "policy `{policy}` ({origin}) selects by the label `{key}`, which the run itself gives to \
         what it makes"
    )
}

fn keys(selector: &LabelSelector) -> impl Iterator<Item = &str> {
    let expressions = selector.match_expressions.iter().map(|requirement| &requirement.key);
    selector.match_labels.keys().chain(expressions).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::scenario::{LoadOptions, parse_manifests};

    fn told(subject: &str, peer: &str) -> Option<String> {
        let text = format!(
            "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{ name: p }}\nspec:\n  tier: Admin\n  priority: 1\n  subject: {subject}\n  egress: [{{ action: Deny, to: [{peer}] }}]\n"
        );
        let bundle = parse_manifests("policy.yaml", &text, &LoadOptions::default());
        assert!(!bundle.has_errors(), "{:?}", bundle.diagnostics);
        cluster_selectors(&bundle.cluster_policies[0])
    }

    /// A selector that sees such labels would tell apart what the scenario does not.
    #[test]
    fn policies_of_the_cluster_ask_for_no_label_of_the_runs() {
        let (all, none) = ("{ namespaces: {} }", "{ networks: [10.0.0.0/8] }");
        let key = "matchLabels: { ringfence.dev/slot: \"1\" }";
        let level = "matchExpressions: [{ key: pod-security.kubernetes.io/enforce, operator: DoesNotExist }]";
        assert_eq!(told(all, none), None);
        assert_eq!(told("{ pods: { namespaceSelector: {}, podSelector: {} } }", all), None);
        let told: Vec<String> = [
            (format!("{{ namespaces: {{ {key} }} }}"), all.to_owned()),
            (all.to_owned(), format!("{{ namespaces: {{ {level} }} }}")),
            (
                all.to_owned(),
                format!("{{ pods: {{ namespaceSelector: {{}}, podSelector: {{ {key} }} }} }}"),
            ),
        ]
        .iter()
        .map(|(subject, peer)| told(subject, peer).unwrap())
        .collect();
        expect![[r#"
            policy `ClusterNetworkPolicy/p` (policy.yaml:1:1) selects by the label `ringfence.dev/slot`, which the run itself gives to what it makes
            policy `ClusterNetworkPolicy/p` (policy.yaml:1:1) selects by the label `pod-security.kubernetes.io/enforce`, which the run itself gives to what it makes
            policy `ClusterNetworkPolicy/p` (policy.yaml:1:1) selects by the label `ringfence.dev/slot`, which the run itself gives to what it makes"#]].assert_eq(&told.join("\n"));
    }
}
