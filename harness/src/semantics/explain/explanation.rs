//! Everything that was weighed for a cell.

use serde::{Deserialize, Serialize};

use super::super::answer::Answer;
use crate::model::{
    Cell, ClusterPolicyName, Decision, Direction, Effect, Endpoint, Name, Origin, PolicyRef, Tier,
};

/// A decision with every policy, rule, peer and port that was weighed for it.
///
/// Its `Display` is the text of `ringfence explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked.
    pub cell: Cell,
    /// The answer.
    pub decision: Decision,
    /// The answer in a sentence.
    pub why: String,
    /// What the source's policies were asked.
    pub egress: SideTrace,
    /// What the destination's policies were asked.
    pub ingress: SideTrace,
}

/// What was weighed in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideTrace {
    /// Which direction.
    pub direction: Direction,
    /// The end whose policies are asked.
    pub subject: Endpoint,
    /// What came of it.
    pub effect: Effect,
    /// The policies of the end's namespace, in order of name; no other can select it.
    pub policies: Vec<PolicyTrace>,
    /// The policies of the cluster, in the order in which they are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster: Vec<ClusterPolicyTrace>,
}

/// What a policy has to do with a pod in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It selects the pod and isolates it in this direction.
    Isolates,
    /// It selects the pod, but is not about this direction.
    OtherDirection,
    /// It selects other pods.
    OtherPods,
}

/// What a policy was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTrace {
    /// The policy.
    pub policy: PolicyRef,
    /// What it has to do with the pod.
    pub standing: Standing,
    /// Why that is so.
    pub reason: String,
    /// Its rules for the direction. Where its standing is not `isolates` they are shown
    /// for what they would say, and have no say.
    pub rules: Vec<RuleTrace>,
}

/// What a rule answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTrace {
    /// Which rule of the list, from 0.
    pub rule: usize,
    /// Where the rule starts.
    pub origin: Origin,
    /// What it answered.
    pub answer: Answer,
    /// Why, in a few words.
    pub reason: String,
    /// What each entry of `from` or `to` answered; empty where the rule is for any peer.
    pub peers: Vec<EntryTrace>,
    /// What each entry of `ports` answered; empty where the rule is for any port.
    pub ports: Vec<EntryTrace>,
}

/// What one entry of `from`, `to` or `ports` answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryTrace {
    /// Where the entry starts.
    pub origin: Origin,
    /// What the entry says.
    pub text: String,
    /// What it answered.
    pub answer: Answer,
    /// Why.
    pub reason: String,
}

/// What a policy of the cluster was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPolicyTrace {
    /// The policy.
    pub policy: ClusterPolicyName,
    /// Its tier.
    pub tier: Tier,
    /// Its priority; `None` for a BaselineAdminNetworkPolicy.
    pub priority: Option<u16>,
    /// Where the policy starts.
    pub origin: Origin,
    /// Whether it was asked.
    pub asked: bool,
    /// What it has to do with the pod, or why it was not asked.
    pub reason: String,
    /// Its rules for the direction up to the first that matches for certain; none where it
    /// was not asked.
    pub rules: Vec<ClusterRuleTrace>,
}

/// What a rule of a policy of the cluster answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRuleTrace {
    /// Its own name.
    pub name: Option<Name>,
    /// Its action, as it is written.
    pub action: String,
    /// What it answered.
    pub rule: RuleTrace,
}
