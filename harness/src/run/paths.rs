//! Which paths were shown to be open without policies.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Cell, Change, Endpoint, PodName};

use super::judge::Control;

/// A cell between these very pods: a pod that is made again is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    /// The cell.
    pub(super) cell: Cell,
    births: [u32; 2],
}

/// What is known of the paths of a scenario so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Paths {
    /// How often a step has made a pod of this name.
    births: BTreeMap<PodName, u32>,
    known: BTreeMap<Path, Control>,
    /// Paths that were last seen denied.
    denied: BTreeSet<Path>,
}

impl Paths {
    /// The path between the pods that are there now.
    pub(super) fn path(&self, cell: &Cell) -> Path {
        let births = |end: &Endpoint| {
            end.as_pod().and_then(|pod| self.births.get(pod)).copied().unwrap_or_default()
        };
        Path { cell: cell.clone(), births: [births(&cell.source), births(&cell.destination)] }
    }

    /// Whether the path is between the pods that are there now.
    pub(super) fn is_current(&self, path: &Path) -> bool {
        self.path(&path.cell) == *path
    }

    /// Takes note of pods that a change makes.
    pub(super) fn change(&mut self, change: &Change) {
        if let Change::AddPod(pod) = change {
            *self.births.entry(pod.name.clone()).or_default() += 1;
        }
    }

    /// Takes note of what control, or any attempt that connected, has shown.
    pub(super) fn learn(&mut self, path: Path, control: Control) {
        self.known.insert(path, control);
    }

    /// What is known of a path; `None` where it had no control yet.
    pub(super) fn control(&self, path: &Path) -> Option<&Control> {
        self.known.get(path)
    }

    /// Takes note that a path was seen denied, or open.
    pub(super) fn see(&mut self, path: &Path, denied: bool) {
        if denied {
            self.denied.insert(path.clone());
        } else {
            self.denied.remove(path);
        }
    }

    /// The paths that were last seen denied and whose pods are still there.
    pub(super) fn denied(&self) -> impl Iterator<Item = &Path> {
        self.denied.iter().filter(|path| self.is_current(path))
    }

    /// Forgets the paths that were last seen denied, and returns those whose pods
    /// are still there.
    pub(super) fn take_denied(&mut self) -> BTreeSet<Path> {
        let denied = self.denied().cloned().collect();
        self.denied.clear();
        denied
    }
}

/// Whether a change removes or ends one of a cell's ends.
pub(super) fn removes(change: &Change, cell: &Cell) -> bool {
    let ends = [&cell.source, &cell.destination];
    ends.into_iter().filter_map(Endpoint::as_pod).any(|pod| match change {
        Change::RemovePod(name) | Change::EndPod(name) => pod == name,
        Change::RemoveNamespace(namespace) => pod.namespace == *namespace,
        _ => false,
    })
}
