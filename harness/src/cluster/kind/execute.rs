//! Executes a plan: each step as soon as those before it are done.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::action::{Action, Step};
use super::plan::Plan;
use crate::cluster::{ClusterError, Stages, TeardownError};

/// What an action that waits has seen last, for the message of its deadline.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<String>>);

impl Told {
    /// Keeps the latest.
    pub fn tell(&self, what: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
    }

    /// The latest.
    pub fn last(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What carries actions out: the machine itself, or a test.
#[async_trait]
pub trait Hands: Send + Sync {
    /// Carries an action out. It may be dropped half-way.
    ///
    /// # Errors
    /// [`ClusterError::Unsupported`] where this machine cannot do it at all.
    async fn perform(&self, action: &Action, told: &Told) -> Result<(), ClusterError>;
}

/// Hands that note once there are nodes to be removed.
pub struct Noting<'h> {
    /// Whose hands they are.
    pub hands: &'h dyn Hands,
    /// Whether the making of nodes was begun.
    pub begun: &'h AtomicBool,
}

#[async_trait]
impl Hands for Noting<'_> {
    async fn perform(&self, action: &Action, told: &Told) -> Result<(), ClusterError> {
        if matches!(action, Action::CreateCluster { .. }) {
            self.begun.store(true, Ordering::Relaxed);
        }
        self.hands.perform(action, told).await
    }
}

/// Makes the cluster of a plan. The first error ends it; what was made by then is for
/// [`close`] to remove.
///
/// # Errors
/// That of the step, or its deadline.
pub async fn open(plan: &Plan, hands: &dyn Hands, stages: &Stages) -> Result<(), ClusterError> {
    let mut waiting: Vec<&Step> = plan.opening.iter().collect();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        let (ready, rest): (Vec<&Step>, Vec<&Step>) =
            waiting.into_iter().partition(|step| step.after.iter().all(|n| done.contains(n)));
        waiting = rest;
        for step in ready {
            running.push(async move {
                let what = step.action.to_string();
                let what = what.lines().next().unwrap_or_default().to_owned();
                stages.stage(step.stage, what, perform(step, hands)).await.map(|()| step.number)
            });
        }
        match running.next().await {
            Some(number) => done.insert(number?),
            None if waiting.is_empty() => return Ok(()),
            None => {
                let number = waiting[0].number;
                let what = anyhow!("step {number} of `{}` waits for none that runs", plan.name);
                return Err(ClusterError::Other(what));
            }
        };
    }
}

async fn perform(step: &Step, hands: &dyn Hands) -> Result<(), ClusterError> {
    let told = Told::default();
    match timeout(step.deadline, hands.perform(&step.action, &told)).await {
        Ok(result) => result,
        Err(_) => {
            let action = step.action.to_string();
            let action = action.lines().next().unwrap_or_default().to_owned();
            let last = told.last();
            let what = match last.as_str() {
                "" => format!("step {} (`{action}`) to end", step.number),
                _ => format!("step {} (`{action}`) to end, seen last: {last}", step.number),
            };
            Err(ClusterError::Deadline { what, deadline: step.deadline })
        }
    }
}

/// Removes the cluster of a plan: every step is tried. Where one fails, those after it
/// that need it are left, so that `ringfence clusters prune` still finds the rest.
///
/// # Errors
/// What remains.
pub async fn close(plan: &Plan, hands: &dyn Hands) -> Result<(), TeardownError> {
    let (mut done, mut left) = (BTreeSet::new(), Vec::new());
    for step in &plan.closing {
        if !step.after.iter().all(|number| done.contains(number)) {
            continue;
        }
        match perform(step, hands).await {
            Ok(()) => {
                done.insert(step.number);
            }
            Err(error) => left.push(format!("the cluster `{}`: {error:#}", plan.name)),
        }
    }
    if left.is_empty() { Ok(()) } else { Err(TeardownError(left)) }
}
