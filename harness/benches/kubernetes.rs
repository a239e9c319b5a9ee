//! What a real Kubernetes cluster costs, stage by stage: `cargo bench --bench kubernetes`.
//!
//! `RINGFENCE_TEST_KUBECONFIG` names a cluster that enforces policies and
//! `RINGFENCE_TEST_AGENT_IMAGE` an image that its nodes have or can pull; without them
//! nothing is measured. Everything that is made is removed again. Each row is the median
//! of its repetitions, with the least and the most.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::config::Kubeconfig;
use kube::{Api, Client};
use ringfence::cluster::agents::Traffic;
use ringfence::cluster::kubernetes::{KubernetesSource, Options, client};
use ringfence::cluster::{Cluster, Round, Source, Stages};
use ringfence::model::{Cell, Endpoint, Topology, Via};
use ringfence::run::{Event, EventSink, Line, Purpose, Settings, Status, Stop, run_scenario};
use ringfence::scenario::{LoadOptions, Scenario, parse_scenario};

/// How often everything is measured.
const TIMES: usize = 3;

/// How many pods the topology has.
const PODS: usize = 9;

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
    runtime.expect("a runtime can be built").block_on(async {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig can be read");
        let client = client(kubeconfig, None).await.expect("the kubeconfig names a cluster");
        println!("| {:<58} | {:>10} | {:>21} |", "what", "median", "range");
        println!("|{:-<60}|{:->11}:|{:->22}:|", "", "", "");
        image_size(&client, &image).await;
        sizes(&client, &image).await;
    });
    ExitCode::SUCCESS
}

/// One row: the median of what was measured, and its range.
fn row(what: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else {
        println!("| {what:<58} | {:>10} | {:>21} |", "none", "");
        return;
    };
    let text = |value: f64| match value {
        _ if value >= 100.0 => format!("{value:.0} {unit}"),
        _ if value >= 10.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    };
    let range = format!("{} … {}", text(*least), text(*most));
    println!("| {what:<58} | {:>10} | {range:>21} |", text(values[values.len() / 2]));
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

/// Topologies with so many ports, and what is measured on each.
async fn sizes(client: &Client, image: &str) {
    for ports in [1, 7] {
        let scenario = scenario(ports);
        let mut measured = Measured::default();
        for _ in 0..TIMES {
            repetition(client, image, &scenario, &mut measured).await;
        }
        measured.print(ports);
    }
}

/// Times in seconds or as the names say, one for each repetition or step.
#[derive(Default)]
struct Measured {
    cells: usize,
    prepare: Vec<f64>,
    cold: Vec<f64>,
    warm: Vec<f64>,
    steps: Vec<Step>,
    attempts: Vec<f64>,
    bytes: Vec<f64>,
    close: Vec<f64>,
}

/// A step that changed something.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// From the change's acceptance to the judgement.
    took: Duration,
    /// Until a round began in which every sentinel had flipped, and its flip was seen.
    enforced: Duration,
    /// How long silence had to last in the last round.
    silence: Duration,
}

impl Measured {
    fn print(self, ports: u16) {
        let Self { cells, prepare, cold, warm, steps, attempts, bytes, close } = self;
        if ports == 1 {
            row("rights, nodes, an agent on each node", "s", prepare);
            row(&format!("{PODS} pods ready, and 8 of the run's own"), "s", cold);
            row("the same for the next scenario", "s", warm);
        }
        let seconds = |of: fn(&Step) -> f64| steps.iter().map(of).collect();
        let step = format!("a step of {cells} cells: ");
        row(&(step.clone() + "accepted → judged"), "s", seconds(|s| s.took.as_secs_f64()));
        let enforced = seconds(|s| s.enforced.as_secs_f64());
        row(&(step.clone() + "accepted → enforced"), "s", enforced);
        row(
            &(step + "the rest, in deadlines of silence"),
            "",
            seconds(|s| s.took.saturating_sub(s.enforced).as_secs_f64() / s.silence.as_secs_f64()),
        );
        row(&format!("attempts each second, rounds of {cells}"), "", attempts.clone());
        let each = attempts.iter().map(|all| all / PODS as f64).collect();
        row("… of each pod", "", each);
        row("bytes of an attempt, both ways", "B", bytes);
        row("everything removed", "s", close);
    }
}

