//! What a scenario tests, where it is a case of the conformance catalogue.

use serde::{Deserialize, Serialize};

pub use crate::catalogue::{Kind, Level, Reason};
use crate::model::Cell;

/// What a case tests, for reports: they have nothing but the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseInfo {
    /// What a difference means.
    pub level: Level,
    /// How it is run.
    pub kind: Kind,
    /// The API that it tests, by the name of its kind: `NetworkPolicy`, `ClusterNetworkPolicy`.
    pub profile: String,
    /// Its features, each as `axis=value`.
    pub features: Vec<String>,
    /// The parts of the API that a cluster may lack, and this case needs: `sctp`, `end-port`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The sentence that it tests above all.
    pub api: ApiText,
    /// The cells that one thing decides, alone.
    #[serde(default)]
    pub deciding: Vec<DecidingCell>,
}

/// A sentence of the specification.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ApiText {
    /// The sentence, word for word.
    pub text: String,
    /// Where it stands: a type and field of the API reference, or a page of the documentation.
    pub source: String,
}

/// A cell that one thing decides, alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidingCell {
    /// The step, from 0.
    pub step: usize,
    /// The cell.
    pub cell: Cell,
    /// What decides it.
    pub by: Reason,
    /// The sentence that says so; `None` where it is the case's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiText>,
}

impl CaseInfo {
    /// What decides a cell of a step alone, where the case says that something does.
    pub fn decides(&self, step: usize, cell: &Cell) -> Option<&DecidingCell> {
        self.deciding.iter().find(|deciding| deciding.step == step && deciding.cell == *cell)
    }

    /// The sentence that a cell of a step shows.
    pub fn sentence(&self, step: usize, cell: &Cell) -> &ApiText {
        self.decides(step, cell).and_then(|deciding| deciding.api.as_ref()).unwrap_or(&self.api)
    }
}
