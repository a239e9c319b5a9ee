//! What special cases of the cluster tier are made of: their headings, their policies and their
//! deciding cells.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::catalogue::case::{Decider, Level, Reason};
use crate::catalogue::cases::cluster_tier::construction::tags;
use crate::catalogue::cases::written::{Decided, Heading};
use crate::catalogue::cluster_tier::{Action, Api, Feature, Tier, Topic};
use crate::catalogue::feature::Feature as Any;
use crate::catalogue::kind::Kind;
use crate::model::{ClusterPolicyName, Direction, Intent};

/// The heading of a case about a topic in a version of the API; `variant` is what else sets it
/// apart from others of its topic.
pub(super) fn heading(topic: Topic, api: Api, variant: &[Feature], level: Level) -> Heading {
    let mut told = vec![topic.to_string(), api.to_string()];
    told.extend(variant.iter().map(|feature| feature.value()));
    let egress = variant.contains(&Feature::Direction(Direction::Egress));
    let direction = if egress { Direction::Egress } else { Direction::Ingress };
    let own = [Feature::Topic(topic), Feature::Api(api)];
    let features: BTreeSet<Feature> = own.iter().chain(variant).copied().collect();
    Heading {
        id: format!("cluster-tier/special/{}", told.join(",")),
        tags: tags(&features, level),
        level,
        kind: Kind::Matrix,
        api: Feature::Topic(topic).sentence(api, direction),
        features: features.into_iter().map(Any::Cluster).collect(),
    }
}

/// A cell over IPv4 that a rule of the policy named `tested` decides.
pub(super) fn decided(
    (api, tier): (Api, Tier),
    cell: &str,
    (intent, reason): (Intent, Reason),
    (direction, rule): (Direction, Option<usize>),
) -> Decided {
    let policy = Decider::ClusterPolicy(named(api, tier, "tested"));
    Decided { cell: format!("{cell} over ipv4"), intent, direction, policy, rule, reason }
}

/// A policy's kind and name.
pub(super) fn named(api: Api, tier: Tier, name: &str) -> ClusterPolicyName {
    let kind = api.kind(tier);
    let name = if kind.as_str().starts_with("Baseline") { "default" } else { name };
    ClusterPolicyName::new(kind, name)
}

/// A namespace `x` with a pod `a`, and a namespace `y` with a pod `b`.
pub(super) const TWO: &str = "namespaces:\n  x:\n    labels: { team: red }\n    pods:\n      a: { labels: { app: a }, ports: [80], node: node-1 }\n  \"y\":\n    labels: { team: blue }\n    pods:\n      b: { labels: { app: b }, ports: [80], node: node-2 }\n";

/// The pods of the namespaces of a team, as subject or peer.
pub(super) fn team(name: &str) -> Value {
    json!({ "namespaces": { "matchLabels": { "team": name } } })
}

/// A rule about all protocols and ports.
pub(super) fn rule(api: Api, direction: Direction, action: Action, peer: Value) -> Value {
    let action = match (action, api) {
        (Action::Deny, _) => "Deny",
        (Action::Pass, _) => "Pass",
        (Action::Accept, Api::V1alpha1) => "Allow",
        (Action::Accept, _) => "Accept",
    };
    let peers = if direction == Direction::Ingress { "from" } else { "to" };
    json!({ "action": action, peers: [peer] })
}

/// A policy about the namespaces of a team, with rules for one direction.
pub(super) fn policy(
    (api, tier): (Api, Tier),
    (name, priority): (&str, u16),
    subject: &str,
    direction: Direction,
    rules: &[Value],
) -> Value {
    let named = named(api, tier, name);
    let mut spec = json!({ "subject": team(subject) });
    if api != Api::V1alpha1 {
        spec["tier"] = json!(if tier == Tier::Admin { "Admin" } else { "Baseline" });
    }
    if api != Api::V1alpha1 || tier == Tier::Admin {
        spec["priority"] = json!(priority);
    }
    if !rules.is_empty() {
        spec[direction.to_string()] = json!(rules);
    }
    json!({
        "apiVersion": format!("policy.networking.k8s.io/{api}"),
        "kind": named.kind.as_str(),
        "metadata": { "name": &*named.name },
        "spec": spec,
    })
}
