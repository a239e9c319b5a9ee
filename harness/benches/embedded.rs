//! How fast the embedded cluster is: `cargo bench --bench embedded`, with a part of a
//! row's name to run that row alone.
//!
//! Targets were measured on a bare prototype on two cores; here nonces, identities, the
//! helper process and its protocol are counted in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence::cluster::embedded::{Embedded, EmbeddedOptions};
use ringfence::cluster::{Cluster, ClusterError, Round};
use ringfence::model::{
    Cell, Change, Endpoint, Family, LabelSelector, Labels, Name, Namespace, NetworkPolicy, Origin,
    Outcome, Peer, Phase, Pod, PodName, PolicyName, PolicyPort, PolicyType, PortRef, Protocol,
    Rule, Topology, Via,
};

const NODES: usize = 4;
/// How often each row is measured; the table shows the fastest, the median and the slowest.
const TIMES: usize = 3;

/// Which pods a policy isolates before a round.
#[derive(Clone, Copy, PartialEq)]
enum Isolated {
    None,
    Half,
    All,
}

struct Bench {
    wanted: Option<String>,
}

fn main() {
    ringfence::init();
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let bench = Bench { wanted };
    println!(
        "{:<44} {:>9} {:>9} {:>9} {:>9}",
        "embedded cluster", "fastest", "median", "slowest", "target"
    );
    runtime.expect("a runtime can be built").block_on(all(&bench)).expect("a cluster can be had");
}

async fn all(bench: &Bench) -> Result<(), ClusterError> {
    bench.row("helper started", None, start).await?;
    for (pods, target) in [(10, 20), (100, 150), (1000, 1500)] {
        let name = format!("{pods} pods created");
        bench.row(&name, Some(target), || create(pods)).await?;
    }
    bench.row("rules for 1000 pods loaded", Some(700), rules).await?;
    for (evidence, what) in [(true, "evidence"), (false, "deadline")] {
        for (isolated, verdict) in
            [(Isolated::None, "allowed"), (Isolated::All, "dropped"), (Isolated::Half, "mixed")]
        {
            for (pods, ports, target) in [(100, 2, 1000), (300, 1, 5000)] {
                for protocol in [Protocol::Tcp, Protocol::Udp] {
                    let name = format!("{pods} x {pods} x {ports} {protocol}, {verdict}, {what}");
                    bench
                        .row(&name, Some(target), || {
                            round(pods, ports, protocol, isolated, evidence)
                        })
                        .await?;
                }
            }
        }
    }
    Ok(())
}

impl Bench {
    async fn row<F>(
        &self,
        name: &str,
        target_ms: Option<u64>,
        mut run: impl FnMut() -> F,
    ) -> Result<(), ClusterError>
    where
        F: Future<Output = Result<Duration, ClusterError>>,
    {
        if self.wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
            return Ok(());
        }
        let mut times = Vec::new();
        for _ in 0..TIMES {
            times.push(run().await?);
        }
        times.sort_unstable();
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        let target = target_ms.map_or(String::new(), |target| format!("{target} ms"));
        let median = times[TIMES / 2];
        let missed = target_ms.is_some_and(|target| median > Duration::from_millis(target));
        println!(
            "{name:<44} {:>9} {:>9} {:>9} {target:>9}{}",
            ms(times[0]),
            ms(median),
            ms(times[TIMES - 1]),
            if missed { "  missed" } else { "" },
        );
        Ok(())
    }
}

async fn start() -> Result<Duration, ClusterError> {
    let started = Instant::now();
    let mut cluster = Embedded::start(EmbeddedOptions::default()).await?;
    let took = started.elapsed();
    end(&mut cluster).await;
    Ok(took)
}

async fn create(pods: usize) -> Result<Duration, ClusterError> {
    let mut cluster = Embedded::start(EmbeddedOptions::default()).await?;
    let topology = topology(pods, 2);
    let started = Instant::now();
    cluster.deploy(&topology, NODES, &[]).await?;
    let took = started.elapsed();
    end(&mut cluster).await;
    Ok(took)
}

/// Five rules of twenty peers and two ports for each of a thousand pods.
async fn rules() -> Result<Duration, ClusterError> {
    let mut cluster = Embedded::start(EmbeddedOptions::default()).await?;
    let topology = topology(1000, 1);
    cluster.deploy(&topology, NODES, &[]).await?;
    let changes: Vec<Change> = topology
        .pods
        .keys()
        .enumerate()
        .map(|(number, pod)| {
            let rules = (0..5).map(|rule| peers((number + rule * 37) % 1000)).collect();
            let mut policy = policy(&pod.name, LabelSelector::label("name", &pod.name));
            policy.ingress = Some(rules);
            Change::ApplyPolicy(Arc::new(policy))
        })
        .collect();
    let started = Instant::now();
    cluster.change(&changes).await?;
    let took = started.elapsed();
    end(&mut cluster).await;
    Ok(took)
}

