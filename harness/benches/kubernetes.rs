//! What a real Kubernetes cluster costs, stage by stage: `cargo bench --bench kubernetes`.
//!
//! `RINGFENCE_TEST_KUBECONFIG` names a cluster that enforces policies and
//! `RINGFENCE_TEST_AGENT_IMAGE` an image that its nodes have or can pull; without them
//! nothing is measured. Everything that is made is removed again. Each row is the median
//! of its repetitions, with the least and the most.
//!
//! The target: a step costs at most the CNI's own latency and three deadlines of silence,
//! whatever the number of cells. The latency is what the run itself saw: until a round began
//! in which the sentinel had flipped on every node, or the slowest enforcement of the
//! scenario so far, for which every step waits. Both differences are printed; where the
//! median of the second is more than three deadlines, the program ends with exit code 1.
//!
//! Cells are those of Cyclonus' default: 9 pods × 9 pods × ports, a pod to itself among
//! them, over IPv4 alone.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hyper::Request;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::config::Kubeconfig;
use kube::{Api, Client, ResourceExt};
use ringfence::cluster::agents::Traffic;
use ringfence::cluster::kubernetes::{KubernetesSource, Options, client};
use ringfence::cluster::{Cluster, Dataplane, Feature, Round, Source, Stages};
use ringfence::model::{Cell, Endpoint, Family, Topology, Via};
use ringfence::run::{Event, EventSink, Line, Settings, Status, Stop, run_scenario};
use ringfence::scenario::{LoadOptions, Scenario, parse_scenario};

/// How often everything is measured.
const TIMES: usize = 3;

/// How many pods the topology has.
const PODS: usize = 9;

/// How many ports each pod has, and how many cells that makes.
const SIZES: [(u16, usize); 2] = [(1, 81), (12, 972)];

/// The most that a step may cost beyond the CNI's own latency, in deadlines.
const TARGET: f64 = 3.0;

/// How long silence must last in rounds of attempts alone.
const SILENCE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    ringfence::init();
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let names = ["RINGFENCE_TEST_KUBECONFIG", "RINGFENCE_TEST_AGENT_IMAGE"];
    let [Some(kubeconfig), Some(image)] = names.map(variable) else {
        println!("nothing is measured: `{}` and `{}` are not both set", names[0], names[1]);
        return ExitCode::SUCCESS;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let met = runtime.expect("a runtime can be built").block_on(async {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig can be read");
        let client = client(kubeconfig, None).await.expect("the kubeconfig names a cluster");
        println!("| {:<62} | {:>10} | {:>21} |", "what", "median", "range");
        println!("|{:-<64}|{:->11}:|{:->22}:|", "", "", "");
        image_size(&client, &image).await;
        sizes(&client, &image).await
    });
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One row: the median of what was measured, and its range.
fn row(what: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else {
        println!("| {what:<62} | {:>10} | {:>21} |", "none", "");
        return;
    };
    let text = |value: f64| match value {
        _ if value >= 100.0 => format!("{value:.0} {unit}"),
        _ if value >= 10.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    };
    let range = format!("{} … {}", text(*least), text(*most));
    println!("| {what:<62} | {:>10} | {range:>21} |", text(values[values.len() / 2]));
}

/// How large nodes say that the agent's image is.
async fn image_size(client: &Client, image: &str) {
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await;
    let nodes = nodes.expect("nodes can be listed");
    let images = nodes.iter().filter_map(|node| node.status.as_ref()?.images.as_ref()).flatten();
    let ours = images.filter(|known| {
        let names = known.names.iter().flatten();
        names.into_iter().any(|name| name.ends_with(image))
    });
    let sizes = ours.filter_map(|image| image.size_bytes);
    row(
        "agent image on a node",
        "MiB",
        sizes.map(|bytes| bytes as f64 / (1 << 20) as f64).collect(),
    );
}

/// Measures every size; whether all of them meet the target.
async fn sizes(client: &Client, image: &str) -> bool {
    let mut met = true;
    for (ports, count) in SIZES {
        let scenario = scenario(ports);
        let mut measured = Measured::default();
        for _ in 0..TIMES {
            repetition(client, image, &scenario, count, &mut measured).await;
        }
        met &= measured.print(ports, count);
    }
    met
}

/// One value for each repetition or step, in the unit of its row.
#[derive(Default)]
struct Measured {
    prepare: Vec<f64>,
    cold: Vec<f64>,
    warm: Vec<f64>,
    steps: Vec<Step>,
    attempts: Vec<f64>,
    bytes: Vec<f64>,
    memory: Vec<f64>,
    close: Vec<f64>,
}

/// A step that changed something.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// From the change's acceptance to the judgement.
    took: Duration,
    /// Until a round began in which every node showed the sentinel's flip.
    latency: Duration,
    /// The slowest that anything took to be enforced in the scenario so far.
    slowest: Duration,
    /// How long silence had to last, in the last round.
    silence: Duration,
}

