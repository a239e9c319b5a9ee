//! The embedded cluster: pods are network namespaces in a user namespace of the run's own.
//!
//! It needs a Linux kernel, and neither root nor Docker nor any program. A helper
//! process ([`init`]) holds the namespaces; when it ends, the kernel removes them:
//!
//! | part | what |
//! |---|---|
//! | `process`, `protocol`, `helper` | the helper process and what is said to it |
//! | `addresses`, `network` | ranges, nodes, wires |
//! | `dataplane` | policies → nftables, and what the packet filter reports |
//! | `pool`, `renewal` | a cluster that stands becomes that of the next scenario |
//! | `deployment`, `services`, `serving`, `rounds`, `artifacts` | a cluster and its changes; Services; rounds of attempts; what it is made of, in words |
//! | `watch`, `dialler` | connections while changes are made |
//! | `fault`, `installer` | mistakes and delays that it can be told to make |
//! | `facts`, `obstacle`, `check`, `trial`, `doctor` | what this machine can do, what is in the way, and what to do |

mod addresses;
mod artifacts;
mod check;
mod dataplane;
mod deployment;
mod dialler;
pub mod doctor;
mod facts;
mod fault;
mod filter;
mod helper;
mod installer;
mod namespace;
mod netlink;
mod network;
mod obstacle;
mod pool;
mod process;
mod protocol;
mod renewal;
mod rounds;
mod services;
mod serving;
mod sys;
mod trial;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use fault::{Delay, Fault, NoSuchFault, Seen};
pub use process::init;

use self::pool::{Idle, Pool, Shape};
use self::process::{Process, refusal};
use self::protocol::{Cells, Demand, Reply, Request};
use super::placement::node_names;
use super::{
    Artifact, Beside, Capabilities, Cluster, ClusterError, Round, Source, TeardownError, Timeline,
    Watch,
};
use crate::model::{Change, ClusterPeer, ClusterPolicy, Observation, Topology};
use crate::scenario::Scenario;

/// What an embedded cluster is to be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddedOptions {
    /// Whether the packet filter reports each drop (NFLOG). Without it a drop is
    /// only known by silence, as it is on every other kind of cluster.
    pub evidence: bool,
    /// How many threads probe and compile, at least 1.
    pub threads: usize,
    /// What the dataplane is to do wrong; nothing by default.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// How late it is; by default it enforces a change before it accepts it.
    #[serde(default)]
    pub delay: Option<Delay>,
}

impl EmbeddedOptions {
    /// Whether the dataplane is to do what it should, at once. One that is not remembers
    /// what was before, and so serves one scenario.
    fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.delay.is_none()
    }
}

impl Default for EmbeddedOptions {
    /// With evidence, on two threads: more gain little, because the kernel's network
    /// configuration has one lock.
    fn default() -> Self {
        Self { evidence: true, threads: 2, faults: Vec::new(), delay: None }
    }
}

/// A cluster of network namespaces on this machine.
#[derive(Debug)]
pub struct Embedded {
    options: EmbeddedOptions,
    capabilities: Capabilities,
    process: Option<Process>,
    /// Where it goes when its scenario is over, unless something went wrong.
    home: Option<(Arc<Pool>, Shape)>,
    /// Whether a request has failed: what stands is not known then.
    spoilt: bool,
}

/// Making a thousand pods takes about a second; a loaded machine takes longer.
const CHANGE: Duration = Duration::from_secs(120);

/// Describing a cluster only reads what the helper has in memory.
const DESCRIBE: Duration = Duration::from_secs(30);

impl Embedded {
    /// Starts the helper process, and finds out what this machine can do.
    ///
    /// # Errors
    /// [`ClusterError::Unsupported`] where the machine does not allow it, naming the
    /// setting that forbids it and what to do; another one where [`init`] was not
    /// called first, or the helper did not start.
    pub async fn start(options: EmbeddedOptions) -> Result<Self, ClusterError> {
        let (process, capabilities) = launch(&options).await?;
        Ok(Self { options, capabilities, process: Some(process), home: None, spoilt: false })
    }

