//! Two readings of the API that agree are evidence: on random worlds, what the
//! semantics engine says and what packets do in the embedded cluster are the same,
//! at first and after every change.
//!
//! The embedded dataplane shares only data types and label matching with the
//! engine. Cells that the API leaves open are left out. As many worlds have policies of the
//! cluster (`policy.networking.k8s.io`) as have none.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `RINGFENCE_SEED` | the first seed | 1 |
//! | `RINGFENCE_WORLDS` | how many worlds | 60 |
//! | `RINGFENCE_CHANGES` | how often each world changes | 4 |
//! | `RINGFENCE_REQUIRE` | with `embedded`, a machine without that cluster fails | none |
//!
//! Every twentieth world is looked at without the dataplane's word for its drops too.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ringfence::cluster::embedded::{Embedded, EmbeddedOptions};
use ringfence::cluster::{Cluster, ClusterError, Round};
use ringfence::model::{
    Cell, Change, ClusterAction, ClusterPolicyKind, ClusterRuleRef, Decision, Effect, Endpoint,
    Evidence, Observation, Outcome, Side, Topology, Verdict, Via, World, universe,
};
use ringfence::semantics::{Engine, trace};

use changes::Changes;
use cluster_policies::ClusterPolicies;
use requirement::required;

mod changes;
mod cluster_policies;
#[path = "../requirement/mod.rs"]
mod requirement;
mod told;
#[path = "../worlds/mod.rs"]
mod worlds;

/// How many worlds one trial takes: a trial is one cluster after the other.
const BATCH: u64 = 10;

/// With this distance worlds are looked at without evidence as well, where each drop costs a
/// whole deadline.
const BLIND: u64 = 20;

/// Long enough that a loaded machine is not taken for a drop; drops are proven at once.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where silence is all there is. What was silent and should not be gets [`DEADLINE`] too.
const SILENCE: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    // The embedded cluster's helper is this program, started again.
    ringfence::init();
    let arguments = Arguments::from_args();
    let first = number("RINGFENCE_SEED", 1);
    let last = first + number("RINGFENCE_WORLDS", 60);
    let mut trials = Vec::new();
    for start in (first..last).step_by(BATCH as usize) {
        let seeds: Vec<u64> = (start..last.min(start + BATCH)).collect();
        let of = format!("seeds_{start}_to_{}", seeds[seeds.len() - 1]);
        for tiers in [false, true] {
            let (name, seeds) = (name("engine_equals_dataplane", tiers), seeds.clone());
            let trial = move || trial(&seeds, Kind { tiers, evidence: true });
            trials.push(Trial::ignorable_test(format!("{name}::{of}"), trial));
        }
    }
    for seed in (first..last).step_by(BLIND as usize) {
        for tiers in [false, true] {
            let name = name("engine_equals_dataplane_without_evidence", tiers);
            let trial = move || trial(&[seed], Kind { tiers, evidence: false });
            trials.push(Trial::ignorable_test(format!("{name}::seed_{seed}"), trial));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What a world is looked at with.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Whether it has policies of the cluster.
    tiers: bool,
    /// Whether the dataplane reports its drops.
    evidence: bool,
}

fn name(base: &str, tiers: bool) -> String {
    match tiers {
        true => format!("{base}_on_policies_of_the_cluster"),
        false => base.to_owned(),
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| {
            panic!("expected a whole number in {variable}, found `{text}`");
        }),
        Err(_) => default,
    }
}

fn trial(seeds: &[u64], kind: Kind) -> Result<Completion, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut count = Count::default();
        for seed in seeds {
            match story(*seed, kind).await {
                Ok(Count { asked, decided }) => {
                    count.asked += asked;
                    count.decided += decided;
                }
                Err(Ending::Different(told)) => return Err(Failed::from(told)),
                Err(Ending::Cluster(ClusterError::Unsupported(reason))) => {
                    return if required("embedded") {
                        Err(Failed::from(reason))
                    } else {
                        Ok(Completion::ignored_with(reason))
                    };
                }
                Err(Ending::Cluster(error)) => {
                    return Err(Failed::from(format!("seed {seed}: {error}")));
                }
            }
        }
        // An engine that called everything undefined would agree with every dataplane.
        let Count { asked, decided } = count;
        if decided * 2 < asked {
            let told = format!("expected at least half of {asked} cells decided, found {decided}");
            return Err(Failed::from(told));
        }
        Ok(Completion::Completed)
    })
}

