//! A cluster without packets: what a cell does is read from its own table of
//! policies as each node sees them, and a test may say otherwise.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use ringfence::cluster::{
    Artifact, Capabilities, Cluster, ClusterError, Feature, Moment, Round, TeardownError, Timeline,
    Watch,
};
use ringfence::model::{
    Cell, Change, ClusterPolicyApi, ClusterSubject, Endpoint, Family, Name, Node, Observation,
    Outcome, PolicyType, Protocol, Topology, Via, World,
};
use tokio::time::Instant;

/// What a test's own rule about a cell is given.
pub(crate) struct Scene<'a> {
    /// The cell.
    pub(crate) cell: &'a Cell,
    /// How often the cluster was changed after its deployment: 1 is the
    /// sentinel, 2 the first step.
    pub(crate) changes: usize,
    /// Which round since the last change, from 1.
    pub(crate) round: usize,
    /// Whether this is a cell of the run's own sentinel.
    pub(crate) sentinel: bool,
    /// The nodes of its ends.
    pub(crate) nodes: Vec<Name>,
    /// While a change is watched, whether this is a connection that is held.
    pub(crate) held: bool,
    /// How often the cell was attempted since the last change, while it is watched.
    pub(crate) turn: Option<usize>,
}

impl Scene<'_> {
    /// Whether one of its ends is on this node.
    pub(crate) fn touches(&self, node: &str) -> bool {
        self.nodes.iter().any(|end| &**end == node)
    }
}

