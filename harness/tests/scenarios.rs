//! One trial for each scenario of the library and each cluster, named
//! `CLUSTER::SCENARIO`, with real connections.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `RINGFENCE_ON` | the clusters, with commas between | `embedded` |
//! | `RINGFENCE_REQUIRE` | clusters without which a trial fails, where it would otherwise be ignored | none |
//! | `RINGFENCE_EVIDENCE` | `none`: drops are known by silence alone | `nflog` |

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ringfence::cluster::Source;
use ringfence::cluster::embedded::doctor::checks;
use ringfence::cluster::embedded::{EmbeddedOptions, EmbeddedSource};
use ringfence::report::{Look, Run, findings, prerequisites, terminal};
use ringfence::run::{EventSink, Settings, Status, Stop, run_all};
use ringfence::scenario::{LoadOptions, Scenario, load_scenarios};

/// The only cluster that there is so far.
const EMBEDDED: &str = "embedded";

fn main() -> ExitCode {
    // The embedded cluster's helper is this program, started again.
    ringfence::init();
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn words(variable: &str, default: &str) -> Vec<String> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The trials; making them reads the library and creates nothing.
fn trials() -> Vec<Trial> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenarios = match load(&library) {
        Ok(scenarios) => scenarios,
        Err(told) => return vec![Trial::test("library", move || Err(Failed::from(told)))],
    };
    let mut trials = Vec::new();
    for cluster in words("RINGFENCE_ON", EMBEDDED) {
        if cluster != EMBEDDED {
            let told = format!("expected `{EMBEDDED}` in RINGFENCE_ON, found `{cluster}`");
            trials.push(Trial::test(cluster, move || Err(Failed::from(told))));
            continue;
        }
        trials.extend(scenarios.iter().map(|scenario| {
            let scenario = scenario.clone();
            Trial::ignorable_test(format!("{cluster}::{}", scenario.id), move || trial(&scenario))
        }));
    }
    trials
}

fn load(library: &Path) -> Result<Vec<Arc<Scenario>>, String> {
    let loaded = load_scenarios(&[library.to_owned()], &LoadOptions::default());
    if loaded.has_errors() {
        return Err(findings(&loaded.diagnostics, Look::PLAIN));
    }
    Ok(loaded.scenarios.into_iter().map(Arc::new).collect())
}

fn trial(scenario: &Arc<Scenario>) -> Result<Completion, Failed> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("expected a runtime, found: {error}"))?;
    if let Some(reason) = lacking(&runtime) {
        return if words("RINGFENCE_REQUIRE", "").iter().any(|word| word == EMBEDDED) {
            Err(format!("RINGFENCE_REQUIRE={EMBEDDED}, and this machine lacks {reason}").into())
        } else {
            Ok(Completion::ignored_with(reason))
        };
    }
    let run = runtime.block_on(play(scenario.clone()))?;
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

/// What this machine lacks for an embedded cluster; asked once in a process.
fn lacking(runtime: &tokio::runtime::Runtime) -> Option<String> {
    static LACKING: OnceLock<Option<String>> = OnceLock::new();
    let ask = || match runtime.block_on(checks()) {
        Ok(checks) => Some(prerequisites::missing(&checks).join("; ")).filter(|s| !s.is_empty()),
        Err(error) => Some(error.to_string()),
    };
    LACKING.get_or_init(ask).clone()
}

async fn play(scenario: Arc<Scenario>) -> Result<Run, Failed> {
    let evidence = words("RINGFENCE_EVIDENCE", "nflog") != ["none"];
    let options = EmbeddedOptions { evidence, ..EmbeddedOptions::default() };
    let source: Arc<dyn Source> = Arc::new(EmbeddedSource::new(options));
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
