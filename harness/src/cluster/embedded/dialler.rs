//! The dialling thread's way through the cluster, and what it saw.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringfence_probe::wire::Arrival;
use ringfence_probe::{Dialler, Environment, Pace, Report};

use super::dataplane::DropLog;
use super::namespace::Namespace;
use crate::cluster::sightings::{heard, moments};
use crate::cluster::{Moment, Watch};

/// The network namespaces from which is dialled: more come while it is.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<BTreeMap<u32, Namespace>>>);

impl Places {
    /// Adds one.
    pub(super) fn add(&self, place: u32, namespace: Namespace) {
        self.lock().insert(place, namespace);
    }

    /// What is in it is never half-made.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Namespace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The dialler's way through the cluster.
pub(super) struct Walk<'a> {
    pub(super) places: Places,
    pub(super) logs: &'a mut [Option<DropLog>],
}

impl Environment for Walk<'_> {
    fn enter(&mut self, place: u32) -> io::Result<()> {
        let places = self.places.lock();
        let namespace = places.get(&place);
        namespace
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no place {place}")))?
            .enter()
    }

    fn reports(&mut self, sink: &mut dyn FnMut(Report)) {
        self.logs.iter_mut().flatten().for_each(|log| log.read(sink));
    }
}

/// What held connections and tried cells saw, where these nonces arrived.
pub(super) fn told(
    dialler: Dialler,
    pace: &Pace,
    watch: &Watch,
    arrivals: &[Arrival],
) -> (Vec<Vec<Moment>>, Vec<Vec<Moment>>) {
    let arrived: HashMap<u64, &Arrival> =
        arrivals.iter().map(|arrival| (arrival.nonce, arrival)).collect();
    let (turns, stretches) = dialler.told();
    let mut held = vec![Vec::new(); watch.held.len()];
    let mut tried = vec![Vec::new(); watch.tried.len()];
    for (id, stretches) in stretches {
        let number = id as usize;
        let mut seen = moments(&turns, &stretches);
        match number.checked_sub(held.len()) {
            None => held[number] = seen,
            Some(number) => {
                heard(&mut seen, &stretches, pace, id, &arrived);
                tried[number] = seen;
            }
        }
    }
    (held, tried)
}
