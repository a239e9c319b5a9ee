//! A Kubernetes cluster as a source: prepared once, shared by slots.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use kube::Client;
use ringfence_probe::wire::Sctp;

use super::access;
use super::call::{Calls, asked, words};
use super::canary;
use super::cluster::Kubernetes;
use super::life::Pulse;
use super::needs::Needs;
use super::options::Options;
use super::outside::{Externals, Outside};
use super::owner::RunId;
use super::pool::Pool;
use super::prune::{Reach, Scope, prune_within};
use super::site::Site;
use super::tier::Tier;
use crate::cluster::{Capabilities, Cluster, ClusterError, Source, Stages, TeardownError};
use crate::model::{Protocol, Via};
use crate::scenario::Scenario;

/// A Kubernetes cluster that scenarios run on, several at a time.
pub struct KubernetesSource {
    client: Client,
    options: Options,
    run: RunId,
    outside: Option<Outside>,
    ready: OnceLock<Ready>,
    /// Whether namespaces may stand.
    begun: AtomicBool,
}

/// How long the first call may take: a server that never answered is more likely the wrong
/// one than a busy one.
const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// What there is once it was prepared.
struct Ready {
    pool: Arc<Pool>,
    /// Tells others that the run is under way.
    _pulse: Pulse,
    capabilities: Capabilities,
    /// Whether agents that may open raw sockets speak SCTP, though others do not.
    raw_sctp: bool,
}

impl fmt::Debug for KubernetesSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubernetesSource")
            .field("options", &self.options)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl KubernetesSource {
    /// A cluster behind a client. Nothing is asked of it yet.
    pub fn new(client: Client, options: Options) -> Self {
        Self {
            client,
            options,
            run: RunId::random(),
            outside: None,
            ready: OnceLock::new(),
            begun: AtomicBool::new(false),
        }
    }

    /// A cluster that has hosts outside of it too.
    #[must_use]
    pub fn with_outside(self, outside: Outside) -> Self {
        Self { outside: Some(outside), ..self }
    }

    /// The identifier that the run's objects carry.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Asks whether everything may be done that a run does, before it has done any of it.
    async fn rights(&self) -> Result<(), ClusterError> {
        let calls = Calls::new(self.options.deadlines.call.min(FIRST_ANSWER));
        let pull_secret = self.options.pull_secret.as_ref();
        let ask = asked("create", "selfsubjectaccessreviews.authorization.k8s.io", "");
        let scoped = self.options.cluster_scoped();
        let missing = calls.call(ask, || access::missing(&self.client, pull_secret, scoped)).await;
        let missing = missing.map_err(|failed| match failed.into() {
            ClusterError::Deadline { what, deadline } => ClusterError::Deadline {
                what: format!(
                    "{what} does the server of the kubeconfig's context run, and can it be \
                     reached from here (`kubectl version` asks it too)? It was asked for an answer"
                ),
                deadline,
            },
            other => other,
        })?;
        match access::message(&missing) {
            Some(text) => Err(anyhow::anyhow!(text).into()),
            None => Ok(()),
        }
    }

    fn capabilities(&self, site: &Site, tier: &Tier, seen: &canary::Seen) -> Capabilities {
        let options = &self.options;
        let mut missing = Vec::new();
        if self.outside.is_none() {
            missing.push(if options.ephemeral {
                "no external hosts: nothing makes any for this cluster".to_owned()
            } else {
                "no external hosts: nothing outside of a cluster that exists already is ever dialled"
                    .to_owned()
            });
        }
        let mut protocols = BTreeSet::from([Protocol::Tcp, Protocol::Udp]);
        if seen.sctp == Some(Sctp::Kernel) {
            protocols.insert(Protocol::Sctp);
        } else {
            missing.push(
                "no SCTP: the nodes' kernels have no SCTP sockets, and raw ones need a scenario with the tag `net-raw`"
                    .to_owned(),
            );
        }
        if !options.host_network() {
            missing.push("no hostNetwork pods: they need `--allow-host-network`".to_owned());
        }
        missing.extend(tier.missing(&self.run));
        let mut ways = BTreeSet::from([Via::Pod, Via::Service]);
        if options.ephemeral {
            ways.extend([Via::NodePort, Via::LocalNodePort]);
        }
        for (family, name) in crate::model::Family::ALL.into_iter().zip(["IPv4", "IPv6"]) {
            if !seen.families.contains(&family) {
                missing.push(format!("no {name}: its pods have no such addresses"));
            }
        }
        Capabilities {
            name: format!("{} {}", options.name, site.version),
            families: seen.families.clone(),
            protocols,
            ways,
            host_network: options.host_network(),
            external_hosts: self.outside.is_some(),
            cluster_policies: tier.kinds(),
            evidence: false,
            dataplane: Box::new(options.dataplane.clone()),
            missing,
        }
    }
}

