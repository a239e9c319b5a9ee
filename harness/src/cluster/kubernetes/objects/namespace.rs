//! Namespaces, with the Pod Security level that their pods need.

use k8s_openapi::api::core::v1::Namespace as Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::cluster::kubernetes::naming::Naming;
use crate::cluster::kubernetes::owner::Owner;
use crate::model::{Labels, NAMESPACE_NAME_LABEL, Namespace};

/// The label by which a namespace says which pods it admits
/// (<https://kubernetes.io/docs/concepts/security/pod-security-admission/>).
pub const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// A level of the Pod Security Standards, as far as a run needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Pods of a network of their own, without any capability: the strictest level.
    Restricted,
    /// hostNetwork pods, and pods with NET_RAW, which the level below, `baseline`,
    /// forbids as well: it lists the capabilities that may be added.
    Privileged,
}

impl Level {
    /// As the label has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::Privileged => "privileged",
        }
    }
}

/// A namespace as it is applied: with its labels as declared, those of its owner, and
/// the level, unless a level is declared.
pub fn object(namespace: &Namespace, level: Level, naming: &Naming, owner: &Owner) -> Object {
    Object {
        metadata: ObjectMeta {
            name: Some(naming.namespace(&namespace.name).to_string()),
            labels: Some(labels(&namespace.labels, level, owner)),
            ..ObjectMeta::default()
        },
        ..Object::default()
    }
}

/// The labels of a namespace that is declared with these. The one with its name is the
/// API server's to set.
pub fn labels(declared: &Labels, level: Level, owner: &Owner) -> Labels {
    let mut labels = owner.labels();
    labels.insert(ENFORCE.to_owned(), level.as_str().to_owned());
    let declared = declared.iter().filter(|(key, _)| *key != NAMESPACE_NAME_LABEL);
    labels.extend(declared.map(|(key, value)| (key.clone(), value.clone())));
    labels
}
