//! Runs scenarios on clusters: control, apply, settle, compare, explain.

mod binding;
mod bundle;
mod enforcement;
mod event;
mod judge;
mod lack;
mod needs;
mod paths;
mod plan;
mod play;
pub mod record;
mod scenario;
mod schedule;
mod sentinel;
mod settings;
mod settle;
mod shrink;
mod sink;
mod stage;
mod stop;
mod tally;
mod witness;

pub use binding::{BindingError, bind, bind_all};
pub use event::{
    CellJudgement, Counts, Event, Finding, Line, NotJudged, Purpose, SCHEMA, ScenarioInfo, Status,
    StepTiming,
};
pub use scenario::run_scenario;
pub use schedule::{Ran, run_all};
pub use settings::{
    AGREEING_ROUNDS, ENFORCEMENT_MARGIN, FLIP_MARGIN, MEASURED_ROUNDS, Pause, Settings, Silence,
};
pub use shrink::{Budget, End, Shrunk, attempt, failure, failures, shrink};
pub use sink::EventSink;
pub use stop::{Stop, Stopper};
