//! What `--on kind:CNI` names: a kind cluster, made for the run or kept from an earlier one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use async_trait::async_trait;
use kube::config::Kubeconfig;
use tokio::sync::Semaphore;

use super::execute::{Noting, close, open};
use super::machine::Machine;
use super::outside::outside;
use super::plan::Plan;
use super::state::{ClusterFolder, State};
use crate::cluster::docker::{Engine, Scope, prune};
use crate::cluster::kubernetes::{self, KubernetesSource, Options, PullPolicy};
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
    /// The cluster itself, and the Engine that has its nodes.
    inner: OnceLock<(KubernetesSource, Engine)>,
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
        let hands = Noting { hands: &*self.machine, begun: &self.begun };
        open(&self.plan, &hands, stages).await?;
        drop(start);
        let client = kubernetes_client(&self.plan.kubeconfig).await?;
        let engine = Engine::connect().await?;
        if let Some(run) = &self.state.run {
            // The folder's lock is ours: the run that it names has ended.
            let left = left_by(run, &client, &engine);
            stages.stage("left", format!("remove what the run {run} left"), left).await?;
        }
        let image = self.machine.agent_image().unwrap_or_default();
        let options = Options {
            // It was loaded; a registry has none of this name.
            pull_policy: PullPolicy::Never,
            ephemeral: true,
            dataplane: self.dataplane.clone(),
            ..Options::new(&self.name, image)
        };
        let inner = KubernetesSource::new(client.clone(), options);
        let run = inner.run().clone();
        let state = self.state.clone();
        self.folder.note(&State { ready: true, run: Some(run.to_string()), ..state })?;
        let outside = outside(&client, &engine, &self.plan, image, &run).await?;
        let inner = inner.with_outside(outside);
        let (inner, _) = self.inner.get_or_init(|| (inner, engine));
        inner.prepare(stages).await
    }

    /// Ends the run on a cluster that stays, and the hosts outside of one that goes.
    async fn end(&self, stays: bool) -> Result<(), TeardownError> {
        let Some((inner, engine)) = self.inner.get() else { return Ok(()) };
        let mut left = Vec::new();
        if stays && let Err(TeardownError(more)) = inner.close().await {
            left.extend(more);
        }
        // Scenarios remove their own; those of one that was lost are still there.
        match prune(engine, &Scope::Run(inner.run().to_string()), false).await {
            Ok(pruned) => left.extend(pruned.left),
            Err(error) => left.push(format!("hosts outside: {:#}", anyhow::Error::from(error))),
        }
        if left.is_empty() { Ok(()) } else { Err(TeardownError(left)) }
    }
}

#[async_trait]
impl Source for KindSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_at_once(&self) -> Option<usize> {
        self.inner.get().and_then(|(inner, _)| inner.most_at_once())
    }

    async fn prepare(&self, stages: &Stages) -> Result<(), ClusterError> {
        self.make(stages).await
    }

    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        match self.inner.get() {
            Some((inner, _)) => inner.cluster(scenario).await,
            None => Err(ClusterError::Lost("it was not prepared".to_owned())),
        }
    }

    fn standing(&self) -> Vec<String> {
        if !self.begun.load(Ordering::Relaxed) {
            return Vec::new();
        }
        if self.state.kept && self.folder.state().ok().flatten().is_some_and(|state| state.ready) {
            return self.inner.get().map(|(inner, _)| inner.standing()).unwrap_or_default();
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
            return self.end(true).await;
        }
        let ended = self.end(false).await;
        let plan = self.plan.clone();
        let plan = if self.begun.load(Ordering::Relaxed) { plan } else { plan.without_nodes() };
        let closed = close(&plan, &*self.machine).await;
        if closed.is_ok() {
            self.begun.store(false, Ordering::Relaxed);
        }
        match (ended, closed) {
            (Ok(()), closed) => closed,
            (ended, Ok(())) => ended,
            (Err(TeardownError(first)), Err(TeardownError(second))) => {
                Err(TeardownError([first, second].concat()))
            }
        }
    }
}

/// A client of a cluster's API, as those of clusters that exist already.
async fn kubernetes_client(kubeconfig: &Path) -> anyhow::Result<kube::Client> {
    let shown = || format!("the kubeconfig `{}` cannot be used", kubeconfig.display());
    let read = Kubeconfig::read_from(kubeconfig).with_context(shown)?;
    kubernetes::client(read, None).await.with_context(shown)
}

/// Removes what an earlier run left on a cluster that was kept, and beside it.
async fn left_by(run: &str, client: &kube::Client, engine: &Engine) -> Result<(), ClusterError> {
    let id = run.parse().map_err(anyhow::Error::from)?;
    kubernetes::prune(client, Some(&id)).await?;
    let pruned = prune(engine, &Scope::Run(run.to_owned()), false).await?;
    match pruned.left.is_empty() {
        true => Ok(()),
        false => Err(anyhow::Error::from(TeardownError(pruned.left)).into()),
    }
}
