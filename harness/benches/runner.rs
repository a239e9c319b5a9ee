//! What the runner itself costs, on a cluster that answers at once: `cargo bench --bench runner`.
//!
//! A time per cell that grows with the number of cells would show as a growing last column.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ipnet::IpNet;
use ringfence::cluster::{Capabilities, Cluster, ClusterError, Round, TeardownError};
use ringfence::model::{
    Change, Endpoint, Family, Intent, LabelSelector, Labels, Name, Namespace, NetworkPolicy, Node,
    Observation, Origin, Outcome, Phase, Pod, PodName, PolicyName, PolicyType, Port, Protocol,
    Topology, Via, World,
};
use ringfence::run::record::RecordWriter;
use ringfence::run::{EventSink, Settings, Status, Stop, run_scenario};
use ringfence::scenario::{EndpointPattern, ExpectRule, Scenario, Step, Watching};

/// Numbers of pods, each with two ports: 300 are 179,400 cells in each step.
const SIZES: [usize; 3] = [50, 100, 300];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for one thread");
    println!(
        "{:>5} {:>8} {:>12} {:>10} {:>12} {:>14}",
        "pods", "cells", "whole run", "peak RSS", "record", "per cell, step"
    );
    for pods in SIZES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("record.jsonl");
        let mut writer = RecordWriter::create(&path).expect("a record");
        let (sink, mut lines) = EventSink::channel();
        // As in `ringfence run`: another thread folds and writes what the runner says.
        let writing = std::thread::spawn(move || {
            while let Some(line) = lines.blocking_recv() {
                writer.append(&line).expect("room for the record");
            }
        });
        let scenario = scenario(pods);
        let steps = scenario.steps.len();
        let begun = Instant::now();
        let settings = Settings::default();
        let stop = Stop::never();
        let mut cluster = Prompt::new();
        let status =
            runtime.block_on(run_scenario(&scenario, &mut cluster, &settings, &sink, &stop));
        drop(sink);
        writing.join().expect("the record is written");
        let took = begun.elapsed();
        assert_eq!(status, Status::Passed);
        let cells = pods * (pods - 1) * 2;
        println!(
            "{pods:>5} {cells:>8} {:>10.2} s {:>7} MB {:>9} MB {:>11.1} µs",
            took.as_secs_f64(),
            peak_memory() >> 10,
            fs::metadata(&path).map_or(0, |file| file.len()) >> 20,
            took.as_secs_f64() * 1e6 / (cells * steps) as f64
        );
    }
}

/// The most memory that this process has had, in KiB (proc_pid_status(5)).
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn origin() -> Origin {
    Origin::synthetic("bench")
}

/// Open, half of the pods fenced, open again.
fn scenario(pods: usize) -> Scenario {
    let namespace = Namespace::new("a", Labels::new(), origin());
    let port = |number| Port { name: None, number, protocol: Protocol::Tcp };
    let pod = |number: usize| Pod {
        name: PodName::new("a", &format!("pod-{number:04}")),
        labels: Labels::from([("half".to_owned(), (number % 2).to_string())]),
        ports: vec![port(80), port(443)],
        node: None,
        addresses: vec![],
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin: origin(),
    };
    let name = PolicyName::new("a", "half");
    let fence = Change::ApplyPolicy(Arc::new(NetworkPolicy {
        name: name.clone(),
        pod_selector: LabelSelector::label("half", "1"),
        policy_types: Some(vec![PolicyType::Ingress]),
        ingress: None,
        egress: None,
        origin: origin(),
        manifest: serde_json::json!({}),
    }));
    let any = |intent, destination| ExpectRule {
        text: format!("{intent} * -> {destination:?}"),
        intent,
        source: EndpointPattern::Any,
        destination,
        port: None,
        via: None,
        family: None,
        origin: origin(),
    };
    let open = || any(Intent::Allow, EndpointPattern::Any);
    let fenced = (0..pods).filter(|number| number % 2 == 1);
    let fenced = fenced.map(|number| any(Intent::Deny, EndpointPattern::Pod(pod(number).name)));
    let step = |name: &str, changes, expect| Step {
        name: name.to_owned(),
        changes,
        bindings: vec![],
        expect,
        faults: vec![],
        rejected: vec![],
        watch: Watching::default(),
        origin: origin(),
    };
    Scenario {
        id: "bench".to_owned(),
        folder: "bench".into(),
        name: "bench".to_owned(),
        about: "Many cells.".to_owned(),
        tags: vec![],
        nodes: 2,
        topology: Topology {
            namespaces: [(namespace.name.clone(), namespace)].into(),
            pods: (0..pods).map(pod).map(|pod| (pod.name.clone(), pod)).collect(),
            ..Topology::default()
        },
        steps: vec![
            step("open", vec![], vec![open()]),
            step("fenced", vec![fence], fenced.chain([open()]).collect()),
            step("open again", vec![Change::DeletePolicy(name)], vec![open()]),
        ],
        unsupported: vec![],
        digest: String::new(),
        origin: origin(),
    }
}

