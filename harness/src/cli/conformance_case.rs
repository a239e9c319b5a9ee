//! A case of the catalogue as a scenario that can be run, with what reports need to know of it.

use std::sync::Arc;

use crate::catalogue::{ApiSentence, Case, Deciding, Feature, Port, Reason};
use crate::cluster::Feature as Part;
use crate::model::{Change, ClusterPeer, ClusterPolicy, ClusterPort, Family, Protocol, Via};
use crate::run::{ApiText, CaseInfo, DecidingCell, Item, ScenarioInfo};
use crate::scenario::{Diagnostic, LoadOptions, Scenario};

/// The case, loaded as from disk.
///
/// # Errors
/// What was found in its files.
pub(super) fn item(case: &Case, options: &LoadOptions) -> Result<Item, Vec<Diagnostic>> {
    let (scenario, findings) = case.scenario(options);
    let scenario = scenario.ok_or(findings)?;
    let about = CaseInfo {
        level: case.level,
        kind: case.kind,
        profile: profile(&scenario),
        features: case.features.iter().map(ToString::to_string).collect(),
        needs: needs(case, &scenario),
        api: text(case.api),
        deciding: case.deciding.iter().map(|deciding| cell(case, deciding)).collect(),
    };
    let info = ScenarioInfo { case: Some(Box::new(about)), ..ScenarioInfo::from(&scenario) };
    Ok(Item { scenario: Arc::new(scenario), info })
}

fn text(sentence: &ApiSentence) -> ApiText {
    ApiText { text: sentence.text.to_owned(), source: sentence.source.to_owned() }
}

/// The cell, with the sentence of the feature that keeps it in or out.
fn cell(case: &Case, deciding: &Deciding) -> DecidingCell {
    let Deciding { step, cell, direction, reason, .. } = deciding;
    let is_of = |feature: &&Feature| match reason {
        Reason::Peer => matches!(feature, Feature::Peer(_)),
        Reason::Port => matches!(feature, Feature::Port(_)),
        Reason::Protocol => matches!(feature, Feature::Protocol(_)),
        Reason::Family => matches!(feature, Feature::Family(_)),
        Reason::Target => matches!(feature, Feature::Target(_)),
        Reason::Types => matches!(feature, Feature::Types(_)),
        Reason::Rule | Reason::NoRule | Reason::Open => false,
    };
    let own = case.features.iter().find(is_of).map(|feature| feature.api(*direction));
    let own = own.filter(|sentence| *sentence != case.api).map(text);
    DecidingCell { step: *step, cell: cell.clone(), by: *reason, api: own }
}

fn policies(scenario: &Scenario) -> impl Iterator<Item = &ClusterPolicy> {
    let changes = scenario.steps.iter().flat_map(|step| &step.changes);
    changes.filter_map(|change| match change {
        Change::ApplyClusterPolicy(policy) => Some(&**policy),
        _ => None,
    })
}

/// The kind whose conformance a case is about: that of its policies of the cluster, of which
/// the latest API counts, or NetworkPolicy.
fn profile(scenario: &Scenario) -> String {
    let newest = policies(scenario).map(|policy| (policy.version, policy.tier, policy.name.kind));
    let newest = newest.max_by_key(|(version, tier, _)| (*version, std::cmp::Reverse(*tier)));
    newest.map_or("NetworkPolicy".to_owned(), |(_, _, kind)| kind.to_string())
}

/// The parts of the API that it needs and an implementation may lack. Hosts outside are none:
/// where a run has none, what is said of them was not tested, and has to be.
fn needs(case: &Case, scenario: &Scenario) -> Vec<String> {
    let mut needs: Vec<&str> = Vec::new();
    for feature in &case.features {
        needs.extend(match feature {
            Feature::Protocol(Protocol::Sctp) => Some(Part::Sctp.as_str()),
            Feature::Family(Family::Ipv6) => Some(Part::Ipv6.as_str()),
            Feature::Port(Port::Range | Port::RangeOfOne) => Some(Part::EndPort.as_str()),
            Feature::Via(Via::Service) => Some(Part::Services.as_str()),
            _ => None,
        });
    }
    for rule in policies(scenario).flat_map(|policy| policy.ingress.iter().chain(&policy.egress)) {
        if rule.ports.iter().any(|port| matches!(port, ClusterPort::Name { .. })) {
            needs.push(Part::ClusterTierNamedPorts.as_str());
        }
        if rule.peers.iter().any(|peer| matches!(peer, ClusterPeer::Nodes { .. })) {
            needs.push(Part::ClusterTierNodePeers.as_str());
        }
    }
    needs.sort_unstable();
    needs.dedup();
    needs.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn every_case_can_be_run_and_says_what_it_tests() {
        let cases = catalogue::cases().unwrap();
        for case in cases.iter().step_by(7) {
            let item = item(case, &LoadOptions::default()).unwrap();
            let info = item.info.case.unwrap();
            assert_eq!(item.info.id, case.id);
            assert!(!info.deciding.is_empty(), "{}", case.id);
            assert!(item.info.digest.len() == 64, "{}", item.info.digest);
        }
    }

    #[test]
    fn a_cell_that_is_kept_out_has_the_sentence_of_what_keeps_it_out() {
        let cases = catalogue::cases().unwrap();
        let case = cases.iter().find(|case| case.id == "ingress/peer=except,path=outside").unwrap();
        let info = item(case, &LoadOptions::default()).unwrap().info.case.unwrap();
        assert_eq!(info.profile, "NetworkPolicy");
        assert_eq!(info.needs, [""; 0]);
        let of = |by: Reason| info.deciding.iter().find(|cell| cell.by == by).unwrap();
        let source = |by| info.sentence(of(by).step, &of(by).cell).source.as_str();
        assert_eq!(info.api.source, "IPBlock");
        assert_eq!(source(Reason::Peer), "IPBlock");
        assert_eq!(source(Reason::Protocol), "NetworkPolicyPort.protocol");
        assert_eq!(source(Reason::Target), "NetworkPolicySpec.podSelector");
    }
}
