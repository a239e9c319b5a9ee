//! The Kubernetes cluster, against a double with real agents.
//!
//! `ringfence::init()` has to come first, so these tests have a `main` of their own.

mod bed;
mod control;
mod double;
mod faults;
mod life;
mod outside;
#[path = "../requirement/mod.rs"]
mod requirement;
mod server;
mod sign;
mod tier;
mod town;
mod watching;
mod ways;

use std::future::Future;
use std::panic::{catch_unwind, resume_unwind};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use ringfence::cluster::ClusterError;

use bed::Bed;
use requirement::required;

/// What a trial returns; `Unsupported` ignores it, with the reason.
type Outcome = Result<(), ClusterError>;

fn main() -> ExitCode {
    if std::env::var_os(double::ROLE).is_some() {
        return double::play();
    }
    ringfence::init();
    let arguments = Arguments::from_args();
    let mut trials = vec![
        trial("server::lists_and_watches", server::lists_and_watches),
        trial("server::runs_agents", server::runs_agents),
    ];
    macro_rules! on_both {
        ($($name:ident),* $(,)?) => {$(
            let test = || async { life::$name(Bed::double().await?).await };
            trials.push(trial(concat!("double::", stringify!($name)), test));
            let test = || async { life::$name(Bed::real().await?).await };
            trials.push(trial(concat!("real::", stringify!($name)), test));
        )*};
    }
    on_both!(
        every_cell_connects,
        a_policy_stops_what_it_should,
        labels_change_what_a_policy_selects,
        pods_and_namespaces_come_and_go,
        pods_stay_for_the_next_scenario,
        names_are_rewritten,
        nothing_foreign_is_touched,
        what_was_replaced_is_left_alone,
        a_lost_scenario_leaves_nothing,
        prune_finds_what_a_killed_run_left,
        an_absent_image_ends_early,
    );
    let test =
        || async { outside::hosts_outside_are_reached_and_removed(Bed::double().await?).await };
    trials.push(trial("double::hosts_outside_are_reached_and_removed", test));
    let test =
        || async { outside::hosts_outside_are_reached_and_removed(Bed::real().await?).await };
    trials.push(trial("real::hosts_outside_are_reached_and_removed", test));
    let test = || async { sign::a_run_shows_that_it_is_under_way(Bed::double().await?).await };
    trials.push(trial("double::a_run_shows_that_it_is_under_way", test));
    let test = || async { sign::a_run_shows_that_it_is_under_way(Bed::real().await?).await };
    trials.push(trial("real::a_run_shows_that_it_is_under_way", test));
    // Only the double has a clock that can be set, and no runs of others.
    let test = || async { sign::prune_leaves_living_runs_alone(Bed::double().await?).await };
    trials.push(trial("double::prune_leaves_living_runs_alone", test));
    macro_rules! ways_on_both {
        ($($name:ident),* $(,)?) => {$(
            let test = || async { ways::$name(Bed::double().await?).await };
            trials.push(trial(concat!("double::", stringify!($name)), test));
            let test = || async { ways::$name(Bed::real().await?).await };
            trials.push(trial(concat!("real::", stringify!($name)), test));
        )*};
    }
    ways_on_both!(
        names_are_exact_where_asked,
        artifacts_tell_of_everything,
        a_pull_secret_is_copied,
    );
    macro_rules! watching_on_both {
        ($($name:ident),* $(,)?) => {$(
            let test = || async { watching::$name(Bed::double().await?).await };
            trials.push(trial(concat!("double::", stringify!($name)), test));
            let test = || async { watching::$name(Bed::real().await?).await };
            trials.push(trial(concat!("real::", stringify!($name)), test));
        )*};
    }
    watching_on_both!(a_policy_is_watched_while_it_comes_and_goes, a_pod_that_comes_is_watched);
    macro_rules! on_a_real_one {
        ($($name:ident),* $(,)?) => {$(
            let test = || async { ways::$name(Bed::real().await?).await };
            trials.push(trial(concat!("real::", stringify!($name)), test));
        )*};
    }
    // The double's Services lead nowhere, and its agents have every right to begin with.
    on_a_real_one!(
        services_lead_to_pods,
        node_ports_lead_to_pods,
        raw_sockets_speak_sctp,
        a_port_that_is_taken_is_told,
    );
    let control = || async { control::every_deny_is_seen_to_fail(Bed::real().await?).await };
    trials.push(trial("real::every_deny_is_seen_to_fail", control));
    macro_rules! on_the_double {
        ($($name:ident),* $(,)?) => {$(
            let test = || async { faults::$name(Bed::double().await?).await };
            trials.push(trial(concat!("faults::", stringify!($name)), test));
        )*};
    }
    on_the_double!(
        passing_errors_are_tried_again,
        a_server_that_stays_busy_is_named,
        a_lost_answer_makes_nothing_twice,
        watches_begin_anew,
        a_session_cut_in_a_frame_is_resumed,
        sessions_that_are_cut_are_resumed,
        a_server_that_comes_back_is_waited_for,
        a_server_that_stays_away_is_given_up,
        an_evicted_pod_says_nothing,
        a_node_that_is_gone_says_nothing,
        an_agent_that_starts_anew_is_found,
        a_pod_whose_network_is_made_anew_denies_nothing,
        a_service_that_leads_nowhere_denies_nothing,
        a_service_that_is_not_served_is_named,
        a_share_that_was_dropped_is_in_nobodys_way,
        denials_are_one_clear_error,
        a_second_interrupt_says_what_is_left,
    );
    macro_rules! tier_on_the_double {
        ($($name:ident),* $(,)?) => {$(
            let test = || async { tier::$name(Bed::double().await?).await };
            trials.push(trial(concat!("tier::", stringify!($name)), test));
        )*};
    }
    // A real cluster may have such policies of others, which trials do not remove.
    tier_on_the_double!(
        subjects_are_the_runs_own,
        what_cannot_be_given_is_told,
        others_policies_are_told_and_left_alone,
        a_field_that_the_schema_lacks_is_told,
        what_is_left_of_policies_is_removed,
        a_right_that_is_missing_is_told,
    );
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial<F>(name: &str, test: fn() -> F) -> Trial
where
    F: Future<Output = Outcome> + 'static,
{
    let panicked = name.to_owned();
    let cluster = if name.starts_with("real::") { "kubernetes" } else { "embedded" };
    Trial::ignorable_test(name, move || {
        let outcome = catch_unwind(|| block_on(test()));
        if matches!(outcome, Ok(Ok(()))) {
            return Ok(Completion::Completed);
        }
        let swept = block_on(bed::sweep()).map_err(|error| {
            format!("; what it left could not be removed: {:#}", anyhow::Error::new(error))
        });
        let swept = swept.err().unwrap_or_default();
        match outcome {
            Ok(Err(ClusterError::Unsupported(reason)))
                if !required(cluster) && swept.is_empty() =>
            {
                Ok(Completion::ignored_with(reason))
            }
            Ok(Err(error)) => Err(Failed::from(format!("{:#}{swept}", anyhow::Error::new(error)))),
            Ok(Ok(())) => Ok(Completion::Completed),
            Err(panic) => {
                if !swept.is_empty() {
                    eprintln!("{panicked}{swept}");
                }
                resume_unwind(panic)
            }
        }
    })
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(future)
}
