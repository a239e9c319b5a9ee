//! Why the rounds of a step told nothing, in words.

use std::time::Duration;

use super::super::stage::Settled;
use crate::model::Name;

/// Nodes in words.
pub(super) fn listed(nodes: &[Name]) -> String {
    let nodes: Vec<String> = nodes.iter().map(|node| format!("node `{node}`")).collect();
    nodes.join(" and ")
}

/// That nodes did not enforce the sentinel's policy, in words; `None` where all did. Where
/// the witness was not heard either, nobody knows whether they did. Where none ever did on
/// this cluster, that is told of the cluster, and need not be explained again.
pub(super) fn blindness(settled: &Settled) -> Option<String> {
    let Settled { blind: all, silent, limit, in_doubt, .. } = settled;
    let blind: Vec<Name> = all.iter().filter(|node| !silent.contains(node)).cloned().collect();
    if all.is_empty() {
        return None;
    }
    if blind.is_empty() {
        return Some(silence(silent, *limit));
    }
    let limit_ms = limit.as_millis();
    let blind = if *in_doubt {
        format!("no node enforced the sentinel's policy within {limit_ms} ms, nor any before")
    } else {
        format!(
            "expected {} to enforce the sentinel's policy within the step's deadline of {limit_ms} ms, found no change; does this cluster enforce NetworkPolicies there?",
            listed(&blind)
        )
    };
    Some(match silent.is_empty() {
        true => blind,
        false => format!("{blind}; {}", silence(silent, *limit)),
    })
}

/// That the witness did not connect, in words.
pub(super) fn silence(silent: &[Name], limit: Duration) -> String {
    format!(
        "expected pods on {} that no policy selects to connect in the same round, or silence is no deny, within the step's deadline of {} ms, found them silent; does the network stall there, or does a policy reach pods it does not select?",
        listed(silent),
        limit.as_millis()
    )
}
