//! One trial for each scenario of the library and each cluster, named
//! `CLUSTER::SCENARIO`, with real connections.
//!
//! What the trials of one cluster share is made once in a process, by the first of them that
//! runs, and removed after the last. On a cluster that exists already each process, as
//! `cargo nextest` starts one for each trial, has namespaces of its own.
//!
//! A kind cluster is kept under its CNI's name, as by `ringfence run --keep`, and processes share
//! it: the first one makes it, the others wait for its lock and use it one after the other. None
//! of them removes it: `ringfence clusters down NAME` does.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `RINGFENCE_ON` | the clusters, with commas between: `embedded`, `kind:CNI[@VERSION]`, `kubeconfig[:CONTEXT]` | `embedded` |
//! | `RINGFENCE_REQUIRE` | clusters without which a trial fails, where it would otherwise be ignored | none |
//! | `RINGFENCE_AGENT_IMAGE` | the agent's image: for `kubeconfig[:CONTEXT]` as its nodes pull it, for `kind:CNI` as this machine's Docker has it | for `kind:CNI` the one that is built here |
//! | `RINGFENCE_AGENT_PULL_POLICY` | when they pull it: `Always`, `IfNotPresent` or `Never` | `IfNotPresent` |
//! | `RINGFENCE_EVIDENCE` | `none`: drops are known by silence alone | `nflog` |

mod requirement;

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ringfence::cluster::embedded::doctor::checks;
use ringfence::cluster::embedded::{EmbeddedOptions, EmbeddedSource};
use ringfence::cluster::kind::{DockerImage, KindOptions, KindSource};
use ringfence::cluster::kubernetes::{self, KubernetesSource, Options, PullPolicy};
use ringfence::cluster::{Cluster, ClusterError, Source, Stages};
use ringfence::report::{Look, Run, findings, prerequisites, terminal};
use ringfence::run::{EventSink, Settings, Status, Stop, run_all};
use ringfence::scenario::{LoadOptions, Scenario, load_scenarios};
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, Semaphore};

use requirement::required;

/// A cluster that exists already.
const KUBECONFIG: &str = "kubeconfig";

/// A cluster that is made by kind, and kept.
const KIND: &str = "kind";

/// The cluster that is taken where none is named.
const EMBEDDED: &str = "embedded";

fn main() -> ExitCode {
    // The embedded cluster's helper is this program, started again.
    ringfence::init();
    let arguments = Arguments::from_args();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            eprintln!("expected a runtime, found: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    let mut shared = Vec::new();
    match load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")) {
        Err(told) => trials.push(Trial::test("library", move || Err(Failed::from(told)))),
        Ok(scenarios) => {
            for cluster in words("RINGFENCE_ON", EMBEDDED) {
                match runtime.block_on(source(&cluster)) {
                    Err(told) => {
                        trials.push(Trial::test(cluster, move || Err(Failed::from(told))));
                    }
                    Ok((source, stays)) => {
                        let most = source.most_at_once().unwrap_or(Semaphore::MAX_PERMITS);
                        let free = Semaphore::new(most.max(1));
                        let source =
                            Arc::new(Shared { source, stays, made: OnceCell::new(), free });
                        shared.push(source.clone());
                        trials.extend(of_cluster(&scenarios, &source, &runtime));
                    }
                }
            }
        }
    }
    let ended = libtest_mimic::run(&arguments, trials).exit_code();
    if close(&runtime, &shared) { ended } else { ExitCode::FAILURE }
}

fn words(variable: &str, default: &str) -> Vec<String> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn load(library: &Path) -> Result<Vec<Arc<Scenario>>, String> {
    let loaded = load_scenarios(&[library.to_owned()], &LoadOptions::default());
    if loaded.has_errors() {
        return Err(findings(&loaded.diagnostics, Look::PLAIN));
    }
    Ok(loaded.scenarios.into_iter().map(Arc::new).collect())
}

