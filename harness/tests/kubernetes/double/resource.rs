//! The kinds of objects, and the paths by which they are called.

use std::collections::BTreeMap;

/// A kind of objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) group: &'static str,
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) namespaced: bool,
}

const fn kind(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { group, plural, kind, namespaced: true }
}

const fn cluster(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { group, plural, kind, namespaced: false }
}

/// Every one of them has the version `v1` of its group.
static RESOURCES: [Resource; 11] = [
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
    cluster("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
];

pub(super) fn by_plural(plural: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.plural == plural)
}

impl Resource {
    /// `apiVersion`.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group) }
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
        let group = match *parts.first()? {
            "api" if parts.len() > 2 => {
                parts.drain(..2);
                ""
            }
            "apis" if parts.len() > 3 => parts.drain(..3).nth(1)?,
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
        if resource.group != group || !resource.namespaced && namespace.is_some() {
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
