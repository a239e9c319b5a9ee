//! An explanation as text.

use std::fmt;

use crate::model::{Direction, Effect, Exemption, Tier};

use super::super::answer::Answer;
use super::explanation::{
    ClusterPolicyTrace, ClusterRuleTrace, EntryTrace, Explanation, RuleTrace, SideTrace, Standing,
};

impl fmt::Display for Explanation {
    /// The cell and its verdict, why, and then each direction as a tree. `+` is before
    /// what matches, `-` before what does not, `?` before what is open.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.decision.verdict, self.cell)?;
        writeln!(f, "  {}", self.why)?;
        for side in [&self.egress, &self.ingress] {
            writeln!(f)?;
            write!(f, "{side}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SideTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { direction, subject, effect, policies, cluster } = self;
        let preposition = match direction {
            Direction::Egress => "of",
            Direction::Ingress => "to",
        };
        writeln!(f, "{direction} {preposition} {subject}: {}", effect_text(*effect))?;
        let tier = |tier: Tier| cluster.iter().filter(move |policy| policy.tier == tier);
        tier(Tier::Admin).try_for_each(|policy| show_cluster_policy(f, *direction, policy))?;
        for policy in policies {
            writeln!(f, "  {} ({}) {}", policy.policy.name, policy.policy.origin, policy.reason)?;
            let say = policy.standing == Standing::Isolates;
            for rule in &policy.rules {
                show_rule(f, *direction, rule, say)?;
            }
        }
        if policies.is_empty() && matches!(effect, Effect::NotIsolated) {
            writeln!(f, "  no policy in its namespace")?;
        }
        tier(Tier::Baseline).try_for_each(|policy| show_cluster_policy(f, *direction, policy))
    }
}

fn show_cluster_policy(
    f: &mut fmt::Formatter<'_>,
    direction: Direction,
    policy: &ClusterPolicyTrace,
) -> fmt::Result {
    let ClusterPolicyTrace { policy, tier, priority, origin, reason, rules, .. } = policy;
    let priority = priority.map(|number| format!(", priority {number}")).unwrap_or_default();
    writeln!(f, "  {tier} tier{priority}: {policy} ({origin}) {reason}")?;
    for ClusterRuleTrace { name, action, rule } in rules {
        let RuleTrace { rule: index, origin, answer, reason, peers, ports } = rule;
        let name = name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let mark = mark(*answer);
        writeln!(f, "    {mark} {direction}[{index}]{name} ({origin}) {action}: {reason}")?;
        show_entries(f, peers_field(direction), "any peer", peers)?;
        show_entries(f, "ports", "any protocol and port", ports)?;
    }
    Ok(())
}

const fn peers_field(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    }
}

fn show_rule(
    f: &mut fmt::Formatter<'_>,
    direction: Direction,
    rule: &RuleTrace,
    say: bool,
) -> fmt::Result {
    let would = if say { "" } else { "would have been: " };
    let mark = mark(rule.answer);
    writeln!(f, "    {mark} {direction}[{}] ({}) {would}{}", rule.rule, rule.origin, rule.reason)?;
    show_entries(f, peers_field(direction), "any peer", &rule.peers)?;
    show_entries(f, "ports", "any port", &rule.ports)
}

fn show_entries(
    f: &mut fmt::Formatter<'_>,
    field: &str,
    any: &str,
    entries: &[EntryTrace],
) -> fmt::Result {
    if entries.is_empty() {
        return writeln!(f, "      + {any}");
    }
    for (index, entry) in entries.iter().enumerate() {
        let EntryTrace { origin, text, answer, reason } = entry;
        writeln!(f, "      {} {field}[{index}] ({origin}) {text}: {reason}", mark(*answer))?;
    }
    Ok(())
}

const fn mark(answer: Answer) -> char {
    match answer {
        Answer::Yes => '+',
        Answer::No => '-',
        Answer::Open(_) | Answer::Missing(_) => '?',
    }
}

fn effect_text(effect: Effect) -> &'static str {
    match effect {
        Effect::Exempt(Exemption::NotAPod) => "no pod, so no policy is asked",
        Effect::Exempt(Exemption::OwnNode) => "from its own node, which is always let in",
        Effect::NotIsolated => "not isolated",
        Effect::Allowed => "isolated, and allowed by a rule",
        Effect::Denied => "isolated, and no rule allows it",
        Effect::AcceptedBy(Tier::Admin) => "accepted in the Admin tier",
        Effect::AcceptedBy(Tier::Baseline) => "accepted in the Baseline tier",
        Effect::DeniedBy(Tier::Admin) => "denied in the Admin tier",
        Effect::DeniedBy(Tier::Baseline) => "denied in the Baseline tier",
        Effect::Undefined(_) => "left open by the API",
        Effect::Unknown(_) => "not known",
    }
}
