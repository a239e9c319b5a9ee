//! Which pods a selector finds, without asking every pod.

use std::collections::HashMap;

use crate::model::{LabelSelector, Labels, Name, Operator, Pod, Topology};

/// The pods that have an address of their own, by label.
///
/// Pods that ended have none any more: a `Succeeded` or `Failed` pod's address may
/// already be another's. HostNetwork pods have their node's. A terminating pod still runs.
#[derive(Debug)]
pub(super) struct Pods<'a> {
    pods: Vec<&'a Pod>,
    namespaces: HashMap<&'a str, &'a Labels>,
    by_namespace: HashMap<&'a str, Vec<usize>>,
    by_label: HashMap<&'a str, HashMap<&'a str, Vec<usize>>>,
}

/// Whose pods are meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// One namespace's.
    Namespace(&'a Name),
    /// Those of the namespaces that a selector finds.
    Selected(&'a LabelSelector),
}

impl<'a> Pods<'a> {
    pub(super) fn new(topology: &'a Topology) -> Self {
        let pods: Vec<&Pod> =
            topology.pods.values().filter(|pod| pod.has_network() && !pod.host_network).collect();
        let namespaces = topology.namespaces.values();
        let namespaces = namespaces.map(|namespace| (&*namespace.name, &namespace.labels));
        let mut by_namespace = HashMap::<_, Vec<usize>>::new();
        let mut by_label = HashMap::<_, HashMap<_, Vec<usize>>>::new();
        for (position, pod) in pods.iter().enumerate() {
            by_namespace.entry(&*pod.name.namespace).or_default().push(position);
            for (key, value) in &pod.labels {
                let by_value = by_label.entry(key.as_str()).or_default();
                by_value.entry(value.as_str()).or_default().push(position);
            }
        }
        Self { pods, namespaces: namespaces.collect(), by_namespace, by_label }
    }

    /// All of them, in order of namespace and name.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().copied()
    }

    /// The pods that the selector finds, each once.
    pub(super) fn select(&self, scope: Scope<'_>, selector: &LabelSelector) -> Vec<&'a Pod> {
        let candidates = self.candidates(scope, selector);
        let found = candidates.into_iter().map(|position| self.pods[position]);
        // Pods of one namespace come one after the other: ask about it once.
        let mut asked: Option<(&Name, bool)> = None;
        let mut in_scope = |namespace: &'a Name| match asked {
            Some((before, answer)) if before == namespace => answer,
            _ => {
                let answer = self.in_scope(scope, namespace);
                asked = Some((namespace, answer));
                answer
            }
        };
        found.filter(|pod| in_scope(&pod.name.namespace) && selector.matches(&pod.labels)).collect()
    }

    fn in_scope(&self, scope: Scope<'_>, namespace: &Name) -> bool {
        match scope {
            Scope::Namespace(wanted) => wanted == namespace,
            Scope::Selected(selector) => {
                self.namespaces.get(&**namespace).is_some_and(|labels| selector.matches(labels))
            }
        }
    }

    fn labelled(&self, key: &str, value: &str) -> &[usize] {
        let pods = self.by_label.get(key).and_then(|by_value| by_value.get(value));
        pods.map(Vec::as_slice).unwrap_or_default()
    }

    /// A superset of what the selector finds: the pods with one of the labels that it
    /// insists on, or those of the namespace, or all.
    fn candidates(&self, scope: Scope<'_>, selector: &LabelSelector) -> Vec<usize> {
        let exact = selector.match_labels.iter().map(|(key, value)| self.labelled(key, value));
        if let Some(fewest) = exact.min_by_key(|pods| pods.len()) {
            return fewest.to_vec();
        }
        let mut alternatives =
            selector.match_expressions.iter().filter(|wanted| wanted.operator == Operator::In);
        if let Some(wanted) = alternatives.next() {
            let values = wanted.values.iter();
            let mut found: Vec<usize> =
                values.flat_map(|value| self.labelled(&wanted.key, value)).copied().collect();
            found.sort_unstable();
            found.dedup();
            return found;
        }
        match scope {
            Scope::Namespace(namespace) => {
                self.by_namespace.get(&**namespace).cloned().unwrap_or_default()
            }
            Scope::Selected(_) => (0..self.pods.len()).collect(),
        }
    }
}
