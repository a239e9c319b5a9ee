//! Docker, with a real Engine and the real agent.
//!
//! Where there is no Engine these tests are ignored, with the reason; under
//! `RINGFENCE_REQUIRE=docker` they fail instead.

mod command;
mod hosts;
mod image;
mod left;
mod node;
#[path = "../requirement/mod.rs"]
mod requirement;
mod session;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::OnceLock;

use futures_util::FutureExt;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ringfence::cluster::docker::{
    AgentBinary, AgentImage, AgentSource, Architecture, Engine, Scope, prune,
};
use ringfence::cluster::kubernetes::owner::RunId;

use requirement::required;

fn main() -> ExitCode {
    if let Some(run) = std::env::var_os(left::ROLE) {
        return left::play(&run.to_string_lossy());
    }
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("the_image_is_small_and_loaded_once", image::small_and_loaded_once),
        trial("the_agent_serves_without_any_rights", hosts::without_rights),
        trial("declared_addresses_are_reached_by_nodes_alone", hosts::by_nodes_alone),
        trial("the_same_address_is_waited_for", hosts::waited_for),
        trial("a_container_that_is_gone_is_told", hosts::gone),
        trial("prune_finds_what_a_killed_run_left", left::by_a_killed_run),
        trial("so_does_the_command", left::by_a_killed_run_and_found_by_the_command),
        trial("the_image_command_says_what_it_made", command::build),
        trial_unless(
            node::lacking(),
            "images_and_plugins_are_put_into_nodes",
            node::images_and_plugins,
        ),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// An Engine, and a run's name that no other test has.
struct Place {
    engine: Engine,
    run: String,
}

fn trial<F>(name: &'static str, test: fn(Place) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    trial_unless(None, name, test)
}

/// A trial that is ignored where something is lacking.
fn trial_unless<F>(lacking: Option<String>, name: &'static str, test: fn(Place) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::ignorable_test(name, move || {
        if let Some(lacking) = lacking {
            return Ok(Completion::ignored_with(lacking));
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be built");
        runtime.block_on(async move {
            let engine = match Engine::connect().await {
                Ok(engine) => engine,
                Err(error) if required("docker") => return Err(Failed::from(format!("{error:#}"))),
                Err(error) => return Ok(Completion::ignored_with(error.to_string())),
            };
            let run = RunId::random().to_string();
            let place = Place { engine: engine.clone(), run: run.clone() };
            let ended = AssertUnwindSafe(test(place)).catch_unwind().await;
            let pruned = prune(&engine, &Scope::Run(run), false).await;
            ended.map_err(|panic| Failed::from(words(&*panic)))?;
            pruned.map_err(|error| Failed::from(error.to_string()))?;
            Ok(Completion::Completed)
        })
    })
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// The agent for this machine, built once.
fn agent() -> &'static AgentBinary {
    static AGENT: OnceLock<AgentBinary> = OnceLock::new();
    AGENT.get_or_init(|| {
        let build = async {
            let own = Architecture::here().expect("tests run where there are agents");
            let source = AgentSource::find(None).expect("tests run in the workspace");
            source.agent(own).await.unwrap_or_else(|error| panic!("{error}"))
        };
        // A thread of its own, because the caller is within a runtime.
        std::thread::scope(|scope| {
            let built = scope.spawn(|| {
                tokio::runtime::Runtime::new().expect("a runtime can be built").block_on(build)
            });
            built.join().expect("the agent is built")
        })
    })
}

/// The agent's image, loaded.
async fn loaded(engine: &Engine) -> AgentImage {
    let image = AgentImage::new(agent()).expect("it is made in memory");
    engine.load(&image).await.expect("it can be loaded");
    image
}
