//! A special case, written out: its topology, its policies and what is meant.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use crate::catalogue::case::{Case, Deciding, Folder, Level, Reason};
use crate::catalogue::feature::Feature;
use crate::catalogue::policy::type_name;
use crate::catalogue::topic::Topic;
use crate::model::{Direction, Intent, PolicyName};

/// A case outside the axes.
pub(super) struct Special {
    pub(super) topic: Topic,
    /// What sets it apart from others of its topic, as features have it.
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
    /// The cell, as its text.
    pub(super) cell: String,
    pub(super) intent: Intent,
    pub(super) direction: Direction,
    /// The policy, as `namespace/name`.
    pub(super) policy: &'static str,
    pub(super) rule: Option<usize>,
    pub(super) reason: Reason,
}

/// A cell that a rule of `x/tested` allows.
pub(super) fn allowed(cell: String, direction: Direction, rule: usize) -> Decided {
    let (intent, policy, rule) = (Intent::Allow, "x/tested", Some(rule));
    Decided { cell, intent, direction, policy, rule, reason: Reason::Rule }
}

/// A cell that `x/tested` denies, for a reason.
pub(super) fn denied(
    cell: String,
    direction: Direction,
    rule: Option<usize>,
    reason: Reason,
) -> Decided {
    Decided { cell, intent: Intent::Deny, direction, policy: "x/tested", rule, reason }
}

/// A cell that `x/tested` leaves alone, for a reason.
pub(super) fn left_alone(cell: String, direction: Direction, reason: Reason) -> Decided {
    let (intent, policy) = (Intent::Allow, "x/tested");
    Decided { cell, intent, direction, policy, rule: None, reason }
}

/// A cell that the API leaves open.
pub(super) fn open(cell: String, direction: Direction) -> Decided {
    let (intent, policy, reason) = (Intent::Any, "x/tested", Reason::Open);
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
        let kind = self.topic.kind();
        let family = kind.family();
        let told: Vec<String> = self.variant.iter().map(|feature| feature.value()).collect();
        let id = match told.as_slice() {
            [] => format!("{family}/{}", self.topic),
            told => format!("{family}/{},{}", self.topic, told.join(",")),
        };
        let features = [Feature::Topic(self.topic)].into_iter().chain(self.variant);
        let features: std::collections::BTreeSet<Feature> = features.collect();
        let named = features.iter().map(|f| format!("{}-{}", f.axis(), f.value()));
        let tags: Vec<String> =
            ["catalogue".to_owned(), self.level.to_string()].into_iter().chain(named).collect();
        let mut text = format!("name: \"{id}\"\nabout: {}\n", self.sentence);
        text.push_str(&format!("tags: [{}]\ntopology:\n", tags.join(", ")));
        text.push_str(&indented(&self.topology, 2));
        text.push_str("steps:\n");
        let mut deciding = Vec::new();
        for (number, step) in self.steps.into_iter().enumerate() {
            text.push_str(&format!("  - name: {}\n", step.name));
            step.actions.iter().for_each(|action| text.push_str(&indented(action, 4)));
            text.push_str("    expect:\n");
            step.expect.iter().for_each(|rule| text.push_str(&format!("      - {rule}\n")));
            for decided in step.deciding {
                let (namespace, name) = decided.policy.split_once('/').unwrap_or_default();
                deciding.push(Deciding {
                    step: number,
                    cell: decided.cell.parse()?,
                    intent: decided.intent,
                    direction: decided.direction,
                    policy: PolicyName::new(namespace, name),
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
            kind,
            api: Feature::Topic(self.topic).api(Direction::Ingress),
            features,
            folder: Folder::new(text, manifests),
            deciding,
            id,
        })
    }
}