    /// The process id of the helper, while there is one.
    pub fn helper_id(&self) -> Option<u32> {
        self.process.as_ref()?.id()
    }

    async fn ask(
        &mut self,
        request: &Request,
        deadline: Duration,
        what: &str,
    ) -> Result<Reply, ClusterError> {
        let Some(process) = &mut self.process else {
            return Err(ClusterError::Lost("it was torn down".to_owned()));
        };
        // A run that is interrupted drops a call half-way.
        let spoilt = std::mem::replace(&mut self.spoilt, true);
        let reply = process.ask(request, deadline, what).await?;
        self.spoilt = spoilt;
        Ok(reply)
    }

    async fn make(&mut self, demand: Demand) -> Result<Topology, ClusterError> {
        if self.process.is_none() {
            let (process, capabilities) = launch(&self.options).await?;
            self.capabilities = capabilities;
            self.process = Some(process);
        }
        match self.ask(&Request::Deploy(demand), CHANGE, "the cluster to be deployed").await? {
            Reply::Topology(topology) => Ok(topology),
            other => Err(refusal(other)),
        }
    }
}

/// An embedded cluster for each scenario, of one that stands where it can be.
#[derive(Debug, Clone)]
pub struct EmbeddedSource {
    name: String,
    options: EmbeddedOptions,
    pool: Arc<Pool>,
}

impl Default for EmbeddedSource {
    fn default() -> Self {
        Self::new(EmbeddedOptions::default())
    }
}

impl EmbeddedSource {
    /// Its name for `--on`.
    pub const NAME: &'static str = "embedded";

    /// Clusters with these options. Faults are part of the name, so that no record or
    /// report of a faulty dataplane can be taken for one of another.
    pub fn new(options: EmbeddedOptions) -> Self {
        let name = Self::name_with(&options.faults);
        Self { name, options, pool: Arc::default() }
    }

    /// What a source with these faults is called.
    pub fn name_with(faults: &[Fault]) -> String {
        let faults: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
        match faults.as_slice() {
            [] => Self::NAME.to_owned(),
            faults => format!("{} with {}", Self::NAME, faults.join(", ")),
        }
    }

    /// How many clusters stand by for scenarios to come.
    pub fn standing_by(&self) -> usize {
        self.pool.len()
    }
}

#[async_trait]
impl Source for EmbeddedSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn reuses(&self) -> bool {
        self.options.is_sound()
    }

    /// Delays are others for every scenario, and the same for it whatever else is run.
    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        if !self.options.is_sound() {
            let mut options = self.options.clone();
            options.delay = options.delay.map(|delay| delay.of_scenario(&scenario.id));
            return Ok(Box::new(Embedded::start(options).await?));
        }
        let shape = Shape::of(scenario);
        let (process, capabilities) = match self.pool.take(&shape) {
            Some(Idle { process, capabilities, .. }) => (process, capabilities),
            None => launch(&self.options).await?,
        };
        let home = Some((self.pool.clone(), shape));
        let (options, process) = (self.options.clone(), Some(process));
        Ok(Box::new(Embedded { options, capabilities, process, home, spoilt: false }))
    }

    async fn close(&self) -> Result<(), TeardownError> {
        let mut left = Vec::new();
        for idle in self.pool.drain() {
            left.extend(idle.process.end().await.err());
        }
        if left.is_empty() { Ok(()) } else { Err(TeardownError(left)) }
    }
}

async fn launch(options: &EmbeddedOptions) -> Result<(Process, Capabilities), ClusterError> {
    let mut process = Process::start().await?;
    let request = Request::Start(options.clone());
    match process.ask(&request, CHANGE, "the helper process to get ready").await? {
        Reply::Ready(capabilities) => Ok((process, capabilities)),
        other => Err(refusal(other)),
    }
}