fn peers(first: usize) -> Rule {
    let peers = (first..first + 20)
        .map(|pod| Peer::Pods {
            pod_selector: Some(LabelSelector::label("name", &name(pod % 1000))),
            namespace_selector: None,
            origin: origin(),
        })
        .collect();
    let ports = [80, 53].map(|port| PolicyPort {
        protocol: Some(Protocol::Tcp),
        port: Some(PortRef::Number(port)),
        end_port: None,
        origin: origin(),
    });
    Rule { peers: Some(peers), ports: Some(ports.to_vec()), origin: origin() }
}

async fn round(
    pods: usize,
    ports: u16,
    protocol: Protocol,
    isolated: Isolated,
    evidence: bool,
) -> Result<Duration, ClusterError> {
    let options = EmbeddedOptions { evidence, ..EmbeddedOptions::default() };
    let mut cluster = Embedded::start(options).await?;
    let topology = topology(pods, ports);
    cluster.deploy(&topology, NODES, &[]).await?;
    let selector = match isolated {
        Isolated::None => None,
        Isolated::Half => Some(LabelSelector::label("half", "0")),
        Isolated::All => Some(LabelSelector::everything()),
    };
    if let Some(selector) = selector {
        let mut policy = policy("isolate", selector);
        policy.ingress = Some(Vec::new());
        cluster.change(&[Change::ApplyPolicy(Arc::new(policy))]).await?;
    }
    let cells = cells(&topology, ports, protocol);
    let count = cells.len();
    let round = Round { cells, deadline: Duration::from_millis(300) };
    let started = Instant::now();
    let seen = cluster.probe(&round).await?;
    let took = started.elapsed();
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for (cell, seen) in round.cells.iter().zip(&seen) {
        let number: usize = match &cell.destination {
            Endpoint::Pod(pod) => pod.name[4..].parse().expect("pods are numbered"),
            _ => unreachable!("only pods are dialled"),
        };
        let stopped =
            isolated == Isolated::All || (isolated == Isolated::Half && number.is_multiple_of(2));
        let expected = if stopped { Outcome::Dropped } else { Outcome::Connected };
        if seen.outcome != expected || (stopped && evidence && seen.evidence.is_none()) {
            *outcomes
                .entry(format!("{} ({})", seen.outcome, seen.evidence.is_some()))
                .or_default() += 1;
        }
    }
    if !outcomes.is_empty() {
        println!("  not as expected, of {count}: {outcomes:?}");
    }
    end(&mut cluster).await;
    Ok(took)
}

async fn end(cluster: &mut Embedded) {
    cluster.teardown().await.expect("nothing remains");
}

fn cells(topology: &Topology, ports: u16, protocol: Protocol) -> Vec<Cell> {
    let pods: Vec<Endpoint> = topology.pods.keys().cloned().map(Endpoint::Pod).collect();
    let mut cells = Vec::new();
    for source in &pods {
        for destination in pods.iter().filter(|destination| *destination != source) {
            for port in 80..80 + ports {
                cells.push(Cell {
                    source: source.clone(),
                    destination: destination.clone(),
                    port,
                    protocol,
                    family: Family::Ipv4,
                    via: Via::Pod,
                });
            }
        }
    }
    cells
}

fn topology(pods: usize, ports: u16) -> Topology {
    let namespace = Namespace::new("bench", Labels::new(), origin());
    let mut topology = Topology::default();
    for number in 0..pods {
        let name = name(number);
        let half = (number % 2).to_string();
        let ports = (80..80 + ports)
            .flat_map(|number| {
                [Protocol::Tcp, Protocol::Udp].map(|protocol| ringfence::model::Port {
                    name: None,
                    number,
                    protocol,
                })
            })
            .collect();
        let pod = Pod {
            name: PodName::new("bench", &name),
            labels: Labels::from([("name".to_owned(), name), ("half".to_owned(), half)]),
            ports,
            node: None,
            addresses: Vec::new(),
            host_network: false,
            phase: Phase::Running,
            terminating: false,
            origin: origin(),
        };
        topology.pods.insert(pod.name.clone(), pod);
    }
    topology.namespaces.insert(Name::from("bench"), namespace);
    topology
}

fn name(number: usize) -> String {
    format!("pod-{number:04}")
}

fn policy(name: &str, pod_selector: LabelSelector) -> NetworkPolicy {
    NetworkPolicy {
        name: PolicyName::new("bench", name),
        pod_selector,
        policy_types: Some(vec![PolicyType::Ingress]),
        ingress: None,
        egress: None,
        origin: origin(),
        manifest: serde_json::Value::Null,
    }
}

fn origin() -> Origin {
    Origin::synthetic("bench")
}
