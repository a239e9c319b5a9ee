//! A value for every cell, and the cells that a topology has.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_probe::Family;
use serde::{Deserialize, Serialize};

use super::{Cell, Endpoint, Topology, Via};

/// A value for each of a set of cells, in the cells' own order.
///
/// It serialises as a list of pairs, since a cell is no JSON key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "Vec<(Cell, T)>",
    into = "Vec<(Cell, T)>",
    bound(serialize = "T: Clone + Serialize")
)]
pub struct Matrix<T> {
    cells: BTreeMap<Cell, T>,
}

impl<T> From<Vec<(Cell, T)>> for Matrix<T> {
    fn from(cells: Vec<(Cell, T)>) -> Self {
        cells.into_iter().collect()
    }
}

impl<T> From<Matrix<T>> for Vec<(Cell, T)> {
    fn from(matrix: Matrix<T>) -> Self {
        matrix.cells.into_iter().collect()
    }
}

impl<T> Default for Matrix<T> {
    fn default() -> Self {
        Self { cells: BTreeMap::new() }
    }
}

impl<T> FromIterator<(Cell, T)> for Matrix<T> {
    fn from_iter<I: IntoIterator<Item = (Cell, T)>>(cells: I) -> Self {
        Self { cells: cells.into_iter().collect() }
    }
}

impl<T> Matrix<T> {
    /// The value of a cell.
    pub fn get(&self, cell: &Cell) -> Option<&T> {
        self.cells.get(cell)
    }

    /// Sets a cell, and returns the value that it had.
    pub fn insert(&mut self, cell: Cell, value: T) -> Option<T> {
        self.cells.insert(cell, value)
    }

    /// The cells and their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Cell, &T)> {
        self.cells.iter()
    }

    /// The cells, in order.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.keys()
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

/// The cells that a topology has by itself: from every pod and external host to
/// every port of every pod and external host.
///
/// Left out are pairs of external hosts, which no policy is about; a pod to
/// itself and anything from or to a node, which are cells only where a rule
/// names them; pods that are not running; and families that one end is known
/// not to have. An end whose addresses are not known yet is taken to have
/// every family.
pub fn universe(topology: &Topology, families: &[Family]) -> BTreeSet<Cell> {
    let pods = || {
        topology
            .pods
            .iter()
            .filter(|(_, pod)| pod.phase == super::Phase::Running)
            .map(|(name, _)| Endpoint::Pod(name.clone()))
    };
    let externals = || topology.externals.keys().map(|name| Endpoint::External(name.clone()));
    let ends: Vec<Endpoint> = pods().chain(externals()).collect();
    let has = |end: &Endpoint, family: Family| {
        let addresses = topology.addresses(end);
        addresses.is_empty() || addresses.iter().any(|address| Family::of(*address) == family)
    };
    let mut cells = BTreeSet::new();
    for source in &ends {
        for destination in &ends {
            let external = |end: &Endpoint| matches!(end, Endpoint::External(_));
            if source == destination || external(source) && external(destination) {
                continue;
            }
            for family in
                families.iter().copied().filter(|f| has(source, *f) && has(destination, *f))
            {
                cells.extend(topology.ports(destination).iter().map(|port| Cell {
                    source: source.clone(),
                    destination: destination.clone(),
                    port: port.number,
                    protocol: port.protocol,
                    family,
                    via: Via::Pod,
                }));
            }
        }
    }
    cells
}
