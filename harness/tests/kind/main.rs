//! Clusters by `kind`: plans in golden files, their execution, and the real program as far
//! as it goes without privileged containers.
//!
//! Trials that need `kind` and Docker are ignored, with the reason, where they are not there;
//! under `RINGFENCE_REQUIRE=kind` they fail instead.

mod api;
mod execution;
mod fakes;
mod https;
mod plans;
mod programs;
mod real;
#[path = "../requirement/mod.rs"]
mod requirement;
mod shared;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

use requirement::required;

/// Tests with their names.
macro_rules! tests {
    ($($module:ident::$test:ident),+ $(,)?) => {
        [$((stringify!($test), $module::$test as fn())),+]
    };
}

fn main() -> ExitCode {
    if let Some(all) = std::env::var_os(shared::ROLE) {
        return shared::play(&all.to_string_lossy());
    }
    let anywhere = tests![
        plans::every_entry_has_its_plan,
        plans::a_plan_from_disk_names_every_file,
        plans::every_sighting_is_of_cells_of_a_scenario,
        execution::steps_wait_for_those_before_them_and_for_no_others,
        execution::the_first_error_ends_it,
        execution::a_deadline_names_the_step_and_what_was_seen_last,
        execution::what_cannot_be_removed_is_told_and_found_again,
        execution::every_slow_part_is_told,
        programs::the_executor_does_what_the_plan_says_and_tears_down_on_failure,
        programs::a_chart_is_installed_with_its_values,
        programs::a_chart_in_a_folder_of_an_archive_is_unpacked,
        programs::what_kind_says_is_shown,
        programs::a_missing_program_comes_with_the_remedy,
        programs::a_file_at_hand_that_is_another_is_refused,
        shared::of_processes_at_once_one_makes_the_cluster_and_all_use_it,
        shared::within_a_process_too,
        shared::a_cluster_that_never_got_ready_is_made_anew,
        shared::another_cluster_under_the_name_is_told,
        shared::what_is_not_prepared_makes_nothing,
        https::a_file_comes_by_https_and_is_the_one_that_was_pinned,
    ];
    let with_kind = tests![
        real::every_configuration_is_accepted,
        real::a_cluster_that_is_not_there_is_deleted,
        real::a_plan_gets_as_far_as_the_node_image_and_leaves_nothing,
    ];
    let anywhere = anywhere.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    let lacking = real::lacking();
    let with_kind = with_kind.map(|(name, test)| {
        let lacking = lacking.clone();
        Trial::ignorable_test(name, move || match lacking {
            None => {
                test();
                Ok(Completion::Completed)
            }
            Some(why) if required("kind") => Err(format!("RINGFENCE_REQUIRE=kind: {why}").into()),
            Some(why) => Ok(Completion::ignored_with(why)),
        })
    });
    let on_a_cluster =
        Trial::ignorable_test("a_manifest_is_applied_and_its_rollout_awaited", || {
            if let Some(why) = api::lacking() {
                return Ok(Completion::ignored_with(why));
            }
            api::a_manifest_is_applied_and_its_rollout_awaited();
            Ok(Completion::Completed)
        });
    let trials = anywhere.into_iter().chain(with_kind).chain([on_a_cluster]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What asynchronous tests run on.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}
