//! The ConformanceReport of the network-policy-api project.
//!
//! Its types are those of `conformance/apis/v1alpha1` and its rules those of
//! `conformance/utils/suite` in kubernetes-sigs/network-policy-api, as of July 2026. It knows
//! one profile, `ClusterNetworkPolicy`: cases about other APIs are no part of it. Its tests
//! here are the catalogue's cases, by their identifiers.

use serde::Serialize;

use super::outcome::Outcome;
use crate::cluster::{Capabilities, Feature};
use crate::report::Run;
use crate::report::look::count;
use crate::run::{CaseInfo, Level};

/// The one profile.
const PROFILE: &str = "ClusterNetworkPolicy";

/// The release of the API that the catalogue was made for.
const API_VERSION: &str = "v0.2.0";

/// The features of the experimental channel, by their names there; all others are standard.
const EXPERIMENTAL: [(Feature, &str); 2] = [
    (Feature::ClusterTierNamedPorts, "ClusterNetworkPolicyNamedPorts"),
    (Feature::ClusterTierNodePeers, "ClusterNetworkPolicyEgressNodePeers"),
];

/// A conformance report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConformanceReport {
    /// `policy.networking.k8s.io/v1alpha1`.
    pub api_version: String,
    /// `ConformanceReport`.
    pub kind: String,
    /// What was tested.
    pub implementation: Implementation,
    /// When the report was made, as RFC 3339 has it.
    pub date: String,
    /// The release of the API that it is about.
    #[serde(rename = "networkPolicyV2APIVersion")]
    pub network_policy_v2_api_version: String,
    /// The profiles of which something was run.
    pub profiles: Vec<ProfileReport>,
}

/// What was tested: only its maintainers know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Implementation {
    /// Who maintains it.
    pub organization: String,
    /// Its project.
    pub project: String,
    /// Where more is said of it.
    pub url: String,
    /// Its version.
    pub version: String,
    /// Its maintainers.
    pub contact: Vec<String>,
    /// A link to what shows how the report was made.
    pub additional_information: String,
}

/// A profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProfileReport {
    /// Its name.
    pub name: String,
    /// What every implementation must pass.
    pub standard: Status,
    /// What implementations may claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experimental: Option<ExperimentalStatus>,
}

/// The result of tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `success`, `partial` or `failure`.
    pub result: &'static str,
    /// For people.
    pub summary: String,
    /// How many tests ended in which way.
    pub statistics: Statistics,
    /// Those that were not judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped_tests: Vec<String>,
    /// Those that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_tests: Vec<String>,
}

/// The result of tests of the experimental channel: a [`Status`], and what was claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentalStatus {
    /// `success`, `partial` or `failure`.
    pub result: &'static str,
    /// For people.
    pub summary: String,
    /// How many tests ended in which way.
    pub statistics: Statistics,
    /// Those that were not judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped_tests: Vec<String>,
    /// Those that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_tests: Vec<String>,
    /// The features that the implementation claims.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supported_features: Vec<String>,
    /// The features that it does not claim.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsupported_features: Vec<String>,
}

/// How many tests ended in which way. The project's type names no other keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statistics {
    /// As they should.
    pub passed: usize,
    /// Not judged.
    pub skipped: usize,
    /// Otherwise.
    pub failed: usize,
}

/// Tests as they are counted.
#[derive(Default)]
struct Tests {
    statistics: Statistics,
    skipped: Vec<String>,
    failed: Vec<String>,
}

impl ConformanceReport {
    /// What a run says of one cluster. `incomplete` says why the run is not about the whole
    /// catalogue, where it is not: no success is claimed then.
    pub fn of(
        run: &Run,
        cluster: &str,
        incomplete: &[String],
        implementation: Implementation,
        date: String,
    ) -> Self {
        Self {
            api_version: "policy.networking.k8s.io/v1alpha1".to_owned(),
            kind: "ConformanceReport".to_owned(),
            implementation,
            date,
            network_policy_v2_api_version: API_VERSION.to_owned(),
            profiles: profile(run, cluster, incomplete).into_iter().collect(),
        }
    }
}

/// The feature of the experimental channel that a case needs.
fn experimental(case: &CaseInfo) -> impl Iterator<Item = Feature> {
    let needed = EXPERIMENTAL.into_iter().map(|(feature, _)| feature);
    needed.filter(|feature| case.needs.iter().any(|part| part == feature.as_str()))
}

fn profile(run: &Run, cluster: &str, incomplete: &[String]) -> Option<ProfileReport> {
    let scenarios = run.scenarios.iter().filter(|((_, on), _)| on == cluster);
    let can = scenarios.clone().find_map(|(_, scenario)| scenario.capabilities.as_ref());
    let claims =
        |feature: &Feature| can.is_some_and(|can: &Capabilities| can.dataplane.has(*feature));
    let (mut standard, mut extra, mut any) = (Tests::default(), None::<Tests>, false);
    for ((id, _), scenario) in scenarios {
        let Some(case) = scenario.info.case.as_deref() else { continue };
        let tests = matches!(case.level, Level::Must | Level::MustIfDeclared);
        if case.profile != PROFILE || !tests {
            continue;
        }
        any = true;
        let outcome = Outcome::of(case, scenario);
        let mut needed = experimental(case).peekable();
        if needed.peek().is_none() {
            standard.add(id, outcome);
        } else if needed.all(|feature| claims(&feature)) {
            // A test of what is not claimed does not count at all.
            extra.get_or_insert_with(Tests::default).add(id, outcome);
        }
    }
    let named = |claimed: bool| {
        let of = EXPERIMENTAL.iter().filter(|(feature, _)| claims(feature) == claimed);
        of.map(|(_, name)| (*name).to_owned()).collect::<Vec<String>>()
    };
    any.then(|| ProfileReport {
        name: PROFILE.to_owned(),
        standard: standard.status(incomplete),
        experimental: extra.map(|tests| {
            let Status { result, summary, statistics, skipped_tests, failed_tests } =
                tests.status(incomplete);
            let (supported_features, unsupported_features) = (named(true), named(false));
            ExperimentalStatus {
                result,
                summary,
                statistics,
                skipped_tests,
                failed_tests,
                supported_features,
                unsupported_features,
            }
        }),
    })
}

impl Tests {
    fn add(&mut self, id: &str, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.statistics.passed += 1,
            Outcome::Failed => {
                self.statistics.failed += 1;
                self.failed.push(id.to_owned());
            }
            // The type has no word for what could not be told; it is no pass.
            Outcome::Inconclusive | Outcome::Skipped | Outcome::Recorded => {
                self.statistics.skipped += 1;
                self.skipped.push(id.to_owned());
            }
        }
    }

    fn status(self, incomplete: &[String]) -> Status {
        let Self { statistics, skipped, failed } = self;
        let result = match statistics {
            Statistics { failed: 1.., .. } => "failure",
            Statistics { skipped: 1.., .. } | Statistics { passed: 0, .. } => "partial",
            _ if !incomplete.is_empty() => "partial",
            _ => "success",
        };
        let mut summary = format!(
            "{} of ringfence's catalogue: {} passed, {} failed, {} not judged",
            count(statistics.passed + statistics.failed + statistics.skipped, "case"),
            statistics.passed,
            statistics.failed,
            statistics.skipped
        );
        if !incomplete.is_empty() {
            summary += &format!("; not the whole catalogue: {}", incomplete.join("; "));
        }
        Status { result, summary, statistics, skipped_tests: skipped, failed_tests: failed }
    }
}
