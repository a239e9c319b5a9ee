//! The Kubernetes cluster, against a double with real agents.
//!
//! `ringfence::init()` has to come first, so these tests have a `main` of their own.

mod double;
mod server;

use std::future::Future;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ringfence::cluster::ClusterError;

/// What a trial returns; `Unsupported` ignores it, with the reason.
type Outcome = Result<(), ClusterError>;

fn main() -> ExitCode {
    if std::env::var_os(double::ROLE).is_some() {
        return double::play();
    }
    ringfence::init();
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("double::lists_and_watches", server::lists_and_watches),
        trial("double::runs_agents", server::runs_agents),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial<F>(name: &str, test: fn() -> F) -> Trial
where
    F: Future<Output = Outcome> + 'static,
{
    Trial::ignorable_test(name, move || match block_on(test()) {
        Ok(()) => Ok(Completion::Completed),
        Err(ClusterError::Unsupported(reason)) if !required() => {
            Ok(Completion::ignored_with(reason))
        }
        Err(error) => Err(Failed::from(format!("{error:#}"))),
    })
}

/// Whether a machine that cannot have embedded clusters fails the tests.
fn required() -> bool {
    std::env::var("RINGFENCE_REQUIRE").is_ok_and(|list| list.split(',').any(|on| on == "embedded"))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(future)
}
