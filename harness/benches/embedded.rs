//! How fast the embedded cluster is: `cargo bench --bench embedded`, with a part of a
//! row's name to run that row alone.
//!
//! Targets were measured on a bare prototype on two cores; here nonces, identities, the
//! helper process and its protocol are counted in. Every outcome is checked.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence::cluster::embedded::{Embedded, EmbeddedOptions};
use ringfence::cluster::{Cluster, ClusterError, Round};
use ringfence::model::{
    Cell, Change, Endpoint, Family, LabelSelector, Labels, Name, Namespace, NetworkPolicy, Origin,
    Outcome, Peer, Phase, Pod, PodName, PolicyName, PolicyPort, PolicyType, PortRef, Protocol,
    Rule, Topology, Via,
};

mod table;

use table::{Table, Took};

const NODES: usize = 4;
/// How often each row is measured; rows that take long are measured less often.
const TIMES: usize = 5;
const LEAST_TIMES: usize = 3;
const LONG: Duration = Duration::from_secs(15);

/// Which pods a policy isolates before a round.
#[derive(Clone, Copy, PartialEq)]
enum Isolated {
    None,
    Half,
    All,
}

/// Outcomes that are not as expected, each with how many there were.
type Wrong = BTreeMap<String, usize>;

fn main() -> ExitCode {
    ringfence::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let table = Table::new("embedded cluster");
    let right = runtime.expect("a runtime can be built").block_on(all(&table));
    if right.expect("a cluster can be had") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn all(table: &Table) -> Result<bool, ClusterError> {
    let mut right = row(table, "helper started", None, start).await?;
    for (pods, target) in [(10, 20), (100, 150), (1000, 1500)] {
        let name = format!("{pods} pods created");
        right &= row(table, &name, Some(target), || create(pods)).await?;
    }
    for (threads, loads, name, target) in [
        (2, 1, "rules for 1000 pods loaded", Some(700)),
        (1, 1, "rules for 1000 pods loaded on one thread", None),
        (2, 2, "rules for 1000 pods replaced by others", None),
    ] {
        right &= row(table, name, target, || rules(threads, loads)).await?;
    }
    for (evidence, what) in [(true, ""), (false, ", no evidence")] {
        for (isolated, verdict) in
            [(Isolated::None, "allowed"), (Isolated::All, "dropped"), (Isolated::Half, "mixed")]
        {
            for (pods, ports, target) in [(100, 2, 1000), (300, 1, 5000)] {
                // Without drops there is nothing to report, and 300 × 300 only take longer.
                if !evidence && (isolated == Isolated::None || pods > 100) {
                    continue;
                }
                for protocol in [Protocol::Tcp, Protocol::Udp] {
                    let name =
                        format!("{pods} × {pods} × {ports} port(s), {protocol}, {verdict}{what}");
                    // The targets are those of the default, where drops are reported.
                    let target = evidence.then_some(target);
                    let run = || round(pods, ports, protocol, isolated, evidence);
                    right &= row(table, &name, target, run).await?;
                }
            }
        }
    }
    Ok(right)
}

/// Measures a row; whether every outcome was as expected.
async fn row<F>(
    table: &Table,
    name: &str,
    target_ms: Option<u64>,
    mut run: impl FnMut() -> F,
) -> Result<bool, ClusterError>
where
    F: Future<Output = Result<(Took, Wrong), ClusterError>>,
{
    if !table.wants(name) {
        return Ok(true);
    }
    let (mut runs, mut wrong, started) = (Vec::new(), Wrong::new(), Instant::now());
    while runs.len() < LEAST_TIMES || (runs.len() < TIMES && started.elapsed() < LONG) {
        let (took, found) = run().await?;
        runs.push(took);
        for (outcome, count) in found {
            *wrong.entry(outcome).or_default() += count;
        }
    }
    let notes: Vec<String> = wrong
        .iter()
        .map(|(outcome, count)| format!("NOT AS EXPECTED, in all runs together: {count} {outcome}"))
        .collect();
    table.row(name, target_ms.map(Duration::from_millis), runs, &notes);
    Ok(wrong.is_empty())
}

/// Measures one request, on both sides.
async fn measure<T>(
    cluster: &mut Embedded,
    work: impl AsyncFnOnce(&mut Embedded) -> Result<T, ClusterError>,
) -> Result<(Took, T), ClusterError> {
    let helper = cluster.helper_id();
    let used = || table::used() + helper.map_or(Duration::ZERO, used_by);
    let (processor, start) = (used(), Instant::now());
    let result = work(cluster).await?;
    Ok((Took { wall: start.elapsed(), processor: used() - processor }, result))
}

/// What another process has used so far (`utime` and `stime` of proc_pid_stat(5)), in ticks of
/// 10 ms: `USER_HZ`, which is 100 wherever this runs.
fn used_by(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field may hold anything, but it ends with the last bracket.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Duration::from_millis(10) * ticks
}

async fn start() -> Result<(Took, Wrong), ClusterError> {
    let (processor, started) = (table::used(), Instant::now());
    let mut cluster = Embedded::start(EmbeddedOptions::default()).await?;
    let wall = started.elapsed();
    end(&mut cluster).await;
    Ok((Took { wall, processor: table::used() - processor }, Wrong::new()))
}

async fn create(pods: usize) -> Result<(Took, Wrong), ClusterError> {
    let mut cluster = Embedded::start(EmbeddedOptions::default()).await?;
    let topology = topology(pods, 2);
    let (took, made) =
        measure(&mut cluster, async |cluster| cluster.deploy(&topology, NODES, &[]).await).await?;
    assert!(made.pods.values().all(|pod| !pod.addresses.is_empty()), "a pod has no address");
    end(&mut cluster).await;
    Ok((took, Wrong::new()))
}

/// Five rules of twenty peers and two ports for each of a thousand pods, loaded so many times,
/// each time with other peers; the last time counts.
async fn rules(threads: usize, loads: usize) -> Result<(Took, Wrong), ClusterError> {
    let options = EmbeddedOptions { threads, ..EmbeddedOptions::default() };
    let mut cluster = Embedded::start(options).await?;
    let topology = topology(1000, 1);
    cluster.deploy(&topology, NODES, &[]).await?;
    let mut last = None;
    for load in 0..loads {
        let changes: Vec<Change> = topology
            .pods
            .keys()
            .enumerate()
            .map(|(number, pod)| {
                let rules = (0..5).map(|rule| peers((number + rule * 37 + load) % 1000)).collect();
                let mut policy = policy(&pod.name, LabelSelector::label("name", &pod.name));
                policy.ingress = Some(rules);
                Change::ApplyPolicy(Arc::new(policy))
            })
            .collect();
        let took = measure(&mut cluster, async |cluster| cluster.change(&changes).await).await?;
        last = Some(took.0);
    }
    end(&mut cluster).await;
    Ok((last.expect("the rules are loaded at least once"), Wrong::new()))
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
) -> Result<(Took, Wrong), ClusterError> {
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
    let round = Round { cells, deadline: Duration::from_millis(300) };
    let (took, seen) = measure(&mut cluster, async |cluster| cluster.probe(&round).await).await?;
    let mut wrong = Wrong::new();
    for (cell, seen) in round.cells.iter().zip(&seen) {
        let number: usize = match &cell.destination {
            Endpoint::Pod(pod) => pod.name[4..].parse().expect("pods are numbered"),
            _ => unreachable!("only pods are dialled"),
        };
        let stopped =
            isolated == Isolated::All || (isolated == Isolated::Half && number.is_multiple_of(2));
        let expected = if stopped { Outcome::Dropped } else { Outcome::Connected };
        let proven = seen.evidence.is_some();
        if seen.outcome != expected || proven != (stopped && evidence) {
            let word = if proven { "with" } else { "without" };
            *wrong.entry(format!("{} {word} evidence", seen.outcome)).or_default() += 1;
        }
    }
    end(&mut cluster).await;
    Ok((took, wrong))
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
