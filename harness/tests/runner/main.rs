//! The runner against clusters that lie, lag, flap and break, on a paused clock.

mod breakage;
mod bundles;
mod fake;
mod lacks;
mod late_pods;
mod negative;
mod schedule;
mod script;
mod sentinel;
mod shrinking;
mod vacuous;
mod verdicts;
mod watched;
mod witness;
