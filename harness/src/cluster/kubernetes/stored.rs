//! Objects as files of a failure bundle.

use kube::ResourceExt;

use super::site::Kind;
use crate::cluster::Artifact;

/// An object as it is stored, with its status.
pub(super) fn stored(folder: &str, object: &impl Kind) -> Artifact {
    let name = match object.namespace() {
        Some(namespace) => format!("{namespace}-{}", object.name_any()),
        None => object.name_any(),
    };
    let path = format!("{folder}/{name}.json");
    let mut object = object.clone();
    // Who wrote which field, at length.
    object.meta_mut().managed_fields = None;
    let text = serde_json::to_string_pretty(&object)
        .unwrap_or_else(|error| missing(&format!("its JSON: {error}")));
    Artifact { path, text }
}

/// What a file holds in place of what cannot be had.
pub(super) fn missing(why: &str) -> String {
    format!("not to be had: {why}\n")
}
