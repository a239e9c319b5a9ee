//! What goes wrong: rules that calls meet before they are answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Method;

use super::failure::Failure;

/// What happens to a call.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// It is answered with an error, and nothing else happens.
    Answer(Failure),
    /// It takes this much longer.
    Delay(Duration),
    /// Its connection is closed without an answer; a call that changes something has done so.
    Hang,
    /// An exec is cut when it has sent this many bytes, in the middle of a frame if need be.
    Cut(usize),
    /// A watch ends without a word after its first answer.
    Close,
}

/// A rule for some calls.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    method: Option<Method>,
    path: String,
    skip: usize,
    times: usize,
    effect: Effect,
}

impl Fault {
    fn new(method: Option<Method>, path: &str, effect: Effect) -> Self {
        Self { method, path: path.to_owned(), skip: 0, times: usize::MAX, effect }
    }

    /// Calls of a method whose path contains `path` are answered with an error.
    pub(crate) fn answer(method: Method, path: &str, failure: Failure) -> Self {
        Self::new(Some(method), path, Effect::Answer(failure))
    }

    /// Calls whose path contains `path` take longer.
    pub(crate) fn delay(path: &str, by: Duration) -> Self {
        Self::new(None, path, Effect::Delay(by))
    }

    /// Calls of a method are done and not answered: the connection closes.
    pub(crate) fn hang_up(method: Method, path: &str) -> Self {
        Self::new(Some(method), path, Effect::Hang)
    }

    /// Execs are cut after so many bytes of their own.
    pub(crate) fn cut_exec(bytes: usize) -> Self {
        Self::new(None, "/exec", Effect::Cut(bytes))
    }

    /// Watches end at once.
    pub(crate) fn close_watch(path: &str) -> Self {
        Self::new(Some(Method::GET), path, Effect::Close)
    }

    /// Only so many calls meet it.
    pub(crate) fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// The first calls do not meet it.
    pub(crate) fn after(mut self, calls: usize) -> Self {
        self.skip = calls;
        self
    }

    fn concerns(&self, method: &Method, path: &str, watch: bool) -> bool {
        let method = self.method.as_ref().is_none_or(|own| own == method);
        let kind = !matches!(self.effect, Effect::Close) || watch;
        method && kind && path.contains(&self.path)
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<(Vec<Fault>, usize)>);

impl Faults {
    fn lock(&self) -> MutexGuard<'_, (Vec<Fault>, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, fault: Fault) {
        self.lock().0.push(fault);
    }

    pub(super) fn clear(&self) {
        self.lock().0.clear();
    }

    /// How many calls met one.
    pub(super) fn met(&self) -> usize {
        self.lock().1
    }

    /// What happens to a call: that of the first rule for it.
    pub(super) fn meet(&self, method: &Method, path: &str, watch: bool) -> Option<Effect> {
        let (faults, met) = &mut *self.lock();
        let fault = faults
            .iter_mut()
            .find(|fault| fault.times > 0 && fault.concerns(method, path, watch))?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        *met += 1;
        Some(fault.effect.clone())
    }
}
