//! A random case: what there is, what is done, and what each cell should do then.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{
    Cell, Change, ChangeError, Family, Intent, PodName, Topology, Verdict, Via, World, universe,
};
use crate::semantics::Engine;

/// A random case, or what is left of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its identifier, `sample-SEED-NUMBER`; also its scenario's.
    pub id: String,
    /// What it is, in a sentence.
    pub about: String,
    /// What there is before the first step, without addresses of pods and nodes.
    pub topology: Topology,
    /// The changes of each step, in the order in which a scenario makes them. At least one.
    pub steps: Vec<Vec<Change>>,
    /// The pods that are asked by way of a Service too.
    pub services: BTreeSet<PodName>,
}

/// Why a case cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum NoCase {
    /// A change cannot be made.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// What the policies specify of a cell hangs on where its pods will be.
    #[error("expected `{cell}` to be decided by what is declared, found {verdict:?}")]
    Unknown {
        /// The cell.
        cell: Box<Cell>,
        /// What is known of it.
        verdict: Verdict,
    },
    /// A manifest cannot be written.
    #[error("a policy cannot be written as YAML")]
    Manifest(#[from] serde_saphyr::ser::Error),
}

impl Sample {
    /// What there is after each step, with addresses as a cluster might give them.
    ///
    /// # Errors
    /// A change that cannot be made.
    pub fn worlds(&self) -> Result<Vec<World>, ChangeError> {
        let mut world = World::new(self.topology.clone());
        let mut worlds = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            for change in step {
                world.change(change)?;
            }
            let mut placed = world.clone();
            place(&mut placed.topology);
            worlds.push(placed);
        }
        Ok(worlds)
    }

    /// What the policies specify of every cell, after each step.
    ///
    /// # Errors
    /// A change that cannot be made, and a cell that is not decided before pods are placed.
    pub fn specified(&self) -> Result<Vec<BTreeMap<Cell, Intent>>, NoCase> {
        self.worlds()?.iter().map(|world| self.intents(world)).collect()
    }

    fn intents(&self, world: &World) -> Result<BTreeMap<Cell, Intent>, NoCase> {
        let engine = Engine::new(world);
        let intent = |cell: Cell| {
            let intent = match engine.verdict(&cell) {
                Verdict::Allow => Intent::Allow,
                Verdict::Deny => Intent::Deny,
                Verdict::Undefined(_) => Intent::Any,
                verdict @ Verdict::Unknown(_) => {
                    return Err(NoCase::Unknown { cell: Box::new(cell), verdict });
                }
            };
            Ok((cell, intent))
        };
        self.cells(&world.topology).into_iter().map(intent).collect()
    }

    /// The cells of a topology, and those by way of a Service.
    fn cells(&self, topology: &Topology) -> BTreeSet<Cell> {
        let mut cells = universe(topology, &Family::ALL);
        let served = |cell: &&Cell| {
            cell.source.as_pod().is_some()
                && cell.destination.as_pod().is_some_and(|pod| self.services.contains(pod))
        };
        let served: Vec<Cell> = cells.iter().filter(served).cloned().collect();
        cells.extend(served.into_iter().map(|cell| Cell { via: Via::Service, ..cell }));
        cells
    }
}

/// Gives an address of each family to whatever has none. No range of a case holds any of these
/// but one that holds all addresses of its family, so that a cluster may give others.
fn place(topology: &mut Topology) {
    for (number, node) in (1..).zip(topology.nodes.values_mut()) {
        if node.addresses.is_empty() {
            node.addresses = vec![
                IpAddr::from([172, 18, 0, number]),
                IpAddr::from([0xfd00, 0x10, 0x18, 0, 0, 0, 0, number.into()]),
            ];
        }
    }
    for (number, pod) in (1..).zip(topology.pods.values_mut()) {
        let node = pod.node.as_ref().and_then(|node| topology.nodes.get(node));
        match node {
            Some(node) if pod.host_network => pod.addresses.clone_from(&node.addresses),
            _ if pod.addresses.is_empty() => {
                pod.addresses = vec![
                    IpAddr::from([10, 0, 0, number]),
                    IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, number.into()]),
                ];
            }
            _ => {}
        }
    }
}
