//! Random changes to a world, each of which the API server would take.

use std::sync::Arc;

use fastrand::Rng;
use ringfence::model::{
    Change, LabelChanges, NAMESPACE_NAME_LABEL, Name, Namespace, Origin, Phase, Pod, PodName,
    PolicyName, World,
};

use crate::worlds::{KEYS, NAMESPACES, VALUES, labels, pod, policy};

/// Few enough that a pod's number fits the last byte of an address.
const MOST_PODS: usize = 8;

/// Makes up changes, and remembers the pods that went so that they can come back.
pub(crate) struct Changes {
    random: Rng,
    origin: Origin,
    gone: Vec<Pod>,
    made: usize,
}

impl Changes {
    pub(crate) fn new(seed: u64) -> Self {
        let origin = Origin::synthetic(&format!("a change, seed {seed}"));
        let random = Rng::with_seed(seed ^ 0x00c0_ffee);
        Self { random, origin, gone: Vec::new(), made: 0 }
    }

    /// From one change to a handful, to be made at once.
    pub(crate) fn next(&mut self, world: &World) -> Vec<Change> {
        let mut world = world.clone();
        let mut changes = Vec::new();
        let wanted = if self.random.bool() { 1 } else { self.random.usize(2..=4) };
        while changes.len() < wanted {
            for change in self.some(&world) {
                world.change(&change).expect("the generator makes changes that can be made");
                changes.push(change);
            }
        }
        changes
    }

