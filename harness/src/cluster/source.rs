//! Where clusters come from: what one `--on` names.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Cluster, ClusterError, TeardownError};
use crate::scenario::Scenario;

/// What one `--on` names: makes a cluster, or a part of one, for each scenario.
///
/// A run prepares it once, asks it for a cluster for every scenario, several at the
/// same time, and closes it when all of them are over.
#[async_trait]
pub trait Source: Send + Sync {
    /// The name, as it was given to `--on`.
    fn name(&self) -> &str;

    /// How many scenarios may run here at the same time, whatever the run would
    /// like; `None` where it does not matter.
    fn most_at_once(&self) -> Option<usize> {
        None
    }

    /// Whether it keeps pods from one scenario to the next where both want the same
    /// topology. Scenarios that share one then run one after the other.
    fn reuses(&self) -> bool {
        false
    }

    /// Whether its clusters share what belongs to no namespace, such as policies of the
    /// cluster. A scenario that applies some then runs while no other does.
    fn shares_cluster_scope(&self) -> bool {
        false
    }

    /// Makes what all scenarios share, and says how far it is. Called once, before
    /// any other call. What it has made by the time it fails or is dropped is
    /// removed by [`Source::close`].
    ///
    /// # Errors
    /// [`ClusterError::Unsupported`] skips every scenario; any other makes them errored.
    async fn prepare(&self, stages: &Stages) -> Result<(), ClusterError> {
        let _ = stages;
        Ok(())
    }

    /// A cluster for one scenario, which the run tears down itself.
    ///
    /// # Errors
    /// [`ClusterError::Unsupported`] where this scenario cannot run here.
    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError>;

    /// What was made here, still stands and would outlive this process if it ended now,
    /// a sentence each: what it is, and what removes it. Empty where that is nothing.
    /// May be called at any time, also while another call is under way.
    fn standing(&self) -> Vec<String> {
        Vec::new()
    }

    /// Removes everything that was made here and still stands. Called once, also
    /// after a failure or an interruption. Tries every part, and says what remains.
    async fn close(&self) -> Result<(), TeardownError> {
        Ok(())
    }
}

/// A slow part of preparing a cluster, such as `image`, `nodes`, `cni` or `agents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name: one word.
    pub name: String,
    /// What is done, in a phrase.
    pub what: String,
    /// How far it is.
    pub state: StageState,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageState {
    /// It has begun.
    Begun,
    /// It is done.
    Done {
        /// How long it took.
        took: Duration,
    },
    /// It failed; the error itself is the result of the call.
    Failed {
        /// How long it took.
        took: Duration,
    },
}

/// Where stages are told.
#[derive(Clone)]
pub struct Stages(Arc<dyn Fn(Stage) + Send + Sync>);

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stages")
    }
}

impl Stages {
    /// Hands every stage to a listener.
    pub fn new(listener: impl Fn(Stage) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Nobody listens.
    pub fn silent() -> Self {
        Self::new(drop)
    }

    /// Does a part of the work as a stage: tells that it begins, and how it ended.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn stage<T, E>(
        &self,
        name: &str,
        what: impl Into<String>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let what = what.into();
        let tell = |state| (self.0)(Stage { name: name.to_owned(), what: what.clone(), state });
        let begun = tokio::time::Instant::now();
        tell(StageState::Begun);
        let result = work.await;
        let took = begun.elapsed();
        tell(if result.is_ok() { StageState::Done { took } } else { StageState::Failed { took } });
        result
    }
}
