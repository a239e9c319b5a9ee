//! A policy of the cluster's scope as a cluster is given it: its subject is the run's own.
//!
//! Such a policy has no namespace, so nothing of the API keeps it to the run. Three things are
//! changed in its manifest:
//!
//! - `metadata.name` gets the prefix of the slot. A BaselineAdminNetworkPolicy keeps its name,
//!   since there is one alone: "BaselineAdminNetworkPolicy … must be named default"
//!   (`apis/v1alpha1/baselineadminnetworkpolicy_types.go`).
//! - The namespaces of its **subject** have to carry the run's label and the slot's, in addition
//!   to what the policy asks of them. Every namespace of the slot does, so that the policy has
//!   the subjects that it has in the scenario and no others: not the cluster's own pods, and not
//!   those of another run.
//! - Names of namespaces are the cluster's, as in a NetworkPolicy ([`super`]), and so are those
//!   of nodes, where a peer asks for `kubernetes.io/hostname`. A name of a node that the
//!   scenario does not have is replaced by one that none has: the cluster may have a node of
//!   that name, which stands for another one of the scenario's.
//!
//! Its **peers** stay what they are: `namespaces: {}` is every namespace of the cluster, of
//! which a run dials its own slot's pods alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::naming::fit;
use super::super::owner::Owner;
use super::{Changes, Naming, Rewritten, cleaned, items};
use crate::model::{ClusterPolicy, ClusterPolicyKind, ClusterPolicyName, HOSTNAME_LABEL, Name};

/// What a policy is called in a cluster.
pub fn name(name: &ClusterPolicyName, naming: &Naming) -> Name {
    match name.kind {
        ClusterPolicyKind::BaselineAdminNetworkPolicy => name.name.clone(),
        // As namespaces are: no two names of one slot or of several become the same.
        ClusterPolicyKind::AdminNetworkPolicy | ClusterPolicyKind::ClusterNetworkPolicy => {
            naming.namespace(&name.name)
        }
    }
}

/// The manifest of a policy under a cluster's names, with the owner's labels, and for the
/// owner's namespaces alone. `hosts` are the hostnames of the cluster's nodes by the scenario's
/// names.
pub fn policy(
    policy: &ClusterPolicy,
    naming: &Naming,
    owner: &Owner,
    hosts: &BTreeMap<Name, Name>,
) -> Rewritten {
    let mut manifest = policy.manifest.clone();
    let mut changes = Changes { policy: policy.name.to_string(), naming, sentences: Vec::new() };
    if let Some(object) = manifest.as_object_mut() {
        if let Some(metadata) = cleaned(object, owner) {
            let name = name(&policy.name, naming);
            changes.tell("metadata.name", &policy.name.name, &name);
            metadata.insert("name".to_owned(), Value::String(name.to_string()));
        }
        if let Some(spec) = object.get_mut("spec") {
            changes.subject(spec, owner);
            changes.peers(spec, &|node| match hosts.get(node) {
                Some(host) => host.clone(),
                None => Name::from(fit(&format!("rf-{}-{}-{node}", owner.run, owner.slot))),
            });
        }
    }
    Rewritten { manifest, sentences: changes.sentences }
}

impl Changes<'_> {
    /// Leaves the owner's namespaces among those of the subject.
    fn subject(&mut self, spec: &mut Value, owner: &Owner) {
        let Some(subject) = spec.get_mut("subject").and_then(Value::as_object_mut) else { return };
        let (place, path) = match subject.get_mut("pods").and_then(Value::as_object_mut) {
            // An absent selector is an empty one.
            Some(pods) => (pods.entry("namespaceSelector"), "spec.subject.pods.namespaceSelector"),
            None => (subject.entry("namespaces"), "spec.subject.namespaces"),
        };
        let selector = place.or_insert(Value::Null);
        if selector.is_null() {
            *selector = Value::Object(Map::new());
        }
        self.selector(selector, path);
        let Some(selector) = selector.as_object_mut() else { return };
        let labels = selector.entry("matchLabels").or_insert(Value::Null);
        if labels.is_null() {
            *labels = Value::Object(Map::new());
        }
        let Some(labels) = labels.as_object_mut() else { return };
        let own = owner.labels();
        labels.extend(own.into_iter().map(|(key, value)| (key, Value::String(value))));
        self.sentences.push(format!(
            "`{path}` of `{}` asks for the run's own namespaces too (`{}`)",
            self.policy,
            owner.selector()
        ));
    }

    fn peers(&mut self, spec: &mut Value, host: &dyn Fn(&str) -> Name) {
        for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
            for (rule_index, rule) in items(spec, rules) {
                for (peer_index, peer) in items(rule, peers) {
                    let path = format!("spec.{rules}[{rule_index}].{peers}[{peer_index}]");
                    if let Some(selector) = peer.get_mut("namespaces") {
                        self.selector(selector, &format!("{path}.namespaces"));
                    }
                    if let Some(selector) = peer.pointer_mut("/pods/namespaceSelector") {
                        self.selector(selector, &format!("{path}.pods.namespaceSelector"));
                    }
                    if let Some(selector) = peer.get_mut("nodes") {
                        self.values(selector, &format!("{path}.nodes"), HOSTNAME_LABEL, host);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;
    use crate::scenario::{LoadOptions, parse_manifests};

    const WRITTEN: &str = include_str!("../golden/cluster-policies.yaml");

    fn owner() -> Owner {
        Owner { run: "k3x9q".parse().unwrap(), slot: 4 }
    }

    fn read() -> Vec<ClusterPolicy> {
        let bundle = parse_manifests("policies.yaml", WRITTEN, &LoadOptions::default());
        assert!(!bundle.has_errors(), "{:?}", bundle.diagnostics);
        bundle.cluster_policies.iter().map(|policy| (**policy).clone()).collect()
    }

    fn rewritten(naming: &Naming) -> (String, String) {
        let hosts = [(Name::from("node-1"), Name::from("worker-a"))].into();
        let all: Vec<Rewritten> =
            read().iter().map(|written| policy(written, naming, &owner(), &hosts)).collect();
        let manifests = all.iter().map(|it| serde_saphyr::to_string(&it.manifest).unwrap());
        let sentences = all.iter().flat_map(|it| &it.sentences).cloned();
        (
            manifests.collect::<Vec<_>>().join("---\n"),
            sentences.map(|sentence| sentence + "\n").collect(),
        )
    }

    #[test]
    fn subjects_are_the_runs_own_and_names_are_the_clusters() {
        let (manifests, sentences) = rewritten(&Naming::Prefixed(owner()));
        expect_file!["../golden/cluster-policies-applied.yaml"].assert_eq(&manifests);
        expect_file!["../golden/cluster-policies-sentences.txt"].assert_eq(&sentences);
    }

    /// Also where names are as they are declared, other pods of the cluster are nobody's subject.
    #[test]
    fn subjects_are_the_runs_own_where_names_are_exact() {
        for written in read() {
            let hosts = BTreeMap::new();
            let Rewritten { manifest, .. } = policy(&written, &Naming::Exact, &owner(), &hosts);
            assert_eq!(manifest["metadata"]["name"], *written.name.name);
            let selectors = ["/spec/subject/namespaces", "/spec/subject/pods/namespaceSelector"];
            let asked = selectors.iter().find_map(|path| manifest.pointer(path)).unwrap();
            assert_eq!(asked["matchLabels"]["ringfence.dev/run"], "k3x9q");
            assert_eq!(asked["matchLabels"]["ringfence.dev/slot"], "4");
        }
    }
}
