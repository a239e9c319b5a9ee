//! Kubernetes manifests: from a file's text to objects of the model.

mod bookkeeping;
mod cidr;
mod cluster;
mod container;
mod kind;
mod meta;
pub(crate) mod names;
mod peer;
mod policy;
mod port;
mod selector;
mod validate;
mod workload;

use std::sync::Arc;

use super::field::{Field, Reader};
use super::source::Source;
use super::yaml::{self, SyntaxError, Value};
use super::{Diagnostic, KubernetesVersion, Severity};
use crate::model::{ClusterPolicy, Namespace, NetworkPolicy, Origin, Pod};
pub(crate) use selector::labels;

/// An object of a manifest that matters to policies.
#[derive(Debug, Clone)]
pub(crate) enum Object {
    Namespace(Namespace),
    /// A pod, or a workload of this kind taken as one.
    Pod(Pod, &'static str),
    Policy(Arc<NetworkPolicy>),
    ClusterPolicy(Arc<ClusterPolicy>),
}

/// What a file of manifests holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manifest {
    pub(crate) objects: Vec<Object>,
    /// Policies of kinds that are not understood, and what of the others cannot be judged,
    /// a sentence each.
    pub(crate) unsupported: Vec<String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Manifest {
    /// Whether the API server would refuse a part of it.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Reads a file of manifests: several documents, lists, YAML or JSON.
pub(crate) fn read(source: &Source, version: KubernetesVersion) -> Manifest {
    let (documents, errors) = yaml::parse(&source.file, &source.text);
    let mut manifest = Manifest::default();
    manifest.diagnostics.extend(errors.into_iter().map(|error| syntax(source, error)));
    for document in &documents {
        if document.root.value == Value::Null {
            continue;
        }
        let mut reader = Reader::new(source, document.index);
        reader.template = document.template.as_deref();
        kind::object(&mut reader, Field::root(&document.root), version, &mut manifest, 0);
        manifest.diagnostics.append(&mut reader.diagnostics);
    }
    manifest
}

/// A flaw of the text as a diagnostic.
pub(crate) fn syntax(source: &Source, error: SyntaxError) -> Diagnostic {
    let SyntaxError { code, document, place, message, help } = error;
    Diagnostic {
        severity: Severity::Error,
        code: code.to_owned(),
        message,
        origin: Origin {
            file: source.file.clone(),
            document,
            path: Arc::from(""),
            line: place.line,
            column: place.column,
        },
        excerpt: source.excerpt(place),
        help,
    }
}