/// Answers every attempt at once, as its policies say, with evidence of each drop.
struct Prompt {
    capabilities: Capabilities,
    world: World,
    isolated: BTreeSet<PodName>,
    addresses: u32,
}

impl Prompt {
    fn new() -> Self {
        Self {
            capabilities: Capabilities {
                name: "prompt".to_owned(),
                families: [Family::Ipv4].into(),
                protocols: [Protocol::Tcp].into(),
                ways: [Via::Pod].into(),
                host_network: false,
                external_hosts: false,
                cluster_policies: BTreeSet::new(),
                evidence: true,
                dataplane: Box::default(),
                missing: vec![],
            },
            world: World::default(),
            isolated: BTreeSet::new(),
            addresses: u32::from(Ipv4Addr::new(10, 0, 0, 0)),
        }
    }

    fn settle(&mut self) -> Topology {
        for pod in self.world.topology.pods.values_mut().filter(|pod| pod.addresses.is_empty()) {
            self.addresses += 1;
            pod.addresses = vec![IpAddr::V4(Ipv4Addr::from(self.addresses))];
            pod.node.get_or_insert_with(|| Name::from(format!("n{}", self.addresses % 2)));
        }
        for name in ["n0", "n1"] {
            let node = Node::new(Name::from(name));
            self.world.topology.nodes.insert(node.name.clone(), node);
        }
        let selects = |policy: &NetworkPolicy, pod: &Pod| {
            policy.name.namespace == pod.name.namespace && policy.pod_selector.matches(&pod.labels)
        };
        let policies = &self.world.policies;
        let pods = self.world.topology.pods.values();
        self.isolated = pods
            .filter(|pod| policies.values().any(|policy| selects(policy, pod)))
            .map(|pod| pod.name.clone())
            .collect();
        self.world.topology.clone()
    }
}

#[async_trait]
impl Cluster for Prompt {
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
        Ok(self.settle())
    }

    async fn change(&mut self, changes: &[Change]) -> Result<Topology, ClusterError> {
        for change in changes {
            self.world.change(change).map_err(anyhow::Error::from)?;
        }
        Ok(self.settle())
    }

    async fn probe(&mut self, round: &Round) -> Result<Vec<Observation>, ClusterError> {
        let outcome = |end: &Endpoint| match end.as_pod() {
            Some(pod) if self.isolated.contains(pod) => Outcome::Dropped,
            _ => Outcome::Connected,
        };
        let seen = round.cells.iter().map(|cell| Observation {
            outcome: outcome(&cell.destination),
            latency: Duration::from_millis(1),
            ..Observation::broken("")
        });
        Ok(seen.collect())
    }

    async fn teardown(&mut self) -> Result<(), TeardownError> {
        Ok(())
    }
}
