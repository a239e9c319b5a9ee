//! What one run is given: scenarios, how they are known, and what of them is over already.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::scenario::Scenario;

use super::{Partition, ScenarioInfo, Status, SuiteInfo};

/// A scenario, and how the record knows it.
#[derive(Debug, Clone)]
pub struct Item {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// How the record knows it; its `id` is the scenario's.
    pub info: ScenarioInfo,
}

impl From<Arc<Scenario>> for Item {
    fn from(scenario: Arc<Scenario>) -> Self {
        Self { info: ScenarioInfo::from(&*scenario), scenario }
    }
}

/// Everything that one run is given.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    /// The scenarios, in order.
    pub items: Vec<Item>,
    /// What they were chosen from, for the record; runs without it are not resumed or merged.
    pub info: Option<SuiteInfo>,
    /// What an earlier part of the same run has done.
    pub before: Option<Before>,
}

impl Suite {
    /// Of these scenarios, nothing more being known of them.
    pub fn of(scenarios: Vec<Arc<Scenario>>) -> Self {
        Self { items: scenarios.into_iter().map(Item::from).collect(), ..Self::default() }
    }

    /// Of these items, which were chosen by the options of `selection`, as many as a partition
    /// holds, or all. What the record says of the suite is about all of them.
    pub fn part(
        mut items: Vec<Item>,
        selection: String,
        partition: Option<Partition>,
        options: BTreeMap<String, String>,
    ) -> Self {
        let known = items.iter().map(|Item { info, .. }| (info.id.as_str(), info.digest.as_str()));
        let info = SuiteInfo::new(known, selection, partition, options);
        if let Some(partition) = partition {
            items.retain(|item| partition.holds(&item.info.id));
        }
        Self { items, info: Some(info), before: None }
    }
}

/// What an earlier part of a run has done, as its record says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// The scenarios that are over and could be told, by id and cluster, and how they ended.
    pub over: BTreeMap<(String, String), Status>,
    /// Whether some of a cluster could not be removed.
    pub left_behind: bool,
    /// Whether its last line was cut, and is gone.
    pub cut: bool,
    /// How long it had run.
    pub ran: Duration,
}
