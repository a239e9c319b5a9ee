//! What the kinds and versions differ in, and the checks that a CRD's schema makes.

use crate::model::{ClusterPolicyKind, ClusterPolicyVersion};
use crate::scenario::field::{Field, Object, Reader};

/// The kind and version of a policy that is read.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Form {
    pub(in super::super) kind: ClusterPolicyKind,
    pub(in super::super) version: ClusterPolicyVersion,
}

impl Form {
    /// Whether it is of `v1alpha1`.
    pub(super) fn is_first(self) -> bool {
        self.version == ClusterPolicyVersion::V1alpha1
    }

    /// The most rules of a direction, peers of a rule and ports of a rule
    /// (`+kubebuilder:validation:MaxItems`): 100 each, and 25 since `v1alpha2`.
    pub(super) fn most(self) -> usize {
        if self.is_first() { 100 } else { 25 }
    }

    /// The field of a rule's ports.
    pub(super) fn ports(self) -> &'static str {
        if self.is_first() { "ports" } else { "protocols" }
    }

    /// The words for actions, as the CRD lists them.
    pub(super) const fn actions(self) -> &'static [&'static str] {
        match self.kind {
            ClusterPolicyKind::AdminNetworkPolicy => &["Allow", "Deny", "Pass"],
            ClusterPolicyKind::BaselineAdminNetworkPolicy => &["Allow", "Deny"],
            ClusterPolicyKind::ClusterNetworkPolicy => &["Accept", "Deny", "Pass"],
        }
    }

    /// The fields of a peer.
    pub(super) const fn peers(self, egress: bool) -> &'static [&'static str] {
        match (egress, self.kind) {
            (false, _) => &["namespaces", "pods"],
            // `BaselineAdminNetworkPolicyEgressPeer` has no `domainNames`.
            (true, ClusterPolicyKind::BaselineAdminNetworkPolicy) => {
                &["namespaces", "pods", "nodes", "networks"]
            }
            (true, _) => &["namespaces", "pods", "nodes", "networks", "domainNames"],
        }
    }
}

/// The items of a list that has at least and at most so many.
pub(super) fn items<'n>(
    reader: &mut Reader<'_>,
    field: &Field<'n>,
    least: usize,
    most: usize,
) -> Vec<Field<'n>> {
    let Some(items) = reader.list(field) else { return Vec::new() };
    let count = items.len();
    if count > most {
        let message = format!("{field}: Too many: {count}: must have at most {most} items");
        reader.error("too-many", field, message);
    } else if count < least {
        let message = format!(
            "{field}: Invalid value: {count}: {field} in body should have at least {least} items"
        );
        reader.error("too-few", field, message);
    }
    items
}

/// The one field that is set: "Exactly one field must be set", which the CRD holds by
/// `minProperties` and `maxProperties`.
pub(super) fn one_of<'n>(
    reader: &mut Reader<'_>,
    object: &Object<'n>,
    known: &[&'static str],
) -> Option<(&'static str, Field<'n>)> {
    let field = &object.field;
    let set: Vec<&'static str> =
        known.iter().copied().filter(|key| object.get(key).is_some()).collect();
    let names =
        |keys: &[&str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match set.as_slice() {
        [key] => object.get(key).map(|field| (*key, field)),
        [] => {
            // A field that is not known was told of already.
            if object.entries.iter().all(|entry| known.contains(&entry.key.as_str())) {
                let message = format!(
                    "{field}: Invalid value: 0: {field} in body should have at least 1 properties"
                );
                reader
                    .error("no-field-set", field, message)
                    .hint(&format!("give one of {}", names(known)));
            }
            None
        }
        several => {
            let count = several.len();
            let message = format!("{field}: Too many: {count}: must have at most 1 items");
            let what = if field.path.contains('[') { "an entry" } else { "a policy" };
            reader
                .error("several-fields-set", field, message)
                .hint(&format!("write {what} for each of {} if either may match", names(several)));
            None
        }
    }
}
