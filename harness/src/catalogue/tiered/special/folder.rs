//! A special case of the cluster tier, written out: its topology, its policies and what is
//! meant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use crate::catalogue::case::{Case, Decider, Deciding, Folder, Level, Reason};
use crate::catalogue::feature::Feature as Any;
use crate::catalogue::kind::Kind;
use crate::catalogue::tier::{Action, Api, Feature, Tier, Topic};
use crate::catalogue::tiered::construction::tags;
use crate::model::{ClusterPolicyName, Direction, Intent};

/// A case outside the axes.
pub(super) struct Special {
    pub(super) topic: Topic,
    /// The version of the API, which sets it apart from others of its topic.
    pub(super) api: Api,
    /// What else sets it apart.
    pub(super) variant: Vec<Feature>,
    pub(super) level: Level,
    pub(super) sentence: String,
    /// `topology` of the scenario.
    pub(super) topology: String,
    pub(super) policies: Vec<Value>,
    pub(super) steps: Vec<Step>,
}

/// One of its steps.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Fields of the step beside `expect`.
    pub(super) actions: Vec<String>,
    pub(super) expect: Vec<String>,
    pub(super) deciding: Vec<Decided>,
}

/// A deciding cell.
pub(super) struct Decided {
    /// The cell, as its text, over IPv4.
    pub(super) cell: &'static str,
    pub(super) intent: Intent,
    pub(super) direction: Direction,
    /// The policy.
    pub(super) policy: ClusterPolicyName,
    pub(super) rule: Option<usize>,
    pub(super) reason: Reason,
}

impl Decided {
    /// A cell that a rule of the policy named `tested` decides.
    pub(super) fn new(
        (api, tier): (Api, Tier),
        cell: &'static str,
        (intent, reason): (Intent, Reason),
        (direction, rule): (Direction, Option<usize>),
    ) -> Self {
        let policy = named(api, tier, "tested");
        Self { cell, intent, direction, policy, rule, reason }
    }
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

/// `apply`, of policies by their place among the case's.
pub(super) fn apply(which: &[usize]) -> String {
    let files: Vec<String> = which.iter().map(|at| file(*at)).collect();
    format!("apply: [{}]", files.join(", "))
}

fn file(at: usize) -> String {
    if at == 0 { "policy.yaml".to_owned() } else { format!("policy-{}.yaml", at + 1) }
}

fn indented(text: &str, by: usize) -> String {
    let indent = " ".repeat(by);
    text.lines().flat_map(|line| [indent.as_str(), line, "\n"]).collect()
}

impl Special {
    /// The case.
    pub(super) fn case(self) -> Result<Case> {
        let mut told = vec![self.topic.to_string(), self.api.to_string()];
        told.extend(self.variant.iter().map(|feature| feature.value()));
        let id = format!("cluster-tier/special/{}", told.join(","));
        let mut features = vec![Feature::Topic(self.topic), Feature::Api(self.api)];
        features.extend(&self.variant);
        let features: BTreeSet<Feature> = features.into_iter().collect();
        let tags = tags(&features.iter().copied().collect::<Vec<_>>(), self.level);
        let mut directions = self.variant.iter().filter_map(|feature| match feature {
            Feature::Direction(direction) => Some(*direction),
            _ => None,
        });
        let direction = directions.next_back().unwrap_or(Direction::Ingress);
        let mut text = format!("name: \"{id}\"\nabout: {}\n", self.sentence);
        let _ = writeln!(text, "tags: [{}]\ntopology:", tags.join(", "));
        text.push_str(&indented(&self.topology, 2));
        text.push_str("steps:\n");
        let mut deciding = Vec::new();
        for (number, step) in self.steps.into_iter().enumerate() {
            let _ = writeln!(text, "  - name: {}", step.name);
            step.actions.iter().for_each(|action| text.push_str(&indented(action, 4)));
            text.push_str("    expect:\n");
            for rule in &step.expect {
                let _ = writeln!(text, "      - {rule}");
            }
            for decided in step.deciding {
                deciding.push(Deciding {
                    step: number,
                    cell: format!("{} over ipv4", decided.cell).parse()?,
                    intent: decided.intent,
                    direction: decided.direction,
                    policy: Decider::ClusterPolicy(decided.policy),
                    rule: decided.rule,
                    reason: decided.reason,
                });
            }
        }
        let mut manifests = BTreeMap::new();
        for (at, policy) in self.policies.iter().enumerate() {
            manifests.insert(file(at), serde_saphyr::to_string(policy)?);
        }
        Ok(Case {
            sentence: self.sentence,
            tags,
            level: self.level,
            kind: Kind::Matrix,
            api: Feature::Topic(self.topic).sentence(self.api, direction),
            features: features.into_iter().map(Any::Cluster).collect(),
            folder: Folder::new(text, manifests),
            deciding,
            id,
        })
    }
}
