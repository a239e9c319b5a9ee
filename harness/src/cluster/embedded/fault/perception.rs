//! What the dataplane believes: a world made of the real one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Fault;
use super::memory::Memory;
use super::reading::misread;
use crate::model::{Name, Protocol, World};

/// How a dataplane with these faults sees the world.
#[derive(Debug)]
pub(super) struct Perception {
    faults: Vec<Fault>,
    memory: Memory,
}

impl Perception {
    /// Before anything was seen. The faults are made in their own order.
    pub(super) fn new(faults: &[Fault]) -> Self {
        Self { faults: faults.to_vec(), memory: Memory::default() }
    }

    /// What it believes now. It is shown the world after every change, once.
    pub(super) fn see(&mut self, world: &World) -> World {
        let mut believed = world.clone();
        for fault in &self.faults {
            self.memory.recall(*fault, &mut believed);
            match fault {
                Fault::PoliciesIgnored => {
                    believed.policies.clear();
                    believed.cluster_policies.clear();
                }
                Fault::NamedPortOfAnotherPod => exchange_numbers(&mut believed),
                _ => {}
            }
        }
        let read = |policy: Arc<_>| misread(&self.faults, &policy).map(Arc::new);
        believed.policies = believed
            .policies
            .into_iter()
            .filter_map(|(name, policy)| Some((name, read(policy)?)))
            .collect();
        believed
    }
}

/// Gives every named port the number that it has at the next pod which has one of that name
/// and protocol, at the last one that of the first.
fn exchange_numbers(world: &mut World) {
    let mut numbers = BTreeMap::<(Name, Protocol), Vec<u16>>::new();
    let pods = &mut world.topology.pods;
    for port in pods.values().flat_map(|pod| &pod.ports) {
        if let Some(name) = &port.name {
            numbers.entry((name.clone(), port.protocol)).or_default().push(port.number);
        }
    }
    numbers.values_mut().for_each(|numbers| numbers.rotate_left(1));
    let mut next: BTreeMap<_, _> =
        numbers.into_iter().map(|(of, numbers)| (of, numbers.into_iter())).collect();
    for port in pods.values_mut().flat_map(|pod| &mut pod.ports) {
        let of = port.name.clone().map(|name| (name, port.protocol));
        if let Some(number) = of.and_then(|of| next.get_mut(&of)?.next()) {
            port.number = number;
        }
    }
}
