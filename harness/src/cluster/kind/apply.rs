//! Manifests of a CNI, applied on the server's side.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, anyhow};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, oneshot};
use serde_json::Value as Json;

use super::execute::Told;
use super::retry::retry;
use crate::scenario::yaml;

/// The field manager of everything that Ringfence applies.
const MANAGER: &str = "ringfence";

/// The objects of a manifest, with lists taken apart.
///
/// # Errors
/// Where it is no YAML, or an object has no kind.
pub(super) fn objects(file: &str, text: &str) -> anyhow::Result<Vec<Json>> {
    let (documents, errors) = yaml::parse(file, text);
    if let Some(error) = errors.first() {
        let line = error.place.line;
        return Err(anyhow!("`{file}` is not understood at line {line}: {}", error.message));
    }
    let mut objects = Vec::new();
    for document in documents {
        match document.root.to_json() {
            Json::Null => {}
            Json::Object(mut map) if map.get("kind") == Some(&Json::from("List")) => {
                match map.remove("items") {
                    Some(Json::Array(items)) => objects.extend(items),
                    _ => return Err(anyhow!("`{file}` has a List without items")),
                }
            }
            object => objects.push(object),
        }
    }
    Ok(objects)
}

/// Puts images in place of others, and lets nodes keep what they have.
pub(super) fn adjust(value: &mut Json, images: &BTreeMap<String, String>, pull_if_absent: bool) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|v| adjust(v, images, pull_if_absent)),
        Json::Object(map) => {
            let new = map.get("image").and_then(Json::as_str).and_then(|old| images.get(old));
            if let Some(new) = new.cloned() {
                map.insert("image".to_owned(), Json::from(new));
            }
            let policy = map.get_mut("imagePullPolicy").filter(|_| pull_if_absent);
            if let Some(policy) = policy {
                *policy = Json::from("IfNotPresent");
            }
            map.values_mut().for_each(|v| adjust(v, images, pull_if_absent));
        }
        _ => {}
    }
}

/// Applies objects in order. A kind that the server does not know yet is waited for: the
/// definition of it may have come just before.
///
/// # Errors
/// What the server says, with the object.
pub(super) async fn apply(
    client: &kube::Client,
    objects: Vec<Json>,
    told: &Told,
) -> anyhow::Result<()> {
    let mut kinds: HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)> = HashMap::new();
    for object in objects {
        let object: DynamicObject =
            serde_json::from_value(object).context("an object of the manifest has no kind")?;
        let types = object.types.clone().context("an object of the manifest has no kind")?;
        let name = object.metadata.name.clone().context("an object of the manifest has no name")?;
        let kind = GroupVersionKind::try_from(&types)?;
        let shown = format!("{} {name}", types.kind);
        if !kinds.contains_key(&kind) {
            let what = format!("the kind {}", types.kind);
            let found = retry(&what, told, true, || oneshot::pinned_kind(client, &kind)).await?;
            kinds.insert(kind.clone(), found);
        }
        let (resource, capabilities) = &kinds[&kind];
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(client.clone(), resource),
            Scope::Namespaced => {
                let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
                Api::namespaced_with(client.clone(), namespace, resource)
            }
        };
        let how = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(&object);
        retry(&shown, told, false, || api.patch(&name, &how, &patch)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart_and_images_replaced() {
        let text = "kind: List\napiVersion: v1\nitems:\n- {kind: A, spec: {containers: [{image: 'x:latest', \
                    imagePullPolicy: Always}, {image: z}]}}\n- {kind: B}\n---\nkind: C\n---\n";
        let mut found = objects("m.yaml", text).unwrap();
        let images = BTreeMap::from([("x:latest".to_owned(), "x:v1".to_owned())]);
        found.iter_mut().for_each(|object| adjust(object, &images, true));
        assert_eq!(found.len(), 3);
        assert_eq!(
            found[0].to_string(),
            r#"{"kind":"A","spec":{"containers":[{"image":"x:v1","imagePullPolicy":"IfNotPresent"},{"image":"z"}]}}"#
        );
        let error = objects("m.yaml", "a: [").unwrap_err().to_string();
        assert!(error.contains("`m.yaml` is not understood at line"), "{error}");
    }
}
