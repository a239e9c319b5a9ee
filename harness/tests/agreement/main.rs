//! Two readings of the API that agree are evidence: on random worlds, what the
//! semantics engine says and what packets do in the embedded cluster are the same.
//!
//! The embedded dataplane shares only data types and label matching with the
//! engine. Cells that the API leaves open are left out.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `RINGFENCE_SEED` | the first seed | 1 |
//! | `RINGFENCE_WORLDS` | how many worlds | 60 |
//! | `RINGFENCE_REQUIRE` | with `embedded`, a machine without that cluster fails | none |

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ringfence::cluster::embedded::{Embedded, EmbeddedOptions};
use ringfence::cluster::{Cluster, ClusterError, Round};
use ringfence::model::{Cell, Change, Name, Topology, Verdict, World, universe};
use ringfence::semantics::{Engine, trace};

mod worlds;

/// How many worlds one trial takes: a trial is one cluster after the other.
const BATCH: u64 = 10;

/// Long enough that a loaded machine is not taken for a drop; drops are proven at once.
const DEADLINE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // The embedded cluster's helper is this program, started again.
    ringfence::init();
    let arguments = Arguments::from_args();
    let first = number("RINGFENCE_SEED", 1);
    let last = first + number("RINGFENCE_WORLDS", 60);
    let mut trials = Vec::new();
    for start in (first..last).step_by(BATCH as usize) {
        let end = last.min(start + BATCH);
        let name = format!("engine_equals_dataplane::seeds_{start}_to_{}", end - 1);
        trials.push(Trial::ignorable_test(name, move || trial(start..end)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| {
            panic!("expected a whole number in {variable}, found `{text}`");
        }),
        Err(_) => default,
    }
}

fn trial(seeds: std::ops::Range<u64>) -> Result<Completion, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for seed in seeds {
            match compare(seed).await {
                Ok(()) => {}
                Err(Ending::Different(told)) => return Err(Failed::from(told)),
                Err(Ending::Cluster(ClusterError::Unsupported(reason))) => {
                    let required = env::var("RINGFENCE_REQUIRE").unwrap_or_default();
                    return if required.split(',').any(|word| word == "embedded") {
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
        Ok(Completion::Completed)
    })
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

async fn compare(seed: u64) -> Result<(), Ending> {
    let mut world = worlds::generate(seed);
    let avoid: Vec<_> = world
        .topology
        .externals
        .values()
        .flat_map(|host| host.addresses.iter().map(|address| ipnet::IpNet::from(*address)))
        .collect();
    let policies: Vec<_> = world.policies.values().cloned().collect();
    let mut cluster = Embedded::start(EmbeddedOptions::default()).await?;
    world.topology = cluster.deploy(&unplaced(world.topology), 2, &avoid).await?;
    let changes: Vec<Change> =
        policies.iter().map(|policy| Change::ApplyPolicy(Arc::clone(policy))).collect();
    world.topology = cluster.change(&changes).await?;
    let families: Vec<_> = cluster.capabilities().families.iter().copied().collect();
    let engine = Engine::new(&world);
    let (cells, verdicts): (Vec<Cell>, Vec<Verdict>) = universe(&world.topology, &families)
        .into_iter()
        .map(|cell| {
            let verdict = engine.verdict(&cell);
            (cell, verdict)
        })
        .filter(|(_, verdict)| matches!(verdict, Verdict::Allow | Verdict::Deny))
        .unzip();
    let seen = cluster.probe(&Round { cells: cells.clone(), deadline: DEADLINE }).await?;
    cluster.teardown().await.map_err(|error| ClusterError::Other(error.into()))?;
    let differing: Vec<String> = cells
        .iter()
        .zip(&verdicts)
        .zip(&seen)
        .filter(|((_, verdict), seen)| match verdict {
            Verdict::Allow => !seen.outcome.is_connected(),
            _ => !seen.outcome.is_stopped(),
        })
        .map(|((cell, verdict), seen)| {
            format!(
                "{cell}: specified {verdict}, observed {}\n{}",
                seen.outcome,
                told(&world, cell)
            )
        })
        .collect();
    if cells.is_empty() {
        return Err(Ending::Different(format!("seed {seed}: no cell was compared")));
    }
    if differing.is_empty() {
        return Ok(());
    }
    Err(Ending::Different(format!(
        "seed {seed}: {} of {} cells differ; RINGFENCE_SEED={seed} RINGFENCE_WORLDS=1 repeats it\n{}",
        differing.len(),
        cells.len(),
        differing.join("\n")
    )))
}

fn told(world: &World, cell: &Cell) -> String {
    trace(world, cell).to_string()
}

/// The topology as declared: where pods and nodes are is the cluster's to say.
fn unplaced(mut topology: Topology) -> Topology {
    topology.nodes.clear();
    for (index, pod) in topology.pods.values_mut().enumerate() {
        pod.addresses.clear();
        pod.node = Some(Name::from(format!("node-{}", index % 2 + 1)));
    }
    topology
}