    /// Changes that belong together; none where the kind that was drawn cannot be made.
    fn some(&mut self, world: &World) -> Vec<Change> {
        match self.random.u8(..14) {
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

    fn one<T: Clone>(&mut self, from: impl Iterator<Item = T>) -> Option<T> {
        self.random.choice(from.collect::<Vec<_>>())
    }

    fn new_policy(&mut self, world: &World) -> Vec<Change> {
        let Some(namespace) = self.one(world.topology.namespaces.keys().cloned()) else {
            return Vec::new();
        };
        self.made += 1;
        let name = format!("new-{}", self.made);
        let policy = policy(&mut self.random, &namespace, &name, &self.origin);
        vec![Change::ApplyPolicy(Arc::new(policy))]
    }

    /// With everything different but the name, or the selector alone.
    fn replaced_policy(&mut self, world: &World) -> Vec<Change> {
        let Some(before) = self.one(world.policies.values().cloned()) else { return Vec::new() };
        let PolicyName { namespace, name } = &before.name;
        let mut policy = policy(&mut self.random, namespace, name, &self.origin);
        if self.random.bool() {
            let manifest = policy.manifest["spec"]["podSelector"].take();
            policy.manifest = before.manifest.clone();
            policy.manifest["spec"]["podSelector"] = manifest;
            policy.policy_types.clone_from(&before.policy_types);
            policy.ingress.clone_from(&before.ingress);
            policy.egress.clone_from(&before.egress);
        }
        vec![Change::ApplyPolicy(Arc::new(policy))]
    }

    fn deleted_policy(&mut self, world: &World) -> Vec<Change> {
        self.one(world.policies.keys().cloned()).map(Change::DeletePolicy).into_iter().collect()
    }

    fn relabelling(&mut self) -> LabelChanges {
        let mut changes = LabelChanges::new();
        for _ in 0..self.random.usize(1..=2) {
            let key = KEYS[self.random.usize(..KEYS.len())].to_owned();
            let value = VALUES[self.random.usize(..VALUES.len())].to_owned();
            changes.insert(key, self.random.bool().then_some(value));
        }
        changes
    }

    fn labelled_pod(&mut self, world: &World) -> Vec<Change> {
        let Some(pod) = self.one(world.topology.pods.keys().cloned()) else { return Vec::new() };
        vec![Change::LabelPod { pod, labels: self.relabelling() }]
    }

    /// At times an attempt at the label that the API server keeps at the name.
    fn labelled_namespace(&mut self, world: &World) -> Vec<Change> {
        let Some(namespace) = self.one(world.topology.namespaces.keys().cloned()) else {
            return Vec::new();
        };
        let mut labels = self.relabelling();
        if self.random.u8(..4) == 0 {
            labels.insert(NAMESPACE_NAME_LABEL.to_owned(), None);
        }
        vec![Change::LabelNamespace { namespace, labels }]
    }

    fn new_pod(&mut self, world: &World) -> Vec<Change> {
        if world.topology.pods.len() >= MOST_PODS {
            return Vec::new();
        }
        let Some(namespace) = self.one(world.topology.namespaces.keys().cloned()) else {
            return Vec::new();
        };
        self.made += 1;
        let mut pod = pod(&mut self.random, &namespace, 10 + self.made, &self.origin);
        pod.addresses.clear();
        vec![Change::AddPod(pod)]
    }

    fn removed_pod(&mut self, world: &World) -> Vec<Change> {
        if world.topology.pods.len() < 3 {
            return Vec::new();
        }
        let Some(pod) = self.one(world.topology.pods.values().cloned()) else { return Vec::new() };
        let name = pod.name.clone();
        self.gone.push(pod);
        vec![Change::RemovePod(name)]
    }

    /// The pod as it comes back: with its name, not its address, and perhaps as another.
    fn returned(&mut self, mut pod: Pod) -> Pod {
        pod.addresses.clear();
        pod.phase = Phase::Running;
        pod.terminating = false;
        if self.random.bool() {
            pod.labels = labels(&mut self.random);
        }
        pod
    }

    /// The next pod on its node will have its address.
    fn ended_pod(&mut self, world: &World) -> Vec<Change> {
        let running = || world.topology.pods.values().filter(|pod| pod.phase == Phase::Running);
        if running().count() < 3 {
            return Vec::new();
        }
        let pod = self.one(running().map(|pod| pod.name.clone()));
        pod.map(Change::EndPod).into_iter().collect()
    }

    fn lingering_pod(&mut self, world: &World) -> Vec<Change> {
        let pod = self.one(world.topology.pods.keys().cloned());
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
        let Some(pod) = self.one(world.topology.pods.values().cloned()) else { return Vec::new() };
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
        let Some(name) = self.one(topology.namespaces.keys().cloned()) else { return Vec::new() };
        let inside = |pod: &&Pod| pod.name.namespace == name;
        let pods: Vec<Pod> = topology.pods.values().filter(inside).cloned().collect();
        if topology.pods.len() < pods.len() + 2 {
            return Vec::new();
        }
        let mut changes = vec![Change::RemoveNamespace(name.clone())];
        if self.random.bool() {
            changes.push(self.new_namespace(&name));
            changes.extend(pods.into_iter().map(|pod| Change::AddPod(self.returned(pod))));
        } else {
            self.gone.extend(pods);
        }
        changes
    }

    fn new_namespace(&mut self, name: &str) -> Change {
        let labels = labels(&mut self.random);
        Change::AddNamespace(Namespace::new(name, labels, self.origin.clone()))
    }
}

/// A change in a line.
pub(crate) fn line(change: &Change) -> String {
    let labels = |labels: &LabelChanges| {
        let each = labels.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => format!("{key}-"),
        });
        each.collect::<Vec<_>>().join(" ")
    };
    let named = |pod: &PodName| pod.to_string();
    match change {
        Change::ApplyPolicy(policy) => format!("apply {}", policy.manifest),
        Change::DeletePolicy(policy) => format!("delete policy {policy}"),
        Change::ApplyClusterPolicy(policy) => format!("apply {}", policy.manifest),
        Change::DeleteClusterPolicy(policy) => format!("delete {policy}"),
        Change::AddNamespace(new) => {
            format!("add namespace {}", crate::told::namespace(new))
        }
        Change::RemoveNamespace(name) => format!("remove namespace {name}"),
        Change::LabelNamespace { namespace, labels: changes } => {
            format!("label namespace {namespace} {}", labels(changes))
        }
        Change::AddPod(pod) => format!("add pod {}", crate::told::pod(pod)),
        Change::RemovePod(pod) => format!("remove pod {}", named(pod)),
        Change::EndPod(pod) => format!("end pod {}", named(pod)),
        Change::TerminatePod(pod) => format!("mark pod {} for deletion", named(pod)),
        Change::LabelPod { pod, labels: changes } => {
            format!("label pod {} {}", named(pod), labels(changes))
        }
    }
}
