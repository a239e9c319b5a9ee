//! What `--on kind:CNI` names: a kind cluster, made for the run or kept from an earlier one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::action::Action;
use super::execute::{Hands, Told, close, open};
use super::machine::{Machine, client};
use super::plan::Plan;
use super::state::{ClusterFolder, State};
use crate::cluster::kubernetes::{KubernetesSource, Options, PullPolicy};
use crate::cluster::{Cluster, ClusterError, Dataplane, Source, Stages, TeardownError};
use crate::scenario::Scenario;

/// How many clusters start at the same time: more of them starve each other until
/// `kubeadm` gives up (kubernetes-sigs/kind#1288).
static STARTS: Semaphore = Semaphore::const_new(2);

/// A kind cluster.
pub struct KindSource {
    name: String,
    plan: Plan,
    state: State,
    dataplane: Dataplane,
    folder: ClusterFolder,
    machine: Arc<Machine>,
    /// Whether nodes were begun to be made, or stood already.
    begun: AtomicBool,
    inner: OnceLock<KubernetesSource>,
}

impl KindSource {
    /// A cluster by this plan, in a folder of its own. `name` is what `--on` was given; the
    /// state says what the cluster is, and whether it is kept. Where it is ready already, the
    /// plan is that of [`Plan::again`].
    pub fn new(
        name: impl Into<String>,
        plan: Plan,
        state: State,
        dataplane: Dataplane,
        folder: ClusterFolder,
        machine: Arc<Machine>,
    ) -> Self {
        let begun = AtomicBool::new(state.ready);
        let name = name.into();
        Self { name, plan, state, dataplane, folder, machine, begun, inner: OnceLock::new() }
    }

    async fn make(&self, stages: &Stages) -> Result<(), ClusterError> {
        let start = STARTS.acquire().await.map_err(|error| anyhow::anyhow!(error))?;
        self.folder.note(&self.state)?;
        open(&self.plan, self, stages).await?;
        self.folder.note(&State { ready: true, ..self.state.clone() })?;
        drop(start);
        let image = self.machine.agent_image().unwrap_or_default();
        let options = Options {
            // It was loaded; a registry has none of this name.
            pull_policy: PullPolicy::Never,
            ephemeral: true,
            dataplane: self.dataplane.clone(),
            ..Options::new(&self.name, image)
        };
        let inner = KubernetesSource::new(client(&self.plan.kubeconfig).await?, options);
        self.inner.get_or_init(|| inner).prepare(stages).await
    }
}

/// The machine's hands, which note that there are nodes to be removed.
#[async_trait]
impl Hands for KindSource {
    async fn perform(&self, action: &Action, told: &Told) -> Result<(), ClusterError> {
        if matches!(action, Action::CreateCluster { .. }) {
            self.begun.store(true, Ordering::Relaxed);
        }
        self.machine.perform(action, told).await
    }
}

#[async_trait]
impl Source for KindSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_at_once(&self) -> Option<usize> {
        self.inner.get().and_then(Source::most_at_once)
    }

    async fn prepare(&self, stages: &Stages) -> Result<(), ClusterError> {
        self.make(stages).await
    }

    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        match self.inner.get() {
            Some(inner) => inner.cluster(scenario).await,
            None => Err(ClusterError::Lost("it was not prepared".to_owned())),
        }
    }

    fn standing(&self) -> Vec<String> {
        if !self.begun.load(Ordering::Relaxed) {
            return Vec::new();
        }
        if self.state.kept && self.folder.state().ok().flatten().is_some_and(|state| state.ready) {
            return self.inner.get().map(Source::standing).unwrap_or_default();
        }
        vec![format!(
            "the kind cluster `{}` with its nodes in Docker; `ringfence clusters prune` finds it by \
             its note in `{}`",
            self.plan.name,
            self.folder.path().display()
        )]
    }

    async fn close(&self) -> Result<(), TeardownError> {
        // A cluster that was to be kept and never got ready is of no use to anybody.
        let ready = self.folder.state().ok().flatten().is_some_and(|state| state.ready);
        if self.state.kept && ready {
            return match self.inner.get() {
                Some(inner) => inner.close().await,
                None => Ok(()),
            };
        }
        let mut plan = self.plan.clone();
        if !self.begun.load(Ordering::Relaxed) {
            plan.closing.retain(|step| !matches!(step.action, Action::DeleteCluster { .. }));
            plan.closing.iter_mut().for_each(|step| step.after.clear());
        }
        close(&plan, &*self.machine).await?;
        self.begun.store(false, Ordering::Relaxed);
        Ok(())
    }
}
