//! Random changes to a world, each of which the API server would take.

use std::sync::Arc;

use super::draw::Draw;
use super::manifest::manifest;
use super::policy::policy;
use super::selector::{KEYS, VALUES, labels};
use super::topology::{NAMESPACES, pod};
use crate::model::{
    Change, LabelChanges, NAMESPACE_NAME_LABEL, Name, Namespace, NetworkPolicy, Origin, Phase, Pod,
    World,
};

/// Few enough that a case stays small.
const MOST_PODS: usize = 8;

/// The first number of a pod that comes later: none of a topology has it.
const FIRST_NEW: u8 = 10;

/// Makes up changes, and remembers the pods that went so that they can come back.
#[derive(Debug)]
pub struct Changes {
    draw: Draw,
    origin: Origin,
    gone: Vec<Pod>,
    made: u8,
}

impl Changes {
    /// Changes that follow from what is drawn.
    pub fn new(draw: Draw, origin: Origin) -> Self {
        Self { draw, origin, gone: Vec::new(), made: 0 }
    }

    /// From one change to a handful, to be made at once, each of which can be made to the world
    /// that those before it leave.
    pub fn next(&mut self, world: &World) -> Vec<Change> {
        let mut world = world.clone();
        let mut changes = Vec::new();
        let wanted = if self.draw.once_in(2) { 1 } else { self.draw.between(2, 4) };
        while changes.len() < wanted {
            let some = self.some(&world);
            let mut tried = world.clone();
            if some.iter().all(|change| tried.change(change).is_ok()) {
                world = tried;
                changes.extend(some);
            }
        }
        changes
    }

    /// Changes that belong together; none where the kind that was drawn cannot be made.
    fn some(&mut self, world: &World) -> Vec<Change> {
        match self.draw.below(14) {
            0 | 1 => self.new_policy(world),
            2 => self.replaced_policy(world),
            3 => self.deleted_policy(world),
            4 | 5 => self.labelled_pod(world),
            6 => self.labelled_namespace(world),
            7 => self.new_pod(world),
            8 => self.removed_pod(world),
            9 => self.returning_pod(world),
            10 => self.remade_pod(world),
            11 => self.ended_pod(world),
            12 => self.lingering_pod(world),
            _ => self.remade_namespace(world),
        }
    }

    /// The number of the next thing to come.
    fn number(&mut self) -> u8 {
        self.made = self.made.wrapping_add(1) % (u8::MAX - FIRST_NEW);
        self.made
    }

    fn new_policy(&mut self, world: &World) -> Vec<Change> {
        let Some(namespace) = self.draw.choose(world.topology.namespaces.keys()) else {
            return Vec::new();
        };
        let name = format!("new-{}", self.number());
        let policy = policy(&mut self.draw, &world.topology, namespace, &name, &self.origin);
        vec![Change::ApplyPolicy(Arc::new(policy))]
    }

    /// With everything different but the name, or the selector alone.
    fn replaced_policy(&mut self, world: &World) -> Vec<Change> {
        let Some(before) = self.draw.choose(world.policies.values()) else { return Vec::new() };
        let (namespace, name) = (&before.name.namespace, &before.name.name);
        let mut policy = policy(&mut self.draw, &world.topology, namespace, name, &self.origin);
        if self.draw.once_in(2) {
            let pod_selector = policy.pod_selector;
            policy = NetworkPolicy { pod_selector, ..NetworkPolicy::clone(before) };
            policy.manifest = manifest(&policy);
        }
        vec![Change::ApplyPolicy(Arc::new(policy))]
    }

    fn deleted_policy(&mut self, world: &World) -> Vec<Change> {
        let policy = self.draw.choose(world.policies.keys().cloned());
        policy.map(Change::DeletePolicy).into_iter().collect()
    }

    fn relabelling(&mut self) -> LabelChanges {
        let mut changes = LabelChanges::new();
        for _ in 0..self.draw.between(1, 2) {
            let key = (*self.draw.pick(&KEYS)).to_owned();
            let value = (*self.draw.pick(&VALUES)).to_owned();
            changes.insert(key, self.draw.once_in(2).then_some(value));
        }
        changes
    }

    fn labelled_pod(&mut self, world: &World) -> Vec<Change> {
        let Some(pod) = self.draw.choose(world.topology.pods.keys().cloned()) else {
            return Vec::new();
        };
        vec![Change::LabelPod { pod, labels: self.relabelling() }]
    }