async fn repetition(client: &Client, image: &str, scenario: &Scenario, measured: &mut Measured) {
    let source = KubernetesSource::new(client.clone(), Options::new("bench", image));
    let begun = Instant::now();
    source.prepare(&Stages::silent()).await.expect("the cluster can be used");
    measured.prepare.push(begun.elapsed().as_secs_f64());
    for deployed in [&mut measured.cold, &mut measured.warm] {
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
            if let Event::Deployed { took, .. } = &line.event {
                deployed.push(took.as_secs_f64());
            }
        }
        measured.steps.extend(steps(&record));
    }
    let mut cluster = source.cluster(scenario).await.expect("a share of the cluster");
    let topology = cluster.deploy(&scenario.topology, 2, &[]).await.expect("pods start");
    let cells = cells(&topology, &*cluster);
    measured.cells = cells.len();
    attempts(&mut *cluster, cells, measured).await;
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

/// The steps of a record that changed something.
fn steps(record: &[Line]) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut accepted, mut changed, mut silence) = (Duration::ZERO, false, Duration::ZERO);
    // When the last round with each sentinel ended: after the flip they are left out.
    let mut flipped: BTreeMap<usize, Duration> = BTreeMap::new();
    for line in record {
        match &line.event {
            Event::StepStarted { changes, .. } => {
                (accepted, changed) = (line.at, !changes.is_empty());
            }
            Event::Round { step: Some(step), purpose, deadline, observations, .. } => {
                silence = *deadline;
                let sentinel = |cell: &Cell| {
                    let end = cell.destination.as_pod();
                    end.is_some_and(|pod| &*pod.namespace == "ringfence-sentinel")
                };
                if *purpose == Purpose::Sentinel
                    && observations.iter().any(|(cell, _)| sentinel(cell))
                {
                    flipped.insert(*step, line.at);
                }
            }
            Event::StepJudged { step, .. } if changed => {
                let enforced = flipped.get(step).map_or(Duration::ZERO, |at| *at - accepted);
                steps.push(Step { took: line.at - accepted, enforced, silence });
            }
            _ => {}
        }
    }
    steps
}

/// From every pod to every port of every other one, in every family.
fn cells(topology: &Topology, cluster: &dyn Cluster) -> Vec<Cell> {
    let pods: BTreeSet<Endpoint> = topology.pods.keys().cloned().map(Endpoint::Pod).collect();
    let mut cells = Vec::new();
    for source in &pods {
        for (name, pod) in &topology.pods {
            let destination = Endpoint::Pod(name.clone());
            for port in pod.ports.iter().filter(|_| destination != *source) {
                cells.extend(cluster.capabilities().families.iter().map(|family| Cell {
                    source: source.clone(),
                    destination: destination.clone(),
                    port: port.number,
                    protocol: port.protocol,
                    family: *family,
                    via: Via::Pod,
                }));
            }
        }
    }
    cells
}

/// Open, fenced, open again.
fn scenario(ports: u16) -> Scenario {
    let ports: Vec<String> = (8080..8080 + ports).map(|port| port.to_string()).collect();
    let ports = ports.join(", ");
    let pods = (0..PODS).map(|number| format!("        pod-{number}: {{ ports: [{ports}] }}\n"));
    let text = format!(
        "name: bench\nabout: Nothing but its size.\nnodes: 2\ntopology:\n  namespaces:\n    bench:\n      pods:\n{}\
         steps:\n\
         \x20 - {{ name: open, expect: [\"allow * -> *\"] }}\n\
         \x20 - {{ name: fenced, apply: [fence.yaml], expect: [\"deny * -> *\"] }}\n\
         \x20 - {{ name: open again, delete: [bench/fence], expect: [\"allow * -> *\"] }}\n",
        pods.collect::<String>()
    );
    let fence = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: fence, namespace: bench }\n\
                 spec: { podSelector: {}, policyTypes: [Ingress] }\n";
    let manifests = BTreeMap::from([("fence.yaml".to_owned(), fence.to_owned())]);
    let (scenario, found) =
        parse_scenario("scenario.yaml", &text, &manifests, &LoadOptions::default());
    scenario.unwrap_or_else(|| panic!("expected a scenario, found {found:?}"))
}