type Lie = Box<dyn FnMut(&Scene<'_>) -> Option<Outcome> + Send>;

/// What a fake cluster was asked, for tests to look at afterwards.
#[derive(Default, Debug)]
pub(crate) struct Log {
    pub(crate) torn_down: usize,
    pub(crate) rounds: usize,
    pub(crate) avoid: Vec<IpNet>,
    pub(crate) policies_left: usize,
}

pub(crate) struct Fake {
    capabilities: Capabilities,
    world: World,
    /// The world after every change, and when the cluster accepted it.
    history: Vec<(Instant, World)>,
    round: usize,
    lag: BTreeMap<String, Duration>,
    lie: Lie,
    lost_at: Option<usize>,
    on_teardown: Box<dyn Fn() + Send>,
    warm_up: Duration,
    answer: Duration,
    loses_first_packets: bool,
    forgets: usize,
    artifacts: Option<Vec<Artifact>>,
    rewritten: Vec<String>,
    watches: bool,
    turn: Option<usize>,
    blur: Duration,
    unseen: Option<String>,
    pub(crate) log: Arc<Mutex<Log>>,
}

impl Fake {
    /// Enforces every policy at once, on two nodes, in both families.
    pub(crate) fn honest() -> Self {
        Self {
            capabilities: Capabilities {
                name: "fake".into(),
                families: Family::ALL.into(),
                protocols: Protocol::ALL.into(),
                ways: [Via::Pod].into(),
                host_network: false,
                external_hosts: true,
                cluster_policies: ClusterPolicyApi::ALL.into(),
                evidence: false,
                dataplane: Box::default(),
                missing: vec![],
            },
            world: World::default(),
            history: vec![],
            round: 0,
            lag: BTreeMap::new(),
            lie: Box::new(|_| None),
            lost_at: None,
            on_teardown: Box::new(|| ()),
            warm_up: Duration::ZERO,
            answer: Duration::from_millis(1),
            loses_first_packets: false,
            forgets: 0,
            artifacts: Some(vec![]),
            rewritten: vec![],
            watches: true,
            turn: None,
            blur: Duration::ZERO,
            unseen: None,
            log: Arc::default(),
        }
    }

    /// Says of itself that it enforces nothing; what it does is for the test to say.
    pub(crate) fn declared_to_enforce_nothing() -> Self {
        let mut fake = Self::honest();
        fake.capabilities.dataplane.enforces = false;
        fake
    }

    /// Has Services with a ClusterIP.
    pub(crate) fn serving(mut self) -> Self {
        self.capabilities.ways.insert(Via::Service);
        self
    }

    /// Does not declare a feature.
    pub(crate) fn lacking(mut self, feature: Feature) -> Self {
        self.capabilities.dataplane.name = "plane 1.0".into();
        self.capabilities.dataplane.lacks.insert(feature);
        self
    }

    /// Declares a feature that none is taken to have which does not declare it.
    pub(crate) fn declaring(mut self, feature: Feature) -> Self {
        self.capabilities.dataplane.declares.insert(feature);
        self
    }

    /// Lets a function decide cells that it has an outcome for.
    pub(crate) fn lie(
        mut self,
        lie: impl FnMut(&Scene<'_>) -> Option<Outcome> + Send + 'static,
    ) -> Self {
        self.lie = Box::new(lie);
        self
    }

    /// Lets a node enforce what was changed only after a while.
    pub(crate) fn lag(mut self, node: &str, lag: Duration) -> Self {
        self.lag.insert(node.to_owned(), lag);
        self
    }

    /// Answers its very first round so much later.
    pub(crate) fn warms_up(mut self, late: Duration) -> Self {
        self.warm_up = late;
        self
    }

    /// Answers so late; what is later than a round's deadline is silence.
    pub(crate) fn answers_after(mut self, answer: Duration) -> Self {
        self.answer = answer;
        self
    }

    /// Loses the first packet of every attempt; the second goes out after half the deadline.
    pub(crate) fn loses_first_packets(mut self) -> Self {
        self.loses_first_packets = true;
        self
    }

    /// Answers with so many observations too few.
    pub(crate) fn forgets(mut self, observations: usize) -> Self {
        self.forgets = observations;
        self
    }

    /// Has this to say of itself when something went wrong.
    pub(crate) fn hands_over(mut self, artifacts: Vec<Artifact>) -> Self {
        self.artifacts = Some(artifacts);
        self
    }

    /// Never answers when it is asked for what it has to say of itself.
    pub(crate) fn never_hands_over(mut self) -> Self {
        self.artifacts = None;
        self
    }

    /// Says so of the first changes of a step.
    pub(crate) fn rewrites(mut self, field: &str) -> Self {
        self.rewritten = vec![field.to_owned()];
        self
    }

    /// Cannot watch connections while something changes.
    pub(crate) fn without_watches(mut self) -> Self {
        self.watches = false;
        self
    }

    /// Knows no better when something was seen in a watch.
    pub(crate) fn blurred(mut self, blur: Duration) -> Self {
        self.blur = blur;
        self
    }

    /// Did not see, for this reason, the whole time of the first cell that a watch tries.
    pub(crate) fn unseen(mut self, why: &str) -> Self {
        self.unseen = Some(why.to_owned());
        self
    }

    /// Calls a function when the cluster is torn down.
    pub(crate) fn on_teardown(mut self, call: impl Fn() + Send + 'static) -> Self {
        self.on_teardown = Box::new(call);
        self
    }

    /// Loses the session in this round.
    pub(crate) fn lost_at(mut self, round: usize) -> Self {
        self.lost_at = Some(round);
        self
    }

    pub(crate) fn without(mut self, family: Option<Family>, protocol: Option<Protocol>) -> Self {
        self.capabilities.families.retain(|has| Some(*has) != family);
        self.capabilities.protocols.retain(|has| Some(*has) != protocol);
        if protocol == Some(Protocol::Sctp) {
            self.capabilities.missing.push("no SCTP: the kernel has no module for it".into());
        }
        self
    }

    fn place(&mut self) {
        let nodes = ["n1", "n2"];
        for (index, pod) in self.world.topology.pods.values_mut().enumerate() {
            if !pod.addresses.is_empty() {
                continue;
            }
            pod.node.get_or_insert_with(|| Name::from(nodes[index % 2]));
            let byte = u8::try_from(self.history.len() * 40 + index + 1).unwrap();
            if self.capabilities.families.contains(&Family::Ipv4) {
                pod.addresses.push(IpAddr::V4(Ipv4Addr::new(10, 0, 0, byte)));
            }
            if self.capabilities.families.contains(&Family::Ipv6) {
                let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, byte.into());
                pod.addresses.push(IpAddr::V6(address));
            }
        }
        for name in nodes {
            let node = Node::new(Name::from(name));
            self.world.topology.nodes.insert(node.name.clone(), node);
        }
    }

    /// The world as a node sees it: the last one that is older than its lag.
    fn seen_by(&self, end: &Endpoint) -> &World {
        let node = end.as_pod().and_then(|pod| self.world.topology.pods.get(pod)?.node.clone());
        let lag = node.and_then(|node| self.lag.get(&*node).copied()).unwrap_or_default();
        let known = self.history.iter().rev().find(|(accepted, _)| accepted.elapsed() >= lag);
        known.map_or(&self.history[0].1, |(_, world)| world)
    }

    /// Any policy that selects an end isolates it altogether: the only policies
    /// in these tests have no rules, and those of the cluster deny all that comes in.
    fn isolated(&self, end: &Endpoint, direction: PolicyType) -> bool {
        let world = self.seen_by(end);
        let Some(pod) = end.as_pod().and_then(|pod| self.world.topology.pods.get(pod)) else {
            return false;
        };
        let of_cluster = || {
            let namespace = world.topology.namespaces.get(&pod.name.namespace);
            let labels = namespace.map(|namespace| namespace.labels.clone()).unwrap_or_default();
            let mut policies = world.cluster_policies.values();
            policies.any(|policy| match &policy.subject {
                ClusterSubject::Namespaces { selector, .. } => selector.matches(&labels),
                ClusterSubject::Pods { namespace_selector, pod_selector, .. } => {
                    namespace_selector.matches(&labels) && pod_selector.matches(&pod.labels)
                }
            })
        };
        let shut = direction == PolicyType::Ingress && of_cluster();
        shut || world.policies.values().any(|policy| {
            policy.name.namespace == pod.name.namespace
                && policy.pod_selector.matches(&pod.labels)
                && policy.policy_types.as_ref().unwrap().contains(&direction)
        })
    }

    fn outcome(&mut self, cell: &Cell, held: bool) -> Outcome {
        let sentinel =
            |pod: &ringfence::model::PodName| pod.namespace.starts_with("ringfence-sentinel");
        let pods = &self.world.topology.pods;
        let node = |end: &Endpoint| pods.get(end.as_pod()?)?.node.clone();
        let scene = Scene {
            cell,
            changes: self.history.len() - 1,
            round: self.round,
            sentinel: cell.source.as_pod().is_some_and(sentinel),
            nodes: [&cell.source, &cell.destination].into_iter().filter_map(node).collect(),
            held,
            turn: self.turn,
        };
        if let Some(outcome) = (self.lie)(&scene) {
            return outcome;
        }
        // Connections that are there survive.
        if held {
            return Outcome::Connected;
        }
        let denied = self.isolated(&cell.source, PolicyType::Egress)
            || self.isolated(&cell.destination, PolicyType::Ingress);
        if denied { Outcome::Dropped } else { Outcome::Connected }
    }
}

impl Fake {
    /// Attempts what is watched, turn after turn, until a moment of the watch.
    async fn look(
        &mut self,
        watch: &Watch,
        begun: Instant,
        until: Duration,
        held: &mut [Vec<Moment>],
        tried: &mut [Vec<Moment>],
    ) {
        let mut turn = 0;
        while begun.elapsed() < until {
            turn += 1;
            self.turn = Some(turn);
            let at = begun.elapsed();
            let cells = [(true, &watch.held, &mut *held), (false, &watch.tried, &mut *tried)];
            for (is_held, cells, moments) in cells {
                for (cell, moments) in cells.iter().zip(moments) {
                    let pods = &self.world.topology.pods;
                    let is_there = |end: &Endpoint| pods.contains_key(end.as_pod().unwrap());
                    if !is_there(&cell.source) || !is_there(&cell.destination) {
                        continue;
                    }
                    let outcome = self.outcome(cell, is_held);
                    let latency = Duration::from_micros(100);
                    let seen = Observation { outcome, latency, ..Observation::broken("") };
                    moments.push(Moment { at, seen });
                }
            }
            tokio::time::sleep(watch.interval).await;
        }
    }
}

#[async_trait]
impl Cluster for Fake {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn deploy(
        &mut self,
        topology: &Topology,
        _nodes: usize,
        avoid: &[IpNet],
    ) -> Result<Topology, ClusterError> {
        self.log.lock().unwrap().avoid = avoid.to_vec();
        self.world = World::new(topology.clone());
        self.place();
        self.history.push((Instant::now(), self.world.clone()));
        Ok(self.world.topology.clone())
    }

    async fn change(&mut self, changes: &[Change]) -> Result<Topology, ClusterError> {
        for change in changes {
            self.world.change(change).map_err(anyhow::Error::from)?;
        }
        self.place();
        self.round = 0;
        self.history.push((Instant::now(), self.world.clone()));
        self.log.lock().unwrap().policies_left = self.world.policies.len();
        Ok(self.world.topology.clone())
    }

    async fn probe(&mut self, round: &Round) -> Result<Vec<Observation>, ClusterError> {
        self.round += 1;
        let number = {
            let mut log = self.log.lock().unwrap();
            log.rounds += 1;
            log.rounds
        };
        if self.lost_at.is_some_and(|at| number >= at) {
            return Err(ClusterError::Lost("the session ended".into()));
        }
        let waited = if self.loses_first_packets { round.deadline / 2 } else { Duration::ZERO };
        let answer = waited + self.answer + std::mem::take(&mut self.warm_up);
        let observed: Vec<Observation> = round
            .cells
            .iter()
            .map(|cell| match self.outcome(cell, false) {
                Outcome::Connected if answer <= round.deadline => Observation {
                    outcome: Outcome::Connected,
                    latency: answer,
                    waited,
                    ..Observation::broken("")
                },
                Outcome::Connected | Outcome::Dropped => Observation {
                    outcome: Outcome::Dropped,
                    latency: round.deadline,
                    ..Observation::broken("")
                },
                outcome => Observation { outcome, latency: answer, ..Observation::broken("") },
            })
            .collect();
        let took = observed.iter().map(|seen| seen.latency).max().unwrap_or_default();
        tokio::time::sleep(took).await;
        Ok(observed.into_iter().skip(self.forgets).collect())
    }

    async fn watch(&mut self, watch: &Watch, changes: &[Change]) -> Result<Timeline, ClusterError> {
        if !self.watches {
            return Err(ClusterError::Unsupported("`fake` has no eyes".to_owned()));
        }
        let begun = Instant::now();
        let mut held = vec![Vec::new(); watch.held.len()];
        let mut tried = vec![Vec::new(); watch.tried.len()];
        self.look(watch, begun, watch.before, &mut held, &mut tried).await;
        let asked = begun.elapsed();
        let topology = self.change(changes).await?;
        let accepted = begun.elapsed();
        self.look(watch, begun, accepted + watch.after, &mut held, &mut tried).await;
        self.turn = None;
        Ok(Timeline {
            topology,
            asked,
            accepted,
            held,
            tried,
            blur: self.blur,
            unseen: self.unseen.iter().map(|why| (0, why.clone())).collect(),
            remarks: Vec::new(),
        })
    }

    fn rewritten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.rewritten)
    }

    async fn artifacts(&mut self) -> Vec<Artifact> {
        match &self.artifacts {
            Some(artifacts) => artifacts.clone(),
            None => std::future::pending().await,
        }
    }

    async fn teardown(&mut self) -> Result<(), TeardownError> {
        self.log.lock().unwrap().torn_down += 1;
        (self.on_teardown)();
        Ok(())
    }
}
