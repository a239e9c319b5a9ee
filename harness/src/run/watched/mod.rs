//! Steps that are watched: what connections do while the changes are made.
//!
//! Rounds compare what is before a change with what is after it. A watch looks at the time
//! between: connections that are held from before, and cells that are tried anew all the
//! time. What must hold of each *all the time* follows from every state that the policies
//! and labels have on the way ([`throughout`]); what was seen is read from the cluster's
//! timeline ([`sight`]), and [`judge`] compares the two with what people want.

pub(super) mod judge;
mod sight;
mod throughout;

use crate::cluster::{Capabilities, Moment, Timeline, Watch};
use crate::model::{Cell, Change, Intent, Matrix, Origin, Topology, Verdict, World};
use crate::scenario::{Expectation, Expected, Step};

use super::Manner;
use super::judge::Question;
use super::lack::lack;
use super::paths::Path;
use super::plan;
use throughout::{Throughout, When};

/// What a step wants to be watched, within what the cluster can do.
#[derive(Debug, Default)]
pub(super) struct Watchlist {
    /// Connections to hold.
    pub(super) held: Vec<Cell>,
    /// Cells to try: those that the step names, and those whose connections are held. What
    /// becomes of a connection says something only where new ones show what is in force.
    pub(super) tried: Vec<Cell>,
    /// How many of both the step names.
    pub(super) named: usize,
}

impl Watchlist {
    /// The order of a step.
    pub(super) fn of(
        expectation: &Expectation,
        topology: &Topology,
        capabilities: &Capabilities,
    ) -> Self {
        let can = |cells: &Matrix<Expected>| -> Vec<Cell> {
            let can = |cell: &&Cell| lack(cell, topology, capabilities).is_none();
            cells.cells().filter(can).cloned().collect()
        };
        let held = can(&expectation.held);
        let mut tried = can(&expectation.tried);
        let named = held.len() + tried.len();
        tried.extend(held.iter().filter(|cell| expectation.tried.get(cell).is_none()).cloned());
        Self { held, tried, named }
    }

    /// Whether there is nothing to watch.
    pub(super) fn is_empty(&self) -> bool {
        self.named == 0
    }
}

/// What is asked of one cell that was watched.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    manner: Manner,
    intended: Intent,
    rule: String,
    at: Origin,
    throughout: Throughout,
    /// Whether an end of it came with the step.
    comes: bool,
    /// What is asked of the cell when the step has settled.
    question: Question,
    path: Path,
}

impl Ask {
    /// What the policies mean for it all the time.
    fn specified(&self) -> Option<Intent> {
        self.throughout.specified
    }

    /// What of the specification keeps the intent from holding, and when. A connection that is
    /// held has to be there before the changes; what a new deny does to it is left open.
    fn against(&self) -> Option<(Verdict, When)> {
        let against = self.throughout.against(self.intended, self.comes);
        against.filter(|(_, when)| self.manner == Manner::Tried || *when == When::Before)
    }
}

/// What was asked for, and what was seen.
#[derive(Debug)]
pub(super) struct Watching {
    asks: Vec<Ask>,
    order: Watchlist,
    seen: Seen,
    /// Why what was stopped says nothing: nobody knows whether the cluster enforces.
    pub(super) doubt: Option<String>,
}

/// What the cluster saw.
#[derive(Debug)]
pub(super) struct Seen {
    /// What became of the order's cells.
    pub(super) timeline: Timeline,
    /// What became of the witness's cells, which were tried all the while.
    pub(super) witness: Vec<Vec<Moment>>,
    /// How it was watched.
    pub(super) watch: Watch,
}

impl Watching {
    /// Puts what was seen beside what is asked: of those cells that the step judges here.
    pub(super) fn new(
        order: Watchlist,
        seen: Seen,
        step: &Step,
        watched: &[Matrix<Expected>; 2],
        questions: &[(Question, Path)],
        before: &World,
        changes: &[Change],
    ) -> Result<Self, anyhow::Error> {
        let states = throughout::states(before, changes, &seen.timeline.topology)?;
        let new = plan::new_pods(changes);
        let manners = [
            (Manner::Held, &watched[0], &step.watch.hold),
            (Manner::Tried, &watched[1], &step.watch.attempt),
        ];
        let asks = manners.into_iter().flat_map(|(manner, wanted, rules)| {
            let (states, new) = (&states, &new);
            questions.iter().filter_map(move |(question, path)| {
                let expected = wanted.get(&question.cell)?;
                let rule = &rules[expected.rule];
                let comes = new.iter().any(|pod| plan::is_end(pod, &question.cell));
                Some(Ask {
                    manner,
                    intended: expected.intent,
                    rule: rule.text.clone(),
                    at: rule.origin.clone(),
                    throughout: throughout::throughout(&question.cell, states, comes),
                    comes,
                    question: question.clone(),
                    path: path.clone(),
                })
            })
        });
        let asks = asks.collect();
        Ok(Self { asks, order, seen, doubt: None })
    }
}