/// Whether the changes hold no policy that names domains: nothing is looked up here.
fn enforceable(changes: &[Change]) -> Result<(), ClusterError> {
    let names_domains = |policy: &ClusterPolicy| {
        let mut peers = policy.egress.iter().flat_map(|rule| &rule.peers);
        peers.any(|peer| matches!(peer, ClusterPeer::DomainNames { .. }))
    };
    let refused = changes.iter().find_map(|change| match change {
        Change::ApplyClusterPolicy(policy) if names_domains(policy) => Some(&policy.name),
        _ => None,
    });
    match refused {
        None => Ok(()),
        Some(policy) => Err(ClusterError::Unsupported(format!(
            "`{policy}` names domains, which are not looked up here"
        ))),
    }
}

#[async_trait]
impl Cluster for Embedded {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// A cluster that was torn down can be deployed again.
    async fn deploy(
        &mut self,
        topology: &Topology,
        nodes: usize,
        avoid: &[IpNet],
    ) -> Result<Topology, ClusterError> {
        let (topology, avoid) = (topology.clone(), avoid.to_vec());
        self.make(Demand { topology, beside: Vec::new(), nodes, avoid }).await
    }

    async fn deploy_beside(
        &mut self,
        topology: &Topology,
        nodes: usize,
        avoid: &[IpNet],
        beside: Beside<'_>,
    ) -> Result<Topology, ClusterError> {
        let beside = beside(&node_names(topology, nodes));
        let (topology, avoid) = (topology.clone(), avoid.to_vec());
        self.make(Demand { topology, beside, nodes, avoid }).await
    }

    async fn change(&mut self, changes: &[Change]) -> Result<Topology, ClusterError> {
        enforceable(changes)?;
        let request = Request::Change(changes.to_vec());
        match self.ask(&request, CHANGE, "the changes to be made").await? {
            Reply::Topology(topology) => Ok(topology),
            other => Err(refusal(other)),
        }
    }

    async fn probe(&mut self, round: &Round) -> Result<Vec<Observation>, ClusterError> {
        let deadline_us = u64::try_from(round.deadline.as_micros()).unwrap_or(u64::MAX);
        let request = Request::Probe(Cells::new(&round.cells, deadline_us));
        // Attempts go in windows that respect the limit of open files, and silent ones
        // are tried again: some deadlines, and a liberal millisecond for each cell.
        let cells = u32::try_from(round.cells.len()).unwrap_or(u32::MAX);
        let deadline = Duration::from_secs(30)
            + round.deadline.saturating_mul(2 + cells / 500)
            + Duration::from_millis(1).saturating_mul(cells);
        match self.ask(&request, deadline, "the round's attempts to end").await? {
            Reply::Observations(found) if found.len() == round.cells.len() => Ok(found),
            other => Err(refusal(other)),
        }
    }

    async fn watch(&mut self, watch: &Watch, changes: &[Change]) -> Result<Timeline, ClusterError> {
        enforceable(changes)?;
        let request = Request::Watch(watch.clone(), changes.to_vec());
        let deadline = CHANGE + watch.before + watch.after + watch.deadline.saturating_mul(4);
        match self.ask(&request, deadline, "the changes to be made and watched").await? {
            Reply::Timeline(timeline) => Ok(*timeline),
            other => Err(refusal(other)),
        }
    }

    async fn artifacts(&mut self) -> Vec<Artifact> {
        let told = match self.ask(&Request::Describe, DESCRIBE, "the cluster's description").await {
            Ok(Reply::Artifacts(artifacts)) => return artifacts,
            Ok(other) => refusal(other),
            Err(error) => error,
        };
        vec![Artifact { path: "missing.txt".to_owned(), text: format!("{told}\n") }]
    }

    async fn teardown(&mut self) -> Result<(), TeardownError> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let surplus = match self.home.take() {
            Some((pool, shape)) if !self.spoilt => {
                let capabilities = self.capabilities.clone();
                pool.keep(Idle { shape, process, capabilities }).map(|idle| idle.process)
            }
            _ => Some(process),
        };
        match surplus {
            Some(process) => process.end().await.map_err(|what| TeardownError(vec![what])),
            None => Ok(()),
        }
    }
}
