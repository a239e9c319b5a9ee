//! The kinds of objects, and the paths by which they are called.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// A kind of objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) namespaced: bool,
}

const fn kind(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { group, version: "v1", plural, kind, namespaced: true }
}

const fn cluster(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { group, version: "v1", plural, kind, namespaced: false }
}

/// The group of the policies of the cluster.
pub(super) const TIER: &str = "policy.networking.k8s.io";

const fn tier(version: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { group: TIER, version, plural, kind, namespaced: false }
}

static RESOURCES: [Resource; 14] = [
    cluster("", "namespaces", "Namespace"),
    cluster("", "nodes", "Node"),
    kind("", "pods", "Pod"),
    kind("", "services", "Service"),
    kind("", "events", "Event"),
    kind("", "serviceaccounts", "ServiceAccount"),
    kind("", "secrets", "Secret"),
    kind("", "resourcequotas", "ResourceQuota"),
    kind("", "limitranges", "LimitRange"),
    kind("networking.k8s.io", "networkpolicies", "NetworkPolicy"),
    tier("v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy"),
    tier("v1alpha1", "baselineadminnetworkpolicies", "BaselineAdminNetworkPolicy"),
    tier("v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy"),
    cluster("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
];

pub(super) fn by_plural(plural: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.plural == plural)
}

/// What `/apis` says of the groups, of which that of the tier may not be there.
pub(super) fn groups(tier: bool) -> Value {
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let served = |resource: &&Resource| !resource.group.is_empty() && (tier || !resource.is_tier());
    for resource in RESOURCES.iter().filter(served) {
        groups.entry(resource.group).or_default().insert(resource.version);
    }
    let groups = groups.into_iter().map(|(group, versions)| {
        let versions = versions.into_iter().map(
            |version| json!({ "groupVersion": format!("{group}/{version}"), "version": version }),
        );
        json!({ "name": group, "versions": versions.collect::<Vec<Value>>() })
    });
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Vec<Value>>() })
}

/// What `/apis/GROUP/VERSION` says, by that path's end.
pub(super) fn resources(group_version: &str) -> Value {
    let resources = RESOURCES.iter().filter(|resource| resource.api_version() == group_version);
    let resources = resources.map(|resource| {
        json!({
            "name": resource.plural, "singularName": resource.kind.to_lowercase(),
            "namespaced": resource.namespaced, "kind": resource.kind, "verbs": ["list"],
        })
    });
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
        "resources": resources.collect::<Vec<Value>>(),
    })
}

impl Resource {
    /// `apiVersion`.
    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether it is of the policies of the cluster.
    pub(super) fn is_tier(&self) -> bool {
        self.group == TIER
    }

    /// As messages name it: `pods`, `networkpolicies.networking.k8s.io`.
    pub(super) fn full_name(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }
}

/// What a call is about.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) resource: &'static Resource,
    /// `None`: all of them, or the resource has none.
    pub(super) namespace: Option<String>,
    /// `None`: the whole collection.
    pub(super) name: Option<String>,
    /// Such as `exec`; empty for the object itself.
    pub(super) subresource: String,
}

impl Target {
    /// Reads a path such as `/api/v1/namespaces/a/pods/b/exec`.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version) = match *parts.first()? {
            "api" if parts.len() > 2 => ("", parts.drain(..2).nth(1)?),
            "apis" if parts.len() > 3 => {
                let mut head = parts.drain(..3).skip(1);
                (head.next()?, head.next()?)
            }
            _ => return None,
        };
        let namespace = match parts.as_slice() {
            ["namespaces", name, _, ..] if !matches!(parts[2], "status" | "finalize") => {
                let name = (*name).to_owned();
                parts.drain(..2);
                Some(name)
            }
            _ => None,
        };
        let mut parts = parts.into_iter();
        let resource = by_plural(parts.next()?)?;
        if (resource.group, resource.version) != (group, version)
            || !resource.namespaced && namespace.is_some()
        {
            return None;
        }
        let name = parts.next().map(str::to_owned);
        let subresource = parts.next().unwrap_or_default().to_owned();
        Some(Self { resource, namespace, name, subresource })
    }
}

/// The parameters of a call. Those that come more than once are joined by line ends.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let mut query: BTreeMap<String, String> = BTreeMap::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = decode(value);
            query
                .entry(decode(key))
                .and_modify(|all| {
                    all.push('\n');
                    all.push_str(&value);
                })
                .or_insert(value);
        }
        Self(query)
    }

    pub(super) fn get(&self, key: &str) -> &str {
        self.0.get(key).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn is(&self, key: &str) -> bool {
        matches!(self.get(key), "true" | "1")
    }
}

/// Percent-encoding, and `+` for a blank.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
