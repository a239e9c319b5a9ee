//! Runs the binary as a user does: exit codes, messages, and what is printed where.
//!
//! A `main` of its own, so that tests without the cluster that they need are ignored, with
//! the reason, and never counted as passed; under `RINGFENCE_REQUIRE=embedded` they fail.

mod clusters;
mod conformance;
mod doctor;
mod indexed_job;
mod input;
mod machine;
mod manifests;
mod process;
#[path = "../requirement/mod.rs"]
mod requirement;
mod resuming;
mod runs;
mod sample;
mod selftest;
mod signals;
mod usage;

use std::process::ExitCode;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Completion, Trial};

use requirement::required;

/// Tests with their names.
macro_rules! tests {
    ($($module:ident::$test:ident),+ $(,)?) => {
        [$((stringify!($test), $module::$test as fn())),+]
    };
}

fn main() -> ExitCode {
    if machine::is_role() {
        return machine::play();
    }
    let anywhere = tests![
        usage::help_of_every_command,
        usage::usage_errors_end_with_2_and_say_what_was_expected,
        usage::colours_are_used_where_they_are_asked_for,
        manifests::the_specified_matrix_needs_no_cluster,
        manifests::a_pod_without_a_row_is_named,
        manifests::an_explanation_names_every_rule_on_the_way,
        manifests::the_role_is_printed_for_kubectl,
        input::invalid_input_ends_with_2_and_every_finding,
        input::one_bad_scenario_among_good_ones_stops_all_before_anything_is_made,
        input::what_cannot_be_read_is_named,
        input::warnings_alone_end_with_0,
        input::nothing_judged_ends_with_3,
        input::a_list_names_every_scenario_and_makes_nothing,
        input::several_paths_a_filter_and_tags_choose_together,
        input::a_reader_that_goes_away_is_no_error,
        clusters::a_dry_run_prints_every_action_and_makes_nothing,
        clusters::cnis_are_listed_and_shown,
        clusters::what_is_no_cni_ends_with_2,
        clusters::what_cannot_be_is_refused_with_the_remedy,
        clusters::clusters_are_listed_and_removed,
        conformance::cases_are_listed_and_written,
        sample::random_cases_are_listed_and_written,
        conformance::a_case_that_is_not_there_is_told,
        conformance::parts_hold_every_case_once,
        conformance::a_report_that_cannot_be_is_refused_before_anything_is_made,
        selftest::faults_are_listed_with_what_is_meant_to_catch_them,
        selftest::a_selftest_that_cannot_be_is_refused_before_anything_is_made,
        indexed_job::the_manifest_is_accepted_by_this_program,
        indexed_job::its_account_is_the_one_that_is_printed,
        doctor::what_kind_needs_is_checked,
    ];
    let clusters = tests![
        runs::a_scenario_that_holds_ends_with_0,
        runs::a_forgotten_egress_rule_ends_with_1_and_the_cell_the_rule_and_the_sentence,
        runs::what_is_only_left_open_ends_with_3,
        runs::a_rejected_manifest_counts_as_judged_and_is_told,
        runs::one_job_keeps_the_order,
        runs::a_run_outlives_its_reader,
        sample::random_cases_that_hold_leave_nothing_behind,
        sample::a_sample_goes_on_with_the_seed_of_its_record,
        sample::a_random_case_that_fails_is_shrunk_to_a_folder_that_fails,
        conformance::cases_are_run_and_reported,
        conformance::parts_are_put_together,
        selftest::each_fault_is_caught_and_nothing_is_reported_without,
        resuming::a_killed_run_goes_on_and_repeats_and_loses_nothing,
        resuming::an_interrupted_run_goes_on,
        resuming::what_could_not_be_told_is_run_again,
        resuming::a_record_of_another_run_is_refused,
        signals::an_interrupted_run_ends_with_3_and_leaves_nothing,
        machine::a_program_that_was_removed_goes_on,
        machine::few_open_files_and_no_input_suffice,
        machine::forbidden_user_namespaces_are_named,
    ];
    let anywhere = anywhere.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    let clusters = clusters.map(|(name, test)| {
        Trial::ignorable_test(name, move || match lacking() {
            None => {
                test();
                Ok(Completion::Completed)
            }
            Some(told) if required("embedded") => {
                Err(format!("RINGFENCE_REQUIRE=embedded, and `ringfence doctor` says:\n{told}")
                    .into())
            }
            Some(_) => Ok(Completion::ignored_with(
                "the embedded cluster does not work here; `ringfence doctor` says why",
            )),
        })
    });
    let trials = anywhere.into_iter().chain(clusters).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What `ringfence doctor` says where this machine has no embedded cluster; asked once.
fn lacking() -> Option<&'static str> {
    static LACKING: OnceLock<Option<String>> = OnceLock::new();
    let ask = || {
        let doctor = process::ringfence(&["doctor"]);
        (doctor.code != 0).then_some(doctor.out)
    };
    LACKING.get_or_init(ask).as_deref()
}
