//! Of the cases of the cluster tier: what is claimed of them, computed.

mod coverage;
mod decided;
mod upstream;

use ringfence::catalogue::cluster_tier::{Api, Feature as OfTier, Topic};
use ringfence::catalogue::{Case, Feature};

pub(super) use decided::proven;

/// Whether a case is about what is not judged, and skipped aloud.
pub(super) fn is_skipped(case: &Case) -> bool {
    case.features.contains(&Feature::Cluster(OfTier::Topic(Topic::DomainNames)))
}

/// What the loader warns of where a case is about just that.
pub(super) fn warnings(case: &Case) -> Vec<&'static str> {
    let is_about = |topic: Topic| case.features.contains(&Feature::Cluster(OfTier::Topic(topic)));
    if is_about(Topic::DomainNames) {
        vec!["domain-names"]
    } else if is_about(Topic::NoRules) {
        vec!["policy-without-effect"]
    } else {
        Vec::new()
    }
}

/// The features of the cluster tier that a case has.
pub(super) fn features(case: &Case) -> std::collections::BTreeSet<OfTier> {
    let features = case.features.iter();
    let own = features.filter_map(|feature| match feature {
        Feature::Cluster(feature) => Some(*feature),
        _ => None,
    });
    own.collect()
}

/// The versions, each with those of its features that are not of another one.
pub(super) const APIS: [Api; 3] = [Api::V1alpha2, Api::V1alpha1, Api::V1beta1];
