//! What special cases are made of: their headings, their policies and their deciding cells.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::catalogue::case::{Decider, Level, Reason};
use crate::catalogue::cases::network_policy::construction::tags;
use crate::catalogue::cases::written::{Decided, Heading};
use crate::catalogue::feature::Feature;
use crate::catalogue::policy::type_name;
use crate::catalogue::topic::Topic;
use crate::model::{Direction, Intent, PolicyName};

/// The heading of a case about a topic; `variant` is what sets it apart from others of its
/// topic.
pub(super) fn heading(topic: Topic, variant: Vec<Feature>, level: Level) -> Heading {
    let kind = topic.kind();
    let family = kind.family();
    let told: Vec<String> = variant.iter().map(|feature| feature.value()).collect();
    let id = match told.as_slice() {
        [] => format!("{family}/{topic}"),
        told => format!("{family}/{topic},{}", told.join(",")),
    };
    let egress = variant.contains(&Feature::Direction(Direction::Egress));
    let direction = if egress { Direction::Egress } else { Direction::Ingress };
    let features: BTreeSet<Feature> = [Feature::Topic(topic)].into_iter().chain(variant).collect();
    let api = Feature::Topic(topic).api(direction);
    Heading { id, tags: tags(&features, level), level, kind, api, features }
}

/// The tested policy.
fn by_tested() -> Decider {
    Decider::Policy(PolicyName::new("x", "tested"))
}

/// A cell that a rule of `x/tested` allows.
pub(super) fn allowed(cell: String, direction: Direction, rule: usize) -> Decided {
    let (intent, policy, rule) = (Intent::Allow, by_tested(), Some(rule));
    Decided { cell, intent, direction, policy, rule, reason: Reason::Rule }
}

/// A cell that `x/tested` denies, for a reason.
pub(super) fn denied(
    cell: String,
    direction: Direction,
    rule: Option<usize>,
    reason: Reason,
) -> Decided {
    Decided { cell, intent: Intent::Deny, direction, policy: by_tested(), rule, reason }
}

/// A cell that `x/tested` leaves alone, for a reason.
pub(super) fn left_alone(cell: String, direction: Direction, reason: Reason) -> Decided {
    let (intent, policy) = (Intent::Allow, by_tested());
    Decided { cell, intent, direction, policy, rule: None, reason }
}

/// A cell that the API leaves open.
pub(super) fn open(cell: String, direction: Direction) -> Decided {
    let (intent, policy, reason) = (Intent::Any, by_tested(), Reason::Open);
    Decided { cell, intent, direction, policy, rule: None, reason }
}

/// A policy `x/tested` for the pods of a label.
pub(super) fn tested(app: &str, types: &[Direction], rules: &[(Direction, Value)]) -> Value {
    policy("x", "tested", json!({ "matchLabels": { "app": app } }), types, rules)
}

/// A policy.
pub(super) fn policy(
    namespace: &str,
    name: &str,
    selector: Value,
    types: &[Direction],
    rules: &[(Direction, Value)],
) -> Value {
    let mut spec = json!({ "podSelector": selector });
    if !types.is_empty() {
        spec["policyTypes"] = types.iter().copied().map(type_name).collect();
    }
    for (direction, rules) in rules {
        spec[direction.to_string()] = rules.clone();
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": name, "namespace": namespace },
        "spec": spec,
    })
}

/// A rule of a direction, for peers and ports.
pub(super) fn rule(direction: Direction, peers: Value, ports: Option<Value>) -> Value {
    let field = if direction == Direction::Ingress { "from" } else { "to" };
    let mut rule = json!({ field: peers });
    if let Some(ports) = ports {
        rule["ports"] = ports;
    }
    rule
}

/// The peers of a label in the policy's namespace.
pub(super) fn pods(app: &str) -> Value {
    json!([{ "podSelector": { "matchLabels": { "app": app } } }])
}
