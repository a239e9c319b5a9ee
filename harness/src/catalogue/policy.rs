//! Policies as a case has them: what is written, and what is meant.

use serde_json::{Value, json};

use super::opening::Opening;
use super::selection::{Entry, Pods};
use crate::model::Direction;

/// The name of the tested policy.
pub(super) const TESTED: &str = "tested";

/// A policy.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    /// The file it is written to.
    pub(super) file: &'static str,
    pub(super) name: &'static str,
    pub(super) namespace: &'static str,
    /// `spec.podSelector`.
    pub(super) selector: Value,
    /// Whom that means, in the policy's namespace.
    pub(super) subjects: Pods,
    /// `spec.policyTypes`.
    pub(super) types: Option<Vec<Direction>>,
    /// The directions for which its pods are isolated.
    pub(super) isolates: Vec<Direction>,
    /// The direction that has rules.
    pub(super) direction: Direction,
    /// The rules; `None` where the field is absent.
    pub(super) rules: Option<Vec<Rule>>,
}

/// A rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    /// `from` or `to`.
    pub(super) peers: Option<Vec<Entry>>,
    /// `ports`.
    pub(super) ports: Option<Vec<Opening>>,
}

impl Policy {
    /// A policy for one direction, which says so.
    pub(super) fn new(
        (file, namespace, name): (&'static str, &'static str, &'static str),
        (selector, subjects): (Value, Pods),
        direction: Direction,
        rules: Option<Vec<Rule>>,
    ) -> Self {
        Self {
            file,
            name,
            namespace,
            selector,
            subjects,
            types: Some(vec![direction]),
            isolates: vec![direction],
            direction,
            rules,
        }
    }

    /// The manifest.
    pub(super) fn manifest(&self) -> Value {
        let mut spec = json!({ "podSelector": self.selector });
        if let Some(types) = &self.types {
            let types: Vec<&str> = types.iter().copied().map(type_name).collect();
            spec["policyTypes"] = json!(types);
        }
        if let Some(rules) = &self.rules {
            let rules: Vec<Value> = rules.iter().map(|rule| rule.written(self.direction)).collect();
            spec[self.direction.to_string()] = json!(rules);
        }
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": { "name": self.name, "namespace": self.namespace },
            "spec": spec,
        })
    }
}

/// As `policyTypes` names it.
pub(super) const fn type_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    }
}

impl Rule {
    fn written(&self, direction: Direction) -> Value {
        let mut rule = json!({});
        if let Some(peers) = &self.peers {
            let field = match direction {
                Direction::Ingress => "from",
                Direction::Egress => "to",
            };
            rule[field] = peers.iter().map(|entry| entry.written.clone()).collect();
        }
        if let Some(ports) = &self.ports {
            rule["ports"] = ports.iter().map(|opening| opening.written.clone()).collect();
        }
        rule
    }
}
