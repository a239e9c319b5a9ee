//! Runs scenarios on clusters: control, apply, settle, compare, explain.

mod binding;
mod event;
mod judge;
pub mod record;
mod sentinel;
mod settings;
mod settle;
mod sink;

pub use binding::{BindingError, bind, bind_all};
pub use event::{
    CellJudgement, Counts, Event, Finding, Line, Purpose, SCHEMA, ScenarioInfo, Status, StepTiming,
};
pub use settings::{AGREEING_ROUNDS, ENFORCEMENT_MARGIN, Pause, Settings, Silence};
pub use sink::EventSink;
