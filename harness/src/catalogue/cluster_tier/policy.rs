//! Policies of the cluster as a case has them: what is written, and what is meant.

use serde_json::{Value, json};

use super::axis::{Action, Api, Port, Tier};
use super::selection::{Entry, Subjects};
use crate::catalogue::opening::{Numbers, Opening};
use crate::catalogue::town::PORT_NAME;
use crate::model::{ClusterPolicyKind, ClusterPolicyName, Direction, Protocol};

/// A policy of the cluster.
#[derive(Debug, Clone)]
pub(in crate::catalogue) struct ClusterPolicy {
    /// The file it is written to.
    pub(in crate::catalogue) file: &'static str,
    /// Its name, where its kind leaves it a choice.
    pub(in crate::catalogue) name: &'static str,
    pub(in crate::catalogue) api: Api,
    pub(in crate::catalogue) tier: Tier,
    pub(in crate::catalogue) priority: u16,
    pub(in crate::catalogue) subjects: Subjects,
    /// The direction that has rules.
    pub(in crate::catalogue) direction: Direction,
    pub(in crate::catalogue) rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone)]
pub(in crate::catalogue) struct Rule {
    pub(in crate::catalogue) action: Action,
    pub(in crate::catalogue) peers: Vec<Entry>,
    /// `ports` or `protocols`; `None` where it is absent.
    pub(in crate::catalogue) ports: Option<Vec<Opening>>,
}

impl Rule {
    /// A rule about all protocols and ports.
    pub(in crate::catalogue) const fn about(action: Action, peers: Vec<Entry>) -> Self {
        Self { action, peers, ports: None }
    }

    fn written(&self, api: Api, direction: Direction) -> Value {
        let action = match (self.action, api) {
            (Action::Deny, _) => "Deny",
            (Action::Pass, _) => "Pass",
            (Action::Accept, Api::V1alpha1) => "Allow",
            (Action::Accept, _) => "Accept",
        };
        let peers = if direction == Direction::Ingress { "from" } else { "to" };
        let written: Vec<&Value> = self.peers.iter().map(|entry| &entry.written).collect();
        let mut rule = json!({ "action": action, peers: written });
        if let Some(openings) = &self.ports {
            let field = if api == Api::V1alpha1 { "ports" } else { "protocols" };
            rule[field] = openings.iter().map(|opening| opening.written.clone()).collect();
        }
        rule
    }
}

impl Api {
    /// The kind of its policies of a tier.
    pub(in crate::catalogue) const fn kind(self, tier: Tier) -> ClusterPolicyKind {
        match (self, tier) {
            (Self::V1alpha1, Tier::Admin) => ClusterPolicyKind::AdminNetworkPolicy,
            (Self::V1alpha1, Tier::Baseline) => ClusterPolicyKind::BaselineAdminNetworkPolicy,
            (Self::V1alpha2 | Self::V1beta1, _) => ClusterPolicyKind::ClusterNetworkPolicy,
        }
    }
}

impl ClusterPolicy {
    /// Its kind and name. "There is one" of the kind that has no priority, named `default`.
    pub(in crate::catalogue) fn full_name(&self) -> ClusterPolicyName {
        let kind = self.api.kind(self.tier);
        let name = match kind {
            ClusterPolicyKind::BaselineAdminNetworkPolicy => "default",
            _ => self.name,
        };
        ClusterPolicyName::new(kind, name)
    }

    /// The manifest.
    pub(in crate::catalogue) fn manifest(&self) -> Value {
        let ClusterPolicyName { kind, name } = self.full_name();
        let mut spec = json!({});
        if kind == ClusterPolicyKind::ClusterNetworkPolicy {
            spec["tier"] = json!(if self.tier == Tier::Admin { "Admin" } else { "Baseline" });
        }
        if kind != ClusterPolicyKind::BaselineAdminNetworkPolicy {
            spec["priority"] = json!(self.priority);
        }
        spec["subject"] = self.subjects.written.clone();
        let rules = self.rules.iter().map(|rule| rule.written(self.api, self.direction));
        let rules: Vec<Value> = rules.collect();
        if !rules.is_empty() {
            spec[self.direction.to_string()] = json!(rules);
        }
        json!({
            "apiVersion": format!("policy.networking.k8s.io/{}", self.api),
            "kind": kind.as_str(),
            "metadata": { "name": &*name },
            "spec": spec,
        })
    }
}

/// One port of a protocol.
pub(in crate::catalogue) fn number(api: Api, protocol: Protocol, number: u16) -> Opening {
    let written = match api {
        Api::V1alpha1 => {
            json!({ "portNumber": { "protocol": protocol.to_string(), "port": number } })
        }
        _ => since(protocol, json!({ "number": number })),
    };
    Opening::new(written, protocol, Numbers::From(number, number))
}

/// A port as it is written since `v1alpha2`.
fn since(protocol: Protocol, port: Value) -> Value {
    json!({ protocol.to_string().to_lowercase(): { "destinationPort": port } })
}

fn range(api: Api, protocol: Protocol, first: u16, last: u16) -> Opening {
    let written = match api {
        Api::V1alpha1 => {
            let protocol = protocol.to_string();
            json!({ "portRange": { "protocol": protocol, "start": first, "end": last } })
        }
        _ => since(protocol, json!({ "range": { "start": first, "end": last } })),
    };
    Opening::new(written, protocol, Numbers::From(first, last))
}

/// `ports` or `protocols`, and what it means; `None` where it is absent. The port that is
/// tried is `at`.
pub(in crate::catalogue) fn openings(
    port: Port,
    api: Api,
    protocol: Protocol,
    at: u16,
) -> Option<Vec<Opening>> {
    let openings = match port {
        Port::Absent => return None,
        Port::Number => vec![number(api, protocol, at)],
        Port::NoProtocol => {
            let written = json!({ "portNumber": { "port": at } });
            vec![Opening::new(written, Protocol::Tcp, Numbers::From(at, at))]
        }
        Port::Name => {
            let field = if api == Api::V1alpha1 { "namedPort" } else { "destinationNamedPort" };
            vec![Opening::new(json!({ field: PORT_NAME }), protocol, Numbers::Named)]
        }
        Port::Range => vec![range(api, protocol, at - 10, at)],
        Port::EveryPort => vec![range(api, protocol, 1, u16::MAX)],
        Port::Several => vec![number(api, protocol, at - 1), number(api, protocol, at)],
    };
    Some(openings)
}
