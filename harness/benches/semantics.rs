//! How long the meaning of a large cluster's policies takes, for all pairs of pods and
//! all their ports: `cargo bench -p ringfence --bench semantics`.
//!
//! The time is from the world to the last verdict, on one thread.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence::model::{
    Cell, Cidr, Endpoint, Family, LabelSelector, Labels, Name, Namespace, NetworkPolicy, Origin,
    Peer, Phase, Pod, PodName, PolicyName, PolicyPort, PolicyType, Port, PortRef, Protocol, Rule,
    Topology, Verdict, Via, World,
};
use ringfence::semantics::Engine;

mod table;

use table::{Table, Took};

/// The target for 1,000 pods and 200 policies.
const TARGET: Duration = Duration::from_millis(500);
const NAMESPACES: usize = 10;
const APPS: usize = 10;

/// How often each row is measured.
const TIMES: usize = 5;

fn main() {
    let table = Table::new("semantics, all pairs and ports, one thread");
    for (pods, policies) in [(100, 20), (300, 60), (1_000, 200)] {
        let name = format!("{pods} pods × {policies} policies");
        if !table.wants(&name) {
            continue;
        }
        let world = world(pods, policies);
        let (mut runs, mut counts) = (Vec::new(), (0, 0));
        for _ in 0..TIMES {
            runs.push(timed(|| counts = all_pairs(&world)));
        }
        let (cells, allowed) = counts;
        let note = format!("{cells} cells, {:.1}% allowed", percent(allowed, cells));
        table.row(&name, (pods == 1_000).then_some(TARGET), runs, &[note]);
    }
    let name = "100 pods × 20 policies, decisions with their rules";
    if table.wants(name) {
        let world = world(100, 20);
        let cells = listed(&world);
        let note = format!("{} cells", cells.len());
        let runs = (0..TIMES).map(|_| {
            let cells = cells.clone();
            timed(|| {
                black_box(Engine::new(&world).matrix(cells));
            })
        });
        table.row(name, None, runs.collect(), &[note]);
    }
}

/// Measures work of this process.
fn timed(work: impl FnOnce()) -> Took {
    let (used, start) = (table::used(), Instant::now());
    work();
    Took { wall: start.elapsed(), processor: table::used() - used }
}

#[expect(clippy::cast_precision_loss, reason = "counts of cells, for people to read")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

/// Cells judged and cells allowed, from the world to the last verdict.
fn all_pairs(world: &World) -> (usize, usize) {
    let engine = Engine::new(world);
    let pairs = engine.pairs(Family::Ipv4);
    let (mut cells, mut allowed) = (0, 0);
    for source in 0..pairs.len() {
        let row = pairs.row(source);
        for destination in 0..pairs.len() {
            for port in 0..pairs.ports(destination) {
                cells += 1;
                allowed += usize::from(black_box(row.verdict(destination, port)) == Verdict::Allow);
            }
        }
    }
    (cells, allowed)
}

fn listed(world: &World) -> Vec<Cell> {
    let pods = &world.topology.pods;
    let cell = |source: &PodName, destination: &Pod, port: &Port| Cell {
        source: Endpoint::Pod(source.clone()),
        destination: Endpoint::Pod(destination.name.clone()),
        port: port.number,
        protocol: port.protocol,
        family: Family::Ipv4,
        via: Via::Pod,
    };
    pods.keys()
        .flat_map(|source| {
            pods.values().flat_map(move |pod| pod.ports.iter().map(move |p| cell(source, pod, p)))
        })
        .collect()
}

/// A cluster of ten namespaces with ten applications each. Every namespace denies by
/// default; the other policies select one application each and use every kind of peer
/// and port.
fn world(pods: usize, policies: usize) -> World {
    let origin = Origin::synthetic("bench");
    let mut topology = Topology::default();
    for number in 0..NAMESPACES {
        let labels = Labels::from([("env".to_owned(), format!("env-{}", number % 3))]);
        let namespace = Namespace::new(&format!("ns-{number}"), labels, origin.clone());
        topology.namespaces.insert(namespace.name.clone(), namespace);
    }
    for number in 0..pods {
        let app = (number / NAMESPACES) % APPS;
        let name = PodName::new(&format!("ns-{}", number % NAMESPACES), &format!("pod-{number}"));
        let ip = |third: usize, fourth: usize| -> IpAddr {
            format!("10.0.{third}.{fourth}").parse().expect("pod addresses are well written")
        };
        let pod = Pod {
            name: name.clone(),
            labels: Labels::from([
                ("app".to_owned(), format!("app-{app}")),
                ("tier".to_owned(), format!("tier-{}", app % 3)),
            ]),
            ports: [("http", 8000 + app), ("admin", 9000)]
                .map(|(name, number)| Port {
                    name: Some(Name::from(name)),
                    number: u16::try_from(number).expect("port numbers are small"),
                    protocol: Protocol::Tcp,
                })
                .to_vec(),
            node: Some(Name::from("node")),
            addresses: vec![ip(number / 250, number % 250 + 1)],
            host_network: false,
            phase: Phase::Running,
            terminating: false,
            origin: origin.clone(),
        };
        topology.pods.insert(name, pod);
    }
    let policies = (0..policies).map(|number| Arc::new(policy(number, &origin)));
    World {
        policies: policies.map(|policy| (policy.name.clone(), policy)).collect::<BTreeMap<_, _>>(),
        ..World::new(topology)
    }
}

fn policy(number: usize, origin: &Origin) -> NetworkPolicy {
    let app = |number: usize| LabelSelector::label("app", &format!("app-{}", number % APPS));
    let pods = |pod_selector, namespace_selector| Peer::Pods {
        pod_selector,
        namespace_selector,
        origin: origin.clone(),
    };
    let port = |port, end_port| PolicyPort {
        protocol: Some(Protocol::Tcp),
        port: Some(port),
        end_port,
        origin: origin.clone(),
    };
    let rule = |peers, ports| Rule { peers, ports, origin: origin.clone() };
    let default_deny = number < NAMESPACES;
    let env = LabelSelector::label("env", &format!("env-{}", number % 3));
    let block = Peer::IpBlock {
        cidr: Cidr::new("203.0.113.0/24").expect("the range is well written"),
        except: Vec::new(),
        origin: origin.clone(),
    };
    let rules = vec![
        rule(
            Some(vec![pods(Some(app(number + 1)), None), pods(Some(app(number + 2)), Some(env))]),
            Some(vec![port(PortRef::Name(Name::from("http")), None)]),
        ),
        rule(
            Some(vec![block, pods(None, Some(LabelSelector::everything()))]),
            Some(vec![port(PortRef::Number(8003), Some(8005)), port(PortRef::Number(9000), None)]),
        ),
    ];
    NetworkPolicy {
        name: PolicyName::new(&format!("ns-{}", number % NAMESPACES), &format!("policy-{number}")),
        pod_selector: if default_deny {
            LabelSelector::everything()
        } else {
            app(number / NAMESPACES)
        },
        policy_types: Some(vec![PolicyType::Ingress, PolicyType::Egress]),
        ingress: (!default_deny).then(|| rules.clone()),
        egress: (!default_deny).then_some(rules),
        origin: origin.clone(),
        manifest: serde_json::Value::Null,
    }
}
