//! Clusters: the traits behind which they differ.
//!
//! A [`Source`] is what one `--on` names; it makes a [`Cluster`] for each scenario.
//! Those whose pods hold an agent speak with it through [`agents`].

pub mod agents;
mod capability;
pub mod cni;
pub mod docker;
pub mod embedded;
pub mod kind;
pub mod kubernetes;
mod placement;
mod sightings;
mod source;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::{Cell, Change, Name, Observation, Topology};

pub use capability::{Capabilities, Dataplane, Feature, Induced, Known, Seen, Sighting};
pub use source::{Source, Stage, StageState, Stages};
pub use watch::{Moment, Passage, Timeline, Watch};

/// Why a cluster could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// This machine or cluster cannot do it at all; scenarios are skipped with the reason.
    #[error("{0}")]
    Unsupported(String),
    /// The cluster or its helper is gone; what was under way is inconclusive.
    #[error("the cluster is gone: {0}")]
    Lost(String),
    /// It did not happen within the deadline.
    #[error("expected {what} within {} ms", deadline.as_millis())]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        deadline: Duration,
    },
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// What teardown could not remove. Every part is tried; all errors are kept.
#[derive(Debug, thiserror::Error)]
#[error("teardown left something behind: {}", .0.join("; "))]
pub struct TeardownError(pub Vec<String>);

/// A file of a failure bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its path within the bundle, such as `pods/prod-db.yaml`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// One round of attempts, all in flight together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// The cells to attempt, each once.
    pub cells: Vec<Cell>,
    /// How long silence must last to count as a drop.
    pub deadline: Duration,
}

/// What stands beside a scenario's topology, by the names of the nodes.
pub type Beside<'a> = &'a (dyn Fn(&[Name]) -> Vec<Change> + Sync);

/// A cluster of the run's own.
///
/// A cluster enforces the policies it was given; it never judges. It is used by
/// one scenario at a time. A run that is interrupted drops a call half-way; only
/// [`Cluster::teardown`] follows then.
#[async_trait]
pub trait Cluster: Send {
    /// What it can do; known before anything is created.
    fn capabilities(&self) -> &Capabilities;

    /// Creates namespaces, pods, nodes and external hosts, with a listener on
    /// every declared port, and returns the topology with nodes and addresses
    /// filled in. `nodes` is the least number of nodes. Pods and nodes get
    /// addresses outside of `avoid`, the ranges that policies name, save those of
    /// length 0, and outside of every external host's address.
    async fn deploy(
        &mut self,
        topology: &Topology,
        nodes: usize,
        avoid: &[IpNet],
    ) -> Result<Topology, ClusterError>;

    /// Deploys as [`Cluster::deploy`] does, and makes the changes that `beside` says for the
    /// nodes' names: pods of the run's own. Returns the topology with both. One comes after
    /// the other, but where pods take long to start they start together.
    async fn deploy_beside(
        &mut self,
        topology: &Topology,
        nodes: usize,
        avoid: &[IpNet],
        beside: Beside<'_>,
    ) -> Result<Topology, ClusterError> {
        let found = self.deploy(topology, nodes, avoid).await?;
        let names: Vec<Name> = found.nodes.into_keys().collect();
        self.change(&beside(&names)).await
    }

    /// Makes changes in order, and returns when the cluster has accepted them,
    /// which is not when it enforces them. Returns the topology as it is then.
    async fn change(&mut self, changes: &[Change]) -> Result<Topology, ClusterError>;

    /// Attempts every cell of a round; the result has one observation per cell, in order.
    async fn probe(&mut self, round: &Round) -> Result<Vec<Observation>, ClusterError>;

    /// Makes changes in order, as [`Cluster::change`] does, and watches connections before,
    /// meanwhile and afterwards.
    ///
    /// # Errors
    /// [`ClusterError::Unsupported`] where the cluster has no way to.
    async fn watch(&mut self, watch: &Watch, changes: &[Change]) -> Result<Timeline, ClusterError> {
        let _ = (watch, changes);
        let name = &self.capabilities().name;
        let why = format!("`{name}` cannot watch connections while something changes");
        Err(ClusterError::Unsupported(why))
    }

    /// The namespaces whose names in the cluster differ from those in the scenario,
    /// by the latter; known once it is deployed.
    fn names(&self) -> BTreeMap<Name, Name> {
        BTreeMap::new()
    }

    /// Where the changes since the last call were made other than they were
    /// written, because names differ: a sentence for each field.
    fn rewritten(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// What was said with agents so far; `None` where there are no sessions with any.
    fn traffic(&self) -> Option<agents::Traffic> {
        None
    }

    /// Whatever helps to find out why something went wrong here: events, pod states,
    /// logs, the policies as stored. What cannot be had is an artifact that says so.
    async fn artifacts(&mut self) -> Vec<Artifact> {
        Vec::new()
    }

    /// Removes everything. Tries every part, and says what remains.
    async fn teardown(&mut self) -> Result<(), TeardownError>;
}