    /// At times an attempt at the label that the API server keeps at the name.
    fn labelled_namespace(&mut self, world: &World) -> Vec<Change> {
        let Some(namespace) = self.draw.choose(world.topology.namespaces.keys().cloned()) else {
            return Vec::new();
        };
        let mut labels = self.relabelling();
        if self.draw.once_in(4) {
            labels.insert(NAMESPACE_NAME_LABEL.to_owned(), None);
        }
        vec![Change::LabelNamespace { namespace, labels }]
    }

    fn new_pod(&mut self, world: &World) -> Vec<Change> {
        if world.topology.pods.len() >= MOST_PODS {
            return Vec::new();
        }
        let Some(namespace) = self.draw.choose(world.topology.namespaces.keys()) else {
            return Vec::new();
        };
        let number = FIRST_NEW + self.number();
        let mut pod = pod(&mut self.draw, namespace, number, &self.origin);
        pod.addresses.clear();
        vec![Change::AddPod(pod)]
    }

    fn removed_pod(&mut self, world: &World) -> Vec<Change> {
        if world.topology.pods.len() < 3 {
            return Vec::new();
        }
        let Some(pod) = self.draw.choose(world.topology.pods.values()) else { return Vec::new() };
        self.gone.push(pod.clone());
        vec![Change::RemovePod(pod.name.clone())]
    }

    /// The pod as it comes back: with its name, not its address, and perhaps as another.
    fn returned(&mut self, mut pod: Pod) -> Pod {
        pod.addresses.clear();
        pod.phase = Phase::Running;
        pod.terminating = false;
        if self.draw.once_in(2) {
            pod.labels = labels(&mut self.draw);
        }
        pod
    }

    /// The next pod on its node will have its address.
    fn ended_pod(&mut self, world: &World) -> Vec<Change> {
        let running = || world.topology.pods.values().filter(|pod| pod.phase == Phase::Running);
        if running().count() < 3 {
            return Vec::new();
        }
        let pod = self.draw.choose(running().map(|pod| pod.name.clone()));
        pod.map(Change::EndPod).into_iter().collect()
    }

    fn lingering_pod(&mut self, world: &World) -> Vec<Change> {
        let staying = world.topology.pods.values().filter(|pod| !pod.terminating);
        let pod = self.draw.choose(staying.map(|pod| pod.name.clone()));
        pod.map(Change::TerminatePod).into_iter().collect()
    }

    fn returning_pod(&mut self, world: &World) -> Vec<Change> {
        let topology = &world.topology;
        let back = self.gone.iter().position(|pod| {
            topology.namespaces.contains_key(&pod.name.namespace)
                && !topology.pods.contains_key(&pod.name)
        });
        let Some(back) = back else { return Vec::new() };
        let pod = self.gone.remove(back);
        vec![Change::AddPod(self.returned(pod))]
    }

    fn remade_pod(&mut self, world: &World) -> Vec<Change> {
        let Some(pod) = self.draw.choose(world.topology.pods.values().cloned()) else {
            return Vec::new();
        };
        let name = pod.name.clone();
        vec![Change::RemovePod(name), Change::AddPod(self.returned(pod))]
    }

    /// Removes a namespace, and at times makes it again with its pods; or makes one that
    /// is not there.
    fn remade_namespace(&mut self, world: &World) -> Vec<Change> {
        let topology = &world.topology;
        let missing =
            NAMESPACES.into_iter().map(Name::from).find(|n| !topology.namespaces.contains_key(n));
        if let Some(missing) = missing {
            return vec![self.new_namespace(&missing)];
        }
        let Some(name) = self.draw.choose(topology.namespaces.keys().cloned()) else {
            return Vec::new();
        };
        let inside = |pod: &&Pod| pod.name.namespace == name;
        let pods: Vec<Pod> = topology.pods.values().filter(inside).cloned().collect();
        if topology.pods.len() < pods.len() + 2 {
            return Vec::new();
        }
        let mut changes = vec![Change::RemoveNamespace(name.clone())];
        if self.draw.once_in(2) {
            changes.push(self.new_namespace(&name));
            changes.extend(pods.into_iter().map(|pod| Change::AddPod(self.returned(pod))));
        } else {
            self.gone.extend(pods);
        }
        changes
    }

    fn new_namespace(&mut self, name: &str) -> Change {
        let labels = labels(&mut self.draw);
        Change::AddNamespace(Namespace::new(name, labels, self.origin.clone()))
    }
}
