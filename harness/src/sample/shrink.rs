//! Shrinks a case for as long as what is left still fails.

use super::case::Sample;
use super::reduce::{leaps, smaller};
use crate::model::{Cell, Intent};

/// A cell that does not do what is specified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The step, from 0.
    pub step: usize,
    /// The cell.
    pub cell: Cell,
    /// What is specified of it, which it does not do.
    pub specified: Intent,
}

/// A case on its way to the smallest that still fails.
///
/// It proposes cases, each smaller than the one before, and is told which of them fail; how
/// that is found out is its caller's. A proposed case that fails alike, in a cell that is open
/// though denied, or shut though allowed, as the first one was, takes the place of the one
/// before. The end is reached where nothing can be taken away by itself any more.
#[derive(Debug, Clone)]
pub struct Shrinking {
    smallest: Sample,
    failure: Failure,
    /// What is proposed, in this order.
    waiting: Vec<Sample>,
    /// How many of these are proposed, or were passed over.
    at: usize,
    /// How many were proposed last.
    proposed: usize,
    /// Whether the smallest has changed since the first of `waiting` was proposed.
    again: bool,
    /// Whether these are no leaps any more.
    stepwise: bool,
    tried: usize,
}

impl Shrinking {
    /// Begins with a case that fails.
    pub fn new(sample: Sample, failure: Failure) -> Self {
        let waiting = leaps(&sample, failure.step, &failure.cell);
        Self {
            smallest: sample,
            failure,
            waiting,
            at: 0,
            proposed: 0,
            again: false,
            stepwise: false,
            tried: 0,
        }
    }

    /// At most so many cases to be tried next, the same again until [`Shrinking::learn`] is
    /// called; none where the end is reached.
    pub fn candidates(&mut self, most: usize) -> Vec<Sample> {
        while self.at == self.waiting.len() && (self.again || !self.stepwise) {
            self.stepwise = true;
            self.again = false;
            self.at = 0;
            self.waiting = smaller(&self.smallest);
            if self.waiting.is_empty() {
                break;
            }
        }
        let next: Vec<Sample> =
            self.waiting.iter().skip(self.at).take(most.max(1)).cloned().collect();
        self.proposed = next.len();
        next
    }

    /// Takes what became of the cases that were proposed last, in their order: how each failed.
    /// The first that failed alike is gone on with. Those that are left out were not tried, and
    /// are proposed again.
    pub fn learn(&mut self, outcomes: &[Vec<Failure>]) {
        let outcomes = &outcomes[..outcomes.len().min(self.proposed)];
        self.tried += outcomes.len();
        let alike = outcomes
            .iter()
            .enumerate()
            .find_map(|(index, failures)| Some((index, self.alike(failures)?)));
        self.proposed = 0;
        let Some((index, failure)) = alike else {
            self.at += outcomes.len();
            return;
        };
        self.smallest = self.waiting.swap_remove(self.at + index);
        self.failure = failure;
        self.again = true;
        if self.stepwise {
            // What was taken away is gone, so that the next to try is at the same place.
            self.waiting = smaller(&self.smallest);
            self.at = (self.at + index).min(self.waiting.len());
        } else {
            self.at = self.waiting.len();
        }
    }

    /// The failure to go on with: in the same cell, where it is among them.
    fn alike(&self, failures: &[Failure]) -> Option<Failure> {
        let alike = || failures.iter().filter(|one| one.specified == self.failure.specified);
        alike().find(|one| one.cell == self.failure.cell).or_else(|| alike().next()).cloned()
    }

    /// The smallest case so far.
    pub fn smallest(&self) -> &Sample {
        &self.smallest
    }

    /// How it fails.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// How many cases were tried.
    pub fn tried(&self) -> usize {
        self.tried
    }

    /// Whether the end is reached: nothing can be taken away by itself.
    pub fn is_minimal(&self) -> bool {
        self.stepwise && !self.again && self.at == self.waiting.len()
    }
}
