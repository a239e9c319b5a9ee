//! Objects put together, file by file: which ones replace others, and which are only named.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::applied::Applied;
use super::manifest::{self, Object};
use super::source::Source;
use super::yaml::Place;
use super::{Diagnostic, KubernetesVersion, Severity};
use crate::model::{
    ClusterPolicy, ClusterPolicyName, Labels, Name, Namespace, NetworkPolicy, Node, Origin, Pod,
    PodName, PolicyName, Topology,
};

/// A bundle that grows object by object.
#[derive(Default)]
pub(super) struct Building {
    pub(super) topology: Topology,
    pub(super) policies: BTreeMap<PolicyName, Arc<NetworkPolicy>>,
    pub(super) cluster_policies: BTreeMap<ClusterPolicyName, Arc<ClusterPolicy>>,
    /// The kind that each row of the matrix came from.
    kinds: BTreeMap<PodName, &'static str>,
    pub(super) unsupported: Vec<String>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Building {
    /// A bundle that starts with a topology.
    pub(super) fn over(topology: Topology) -> Self {
        Self { topology, ..Self::default() }
    }

    /// Notes a file that cannot be read.
    pub(super) fn unreadable(&mut self, path: &Path, error: &str) {
        let message = format!("cannot read `{}`: {error}", path.display());
        self.diagnostics.push(Diagnostic::of_file("unreadable-file", path, message, ""));
    }

    fn warn(&mut self, source: &Source, code: &str, origin: &Origin, message: String, help: &str) {
        let place = Place { line: origin.line, column: origin.column, width: 1 };
        let excerpt = source.excerpt(place);
        self.diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            code: code.to_owned(),
            message,
            origin: origin.clone(),
            excerpt,
            help: Some(help.to_owned()),
        });
    }

    /// Adds the objects of a file that is still to be read.
    pub(super) fn add(&mut self, source: Source, version: KubernetesVersion) {
        let manifest = manifest::read(&source, version);
        self.diagnostics.extend(manifest.diagnostics);
        self.unsupported.extend(manifest.unsupported);
        self.objects(&source, manifest.objects);
    }

    /// Adds objects that were read from a file.
    pub(super) fn objects(&mut self, source: &Source, objects: Vec<Object>) {
        for object in objects {
            match object {
                Object::Namespace(namespace) => {
                    let first = self.topology.namespaces.get(&namespace.name);
                    if let Some(first) = first.map(|first| first.origin.clone()) {
                        let message = format!(
                            "the namespace `{}` at {} replaces the one at {first}",
                            namespace.name, namespace.origin
                        );
                        self.warn(
                            source,
                            "object-replaced",
                            &namespace.origin,
                            message,
                            "keep one of them",
                        );
                    }
                    self.topology.namespaces.insert(namespace.name.clone(), namespace);
                }
                Object::Pod(pod, kind) => self.add_pod(source, pod, kind),
                Object::Policy(ref policy) => {
                    let first = self.policies.insert(policy.name.clone(), policy.clone());
                    self.replaced(source, &object, first.map(|first| first.origin.clone()));
                }
                Object::ClusterPolicy(ref policy) => {
                    let first = self.cluster_policies.insert(policy.name.clone(), policy.clone());
                    self.replaced(source, &object, first.map(|first| first.origin.clone()));
                }
            }
        }
    }

    /// Warns of a policy that takes the place of the one at `first`.
    fn replaced(&mut self, source: &Source, object: &Object, first: Option<Origin>) {
        if let (Some(first), Some(policy)) = (first, Applied::of(object)) {
            let (message, help) = (policy.replaces(&first), "give it another name");
            self.warn(source, "policy-replaced", policy.origin(), message, help);
        }
    }

    fn add_pod(&mut self, source: &Source, mut pod: Pod, kind: &'static str) {
        if let Some(first) = self.topology.pods.get(&pod.name) {
            let first = first.origin.clone();
            let other = self.kinds.get(&pod.name).copied().unwrap_or("Pod");
            if other == kind {
                let message = format!(
                    "the {kind} `{}` at {} replaces the one at {first}",
                    pod.name, pod.origin
                );
                self.warn(
                    source,
                    "object-replaced",
                    &pod.origin.clone(),
                    message,
                    "keep one of them",
                );
            } else {
                let row = format!("{}.{}", pod.name.name, kind.to_lowercase());
                let message = format!(
                    "the {kind} at {} and the {other} at {first} are both `{}`",
                    pod.origin, pod.name
                );
                pod.name.name = Name::from(row);
                let help = format!("the {kind}'s row is `{}`", pod.name);
                self.warn(source, "same-row", &pod.origin.clone(), message, &help);
            }
        }
        self.kinds.insert(pod.name.clone(), kind);
        self.topology.pods.insert(pod.name.clone(), pod);
    }

    /// Adds the namespaces and nodes that are only named.
    pub(super) fn complete(&mut self) {
        let topology = &mut self.topology;
        let pods = topology.pods.values().map(|pod| (&pod.name.namespace, &pod.origin));
        let policies =
            self.policies.values().map(|policy| (&policy.name.namespace, &policy.origin));
        for (name, origin) in pods.chain(policies) {
            let implied = || Namespace::new(name, Labels::new(), origin.clone());
            topology.namespaces.entry(name.clone()).or_insert_with(implied);
        }
        for name in topology.pods.values().filter_map(|pod| pod.node.clone()) {
            let node = Node::new(name.clone());
            topology.nodes.insert(name, node);
        }
    }
}
