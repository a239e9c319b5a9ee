//! Which slots are free, and who may be on a cluster at the same time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::naming::Naming;
use super::owner::{Owner, RunId};
use super::site::Site;
use super::slot::Slot;
use super::tier::Tier;
use crate::cluster::ClusterError;

/// The slots of a run on a cluster.
pub(super) struct Pool {
    site: Arc<Site>,
    tier: Arc<Tier>,
    run: RunId,
    free: Mutex<Vec<Slot>>,
    /// Slots whose scenarios ended without a teardown, and which are in the way of others.
    lost: Mutex<Vec<Slot>>,
    next: AtomicU32,
    /// Scenarios with names as declared are alone, and those with policies of the cluster; all
    /// others share.
    tenants: Arc<RwLock<()>>,
    /// Pods in the networks of nodes share their ports.
    nodes: Arc<tokio::sync::Mutex<()>>,
}

/// That a scenario may be on the cluster.
pub(super) enum Tenancy {
    /// With others.
    Shared { _guard: OwnedRwLockReadGuard<()> },
    /// By itself.
    Alone { _guard: OwnedRwLockWriteGuard<()> },
}

impl Pool {
    /// Without slots yet.
    pub(super) fn new(site: Arc<Site>, tier: Arc<Tier>, run: RunId) -> Self {
        let (free, lost, next, tenants, nodes) = Default::default();
        Self { site, tier, run, free, lost, next, tenants, nodes }
    }

    /// A slot that is free, or a new one.
    pub(super) fn take(&self, exact: bool) -> Slot {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if !exact && let Some(slot) = free() {
            return slot;
        }
        let slot = self.next.fetch_add(1, Ordering::Relaxed);
        let owner = Owner { run: self.run.clone(), slot };
        let naming = if exact { Naming::Exact } else { Naming::Prefixed(owner.clone()) };
        Slot::new(self.site.clone(), self.tier.clone(), owner, naming)
    }

    /// Takes a slot back.
    pub(super) fn give(&self, slot: Slot) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }

    /// Takes note of a slot that nobody uses again, and that is still there.
    pub(super) fn lose(&self, slot: Option<Slot>) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).extend(slot);
    }

    /// Deletes the slots that were lost, and waits until they are gone.
    ///
    /// # Errors
    /// Where one is not: it is still lost.
    pub(super) async fn recover(&self) -> Result<(), ClusterError> {
        let next = || self.lost.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(mut slot) = next() {
            if let Err(error) = slot.abandon(true).await {
                self.lose(Some(slot));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Drops the slots that are free, and with them the sessions with their agents.
    pub(super) fn empty(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits until a scenario may be on the cluster.
    pub(super) async fn enter(&self, alone: bool) -> Tenancy {
        let tenants = self.tenants.clone();
        if alone {
            Tenancy::Alone { _guard: tenants.write_owned().await }
        } else {
            Tenancy::Shared { _guard: tenants.read_owned().await }
        }
    }

    /// Waits until no other scenario has pods in the networks of nodes.
    pub(super) async fn nodes_to_itself(&self) -> OwnedMutexGuard<()> {
        self.nodes.clone().lock_owned().await
    }
}