/// How many cells there were, and how many of them the API decides.
#[derive(Debug, Default)]
struct Count {
    asked: usize,
    decided: usize,
}

/// Why a comparison did not end well.
enum Ending {
    Different(String),
    Cluster(ClusterError),
}

impl From<ClusterError> for Ending {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

/// One world, from its first policies through all of its changes.
async fn story(seed: u64, kind: Kind) -> Result<Count, Ending> {
    let evidence = kind.evidence;
    let mut world = worlds::generate(seed);
    let avoid: Vec<_> = world
        .topology
        .externals
        .values()
        .flat_map(|host| host.addresses.iter().map(|address| ipnet::IpNet::from(*address)))
        .collect();
    let policies: Vec<Change> = world.policies.values().cloned().map(Change::ApplyPolicy).collect();
    let options = EmbeddedOptions { evidence, ..EmbeddedOptions::default() };
    let mut cluster = Embedded::start(options).await?;
    world.topology = cluster.deploy(&unplaced(world.topology), 2, &avoid).await?;
    let mut changes = Changes::new(seed);
    let mut tiers = kind.tiers.then(|| ClusterPolicies::new(seed));
    let mut told = Vec::new();
    let mut count = Count::default();
    let wanted = number("RINGFENCE_CHANGES", 4);
    for turn in 0..=wanted {
        let mut next = if turn == 0 { policies.clone() } else { changes.next(&world) };
        if let Some(tiers) = &mut tiers {
            next.extend(if turn == 0 { tiers.first(&world) } else { tiers.several(&world) });
        }
        told.extend(next.iter().map(|change| format!("  {turn}: {}", changes::line(change))));
        let found = cluster.change(&next).await?;
        for change in &next {
            world.change(change).expect("the generator makes changes that can be made");
        }
        let mut differing = differences_in_topology(&world.topology, &found);
        world.topology = found;
        let mut now = Count::default();
        if differing.is_empty() {
            (now, differing) = compare(&mut cluster, &world, evidence).await?;
        }
        if !differing.is_empty() {
            return Err(Ending::Different(format!(
                "seed {seed}, after change {turn}: {} differences in {} cells; repeat with\n  \
                 RINGFENCE_SEED={seed} RINGFENCE_WORLDS=1 RINGFENCE_CHANGES={wanted} cargo test \
                 --test agreement\n{}\nthe changes were\n{}\nthe world is now\n{}",
                differing.len(),
                now.decided,
                differing.join("\n"),
                told.join("\n"),
                told::world(&world),
            )));
        }
        count.asked += now.asked;
        count.decided += now.decided;
    }
    cluster.teardown().await.map_err(|error| ClusterError::Other(error.into()))?;
    Ok(count)
}

/// The topology as declared: which addresses pods and nodes have is the cluster's to say.
fn unplaced(mut topology: Topology) -> Topology {
    topology.nodes.values_mut().for_each(|node| node.addresses.clear());
    topology.pods.values_mut().for_each(|pod| pod.addresses.clear());
    topology
}

/// A cluster's topology is the one that the changes make, with the addresses of new pods.
fn differences_in_topology(expected: &Topology, found: &Topology) -> Vec<String> {
    let mut differing = Vec::new();
    let mut same = expected.clone();
    for (name, pod) in &mut same.pods {
        if let Some(found) = found.pods.get(name).filter(|_| pod.addresses.is_empty()) {
            pod.addresses.clone_from(&found.addresses);
        }
        // One that ended may never have had an address, or have another's by now.
        if !pod.has_network() {
            continue;
        }
        if pod.addresses.is_empty() {
            differing.push(format!("expected {name} to have addresses, found none"));
        }
        let others = found.pods.iter().filter(|(other, pod)| *other != name && pod.has_network());
        for (other, there) in others {
            let shared = pod.addresses.iter().any(|address| there.addresses.contains(address));
            if shared && !pod.host_network {
                differing.push(format!("expected an address each, found {name} and {other}"));
            }
        }
    }
    if same != *found {
        differing.push(format!("expected the topology {same:#?}\nfound {found:#?}"));
    }
    differing
}

/// Attempts every decided cell; how many, and those where the two readings differ.
async fn compare(
    cluster: &mut Embedded,
    world: &World,
    evidence: bool,
) -> Result<(Count, Vec<String>), Ending> {
    let engine = Engine::new(world);
    let asked = cells(cluster, world);
    let decided: Vec<(Cell, Decision)> = asked
        .iter()
        .filter(|cell| !left_open(world, cell))
        .cloned()
        .map(|cell| {
            let decision = engine.decide(&cell);
            (cell, decision)
        })
        .filter(|(_, decision)| matches!(decision.verdict, Verdict::Allow | Verdict::Deny))
        .collect();
    let deadline = if evidence { DEADLINE } else { SILENCE };
    let cells = decided.iter().map(|(cell, _)| cell.clone()).collect();
    let mut seen = cluster.probe(&Round { cells, deadline }).await?;
    let silent: Vec<usize> = (0..decided.len())
        .filter(|at| !evidence && decided[*at].1.verdict == Verdict::Allow)
        .filter(|at| !seen[*at].outcome.is_connected())
        .collect();
    if !silent.is_empty() {
        let cells = silent.iter().map(|at| decided[*at].0.clone()).collect();
        let again = cluster.probe(&Round { cells, deadline: DEADLINE }).await?;
        silent.into_iter().zip(again).for_each(|(at, again)| seen[at] = again);
    }
    let differing = decided
        .iter()
        .zip(&seen)
        .filter_map(|((cell, decision), seen)| {
            let wrong = difference(world, cell, decision, seen, evidence)?;
            Some(format!("{cell}: {wrong}\n{}", trace(world, cell)))
        })
        .collect();
    Ok((Count { asked: asked.len(), decided: decided.len() }, differing))
}

/// Whether a hostNetwork pod, whose packets are its node's, dials a pod of its own node under
/// policies of the cluster. "Traffic to and from the node where a Pod is running is always
/// allowed", which a rule that denies all may or may not be stronger than.
fn left_open(world: &World, cell: &Cell) -> bool {
    let pod = |end: &Endpoint| end.as_pod().and_then(|pod| world.topology.pods.get(pod));
    let ends = pod(&cell.source).zip(pod(&cell.destination));
    !world.cluster_policies.is_empty()
        && ends.is_some_and(|(from, to)| from.host_network && from.node == to.node)
}

/// What a matrix has, and what it only has where a rule names it: nodes at either end, pods
/// that dial themselves, and ways by Services.
fn cells(cluster: &Embedded, world: &World) -> Vec<Cell> {
    let can = cluster.capabilities();
    let families: Vec<_> = can.families.iter().copied().collect();
    let topology = &world.topology;
    let mut cells = universe(topology, &families);
    let pods = || topology.pods.keys().cloned().map(Endpoint::Pod);
    let nodes = || topology.nodes.keys().cloned().map(Endpoint::Node);
    let to_nodes = pods().flat_map(|pod| nodes().map(move |node| (pod.clone(), node)));
    let from_nodes = nodes().flat_map(|node| pods().map(move |pod| (node.clone(), pod)));
    for (source, destination) in
        to_nodes.chain(from_nodes).chain(pods().map(|pod| (pod.clone(), pod)))
    {
        for (family, port) in families
            .iter()
            .flat_map(|family| topology.ports(&destination).iter().map(move |port| (*family, port)))
        {
            let (source, destination) = (source.clone(), destination.clone());
            let (port, protocol) = (port.number, port.protocol);
            cells.insert(Cell { source, destination, port, protocol, family, via: Via::Pod });
        }
    }
    // By way of its Service a pod is what it is by its own address.
    let served = |cell: &Cell| {
        cell.destination.as_pod().is_some() && !matches!(cell.source, Endpoint::External(_))
    };
    if can.ways.contains(&Via::Service) {
        let served = cells.iter().filter(|cell| served(cell));
        let served: Vec<Cell> =
            served.map(|cell| Cell { via: Via::Service, ..cell.clone() }).collect();
        cells.extend(served);
    }
    cells.into_iter().filter(|cell| can.protocols.contains(&cell.protocol)).collect()
}

/// How what was seen differs from what was specified.
fn difference(
    world: &World,
    cell: &Cell,
    decision: &Decision,
    seen: &Observation,
    evidence: bool,
) -> Option<String> {
    let verdict = decision.verdict;
    let expected = if verdict == Verdict::Allow { Outcome::Connected } else { Outcome::Dropped };
    if seen.outcome != expected {
        return Some(format!("specified {verdict}, observed {}", seen.outcome));
    }
    let expected = (evidence && verdict == Verdict::Deny).then(|| claims(world, cell, decision));
    match (&seen.evidence, &expected) {
        (None, None) => None,
        (Some(Evidence { text, .. }), Some(claims)) if claims.hold(text) => None,
        (found, expected) => Some(format!("expected evidence {expected:?}, found {found:?}")),
    }
}

/// What the dataplane may say of a denied cell: which side denied it, by which policies.
///
/// Packets meet the source's side first. Where the API leaves that side open, the dataplane
/// may have denied there too; where it leaves the order of policies open, by another one.
fn claims(world: &World, cell: &Cell, decision: &Decision) -> Claims {
    let begin = [format!("egress {}: ", cell.source), format!("ingress {}: ", cell.destination)];
    let [out, into] = [&decision.egress, &decision.ingress];
    let exact = match side_claims("egress", &cell.source, out) {
        egress if egress.is_empty() => side_claims("ingress", &cell.destination, into),
        egress => egress,
    };
    // By a Service it is open whether a range holds the destination, and so which of two
    // denials comes first.
    let by_service = cell.via == Via::Service && !out.cluster.is_empty();
    let tied = is_order_open(world);
    let open = [
        by_service
            || matches!(out.effect, Effect::Undefined(_))
            || tied && !out.cluster.is_empty() && is_denial(out.effect),
        tied && !into.cluster.is_empty() && is_denial(into.effect) && !is_denial(out.effect),
    ];
    let begins = begin.into_iter().zip(open).filter(|(_, open)| *open);
    Claims { exact, begins: begins.map(|(begin, _)| begin).collect() }
}

fn is_denial(effect: Effect) -> bool {
    matches!(effect, Effect::Denied | Effect::DeniedBy(_))
}

/// Whether it is not said which of the world's policies of the cluster is asked first: two of a
/// tier have one priority, or are of the two generations of their API.
fn is_order_open(world: &World) -> bool {
    let policies: Vec<_> = world.cluster_policies.values().collect();
    let is_later = |kind| kind == ClusterPolicyKind::ClusterNetworkPolicy;
    policies.iter().enumerate().any(|(at, one)| {
        policies[at + 1..].iter().any(|other| {
            one.tier == other.tier
                && (one.priority == other.priority
                    || is_later(one.name.kind) != is_later(other.name.kind))
        })
    })
}

#[derive(Debug)]
struct Claims {
    /// One of these.
    exact: Vec<String>,
    /// Or a text that begins so.
    begins: Vec<String>,
}

impl Claims {
    fn hold(&self, text: &str) -> bool {
        self.begins.iter().any(|begin| text.starts_with(begin))
            || self.exact.iter().any(|claim| claim == text)
    }
}

/// None where the side does not deny.
fn side_claims(direction: &str, pod: &Endpoint, side: &Side) -> Vec<String> {
    let denies = |rule: &&ClusterRuleRef| rule.action == ClusterAction::Deny;
    match side.effect {
        Effect::Denied => {
            let isolating = side.isolating.iter().map(|policy| policy.name.to_string());
            let policies = isolating.collect::<Vec<_>>().join(", ");
            vec![format!("{direction} {pod}: isolated by {policies}")]
        }
        Effect::DeniedBy(tier) => {
            let decisive = side.cluster.iter().filter(denies).filter(|rule| rule.tier == tier);
            let decisive = decisive.map(|rule| {
                let name = rule.name.as_ref().map(|name| format!(" {:?}", &**name));
                let (policy, number) = (&rule.policy, rule.rule);
                let name = name.unwrap_or_default();
                format!("{direction} {pod}: denied by {policy} {direction}[{number}]{name}")
            });
            decisive.collect()
        }
        _ => Vec::new(),
    }
}