impl Step {
    /// What it cost beyond a latency, in deadlines.
    fn beyond(&self, latency: Duration) -> f64 {
        self.took.saturating_sub(latency).as_secs_f64() / self.silence.as_secs_f64()
    }
}

impl Measured {
    /// Prints the rows; whether the target is met.
    fn print(self, ports: u16, count: usize) -> bool {
        let Self { prepare, cold, warm, steps, attempts, bytes, memory, close } = self;
        if ports == 1 {
            row("rights, nodes, an agent on each node", "s", prepare);
            row(&format!("{PODS} pods ready, cold, with 8 of the run's own"), "s", cold);
            row("the same, warm: the next scenario on the same pods", "ms", warm);
        }
        let seconds =
            |of: fn(&Step) -> Duration| steps.iter().map(|step| of(step).as_secs_f64()).collect();
        let step = format!("step of {count} cells ({PODS} × {PODS} × {ports}): ");
        row(&(step.clone() + "applied → settled"), "s", seconds(|step| step.took));
        row(&(step.clone() + "the CNI's latency"), "s", seconds(|step| step.latency));
        row(&(step.clone() + "one deadline"), "s", seconds(|step| step.silence));
        let flip = steps.iter().map(|step| step.beyond(step.latency)).collect();
        row(&(step.clone() + "beyond it, in deadlines"), "", flip);
        let mut costs: Vec<f64> = steps.iter().map(|step| step.beyond(step.slowest)).collect();
        row(&(step + "beyond the slowest, in deadlines"), "", costs.clone());
        costs.sort_by(f64::total_cmp);
        let met = costs.get(costs.len() / 2).is_some_and(|median| *median <= TARGET);
        if !met {
            println!("| target missed: at most {TARGET} deadlines beyond the CNI's latency");
        }
        row(&format!("attempts each second, rounds of {count}"), "", attempts.clone());
        let each = attempts.iter().map(|all| all / PODS as f64).collect();
        row("… of each pod", "", each);
        row("bytes of an attempt, both ways", "B", bytes);
        row("memory of an agent at rest after that (working set)", "MiB", memory);
        row("everything removed", "s", close);
        met
    }
}

async fn repetition(
    client: &Client,
    image: &str,
    scenario: &Scenario,
    count: usize,
    measured: &mut Measured,
) {
    let dataplane = Dataplane { lacks: [Feature::Ipv6].into(), ..Dataplane::default() };
    let options = Options { dataplane, ..Options::new("bench", image) };
    let source = KubernetesSource::new(client.clone(), options);
    let begun = Instant::now();
    source.prepare(&Stages::silent()).await.expect("the cluster can be used");
    measured.prepare.push(begun.elapsed().as_secs_f64());
    for (deployed, unit) in [(&mut measured.cold, 1.0), (&mut measured.warm, 1e3)] {
        let mut cluster = source.cluster(scenario).await.expect("a share of the cluster");
        let (sink, mut lines) = EventSink::channel();
        let settings = Settings::default();
        let status = run_scenario(scenario, &mut *cluster, &settings, &sink, &Stop::never()).await;
        drop(sink);
        let mut record = Vec::new();
        while let Some(line) = lines.recv().await {
            record.push(line);
        }
        assert_eq!(status, Status::Passed, "expected a cluster that enforces policies");
        for line in &record {
            match &line.event {
                Event::Deployed { took, .. } => deployed.push(took.as_secs_f64() * unit),
                Event::StepJudged { cells, .. } => assert_eq!(cells.len(), count),
                _ => {}
            }
        }
        measured.steps.extend(steps(&record));
    }
    let mut cluster = source.cluster(scenario).await.expect("a share of the cluster");
    let topology = cluster.deploy(&scenario.topology, 2, &[]).await.expect("pods start");
    let cells = cells(&topology);
    assert_eq!(cells.len(), count);
    attempts(&mut *cluster, cells, measured).await;
    measured.memory.extend(memory(client, &format!("rf-{}-", source.run())).await);
    cluster.teardown().await.expect("a scenario goes");
    let begun = Instant::now();
    source.close().await.expect("nothing remains");
    measured.close.push(begun.elapsed().as_secs_f64());
}

