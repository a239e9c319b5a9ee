//! What calls do to objects.

use serde_json::{Value, json};

use super::failure::Failure;
use super::resource::{Query, Target};
use super::selector::Selector;
use super::store::{Key, Store, is_leaving};

/// How a patch is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patch {
    Apply,
    Merge,
}

pub(super) fn list(store: &Store, target: &Target, query: &Query) -> Result<Value, Failure> {
    let selector = Selector::of(query)?;
    let (version, mut items) = store.list(target.resource, target.namespace.as_deref());
    items.retain(|object| selector.matches(object));
    Ok(json!({
        "kind": format!("{}List", target.resource.kind),
        "apiVersion": target.resource.api_version(),
        "metadata": { "resourceVersion": version.to_string() },
        "items": items,
    }))
}

fn key(target: &Target, name: &str) -> Key {
    Key::new(target.resource.plural, target.namespace.as_deref().unwrap_or_default(), name)
}

pub(super) fn named(target: &Target) -> Result<Key, Failure> {
    let name = target.name.as_deref().ok_or_else(Failure::method_not_allowed)?;
    Ok(key(target, name))
}

pub(super) fn get(store: &Store, target: &Target) -> Result<Value, Failure> {
    let key = named(target)?;
    store.get(&key).ok_or_else(|| key.not_found())
}

pub(super) fn create(
    store: &Store,
    target: &Target,
    query: &Query,
    object: Value,
) -> Result<Value, Failure> {
    if target.resource.plural == "selfsubjectaccessreviews" {
        // Whoever takes a right away answers this call as well.
        let mut review = object;
        review["status"] = json!({ "allowed": true });
        return Ok(review);
    }
    let name = match object["metadata"]["name"].as_str() {
        Some(name) => name.to_owned(),
        None => match object["metadata"]["generateName"].as_str() {
            Some(prefix) => format!("{prefix}{:05x}", fastrand::u32(..1 << 20)),
            None => {
                let why = "Required value: name or generateName is required";
                return Err(Failure::invalid(target.resource, "", "metadata.name", why));
            }
        },
    };
    let key = key(target, &name);
    admit(store, &key, &object)?;
    if query.get("dryRun") == "All" {
        return Ok(object);
    }
    store.create(&key, managed(store, None, object, query, "Update"))
}

/// What the real server looks at before an object is made.
fn admit(store: &Store, key: &Key, object: &Value) -> Result<(), Failure> {
    let resource = key.resource();
    let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let dots = !matches!(key.plural, "namespaces" | "services");
    let valid = key.name.chars().all(|c| label(c) || dots && c == '.')
        && !key.name.starts_with(['-', '.'])
        && !key.name.ends_with(['-', '.'])
        && key.name.len() <= if dots { 253 } else { 63 };
    if !valid {
        let why = format!(
            "Invalid value: \"{}\": a lowercase RFC 1123 {} must consist of lower case \
             alphanumeric characters{} '-'{}, and must start and end with an alphanumeric character",
            key.name,
            if dots { "subdomain" } else { "label" },
            if dots { "," } else { " or" },
            if dots { " or '.'" } else { "" },
        );
        return Err(Failure::invalid(resource, &key.name, "metadata.name", &why));
    }
    if resource.namespaced {
        let namespace = Key::new("namespaces", "", &key.namespace);
        let found = store.get(&namespace).ok_or_else(|| namespace.not_found())?;
        if is_leaving(&found) {
            return Err(Failure::terminating(resource, &key.name, &key.namespace));
        }
    }
    if key.plural == "pods" {
        if object["spec"]["containers"].as_array().is_none_or(Vec::is_empty) {
            let why = "Required value";
            return Err(Failure::invalid(resource, &key.name, "spec.containers", why));
        }
        if store.get(&Key::new("serviceaccounts", &key.namespace, "default")).is_none() {
            return Err(Failure::forbidden(&format!(
                "pods \"{}\" is forbidden: error looking up service account {}/default: \
                 serviceaccount \"default\" not found",
                key.name, key.namespace
            )));
        }
    }
    Ok(())
}

pub(super) fn replace(
    store: &Store,
    target: &Target,
    query: &Query,
    object: Value,
) -> Result<Value, Failure> {
    let key = named(target)?;
    store.update(&key, |found| {
        let found = found.ok_or_else(|| key.not_found())?;
        change(&key, found, managed(store, Some(found), object, query, "Update")).map(Some)
    })
}

pub(super) fn patch(
    store: &Store,
    target: &Target,
    query: &Query,
    (kind, patch): (Patch, Value),
) -> Result<Value, Failure> {
    let key = named(target)?;
    if kind == Patch::Merge {
        return store.update(&key, |found| {
            let found = found.ok_or_else(|| key.not_found())?;
            let mut object = found.clone();
            merge(&mut object, &patch);
            change(&key, found, managed(store, Some(found), object, query, "Update")).map(Some)
        });
    }
    let manager = query.get("fieldManager");
    if manager.is_empty() {
        return Err(Failure::no_manager());
    }
    if store.get(&key).is_none() {
        admit(store, &key, &patch)?;
    }
    if target.resource.is_tier() {
        fits(target, &key.name, &patch)?;
    }
    if query.get("dryRun") == "All" {
        return Ok(patch);
    }
    let before = store.apply(&key, manager, &patch);
    store.update(&key, |found| {
        let mut object = found.cloned().unwrap_or_else(|| json!({ "metadata": {} }));
        if let Some(before) = &before {
            without(&mut object, before, &patch);
        }
        merge(&mut object, &patch);
        let object = managed(store, found, object, query, "Apply");
        match found {
            Some(found) => change(&key, found, object).map(Some),
            None => Ok(Some(object)),
        }
    })
}

