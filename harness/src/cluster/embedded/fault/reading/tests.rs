//! Every policy of the catalogue, misread: what changes is told from the manifest as it was
//! written, not from what was made of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::Fault;
use super::misread;
use crate::catalogue::cases;
use crate::model::{Change, NetworkPolicy};
use crate::scenario::LoadOptions;

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn directions(manifest: &Value) -> [(&'static str, &[Value]); 2] {
    let spec = &manifest["spec"];
    [("Ingress", list(spec, "ingress")), ("Egress", list(spec, "egress"))]
}

fn rules(manifest: &Value) -> impl Iterator<Item = &Value> {
    directions(manifest).into_iter().flat_map(|(_, rules)| rules)
}

fn peers(rule: &Value) -> impl Iterator<Item = &Value> {
    ["from", "to"].into_iter().flat_map(|key| list(rule, key))
}

fn ports(manifest: &Value) -> impl Iterator<Item = &Value> {
    rules(manifest).flat_map(|rule| list(rule, "ports"))
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Whether the policy is about a direction (`NetworkPolicySpec.policyTypes`).
fn is_about(manifest: &Value, direction: &str) -> bool {
    match list(&manifest["spec"], "policyTypes") {
        [] => direction == "Ingress" || !list(&manifest["spec"], "egress").is_empty(),
        types => types.iter().any(|of| of == direction),
    }
}

fn has_two_selectors(peer: &Value) -> bool {
    !peer["podSelector"].is_null() && !peer["namespaceSelector"].is_null()
}

fn selects(peer: &Value, by: &str) -> bool {
    !peer[by].is_null() && !has_two_selectors(peer)
}

fn names_a_range_twice(rules: &[Value]) -> bool {
    let mut named = BTreeMap::<&str, usize>::new();
    for rule in rules {
        let mut ranges: Vec<&str> =
            peers(rule).filter_map(|peer| peer["ipBlock"]["cidr"].as_str()).collect();
        ranges.sort_unstable();
        ranges.dedup();
        ranges.into_iter().for_each(|range| *named.entry(range).or_default() += 1);
    }
    named.values().any(|rules| *rules > 1)
}

/// Whether a policy has what the fault is about; `None` where the fault is not one of reading.
fn concerns(fault: Fault, manifest: &Value) -> Option<bool> {
    let text = manifest["spec"].to_string();
    let any_peer = |wanted: fn(&Value) -> bool| rules(manifest).flat_map(peers).any(wanted);
    let no_types = list(&manifest["spec"], "policyTypes").is_empty();
    let [(_, ingress), (_, egress)] = directions(manifest);
    Some(match fault {
        Fault::PolicyTypesDefaultWrong => no_types && !egress.is_empty(),
        Fault::IngressRulesUnderEgress => !is_about(manifest, "Ingress") && !ingress.is_empty(),
        Fault::IngressIgnored => is_about(manifest, "Ingress"),
        Fault::EgressIgnored => is_about(manifest, "Egress"),
        Fault::DefaultIsolationMissing => directions(manifest)
            .iter()
            .any(|(direction, rules)| is_about(manifest, direction) && rules.is_empty()),
        Fault::EmptyPeersMatchNobody => {
            rules(manifest).any(|rule| is_empty_list(&rule["from"]) || is_empty_list(&rule["to"]))
        }
        Fault::AndReadAsOr => any_peer(has_two_selectors),
        Fault::OrReadAsAnd => rules(manifest).any(|rule| {
            peers(rule).any(|peer| selects(peer, "podSelector"))
                && peers(rule).any(|peer| selects(peer, "namespaceSelector"))
        }),
        Fault::NamespaceSelectorIgnored => any_peer(|peer| {
            peer["namespaceSelector"].as_object().is_some_and(|selector| !selector.is_empty())
        }),
        Fault::PodSelectorCrossesNamespaces => any_peer(|peer| selects(peer, "podSelector")),
        Fault::MatchExpressionsIgnored => text.contains("matchExpressions"),
        Fault::NotInNeedsKey => text.contains("\"NotIn\""),
        Fault::ExceptIgnored => text.contains("\"except\""),
        Fault::SameRangeRulesMerged => names_a_range_twice(ingress) || names_a_range_twice(egress),
        Fault::PortsIgnored => rules(manifest).any(|rule| !rule["ports"].is_null()),
        Fault::EmptyPortEntryDropped => {
            ports(manifest).any(|port| port.as_object().is_some_and(serde_json::Map::is_empty))
        }
        Fault::FirstPortOfRange => text.contains("\"endPort\""),
        Fault::SctpReadAsTcp => text.contains("\"SCTP\""),
        Fault::ProtocolIgnored => ports(manifest).next().is_some(),
        _ => return None,
    })
}

/// Every policy that a case of the catalogue applies.
fn policies() -> Vec<NetworkPolicy> {
    let mut policies = Vec::new();
    for case in cases().unwrap() {
        let scenario = case.scenario(&LoadOptions::default()).0.unwrap();
        for change in scenario.steps.into_iter().flat_map(|step| step.changes) {
            if let Change::ApplyPolicy(policy) = change {
                policies.push((*policy).clone());
            }
        }
    }
    policies
}

#[test]
fn a_policy_is_misread_where_it_has_what_the_fault_is_about_and_nowhere_else() {
    let policies = policies();
    for fault in Fault::ALL {
        let mut misreadings = 0;
        for policy in &policies {
            let wrong = misread(&[*fault], policy) != misread(&[], policy);
            let concerned = concerns(*fault, &policy.manifest);
            assert_eq!(wrong, concerned.unwrap_or(false), "{fault}: {:#}", policy.manifest);
            misreadings += usize::from(wrong);
        }
        // Every fault of reading shows somewhere in the catalogue.
        let of_reading = policies.iter().any(|policy| concerns(*fault, &policy.manifest).is_some());
        assert_eq!(misreadings > 0, of_reading, "{fault}");
    }
}

#[test]
fn without_a_fault_only_the_types_are_written_out() {
    for policy in policies() {
        let read = misread(&[], &policy).unwrap();
        let types = read.policy_types.clone().unwrap();
        let named: Vec<String> = types.iter().map(|of| format!("{of:?}")).collect();
        let about = ["Ingress", "Egress"].into_iter();
        let about: Vec<&str> = about.filter(|of| is_about(&policy.manifest, of)).collect();
        assert_eq!(named, about, "{:#}", policy.manifest);
        assert_eq!(NetworkPolicy { policy_types: policy.policy_types.clone(), ..read }, policy);
    }
}
