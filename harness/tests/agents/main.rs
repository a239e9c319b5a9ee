//! Sessions with real agents: processes on this machine, reached through bridges, on loopback
//! addresses.
//!
//! The agents are this program, started again, so these tests have a `main` of their own.

mod faults;
mod process;
mod rounds;
mod watching;

use std::future::Future;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if let Some(code) = process::play() {
        return code;
    }
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("every_outcome_comes_back_in_order", rounds::every_outcome),
        trial("a_session_is_held_until_it_is_closed", rounds::held_until_closed),
        trial("listeners_change_as_asked", rounds::listeners),
        trial("streams_cut_anywhere_lose_nothing", faults::cut_anywhere),
        trial("a_bridge_killed_during_a_round_loses_nothing", faults::bridge_killed),
        trial("a_source_restarted_during_a_round_dials_again", faults::source_restarted),
        trial(
            "a_destination_restarted_during_a_round_denies_nothing",
            faults::destination_restarted,
        ),
        trial("an_agent_that_stays_away_is_inconclusive", faults::agent_killed),
        trial("what_is_watched_is_seen_in_turns", watching::in_turns),
        trial("a_watch_goes_on_while_its_session_is_cut", watching::cut),
        trial("a_source_restarted_during_a_watch_is_inconclusive", watching::source_lost),
        trial("a_destination_restarted_during_a_watch_is_inconclusive", watching::destination_lost),
        trial("an_order_that_is_out_of_date_is_not_followed", watching::out_of_date),
        trial("a_watch_that_is_given_up_ends", watching::given_up),
        trial("a_watch_dials_what_is_allowed_and_nothing_else", watching::only_allowed),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial<F>(name: &str, test: fn() -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be built").block_on(test());
        Ok(())
    })
}