/// Whether the schema of a policy of the cluster has every field: those of the standard channel
/// do not have this one in `v1alpha1`.
fn fits(target: &Target, name: &str, object: &Value) -> Result<(), Failure> {
    let spec = object["spec"].to_string();
    if target.resource.version == "v1alpha1" && spec.contains("\"namedPort\"") {
        let of = target.resource.api_version().replace('/', "; ");
        return Err(Failure::internal_error(format!(
            "failed to create typed patch object (/{name}; {of}, Kind={}): \
             .spec.ingress[0].ports[0].namedPort: field not declared in schema",
            target.resource.kind
        )));
    }
    Ok(())
}

/// What the real server looks at before an object is changed.
fn change(key: &Key, found: &Value, mut object: Value) -> Result<Value, Failure> {
    let resource = key.resource();
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    if !version(&object).is_null() && version(&object) != version(found) {
        return Err(Failure::modified(resource, &key.name));
    }
    let uid = object["metadata"]["uid"].as_str();
    if let Some(uid) = uid.filter(|uid| found["metadata"]["uid"] != *uid) {
        let why = format!("Invalid value: \"{uid}\": field is immutable");
        return Err(Failure::invalid(resource, &key.name, "metadata.uid", &why));
    }
    if key.plural == "pods" && object["spec"] != found["spec"] {
        let why = "Forbidden: pod updates may not change fields other than \
                   `spec.containers[*].image`,`spec.initContainers[*].image`,\
                   `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
                   tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if \
                   it was previously negative)";
        return Err(Failure::invalid(resource, &key.name, "spec", why));
    }
    // Only a deletion sets these.
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        match &found["metadata"][field] {
            Value::Null => drop(object["metadata"].as_object_mut().map(|all| all.remove(field))),
            value => object["metadata"][field] = value.clone(),
        }
    }
    Ok(object)
}

/// Says who manages the object and since when it is as it is, without the fields.
fn managed(
    store: &Store,
    found: Option<&Value>,
    mut object: Value,
    query: &Query,
    operation: &str,
) -> Value {
    let manager = Some(query.get("fieldManager")).filter(|name| !name.is_empty());
    let manager = manager.unwrap_or("unknown");
    let entries = found.and_then(|found| found["metadata"]["managedFields"].as_array());
    let mut entries = entries.cloned().unwrap_or_default();
    object["metadata"]["managedFields"] = entries.clone().into();
    // Whoever changes nothing is not noted.
    if found != Some(&object) {
        entries.retain(|entry| entry["manager"] != manager || entry["operation"] != operation);
        let time = store.stamp();
        entries.push(json!({ "manager": manager, "operation": operation, "time": time }));
        object["metadata"]["managedFields"] = entries.into();
    }
    object
}

/// RFC 7396.
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            object.as_object_mut().map(|object| object.remove(key));
        } else {
            merge(&mut object[key], value);
        }
    }
}

/// Takes away what was applied before and is not applied now.
fn without(object: &mut Value, before: &Value, now: &Value) {
    let (Some(object), Some(before)) = (object.as_object_mut(), before.as_object()) else { return };
    for (key, before) in before {
        match (now.get(key), object.get_mut(key)) {
            (None, _) if before.is_object() && key == "metadata" => {}
            (None, _) => drop(object.remove(key)),
            (Some(now), Some(object)) => without(object, before, now),
            (Some(_), None) => {}
        }
    }
}

pub(super) fn delete_all(
    store: &Store,
    target: &Target,
    query: &Query,
    options: &Value,
) -> Result<Value, Failure> {
    let list = list(store, target, query)?;
    for item in list["items"].as_array().into_iter().flatten() {
        let text = |field: &str| item["metadata"][field].as_str().unwrap_or_default();
        let key = Key::new(target.resource.plural, text("namespace"), text("name"));
        match remove(store, &key, query, options) {
            Err(failure) if failure.code != 404 => return Err(failure),
            _ => {}
        }
    }
    Ok(list)
}

/// Removes an object, or notes that it is to go: pods and namespaces do so in time.
pub(super) fn remove(
    store: &Store,
    key: &Key,
    query: &Query,
    options: &Value,
) -> Result<Value, Failure> {
    let grace = options["gracePeriodSeconds"].as_i64();
    let grace = grace.or_else(|| query.get("gracePeriodSeconds").parse().ok());
    store.update(key, |found| {
        let found = found.ok_or_else(|| key.not_found())?;
        for what in ["UID", "ResourceVersion"] {
            let field = if what == "UID" { "uid" } else { "resourceVersion" };
            let wanted = options["preconditions"][field].as_str();
            let is = found["metadata"][field].as_str().unwrap_or_default();
            if let Some(wanted) = wanted.filter(|wanted| *wanted != is) {
                return Err(Failure::precondition(key.resource(), &key.name, what, wanted, is));
            }
        }
        let grace = grace.or_else(|| found["spec"]["terminationGracePeriodSeconds"].as_i64());
        let mut object = found.clone();
        match key.plural {
            _ if is_leaving(found) && grace != Some(0) => {}
            "namespaces" => {
                object["metadata"]["deletionTimestamp"] = store.stamp().into();
                object["status"]["phase"] = "Terminating".into();
            }
            // One that no node has yet goes at once.
            "pods" if grace != Some(0) && !found["spec"]["nodeName"].is_null() => {
                object["metadata"]["deletionTimestamp"] = store.stamp().into();
                object["metadata"]["deletionGracePeriodSeconds"] = grace.unwrap_or(30).into();
            }
            _ => return Ok(None),
        }
        Ok(Some(object))
    })
}