#[async_trait]
impl Source for KubernetesSource {
    fn name(&self) -> &str {
        &self.options.name
    }

    fn most_at_once(&self) -> Option<usize> {
        Some(self.options.slots.get())
    }

    fn shares_cluster_scope(&self) -> bool {
        true
    }

    async fn prepare(&self, stages: &Stages) -> Result<(), ClusterError> {
        stages.stage("rights", "ask for the rights that a run needs", self.rights()).await?;
        let open = Site::open(self.client.clone(), self.options.clone(), &self.run);
        let site = Arc::new(stages.stage("api", "ask the API server for its nodes", open).await?);
        let tier = Arc::new(Tier::open(&site).await?);
        let pool = Arc::new(Pool::new(site.clone(), tier.clone(), self.run.clone()));
        self.begun.store(true, Ordering::Relaxed);
        let pulse = Pulse::start(site.clone(), &self.run).await?;
        let mut slot = pool.take(false);
        let what = format!("start an agent on each of {} nodes", canary::count(&site));
        let seen = stages.stage("agents", what, canary::look(&mut slot)).await?;
        pool.give(slot);
        let capabilities = self.capabilities(&site, &tier, &seen);
        let raw_sctp = seen.sctp != Some(Sctp::Kernel);
        // It is prepared once.
        let _ = self.ready.set(Ready { pool, _pulse: pulse, capabilities, raw_sctp });
        Ok(())
    }

    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        let Some(Ready { pool, capabilities, raw_sctp, .. }) = self.ready.get() else {
            return Err(ClusterError::Lost("it was not prepared".to_owned()));
        };
        let needs = Needs::of(scenario);
        if let Some(why) = needs.obstacle(scenario, &self.options) {
            return Err(ClusterError::Unsupported(why));
        }
        let mut capabilities = capabilities.clone();
        if needs.net_raw && *raw_sctp {
            capabilities.protocols.insert(Protocol::Sctp);
            capabilities.missing.retain(|sentence| !sentence.starts_with("no SCTP"));
        }
        let alone = needs.exact_names || needs.is_of_the_cluster();
        let tenancy = pool.enter(alone).await;
        let nodes = match needs.is_on_nodes() {
            true => Some(pool.nodes_to_itself().await),
            false => None,
        };
        if alone || nodes.is_some() {
            pool.recover().await?;
        }
        let slot = pool.take(needs.exact_names);
        let externals = Externals::new(self.outside.clone());
        let (pool, guards) = (pool.clone(), (tenancy, nodes));
        Ok(Box::new(Kubernetes::new(slot, pool, needs, capabilities, externals, guards)))
    }

    fn standing(&self) -> Vec<String> {
        if !self.begun.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let (run, name) = (&self.run, &self.options.name);
        let finds = match self.options.ephemeral {
            true => String::new(),
            false => format!("; `ringfence clusters prune --on {name} --run {run}` removes them"),
        };
        let policies = match self.options.cluster_scoped() {
            true => ", and policies of the cluster",
            false => "",
        };
        vec![format!(
            "namespaces `rf-{run}-…`{policies} on `{name}`, with the label `{}={run}`{finds}",
            super::owner::RUN
        )]
    }

    async fn close(&self) -> Result<(), TeardownError> {
        if let Some(ready) = self.ready.get() {
            ready.pool.empty();
        }
        if !self.begun.load(Ordering::Relaxed) {
            return Ok(());
        }
        let scope = Scope::Run(self.run.clone());
        let reach = match self.options.cluster_scoped() {
            true => Reach::Cluster,
            false => Reach::Namespaces,
        };
        let pruned = prune_within(&self.client, &scope, self.options.deadlines, reach).await;
        if pruned.is_ok() {
            self.begun.store(false, Ordering::Relaxed);
        }
        pruned.map(drop).map_err(|error| match error {
            ClusterError::Other(error) if error.is::<TeardownError>() => {
                error.downcast().unwrap_or_else(|error| TeardownError(vec![error.to_string()]))
            }
            other => TeardownError(vec![format!(
                "objects with the label `{}={}`: {}",
                super::owner::RUN,
                self.run,
                words(&other)
            )]),
        })
    }
}
