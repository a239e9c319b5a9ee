//! Runs scenarios on clusters: control, apply, settle, compare, explain.

mod event;

pub use event::{
    CellJudgement, Counts, Event, Finding, Line, Purpose, SCHEMA, ScenarioInfo, Status, StepTiming,
};