/// Says what stays of a cluster that was closed.
type Stays = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// What a name in `RINGFENCE_ON` stands for; making it creates nothing.
async fn source(cluster: &str) -> Result<(Arc<dyn Source>, Stays), String> {
    let (kind, rest) = match cluster.split_once(':') {
        Some((kind, rest)) => (kind, Some(rest)),
        None => (cluster, None),
    };
    let nothing: Stays = Box::new(|| None);
    match (kind, rest) {
        (EMBEDDED, None) => {
            let evidence = words("RINGFENCE_EVIDENCE", "nflog") != ["none"];
            let options = EmbeddedOptions { evidence, ..EmbeddedOptions::default() };
            Ok((Arc::new(EmbeddedSource::new(options)), nothing))
        }
        (KIND, Some(cni)) => {
            let options = KindOptions::shipped(cni).map_err(|error| format!("{error:#}"))?;
            let mut options = KindOptions { keep: true, ..options };
            if let Ok(image) = env::var("RINGFENCE_AGENT_IMAGE") {
                options.agent = Arc::new(DockerImage(image));
            }
            let source = Arc::new(KindSource::new(options));
            let kept = source.clone();
            Ok((source, Box::new(move || kept.stays())))
        }
        (KUBECONFIG, context) => {
            let client = kubernetes::connect(context).await;
            let client = client.map_err(|error| format!("{error:#}"))?;
            Ok((Arc::new(KubernetesSource::new(client, existing(cluster)?)), nothing))
        }
        _ => Err(format!(
            "expected `{EMBEDDED}`, `{KIND}:CNI[@VERSION]` or `{KUBECONFIG}[:CONTEXT]` in RINGFENCE_ON, found `{cluster}`"
        )),
    }
}

/// How a cluster that exists already is used.
fn existing(cluster: &str) -> Result<Options, String> {
    let image = env::var("RINGFENCE_AGENT_IMAGE").map_err(|_| {
        format!(
            "expected RINGFENCE_AGENT_IMAGE for `{cluster}`, found none: \
             `ringfence image push REF` makes one that its nodes can pull"
        )
    })?;
    let all = [PullPolicy::Always, PullPolicy::IfNotPresent, PullPolicy::Never];
    let pull_policy = match env::var("RINGFENCE_AGENT_PULL_POLICY") {
        Err(_) => PullPolicy::default(),
        Ok(text) => all.into_iter().find(|policy| policy.as_str() == text).ok_or_else(|| {
            let all = all.map(PullPolicy::as_str).join("`, `");
            format!("expected one of `{all}` in RINGFENCE_AGENT_PULL_POLICY, found `{text}`")
        })?,
    };
    Ok(Options { pull_policy, ..Options::new(cluster, image) })
}

/// A source that every trial of its cluster uses: prepared once, and closed when all of
/// them are over rather than after each.
struct Shared {
    source: Arc<dyn Source>,
    stays: Stays,
    /// Why it could not be prepared, for every trial.
    made: OnceCell<Result<(), Refusal>>,
    /// How many trials may still use it at the same time.
    free: Semaphore,
}

/// A [`ClusterError`] that can be told more than once.
#[derive(Clone)]
enum Refusal {
    Unsupported(String),
    Other(String),
}

#[async_trait]
impl Source for Shared {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn reuses(&self) -> bool {
        self.source.reuses()
    }

    async fn prepare(&self, stages: &Stages) -> Result<(), ClusterError> {
        let prepare = async || {
            self.source.prepare(stages).await.map_err(|error| match error {
                ClusterError::Unsupported(why) if required(self.name()) => {
                    Refusal::Other(format!("RINGFENCE_REQUIRE={}: {why}", self.name()))
                }
                ClusterError::Unsupported(why) => Refusal::Unsupported(why),
                ClusterError::Other(error) => Refusal::Other(format!("{error:#}")),
                error => Refusal::Other(error.to_string()),
            })
        };
        match self.made.get_or_init(prepare).await.clone() {
            Ok(()) => Ok(()),
            Err(Refusal::Unsupported(why)) => Err(ClusterError::Unsupported(why)),
            Err(Refusal::Other(why)) => Err(ClusterError::Other(anyhow::anyhow!(why))),
        }
    }

