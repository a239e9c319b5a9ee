//! The embedded cluster, with real namespaces and real connections.
//!
//! `ringfence::init()` has to come first, so these tests have a `main` of their own.

mod ends;
mod life;
#[path = "../requirement/mod.rs"]
mod requirement;
mod services;
mod tiers;
mod town;
mod traffic;
mod watching;

use std::future::Future;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ringfence::cluster::ClusterError;
use ringfence::cluster::embedded::{Embedded, EmbeddedOptions};

use requirement::required;

/// What a trial returns; `Unsupported` ignores it, with the reason.
type Outcome = Result<(), ClusterError>;

fn main() -> ExitCode {
    // Programs that use the library wrongly, or that are killed: started by `life`.
    if let Some(role) = std::env::var_os(life::ROLE) {
        return life::play(&role.to_string_lossy());
    }
    ringfence::init();
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("every_cell_connects", traffic::every_cell_connects),
        trial("hosts_keep_out_of_named_ranges", traffic::hosts_keep_out_of_named_ranges),
        trial("a_policy_stops_what_it_should", traffic::a_policy_stops_what_it_should),
        trial("without_evidence_silence_counts", traffic::without_evidence_silence_counts),
        trial("a_new_pod_is_isolated_at_once", traffic::a_new_pod_is_isolated_at_once),
        trial("pods_come_and_go", traffic::pods_come_and_go),
        trial("a_change_that_cannot_be_made_changes_nothing", traffic::a_bad_change),
        trial("services_lead_to_pods", services::lead_to_pods),
        trial("services_are_judged_by_the_pods_port", services::are_judged_by_the_pods_port),
        trial("services_come_and_go_with_pods", services::come_and_go_with_pods),
        trial("tiers_are_asked_in_order", tiers::tiers_in_order),
        trial("nodes_are_peers_of_policies_of_the_cluster", tiers::nodes_are_peers),
        trial(
            "pods_that_dial_themselves_are_subject_by_a_service",
            tiers::pods_that_dial_themselves,
        ),
        trial("known_connections_pass_policies_of_the_cluster", tiers::known_connections_pass),
        trial("domain_names_are_refused", tiers::domain_names_are_refused),
        trial("an_address_of_a_pod_that_ended_is_used_again", ends::an_address_is_used_again),
        trial("a_terminating_pod_is_filtered", ends::a_terminating_pod_is_filtered),
        trial("a_new_deny_is_watched", watching::a_new_deny),
        trial("a_deny_that_goes_is_watched", watching::a_deny_that_goes),
        trial("a_pod_that_comes_is_watched", watching::a_pod_that_comes),
        trial(
            "a_policy_that_takes_the_place_of_another_is_watched",
            watching::a_policy_that_takes_the_place_of_another,
        ),
        trial("a_torn_down_cluster_can_be_deployed_again", life::again),
        trial("a_dead_helper_is_a_lost_cluster", life::dead_helper),
        trial("a_killed_run_leaves_nothing", life::killed_run),
        trial("an_ordinary_user_has_clusters_too", life::ordinary_user),
        trial("a_program_without_init_is_told", life::without_init),
        trial("a_program_with_a_late_init_is_told", life::late_init),
        trial("doctor_finds_what_start_finds", life::doctor),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial<F>(name: &str, test: fn() -> F) -> Trial
where
    F: Future<Output = Outcome> + 'static,
{
    Trial::ignorable_test(name, move || match block_on(test()) {
        Ok(()) => Ok(Completion::Completed),
        Err(ClusterError::Unsupported(reason)) if !required("embedded") => {
            Ok(Completion::ignored_with(reason))
        }
        Err(error) => Err(Failed::from(format!("{error:#}"))),
    })
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(future)
}

async fn start() -> Result<Embedded, ClusterError> {
    Embedded::start(EmbeddedOptions::default()).await
}
