//! From a combination to its case.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::deciding::{deciding, opposite};
use super::script::{stacked, steps};
use super::sentence::sentence;
use crate::catalogue::axis::{Path, Port, Rules, Types};
use crate::catalogue::case::{Case, Folder, Level};
use crate::catalogue::feature::{Combination, Feature};
use crate::catalogue::kind::Kind;
use crate::catalogue::opening::{self, openings};
use crate::catalogue::policy::{Policy, Rule, TESTED};
use crate::catalogue::scene::Scene;
use crate::catalogue::selection::{End, entries, target, third};
use crate::catalogue::specification::ApiSentence;
use crate::catalogue::town::{self, OWN, TARGET};
use crate::catalogue::writing;
use crate::model::{Direction, Family, Protocol, Via};

/// The case of a combination.
pub(super) fn case(combination: &Combination) -> Result<Case> {
    let id = combination.id();
    let scene = scene(combination);
    let peer = combination.end();
    let steps = steps(combination, peer, &scene);
    let mut manifests = BTreeMap::new();
    for policy in steps.iter().flat_map(|step| &step.scene.policies) {
        let text = serde_saphyr::to_string(&policy.manifest())
            .with_context(|| format!("the policy `{}` of `{id}` cannot be written", policy.file))?;
        manifests.insert(policy.file.to_owned(), text);
    }
    let level = level(combination);
    let features = combination.features();
    let tags = tags(&features, level);
    let sentence = sentence(combination);
    let scenario = writing::scenario(&id, &sentence, &tags, &steps);
    let deciding = deciding(combination, &scene, steps.len() - 1, tested_rule(combination.rules));
    Ok(Case {
        sentence,
        tags,
        level,
        kind: Kind::Matrix,
        api: api(combination),
        features,
        folder: Folder::new(scenario, manifests),
        deciding,
        id,
    })
}

/// What there is in the end.
fn scene(combination: &Combination) -> Scene {
    let mut policies = vec![tested(combination)];
    policies.extend(stacked(combination));
    let peer = combination.end();
    let mut scene = Scene {
        direction: combination.direction,
        protocol: combination.protocol,
        pods: town::PODS.iter().map(|(place, _)| *place).collect(),
        hosts: combination.peer.hosts().to_vec(),
        target_node: target_node(combination.path, peer),
        served: Vec::new(),
        peers_swapped: None,
        targets_swapped: false,
        namespaces_swapped: false,
        policies,
        nodes: &[],
        cluster: Vec::new(),
    };
    if combination.via == Via::Service {
        scene.served = match (combination.direction, peer) {
            (Direction::Ingress, _) => vec![TARGET],
            (Direction::Egress, End::Pod(place)) => {
                let misses = combination.peer.near_misses().iter();
                let miss = misses.filter_map(|miss| match miss {
                    End::Pod(place) => Some(*place),
                    End::Host(_) | End::Node(_) => None,
                });
                [place].into_iter().chain(miss.take(1)).collect()
            }
            (Direction::Egress, End::Host(_) | End::Node(_)) => Vec::new(),
        };
    }
    scene
}

/// The node of the target, so that the deciding peer is on the same one or not.
pub(in crate::catalogue) fn target_node(path: Path, peer: End) -> &'static str {
    let End::Pod(peer) = peer else { return "node-1" };
    let node = town::PODS.iter().find(|(place, _)| *place == peer).map(|(_, node)| *node);
    match (node, path) {
        (Some("node-1"), Path::SameNode) | (Some("node-2"), Path::OtherNode) => "node-1",
        _ => "node-2",
    }
}

/// The tested policy.
fn tested(combination: &Combination) -> Policy {
    let Combination { direction, rules, peer, port, protocol, family, .. } = *combination;
    let rule = Rule { peers: entries(peer, family), ports: openings(port, protocol) };
    let beside = |number, protocol| Rule {
        peers: Some(vec![third()]),
        ports: Some(vec![opening::number(protocol, number)]),
    };
    let rules = match rules {
        Rules::Absent => None,
        Rules::EmptyList => Some(Vec::new()),
        Rules::EmptyRule => Some(vec![Rule::default()]),
        Rules::One => Some(vec![rule]),
        Rules::Several => {
            Some(vec![beside(81, protocol), rule, beside(80, town::beside(protocol))])
        }
    };
    let named = ("policy.yaml", OWN, TESTED);
    let mut policy = Policy::new(named, target(combination.target), direction, rules);
    if combination.types.isolates_other(direction) {
        policy.isolates.push(opposite(direction));
    }
    policy.types = match combination.types {
        Types::Written => Some(vec![direction]),
        Types::Absent => None,
        Types::EmptyList => Some(Vec::new()),
        Types::Both => Some(vec![Direction::Ingress, Direction::Egress]),
    };
    policy
}

/// The tested rule's place among the rules; `None` where there is none.
const fn tested_rule(rules: Rules) -> Option<usize> {
    match rules {
        Rules::Absent | Rules::EmptyList => None,
        Rules::EmptyRule | Rules::One => Some(0),
        Rules::Several => Some(1),
    }
}

/// What a difference means: clusters need not have SCTP, port ranges or a second family.
fn level(combination: &Combination) -> Level {
    let range = matches!(combination.port, Port::Range | Port::RangeOfOne);
    if combination.protocol == Protocol::Sctp || combination.family == Family::Ipv6 || range {
        Level::MustIfDeclared
    } else {
        Level::Must
    }
}

/// The tags of a case.
pub(in crate::catalogue) fn tags(features: &BTreeSet<Feature>, level: Level) -> Vec<String> {
    let features = features.iter().map(|feature| format!("{}-{}", feature.axis(), feature.value()));
    ["catalogue".to_owned(), level.to_string()].into_iter().chain(features).collect()
}

/// The sentence of the feature that is furthest from plain: what changed, what was stacked,
/// then what the rule says.
fn api(combination: &Combination) -> &'static ApiSentence {
    let order = |feature: &Feature| match feature {
        Feature::Change(_) => 0,
        Feature::Stacking(_) => 1,
        Feature::Peer(_) => 2,
        Feature::Port(_) => 3,
        Feature::Types(_) => 4,
        Feature::Target(_) => 5,
        Feature::Rules(_) => 6,
        Feature::Protocol(_) => 7,
        Feature::Via(_) => 8,
        Feature::Family(_) => 9,
        Feature::Path(_) => 10,
        Feature::Direction(_) | Feature::Topic(_) | Feature::Cluster(_) => 11,
    };
    let told = combination.features().into_iter().filter(|feature| !feature.is_plain());
    let first = told.min_by_key(order).unwrap_or(Feature::Direction(combination.direction));
    first.api(combination.direction)
}
