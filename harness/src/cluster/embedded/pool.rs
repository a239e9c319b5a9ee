//! Clusters that stand by for the next scenario.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::process::Process;
use crate::cluster::Capabilities;
use crate::cluster::placement::node_names;
use crate::model::{Name, Topology};
use crate::scenario::Scenario;

/// How many clusters stand by at most. More scenarios than these at the same time are rare,
/// and a cluster that nobody wants again costs memory.
const MOST: usize = 32;

/// What a cluster was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    topology: Topology,
    nodes: Vec<Name>,
}

impl Shape {
    /// What a scenario asks for.
    pub(super) fn of(scenario: &Scenario) -> Self {
        let nodes = node_names(&scenario.topology, scenario.nodes);
        Self { topology: scenario.topology.shape(), nodes }
    }

    /// Whether nodes and external hosts are the same: pods are soon made, they are not.
    fn is_like(&self, other: &Self) -> bool {
        self.nodes == other.nodes
            && self.topology.nodes == other.topology.nodes
            && self.topology.externals == other.topology.externals
    }
}

/// A cluster that no scenario uses.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) shape: Shape,
    pub(super) process: Process,
    pub(super) capabilities: Capabilities,
}

/// The clusters that no scenario uses, the last one used last.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<VecDeque<Idle>>);

impl Pool {
    /// Takes a cluster of this shape where there is one, else one that can be made so. One whose
    /// helper process has ended meanwhile is let go of.
    pub(super) fn take(&self, shape: &Shape) -> Option<Idle> {
        let mut idle = self.0.lock().expect("no holder panics");
        loop {
            let same = idle.iter().rposition(|idle| idle.shape == *shape);
            let found = same.or_else(|| idle.iter().rposition(|idle| idle.shape.is_like(shape)))?;
            let mut taken = idle.remove(found)?;
            if taken.process.runs() {
                return Some(taken);
            }
        }
    }

    /// Keeps a cluster, and hands out one that is too many.
    pub(super) fn keep(&self, cluster: Idle) -> Option<Idle> {
        let mut idle = self.0.lock().expect("no holder panics");
        idle.push_back(cluster);
        if idle.len() > MOST { idle.pop_front() } else { None }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.lock().expect("no holder panics").len()
    }

    /// Hands out every cluster.
    pub(super) fn drain(&self) -> Vec<Idle> {
        self.0.lock().expect("no holder panics").drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::process::Command;

    use super::super::{EmbeddedOptions, facts};
    use super::*;

    fn shape() -> Shape {
        Shape { topology: Topology::default(), nodes: Vec::new() }
    }

    /// `cat` runs until its connection ends, and `true` does not.
    fn idle(program: &str) -> Idle {
        let process = Process::of(Command::new(program)).unwrap();
        let capabilities = facts::capabilities(&EmbeddedOptions::default());
        Idle { shape: shape(), process, capabilities }
    }

    #[tokio::test]
    async fn a_cluster_whose_helper_ended_is_not_handed_out() {
        let (pool, mut ended) = (Pool::default(), idle("true"));
        pool.keep(idle("cat"));
        let running = pool.0.lock().unwrap()[0].process.id();
        let deadline = Instant::now() + Duration::from_secs(10);
        while ended.process.runs() {
            assert!(Instant::now() < deadline, "expected `true` to end within 10 s");
            tokio::task::yield_now().await;
        }
        pool.keep(ended);
        assert_eq!(pool.len(), 2);
        let taken = pool.take(&shape()).unwrap();
        assert_eq!((taken.process.id(), pool.len()), (running, 0));
        assert!(pool.take(&shape()).is_none());
    }
}
