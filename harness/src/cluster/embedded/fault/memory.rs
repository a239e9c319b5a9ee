//! What a dataplane remembers of earlier worlds, and should not.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Fault;
use crate::model::{
    ClusterPolicy, ClusterPolicyName, ClusterSubject, LabelSelector, Labels, Name, NetworkPolicy,
    Phase, PodName, PolicyName, World,
};

/// What was seen first, or last.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The labels that pods started with, and the addresses by which a pod is known to be
    /// the same one.
    pods: BTreeMap<PodName, (Vec<IpAddr>, Labels)>,
    /// The labels that namespaces were made with.
    namespaces: BTreeMap<Name, Labels>,
    /// The first addresses of pods, by their name.
    addresses: BTreeMap<PodName, Vec<IpAddr>>,
    /// Every policy there was, as it was last.
    policies: BTreeMap<PolicyName, Arc<NetworkPolicy>>,
    /// Which pods policies selected at first.
    selectors: BTreeMap<PolicyName, LabelSelector>,
    /// Every policy of the cluster there was, as it was last.
    cluster_policies: BTreeMap<ClusterPolicyName, Arc<ClusterPolicy>>,
    /// Which pods policies of the cluster were about at first.
    subjects: BTreeMap<ClusterPolicyName, ClusterSubject>,
}

impl Memory {
    /// Puts what is remembered in the place of what is there.
    pub(super) fn recall(&mut self, fault: Fault, world: &mut World) {
        match fault {
            Fault::PodLabelChangeIgnored => self.pod_labels(world),
            Fault::NamespaceLabelChangeIgnored => self.namespace_labels(world),
            Fault::RestartedPodAddressKept => self.pod_addresses(world),
            Fault::CompletedPodAddressKept => revive(world),
            Fault::PolicyDeleteIgnored => {
                self.policies.extend(world.policies.clone());
                world.policies.clone_from(&self.policies);
                self.cluster_policies.extend(world.cluster_policies.clone());
                world.cluster_policies.clone_from(&self.cluster_policies);
            }
            Fault::PolicyUpdateKeepsOldSelector => {
                self.policy_selectors(world);
                self.policy_subjects(world);
            }
            _ => {}
        }
    }

    fn pod_labels(&mut self, world: &mut World) {
        let there = &mut world.topology.pods;
        self.pods.retain(|name, (addresses, _)| {
            there.get(name).is_some_and(|pod| pod.addresses == *addresses)
        });
        for (name, pod) in there {
            let started = || (pod.addresses.clone(), pod.labels.clone());
            let (_, labels) = self.pods.entry(name.clone()).or_insert_with(started);
            pod.labels.clone_from(labels);
        }
    }

    fn namespace_labels(&mut self, world: &mut World) {
        let there = &mut world.topology.namespaces;
        self.namespaces.retain(|name, _| there.contains_key(name));
        for (name, namespace) in there {
            let made = || namespace.labels.clone();
            let labels = self.namespaces.entry(name.clone()).or_insert_with(made);
            namespace.labels.clone_from(labels);
        }
    }

    fn pod_addresses(&mut self, world: &mut World) {
        // Whatever shares its node's network has the node's address, which stays.
        let pods = world.topology.pods.values_mut();
        for pod in pods.filter(|pod| !pod.host_network && !pod.addresses.is_empty()) {
            let first = || pod.addresses.clone();
            let addresses = self.addresses.entry(pod.name.clone()).or_insert_with(first);
            pod.addresses.clone_from(addresses);
        }
    }

    fn policy_selectors(&mut self, world: &mut World) {
        let there = &mut world.policies;
        self.selectors.retain(|name, _| there.contains_key(name));
        for (name, policy) in there {
            let first = || policy.pod_selector.clone();
            let selector = self.selectors.entry(name.clone()).or_insert_with(first);
            if policy.pod_selector != *selector {
                Arc::make_mut(policy).pod_selector.clone_from(selector);
            }
        }
    }

    fn policy_subjects(&mut self, world: &mut World) {
        let there = &mut world.cluster_policies;
        self.subjects.retain(|name, _| there.contains_key(name));
        for (name, policy) in there {
            let first = || policy.subject.clone();
            let subject = self.subjects.entry(name.clone()).or_insert_with(first);
            if policy.subject != *subject {
                Arc::make_mut(policy).subject.clone_from(subject);
            }
        }
    }
}

/// Takes pods that have ended to be running still. The world keeps their addresses, which
/// others may have by now.
fn revive(world: &mut World) {
    for pod in world.topology.pods.values_mut().filter(|pod| !pod.has_network()) {
        pod.phase = Phase::Running;
    }
}

#[cfg(test)]
mod tests;
