//! Runs scenarios on clusters: control, apply, settle, compare, explain.

mod binding;
mod bundle;
mod case;
mod enforcement;
mod event;
mod judge;
mod lack;
mod needs;
mod partition;
mod paths;
mod plan;
mod play;
pub mod record;
mod scenario;
mod schedule;
mod sentinel;
mod settings;
mod settle;
mod sink;
mod stage;
mod stop;
mod suite;
mod suite_info;
mod tally;
mod watched;
mod witness;

pub use binding::{BindingError, bind, bind_all};
pub use case::{ApiText, CaseInfo, DecidingCell, Kind, Level, Reason};
pub use event::{
    CellJudgement, Counts, Event, Finding, Line, Manner, NotJudged, Purpose, SCHEMA, ScenarioInfo,
    Status, StepTiming, Stretch, Watched, WatchedCell, Window,
};
pub use partition::{NoPartition, Partition};
pub use scenario::run_scenario;
pub use schedule::{Ran, run_all, run_suite};
pub use settings::{
    AGREEING_ROUNDS, ENFORCEMENT_MARGIN, FLIP_MARGIN, MEASURED_ROUNDS, Pause, STARTING_SILENCE,
    Settings, Silence, WATCHED_AFTER, WATCHED_BEFORE, WATCHED_INTERVAL, WATCHED_SILENCE,
    WATCHED_TURNS,
};
pub use sink::EventSink;
pub use stop::{Stop, Stopper};
pub use suite::{Before, Item, Suite};
pub use suite_info::SuiteInfo;
