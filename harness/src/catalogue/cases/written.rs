//! A case that is written out one by one: its topology, its policies, and what is meant.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;

use crate::catalogue::case::{Case, Decider, Deciding, Folder, Level, Reason};
use crate::catalogue::feature::Feature;
use crate::catalogue::kind::Kind;
use crate::catalogue::specification::ApiSentence;
use crate::catalogue::writing::{self, indented};
use crate::model::{Direction, Intent};

/// What a case is called and found by.
pub(super) struct Heading {
    pub(super) id: String,
    pub(super) tags: Vec<String>,
    pub(super) level: Level,
    pub(super) kind: Kind,
    pub(super) api: &'static ApiSentence,
    pub(super) features: BTreeSet<Feature>,
}

/// A case outside the axes.
pub(super) struct Special {
    pub(super) heading: Heading,
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
    pub(super) policy: Decider,
    pub(super) rule: Option<usize>,
    pub(super) reason: Reason,
}

/// `apply`, of policies by their place among the case's.
pub(super) fn apply(which: &[usize]) -> String {
    let files: Vec<String> = which.iter().map(|at| file(*at)).collect();
    writing::apply(&files.iter().map(String::as_str).collect::<Vec<_>>())
}

fn file(at: usize) -> String {
    if at == 0 { "policy.yaml".to_owned() } else { format!("policy-{}.yaml", at + 1) }
}

impl Special {
    /// The case.
    pub(super) fn case(self) -> Result<Case> {
        let Heading { id, tags, level, kind, api, features } = self.heading;
        let mut text = writing::heading(&id, &self.sentence, &tags);
        text.push_str("topology:\n");
        text.push_str(&indented(&self.topology, 2));
        text.push_str("steps:\n");
        let mut deciding = Vec::new();
        for (number, step) in self.steps.into_iter().enumerate() {
            text.push_str(&writing::step(step.name, &step.actions, &step.expect));
            for decided in step.deciding {
                deciding.push(Deciding {
                    step: number,
                    cell: decided.cell.parse()?,
                    intent: decided.intent,
                    direction: decided.direction,
                    policy: decided.policy,
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
            folder: Folder::new(text, manifests),
            id,
            tags,
            level,
            kind,
            api,
            features,
            deciding,
        })
    }
}