    async fn cluster(&self, scenario: &Scenario) -> Result<Box<dyn Cluster>, ClusterError> {
        self.source.cluster(scenario).await
    }
}

/// Closes what was made, and says what remains.
fn close(runtime: &Runtime, shared: &[Arc<Shared>]) -> bool {
    let mut clean = true;
    for shared in shared.iter().filter(|shared| shared.made.initialized()) {
        if let Err(error) = runtime.block_on(shared.source.close()) {
            eprintln!("`{}`: {error}", shared.name());
            clean = false;
        }
        if let Some(told) = (shared.stays)() {
            eprintln!("{told}");
        }
    }
    clean
}

fn of_cluster(
    scenarios: &[Arc<Scenario>],
    source: &Arc<Shared>,
    runtime: &Arc<Runtime>,
) -> Vec<Trial> {
    let lacking = Arc::new(OnceCell::new());
    let trial = |scenario: &Arc<Scenario>| {
        let (scenario, source) = (scenario.clone(), source.clone());
        let (runtime, lacking) = (runtime.clone(), lacking.clone());
        Trial::ignorable_test(format!("{}::{}", source.name(), scenario.id), move || {
            runtime.block_on(async {
                let ask = async || lacks(source.name()).await;
                if let Some(reason) = lacking.get_or_init(ask).await {
                    return ignored(source.name(), reason);
                }
                trial(scenario, source).await
            })
        })
    };
    scenarios.iter().map(trial).collect()
}

/// A trial without its cluster is ignored, unless the cluster is required.
fn ignored(cluster: &str, reason: &str) -> Result<Completion, Failed> {
    if required(cluster) {
        return Err(format!("RINGFENCE_REQUIRE={cluster}, and this machine lacks {reason}").into());
    }
    Ok(Completion::ignored_with(reason))
}

/// What this machine lacks for a cluster.
async fn lacks(cluster: &str) -> Option<String> {
    if cluster != EMBEDDED {
        return None;
    }
    match checks().await {
        Ok(checks) => Some(prerequisites::missing(&checks).join("; ")).filter(|s| !s.is_empty()),
        Err(error) => Some(error.to_string()),
    }
}

async fn trial(scenario: Arc<Scenario>, source: Arc<Shared>) -> Result<Completion, Failed> {
    let _turn = source.free.acquire().await.map_err(|error| error.to_string())?;
    let run = play(scenario, source.clone()).await?;
    let Some(((_, cluster), found)) = run.scenarios.first_key_value() else {
        return Err("expected a record of one scenario, found none".into());
    };
    match found.status {
        Some(Status::Passed) => Ok(Completion::Completed),
        Some(Status::Skipped) => {
            Ok(Completion::ignored_with(found.reason.as_deref().unwrap_or("no reason given")))
        }
        Some(Status::Failed | Status::Errored) => {
            Err(terminal::scenario(found, cluster, Look::PLAIN).into())
        }
        None => Err(format!("the record breaks off at `{}`", found.phrase()).into()),
    }
}

async fn play(scenario: Arc<Scenario>, source: Arc<Shared>) -> Result<Run, Failed> {
    let (sink, mut lines) = EventSink::channel();
    let settings = Settings::default();
    run_all(vec![scenario], vec![source], 1, &settings, &sink, &Stop::never()).await;
    drop(sink);
    let mut run = Run::default();
    while let Some(line) = lines.recv().await {
        run.fold(&line).map_err(|error| error.to_string())?;
    }
    Ok(run)
}