/// Measures rounds in which everything connects.
async fn attempts(cluster: &mut dyn Cluster, cells: Vec<Cell>, measured: &mut Measured) {
    let round = Round { cells, deadline: SILENCE };
    // The first round sets sessions up.
    cluster.probe(&round).await.expect("agents answer");
    let said = |cluster: &dyn Cluster| cluster.traffic().unwrap_or_default();
    let before: Traffic = said(cluster);
    let begun = Instant::now();
    let seen = cluster.probe(&round).await.expect("agents answer");
    let took = begun.elapsed().as_secs_f64();
    let after = said(cluster);
    let shut = round.cells.iter().zip(&seen).find(|(_, seen)| !seen.outcome.is_connected());
    assert!(shut.is_none(), "expected every path to be open, found {shut:?}");
    measured.attempts.push(seen.len() as f64 / took);
    let bytes = after.sent + after.received - before.sent - before.received;
    measured.bytes.push(bytes as f64 / (after.attempts - before.attempts) as f64);
}

/// What the agents of a run hold, in MiB, as every kubelet tells:
/// `kubectl get --raw /api/v1/nodes/NODE/proxy/metrics/resource | grep agent`. It looks every
/// ten seconds or so, and counts what a limit counts: pages in use, and files' pages among them.
async fn memory(client: &Client, namespaces: &str) -> Vec<f64> {
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await;
    let mut values = Vec::new();
    for node in nodes.expect("nodes can be listed") {
        let path = format!("/api/v1/nodes/{}/proxy/metrics/resource", node.name_any());
        let request = Request::get(path).body(Vec::new()).expect("a path");
        let text = client.request_text(request).await.expect("kubelets tell what pods use");
        let ours = format!(r#"namespace="{namespaces}"#);
        let lines = text.lines().filter(|line| {
            line.starts_with("container_memory_working_set_bytes") && line.contains(&ours)
        });
        let bytes = lines.filter_map(|line| line.split(' ').nth(1)?.parse::<f64>().ok());
        values.extend(bytes.map(|bytes| bytes / f64::from(1 << 20)));
    }
    values
}

/// The steps of a record that changed something.
fn steps(record: &[Line]) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut accepted, mut changed, mut silence) = (Duration::ZERO, false, Duration::ZERO);
    let mut slowest = Duration::ZERO;
    for line in record {
        match &line.event {
            Event::StepStarted { changes, .. } => {
                (accepted, changed) = (line.at, !changes.is_empty());
            }
            Event::Round { step: Some(_), deadline, .. } => silence = *deadline,
            Event::StepJudged { timing, .. } => {
                let latency = timing.to_look.expect("a step passed, so every node looked");
                slowest = slowest.max(latency);
                if changed {
                    steps.push(Step { took: line.at - accepted, latency, slowest, silence });
                }
                let enforced = timing.to_enforce.max(timing.to_allow);
                slowest = slowest.max(enforced.unwrap_or_default());
            }
            _ => {}
        }
    }
    steps
}

/// From every pod to every port of every one, itself among them, over IPv4.
fn cells(topology: &Topology) -> Vec<Cell> {
    let pods: BTreeSet<Endpoint> = topology.pods.keys().cloned().map(Endpoint::Pod).collect();
    let mut cells = Vec::new();
    for source in &pods {
        for (name, pod) in &topology.pods {
            cells.extend(pod.ports.iter().map(|port| Cell {
                source: source.clone(),
                destination: Endpoint::Pod(name.clone()),
                port: port.number,
                protocol: port.protocol,
                family: Family::Ipv4,
                via: Via::Pod,
            }));
        }
    }
    cells
}

/// Open, fenced, open again.
fn scenario(ports: u16) -> Scenario {
    let ports: Vec<String> = (8080..8080 + ports).map(|port| port.to_string()).collect();
    let ports = ports.join(", ");
    let pods = (0..PODS).map(|number| format!("        pod-{number}: {{ ports: [{ports}] }}\n"));
    // What a pod can send to itself is left open as soon as a policy isolates it.
    let rules = |others: &str, itself: &str| {
        let itself =
            (0..PODS).map(|n| format!("\"{itself} bench/pod-{n} -> bench/pod-{n} over ipv4\", "));
        format!("[{}\"{others} * -> *\"]", itself.collect::<String>())
    };
    let text = format!(
        "name: bench\nabout: Nothing but its size.\nnodes: 2\ntopology:\n  namespaces:\n    bench:\n      pods:\n{}\
         steps:\n\
         \x20 - {{ name: open, expect: {open} }}\n\
         \x20 - {{ name: fenced, apply: [fence.yaml], expect: {} }}\n\
         \x20 - {{ name: open again, delete: [bench/fence], expect: {open} }}\n",
        pods.collect::<String>(),
        rules("deny", "any"),
        open = rules("allow", "allow"),
    );
    let fence = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: fence, namespace: bench }\n\
                 spec: { podSelector: {}, policyTypes: [Ingress] }\n";
    let manifests = BTreeMap::from([("fence.yaml".to_owned(), fence.to_owned())]);
    let (scenario, found) =
        parse_scenario("scenario.yaml", &text, &manifests, &LoadOptions::default());
    scenario.unwrap_or_else(|| panic!("expected a scenario, found {found:?}"))
}
