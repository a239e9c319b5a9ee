//! From a combination of the cluster tier to its case.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, anyhow};

use super::deciding::Search;
use super::script::Script;
use super::sentence::sentence;
use crate::catalogue::case::{Case, Folder, Level};
use crate::catalogue::cluster_tier::{Combination, Feature, Peer, Port};
use crate::catalogue::feature::Feature as Any;
use crate::catalogue::kind::Kind;
use crate::catalogue::specification::ApiSentence;
use crate::catalogue::writing;
use crate::model::{Family, Intent, Protocol};

/// The case of a combination.
pub(super) fn case(combination: &Combination) -> Result<Case> {
    let id = combination.id();
    let script = Script::new(combination).map_err(|why| anyhow!("`{id}`: {why}"))?;
    let scene = script.scene();
    let search = Search { script: &script, scene: &scene };
    let last = search.main().map_or(Intent::Deny, |cell| scene.intent(&cell));
    let steps = script.steps(&scene, last);
    let mut manifests = BTreeMap::new();
    let mut write = |file: &str, manifest: serde_json::Value| -> Result<()> {
        let text = serde_saphyr::to_string(&manifest)
            .with_context(|| format!("the policy `{file}` of `{id}` cannot be written"))?;
        manifests.insert(file.to_owned(), text);
        Ok(())
    };
    for step in &steps {
        for policy in &step.scene.policies {
            write(policy.file, policy.manifest())?;
        }
        for policy in &step.scene.cluster {
            write(policy.file, policy.manifest())?;
        }
    }
    let level = level(combination);
    let features = combination.features();
    let tags = tags(&features, level);
    let sentence = sentence(combination);
    let scenario = writing::scenario(&id, &sentence, &tags, &steps);
    Ok(Case {
        sentence,
        tags,
        level,
        kind: Kind::Matrix,
        api: api(combination),
        features: features.into_iter().map(Any::Cluster).collect(),
        folder: Folder::new(scenario, manifests),
        deciding: search.all(steps.len() - 1),
        id,
    })
}

/// What a difference means, on a cluster that has the tier: it need not have SCTP, a second
/// family, or what is experimental.
fn level(combination: &Combination) -> Level {
    let Combination { protocol, family, port, peer, .. } = *combination;
    let experimental = port == Port::Name || matches!(peer, Peer::Node | Peer::EveryNode);
    if protocol == Protocol::Sctp || family == Family::Ipv6 || experimental {
        Level::MustIfDeclared
    } else {
        Level::Must
    }
}

/// The tags of a case of the cluster tier.
pub(super) fn tags(features: &BTreeSet<Feature>, level: Level) -> Vec<String> {
    let features = features.iter().map(|feature| format!("{}-{}", feature.axis(), feature.value()));
    let own = ["catalogue".to_owned(), "cluster-tier".to_owned(), level.to_string()];
    own.into_iter().chain(features).collect()
}

/// The sentence of the feature that is furthest from plain: what is beside it, what changed,
/// then what the rule says.
fn api(combination: &Combination) -> &'static ApiSentence {
    let order = |feature: &Feature| match feature {
        Feature::Beside(_) => 0,
        Feature::Change(_) => 1,
        Feature::Peer(_) => 2,
        Feature::Port(_) => 3,
        Feature::Subject(_) => 4,
        Feature::Action(_) => 5,
        Feature::Tier(_) => 6,
        Feature::Protocol(_) => 7,
        Feature::Family(_) => 8,
        Feature::Path(_) | Feature::Api(_) | Feature::Direction(_) | Feature::Topic(_) => 9,
    };
    let told = combination.features().into_iter();
    let told = told.filter(|feature| !feature.is_plain() && order(feature) < 9);
    let first = told.min_by_key(order).unwrap_or(Feature::Action(combination.action));
    first.sentence(combination.api, combination.direction)
}
