//! The runner against clusters that lie, lag, flap and break, on a paused clock.

mod breakage;
mod fake;
mod late_pods;
mod schedule;
mod script;
mod sentinel;
mod vacuous;
mod verdicts;
mod witness;
