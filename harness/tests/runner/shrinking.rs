//! Random cases on a cluster that misreads policies: what fails is shrunk by running it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use ringfence::cluster::{Capabilities, Cluster, ClusterError, Round, Source, TeardownError};
use ringfence::model::{
    Change, ClusterPolicyApi, Family, Name, NetworkPolicy, Observation, Outcome, Peer, Protocol,
    Topology, Verdict, Via, World,
};
use ringfence::run::{Budget, End, Settings, Shrunk, Stop, attempt, failures, shrink};
use ringfence::sample::{Failure, Sample, sample};
use ringfence::scenario::{LoadOptions, Scenario};
use ringfence::semantics::Engine;

/// Enforces what the engine makes of policies that it has misread.
struct Misreader {
    capabilities: Capabilities,
    world: World,
    misread: fn(&mut NetworkPolicy),
    given: u8,
}

impl Misreader {
    fn place(&mut self) {
        for pod in self.world.topology.pods.values_mut() {
            pod.node.get_or_insert_with(|| Name::from("node-1"));
            if pod.addresses.is_empty() {
                self.given += 1;
                pod.addresses = vec![
                    IpAddr::from([10, 0, 0, self.given]),
                    IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, self.given.into()]),
                ];
            }
        }
    }
}

#[async_trait]
impl Cluster for Misreader {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn deploy(
        &mut self,
        topology: &Topology,
        _nodes: usize,
        _avoid: &[IpNet],
    ) -> Result<Topology, ClusterError> {
        self.world = World::new(topology.clone());
        self.place();
        Ok(self.world.topology.clone())
    }

    async fn change(&mut self, changes: &[Change]) -> Result<Topology, ClusterError> {
        for change in changes {
            self.world.change(change).map_err(anyhow::Error::from)?;
        }
        self.place();
        Ok(self.world.topology.clone())
    }

    async fn probe(&mut self, round: &Round) -> Result<Vec<Observation>, ClusterError> {
        let mut read = self.world.clone();
        read.policies.values_mut().for_each(|policy| (self.misread)(Arc::make_mut(policy)));
        let engine = Engine::new(&read);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let seen = |cell| {
            let outcome = match engine.verdict(cell) {
                Verdict::Deny => Outcome::Dropped,
                _ => Outcome::Connected,
            };
            Observation { outcome, latency: Duration::from_millis(1), ..Observation::broken("") }
        };
        Ok(round.cells.iter().map(seen).collect())
    }

    async fn teardown(&mut self) -> Result<(), TeardownError> {
        Ok(())
    }
}

struct Misreaders(fn(&mut NetworkPolicy));

#[async_trait]
impl Source for Misreaders {
    fn name(&self) -> &str {
        "misreader"
    }

    async fn cluster(&self, _: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        let capabilities = Capabilities {
            name: "misreader".into(),
            families: Family::ALL.into(),
            protocols: Protocol::ALL.into(),
            ways: [Via::Pod].into(),
            host_network: false,
            external_hosts: true,
            cluster_policies: ClusterPolicyApi::ALL.into(),
            evidence: true,
            dataplane: Box::default(),
            missing: vec![],
        };
        let (world, misread) = (World::default(), self.0);
        Ok(Box::new(Misreader { capabilities, world, misread, given: 0 }))
    }
}

fn forgets_exceptions(policy: &mut NetworkPolicy) {
    for rule in policy.ingress.iter_mut().chain(&mut policy.egress).flatten() {
        for peer in rule.peers.iter_mut().flatten() {
            if let Peer::IpBlock { except, .. } = peer {
                except.clear();
            }
        }
    }
}

fn reads_well(_: &mut NetworkPolicy) {}

/// The first case that fails, and how.
async fn first_failing(source: &Arc<dyn Source>) -> (Sample, Failure) {
    for number in 0..200 {
        let case = sample(1, number);
        let (settings, stop) = (Settings::default(), Stop::never());
        let mut found = attempt(vec![case.clone()], source, &settings, &stop).await;
        if let Some(failure) = found.remove(0).into_iter().next() {
            return (case, failure);
        }
    }
    panic!("no case fails");
}

async fn shrunk(
    source: &Arc<dyn Source>,
    from: (Sample, Failure),
    budget: Budget,
    stop: &Stop,
) -> Shrunk {
    let settings = Settings::default();
    let attempting = |samples| attempt(samples, source, &settings, stop);
    shrink(from.0, from.1, 4, budget, stop, attempting).await
}

#[tokio::test(start_paused = true)]
async fn a_case_that_fails_is_shrunk_to_the_peer_that_is_misread() {
    let source: Arc<dyn Source> = Arc::new(Misreaders(forgets_exceptions));
    let budget = Budget { time: Duration::from_secs(36_000), ..Budget::default() };
    let from = first_failing(&source).await;
    let specified = from.1.specified;
    let Shrunk { sample: least, failure, tried, end, .. } =
        shrunk(&source, from, budget, &Stop::never()).await;
    assert_eq!((end, failure.specified), (End::Minimal, specified), "{tried} tried");
    let [Change::ApplyPolicy(policy)] = &least.steps.concat()[..] else {
        panic!("expected one policy, found {:?}", least.steps);
    };
    let rules: Vec<_> = policy.ingress.iter().chain(&policy.egress).flatten().collect();
    assert_eq!(rules.len(), 1, "{}", policy.manifest);
    assert_eq!(rules[0].peers.as_ref().map(Vec::len), Some(1), "{}", policy.manifest);
    // What is written down fails alike.
    let (scenario, _) = least.scenario(&LoadOptions::default()).unwrap();
    let found = failures(&scenario.unwrap(), &*source, &Settings::default(), &Stop::never()).await;
    assert_eq!(found, [failure]);
}

#[tokio::test(start_paused = true)]
async fn shrinking_ends_with_its_budget_and_says_so() {
    let source: Arc<dyn Source> = Arc::new(Misreaders(forgets_exceptions));
    let from = first_failing(&source).await;
    let few = Budget { cases: 3, ..Budget::default() };
    let ended = shrunk(&source, from.clone(), few, &Stop::never()).await;
    assert_eq!((ended.end, ended.tried), (End::Cases, 3));
    let short = Budget { time: Duration::ZERO, ..Budget::default() };
    assert_eq!(shrunk(&source, from.clone(), short, &Stop::never()).await.end, End::Time);
    let (stopper, stop) = Stop::new();
    stopper.stop();
    let ended = shrunk(&source, from.clone(), Budget::default(), &stop).await;
    assert_eq!((ended.end, ended.tried, ended.sample), (End::Interrupted, 0, from.0));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fail_again_is_not_shrunk() {
    let source: Arc<dyn Source> = Arc::new(Misreaders(forgets_exceptions));
    let from = first_failing(&source).await;
    let well: Arc<dyn Source> = Arc::new(Misreaders(reads_well));
    let ended = shrunk(&well, from.clone(), Budget::default(), &Stop::never()).await;
    assert_eq!((ended.end, ended.tried, ended.sample), (End::NotAgain, 0, from.0));
}
