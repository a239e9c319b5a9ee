//! Lands rulesets on a node: at once, or late from a thread of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::dataplane::{Dataplane, Ruleset};
use super::obstacle::{Obstacle, Part};
use crate::model::Name;

/// The packet filter of one node with what is installed there, and what is to be.
#[derive(Debug)]
pub(super) struct Installer {
    shared: Arc<Shared>,
    /// There is none until something is late.
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    node: Name,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    dataplane: Dataplane,
    installed: Option<Ruleset>,
    /// What comes later, the earliest first.
    pending: VecDeque<(Instant, Ruleset)>,
    /// Why what came late could not be installed.
    failed: Option<anyhow::Error>,
    over: bool,
}

impl State {
    /// Does nothing where nothing changes.
    fn install(&mut self, node: &Name, ruleset: Ruleset) -> anyhow::Result<()> {
        if self.installed.as_ref() == Some(&ruleset) {
            return Ok(());
        }
        // What is installed is not known if this fails half way.
        self.installed = None;
        Obstacle::netlink(Part::Filter, self.dataplane.install(&ruleset))
            .with_context(|| format!("install the policies on node `{node}`"))?;
        self.installed = Some(ruleset);
        Ok(())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Installs what is late as it falls due, until it is over.
    fn work(&self) {
        let mut state = self.state();
        while !state.over {
            let now = Instant::now();
            let due = state.pending.front().map(|(due, _)| *due);
            state = match due {
                Some(due) if due <= now => {
                    if let Some((_, ruleset)) = state.pending.pop_front()
                        && let Err(error) = state.install(&self.node, ruleset)
                    {
                        state.failed.get_or_insert(error);
                    }
                    state
                }
                Some(due) => {
                    let waited = self.changed.wait_timeout(state, due - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Installer {
    pub(super) fn new(node: Name, dataplane: Dataplane) -> Self {
        let state = State {
            dataplane,
            installed: None,
            pending: VecDeque::new(),
            failed: None,
            over: false,
        };
        let shared = Shared { node, state: Mutex::new(state), changed: Condvar::new() };
        Self { shared: Arc::new(shared), thread: None }
    }

    /// Has this ruleset in force from now on. What was still to come is overtaken by it.
    pub(super) fn install(&mut self, ruleset: Ruleset) -> anyhow::Result<()> {
        let mut state = self.shared.state();
        state.pending.clear();
        state.install(&self.shared.node, ruleset)
    }

    /// Has this ruleset in force after some time, and after all that is still to come.
    pub(super) fn install_late(&mut self, ruleset: Ruleset, after: Duration) -> anyhow::Result<()> {
        let mut state = self.shared.state();
        let last = state.pending.back().map(|(due, _)| *due);
        let due = Instant::now() + after;
        state.pending.push_back((last.map_or(due, |last| last.max(due)), ruleset));
        drop(state);
        self.shared.changed.notify_all();
        if self.thread.is_none() {
            let shared = self.shared.clone();
            let thread = thread::Builder::new().name("installer".to_owned());
            let thread = thread.spawn(move || shared.work());
            self.thread = Some(thread.context("start a thread that installs policies late")?);
        }
        Ok(())
    }

    /// Does something with the packet filter.
    ///
    /// # Errors
    /// Also where something could not be installed late before this.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Dataplane) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut state = self.shared.state();
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        work(&mut state.dataplane)
    }

    /// What is installed, in words; `None` where it is not known.
    pub(super) fn describe(&self) -> Option<String> {
        self.shared.state().installed.as_ref().map(ToString::to_string)
    }
}

impl Drop for Installer {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Where it panicked, its message is on standard error.
            let _ = thread.join();
        }
    }
}
