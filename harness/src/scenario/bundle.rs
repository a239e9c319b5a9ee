//! Manifests without a scenario, for `matrix`, `explain` and `lint`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::read;
use super::library::{LoadOptions, SCENARIO_FILE, problem};
use super::manifest::{self, Object};
use super::source::Source;
use super::yaml::Place;
use super::{Diagnostic, KubernetesVersion, Severity};
use crate::model::{
    Labels, Name, Namespace, NetworkPolicy, Node, Origin, PodName, PolicyName, Topology,
};

/// What a bundle of manifests holds.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// Namespaces and pods. A namespace that has no manifest of its own is
    /// there without labels; nodes are those that pods name.
    pub topology: Topology,
    /// The policies by name; of several with one name the last.
    pub policies: Vec<Arc<NetworkPolicy>>,
    /// Policies of kinds that are not understood, a sentence each: where there
    /// is one, what the others specify is not the whole.
    pub unsupported: Vec<String>,
    /// Every finding, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Bundle {
    /// Whether a finding is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Loads manifests: files, folders at any depth (`.yaml`, `.yml`, `.json`), and
/// `-` for standard input.
pub fn load_manifests(paths: &[PathBuf], options: &LoadOptions) -> Bundle {
    let mut building = Building::default();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            let text = read
                .map_err(|error| error.to_string())
                .and_then(|_| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
            match text {
                Ok(text) => building.add(Source::new("<stdin>", text), options.kubernetes),
                Err(error) => building.unreadable(Path::new("<stdin>"), &error),
            }
            continue;
        }
        let mut files = Vec::new();
        if let Err(error) = find(path, 0, &mut files) {
            building.unreadable(path, &error.to_string());
        }
        for file in files {
            match read(&file) {
                Ok(source) => building.add(source, options.kubernetes),
                Err(error) => building.unreadable(&file, &error),
            }
        }
    }
    building.finish()
}

/// Reads manifests from text.
pub fn parse_manifests(file: &str, text: &str, options: &LoadOptions) -> Bundle {
    let mut building = Building::default();
    building.add(Source::new(file, text), options.kubernetes);
    building.finish()
}

fn find(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let is_manifest = ["yaml", "yml", "json"].contains(&extension) && name != SCENARIO_FILE;
        if !name.starts_with('.') && depth < 32 && (path.is_dir() || is_manifest) {
            find(&path, depth + 1, files)?;
        }
    }
    Ok(())
}

/// The sentence for a policy that takes another's place.
pub(super) fn replaced(first: &NetworkPolicy, second: &NetworkPolicy) -> String {
    format!(
        "the policy `{}` at {} replaces the one of the same name at {}",
        second.name, second.origin, first.origin
    )
}

/// A bundle that grows object by object.
#[derive(Default)]
pub(super) struct Building {
    pub(super) topology: Topology,
    policies: BTreeMap<PolicyName, Arc<NetworkPolicy>>,
    /// The kind that each row of the matrix came from.
    kinds: BTreeMap<PodName, &'static str>,
    unsupported: Vec<String>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Building {
    /// A bundle that starts with a topology.
    pub(super) fn over(topology: Topology) -> Self {
        Self { topology, ..Self::default() }
    }

    fn unreadable(&mut self, path: &Path, error: &str) {
        let message = format!("cannot read `{}`: {error}", path.display());
        self.diagnostics.push(problem("unreadable-file", path, message, ""));
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

    fn add(&mut self, source: Source, version: KubernetesVersion) {
        let manifest = manifest::read(&source, version);
        self.diagnostics.extend(manifest.diagnostics);
        self.unsupported.extend(manifest.unsupported);
        self.objects(&source, manifest.objects);
    }

    /// Adds the objects of a file.
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
                Object::Policy(policy) => {
                    if let Some(first) = self.policies.insert(policy.name.clone(), policy.clone()) {
                        let message = replaced(&first, &policy);
                        self.warn(
                            source,
                            "policy-replaced",
                            &policy.origin,
                            message,
                            "give it another name",
                        );
                    }
                }
            }
        }
    }

    fn add_pod(&mut self, source: &Source, mut pod: crate::model::Pod, kind: &'static str) {
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

    fn finish(mut self) -> Bundle {
        self.complete();
        self.diagnostics.sort_by(|a, b| a.origin.cmp_place(&b.origin));
        Bundle {
            topology: self.topology,
            policies: self.policies.into_values().collect(),
            unsupported: self.unsupported,
            diagnostics: self.diagnostics,
        }
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
            let node = Node { name: name.clone(), addresses: Vec::new(), ports: Vec::new() };
            topology.nodes.insert(name, node);
        }
    }
}
