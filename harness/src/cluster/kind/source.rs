//! What `--on kind:CNI` names: a kind cluster, made for the run or kept from an earlier one.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use async_trait::async_trait;
use kube::config::Kubeconfig;
use tokio::sync::Semaphore;

use super::execute::{Noting, close};
use super::machine::Machine;
use super::options::KindOptions;
use super::outside::outside;
use super::tenure::Tenure;
use crate::cluster::docker::{Engine, Scope, prune};
use crate::cluster::kubernetes::{self, KubernetesSource, Options, PullPolicy};
use crate::cluster::{Cluster, ClusterError, Source, Stages, TeardownError};
use crate::scenario::Scenario;

/// How many clusters start at the same time: more of them starve each other until
/// `kubeadm` gives up (kubernetes-sigs/kind#1288).
static STARTS: Semaphore = Semaphore::const_new(2);

/// A kind cluster.
///
/// ```no_run
/// # fn example() -> anyhow::Result<()> {
/// use ringfence::cluster::kind::{KindOptions, KindSource};
///
/// let options = KindOptions { keep: true, ..KindOptions::shipped("calico")? };
/// let source = KindSource::new(options);
/// # Ok(())
/// # }
/// ```
pub struct KindSource {
    options: KindOptions,
    machine: Machine,
    /// The cluster that it was given to use.
    tenure: OnceLock<Tenure>,
    /// Whether nodes were begun to be made, or stood already.
    begun: AtomicBool,
    /// The cluster itself, and the Engine that has its nodes.
    inner: OnceLock<(KubernetesSource, Engine)>,
}

impl KindSource {
    /// Such a cluster. It is looked for, waited for and made when it is prepared.
    pub fn new(options: KindOptions) -> Self {
        let machine = Machine::new(options.agent.clone());
        let (tenure, begun, inner) = Default::default();
        Self { options, machine, tenure, begun, inner }
    }

    /// That a cluster stays when this is closed, and what removes it; `None` where none does.
    pub fn stays(&self) -> Option<String> {
        let tenure = self.tenure.get().filter(|tenure| tenure.stays())?;
        let name = tenure.folder().name();
        Some(format!(
            "the kind cluster `{name}` is kept: `ringfence clusters down {name}` removes it"
        ))
    }

    /// Waits for the cluster where it is kept, and takes it.
    async fn take(&self, stages: &Stages) -> Result<&Tenure, ClusterError> {
        let taken = Tenure::take(&self.options);
        let taken = if self.options.keep {
            let what = format!("wait until `{}` is free", self.options.kept_name());
            stages.stage("lock", what, taken).await?
        } else {
            taken.await?
        };
        self.begun.store(taken.state().ready, Ordering::Relaxed);
        Ok(self.tenure.get_or_init(|| taken))
    }

    async fn make(&self, stages: &Stages) -> Result<(), ClusterError> {
        let tenure = self.take(stages).await?;
        let start = STARTS.acquire().await.map_err(|error| anyhow::anyhow!(error))?;
        let hands = Noting { hands: &self.machine, begun: &self.begun };
        tenure.stand(&hands, stages).await?;
        drop(start);
        let client = kubernetes_client(&tenure.plan().kubeconfig).await?;
        let engine = Engine::connect().await?;
        if let Some(run) = &tenure.state().run {
            // The folder's lock is ours: the run that it names has ended.
            let left = left_by(run, &client, &engine);
            stages.stage("left", format!("remove what the run {run} left"), left).await?;
        }
        let image = self.machine.agent_image().unwrap_or_default();
        let choice = &self.options.choice;
        let options = Options {
            // It was loaded; a registry has none of this name.
            pull_policy: PullPolicy::Never,
            ephemeral: true,
            dataplane: choice.cni.dataplane(&choice.version_name),
            ..Options::new(&self.options.name, image)
        };
        let inner = KubernetesSource::new(client.clone(), options);
        let run = inner.run().clone();
        tenure.used_by(run.as_str())?;
        let outside = outside(&client, &engine, tenure.plan(), image, &run).await?;
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
        &self.options.name
    }

    fn most_at_once(&self) -> Option<usize> {
        Some(Options::SLOTS.get())
    }

    fn shares_cluster_scope(&self) -> bool {
        true
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
        let begun = self.begun.load(Ordering::Relaxed);
        let Some(tenure) = self.tenure.get().filter(|_| begun) else { return Vec::new() };
        if tenure.stays() {
            return self.inner.get().map(|(inner, _)| inner.standing()).unwrap_or_default();
        }
        vec![format!(
            "the kind cluster `{}` with its nodes in Docker; `ringfence clusters prune` finds it by \
             its note in `{}`",
            tenure.plan().name,
            tenure.folder().path().display()
        )]
    }

    async fn close(&self) -> Result<(), TeardownError> {
        let Some(tenure) = self.tenure.get() else { return Ok(()) };
        // A cluster that was to be kept and never got ready is of no use to anybody.
        if tenure.stays() {
            return self.end(true).await;
        }
        let ended = self.end(false).await;
        let plan = tenure.plan().clone();
        let plan = if self.begun.load(Ordering::Relaxed) { plan } else { plan.without_nodes() };
        let closed = close(&plan, &self.machine).await;
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
    kubernetes::prune(client, &kubernetes::Scope::Run(id)).await?;
    let pruned = prune(engine, &Scope::Run(run.to_owned()), false).await?;
    match pruned.left.is_empty() {
        true => Ok(()),
        false => Err(anyhow::Error::from(TeardownError(pruned.left)).into()),
    }
}
