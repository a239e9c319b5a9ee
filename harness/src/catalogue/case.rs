//! A case, as it is run, listed and written to disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::feature::Feature;
use super::kind::Kind;
use super::specification::ApiSentence;
use crate::model::{Cell, ClusterPolicyName, Direction, Intent, PolicyName};
use crate::scenario::{Diagnostic, LoadOptions, SCENARIO_FILE, Scenario, parse_folder};

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It breaks the specification.
    Must,
    /// It breaks the specification where the cluster claims the feature, and is skipped where
    /// it does not: SCTP, port ranges, the second address family.
    MustIfDeclared,
    /// None: the API leaves it open, and what happens is recorded.
    Undefined,
    /// None: it is measured.
    Timing,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "must",
            Self::MustIfDeclared => "must-if-declared",
            Self::Undefined => "undefined",
            Self::Timing => "timing",
        })
    }
}

/// The files of a scenario, by name: exactly what would be written to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// `scenario.yaml`, and plain manifests.
    pub files: BTreeMap<String, String>,
}

/// Why a cell does what it does: what keeps it in or out, alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The tested rule allows it, and nothing else does.
    Rule,
    /// A policy isolates its pod, and there is no rule.
    NoRule,
    /// All of the tested rule is about it but the peers.
    Peer,
    /// All of the tested rule is about it but the number of the port.
    Port,
    /// All of the tested rule is about it but the protocol.
    Protocol,
    /// All of the tested rule is about it but the address family.
    Family,
    /// The policy does not select its pod, and would deny it.
    Target,
    /// The policy's types: what it does to the direction that is not tested.
    Types,
    /// The API leaves it open.
    Open,
    /// The tested rule is about it and does not show: what comes before it decides.
    Above,
    /// One of its ends is a pod in its node's network, which no selector reaches.
    HostNetwork,
    /// Both of its ends are one pod.
    Itself,
}

/// The policy that a case tests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decider {
    /// A NetworkPolicy.
    Policy(PolicyName),
    /// A policy of the cluster.
    ClusterPolicy(ClusterPolicyName),
}

/// A cell that one thing decides, in one direction: the other direction's pod is not isolated,
/// and to change that one thing changes the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deciding {
    /// The step, from 0.
    pub step: usize,
    /// The cell.
    pub cell: Cell,
    /// What is meant of it.
    pub intent: Intent,
    /// The direction that decides.
    pub direction: Direction,
    /// The tested policy.
    pub policy: Decider,
    /// The tested rule among those of its direction, from 0; `None` where there is none.
    pub rule: Option<usize>,
    /// What decides.
    pub reason: Reason,
}

/// A case of the catalogue.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its identifier, made of the names of its features alone; also its scenario's.
    pub id: String,
    /// One sentence that says what it shows.
    pub sentence: String,
    /// Tags, for `--tag`.
    pub tags: Vec<String>,
    /// What a difference means.
    pub level: Level,
    /// How it is run.
    pub kind: Kind,
    /// The sentence of the API that it tests above all; each of its features has one too.
    pub api: &'static ApiSentence,
    /// What it tests.
    pub features: BTreeSet<Feature>,
    /// Its scenario.
    pub folder: Folder,
    /// The cells that show it.
    pub deciding: Vec<Deciding>,
}

impl Case {
    /// Loads the scenario as from disk, with every finding; `None` where there is an error.
    pub fn scenario(&self, options: &LoadOptions) -> (Option<Scenario>, Vec<Diagnostic>) {
        parse_folder(&self.id, &self.folder.files, options)
    }
}

impl Folder {
    /// A folder of a scenario and its manifests.
    pub(crate) fn new(scenario: String, manifests: BTreeMap<String, String>) -> Self {
        let mut files = manifests;
        files.insert(SCENARIO_FILE.to_owned(), scenario);
        Self { files }
    }
}
