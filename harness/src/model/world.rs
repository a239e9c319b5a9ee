//! A topology with its policies, and the changes that steps make to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    ClusterPolicy, ClusterPolicyName, Name, Namespace, NetworkPolicy, Phase, Pod, PodName,
    PolicyName, Topology,
};

/// Changes to labels: a value sets a label, `None` removes it.
pub type LabelChanges = BTreeMap<String, Option<String>>;

/// One change that a step makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub enum Change {
    /// Creates a policy, or replaces the one of the same name.
    ApplyPolicy(Arc<NetworkPolicy>),
    /// Deletes a policy.
    DeletePolicy(PolicyName),
    /// Creates a policy of the cluster, or replaces the one of the same kind and name.
    ApplyClusterPolicy(Arc<ClusterPolicy>),
    /// Deletes a policy of the cluster.
    DeleteClusterPolicy(ClusterPolicyName),
    /// Creates a namespace.
    AddNamespace(Namespace),
    /// Deletes a namespace with its pods and policies.
    RemoveNamespace(Name),
    /// Changes a namespace's labels.
    LabelNamespace {
        /// The namespace.
        namespace: Name,
        /// What changes.
        labels: LabelChanges,
    },
    /// Creates a pod.
    AddPod(Pod),
    /// Deletes a pod.
    RemovePod(PodName),
    /// Ends a running pod well. It stays, `Succeeded` and with the addresses that it had
    /// (`PodStatus.podIPs`), and these may be another's from the next changes on.
    EndPod(PodName),
    /// Gives a pod a deletion timestamp; it goes on running.
    TerminatePod(PodName),
    /// Changes a pod's labels.
    LabelPod {
        /// The pod.
        pod: PodName,
        /// What changes.
        labels: LabelChanges,
    },
}

/// A change that names something which is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No such policy.
    #[error("expected a policy named `{0}`, found none")]
    NoSuchPolicy(PolicyName),
    /// No such policy of the cluster.
    #[error("expected a policy of the cluster named `{0}`, found none")]
    NoSuchClusterPolicy(ClusterPolicyName),
    /// No such namespace.
    #[error("expected a namespace named `{0}`, found none")]
    NoSuchNamespace(Name),
    /// No such pod.
    #[error("expected a pod named `{0}`, found none")]
    NoSuchPod(PodName),
    /// A pod or namespace is created twice.
    #[error("`{0}` is there already")]
    AlreadyThere(String),
}

/// A topology and the policies in force in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// What there is.
    pub topology: Topology,
    /// The policies, by name.
    #[serde(with = "policies")]
    pub policies: BTreeMap<PolicyName, Arc<NetworkPolicy>>,
    /// The policies of the cluster, by kind and name.
    #[serde(with = "policies", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cluster_policies: BTreeMap<ClusterPolicyName, Arc<ClusterPolicy>>,
}

/// A policy that a map keeps under its name.
trait Named {
    type Name: Ord + Clone;
    fn name(&self) -> &Self::Name;
}

impl Named for NetworkPolicy {
    type Name = PolicyName;
    fn name(&self) -> &PolicyName {
        &self.name
    }
}

impl Named for ClusterPolicy {
    type Name = ClusterPolicyName;
    fn name(&self) -> &ClusterPolicyName {
        &self.name
    }
}

/// Policies are keyed by a structured name, which JSON cannot have as a key.
mod policies {
    use super::*;

    pub(super) fn serialize<S: serde::Serializer, P: Named + Serialize>(
        policies: &BTreeMap<P::Name, Arc<P>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(policies.values())
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>, P: Named + Deserialize<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<P::Name, Arc<P>>, D::Error> {
        let list = Vec::<Arc<P>>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|policy| (policy.name().clone(), policy)).collect())
    }
}

impl World {
    /// A world without policies.
    pub fn new(topology: Topology) -> Self {
        Self { topology, ..Self::default() }
    }

    /// Makes one change, as the API server would.
    ///
    /// # Errors
    /// Where the change names something that is not there, or creates a
    /// namespace or pod that is. The world is then as it was.
    pub fn change(&mut self, change: &Change) -> Result<(), ChangeError> {
        let topology = &mut self.topology;
        match change {
            Change::ApplyPolicy(policy) => {
                if !topology.namespaces.contains_key(&policy.name.namespace) {
                    return Err(ChangeError::NoSuchNamespace(policy.name.namespace.clone()));
                }
                self.policies.insert(policy.name.clone(), policy.clone());
            }
            Change::DeletePolicy(name) => {
                self.policies
                    .remove(name)
                    .ok_or_else(|| ChangeError::NoSuchPolicy(name.clone()))?;
            }
            Change::ApplyClusterPolicy(policy) => {
                self.cluster_policies.insert(policy.name.clone(), policy.clone());
            }
            Change::DeleteClusterPolicy(name) => {
                self.cluster_policies
                    .remove(name)
                    .ok_or_else(|| ChangeError::NoSuchClusterPolicy(name.clone()))?;
            }
            Change::AddNamespace(namespace) => {
                if topology.namespaces.contains_key(&namespace.name) {
                    return Err(ChangeError::AlreadyThere(namespace.name.to_string()));
                }
                topology.namespaces.insert(namespace.name.clone(), namespace.clone());
            }
            Change::RemoveNamespace(name) => {
                topology
                    .namespaces
                    .remove(name)
                    .ok_or_else(|| ChangeError::NoSuchNamespace(name.clone()))?;
                topology.pods.retain(|pod, _| pod.namespace != *name);
                self.policies.retain(|policy, _| policy.namespace != *name);
            }
            Change::LabelNamespace { namespace, labels } => {
                let found = topology
                    .namespaces
                    .get_mut(namespace)
                    .ok_or_else(|| ChangeError::NoSuchNamespace(namespace.clone()))?;
                relabel(&mut found.labels, labels);
                // The API server keeps the automatic label at the namespace's name.
                found.labels.insert(super::NAMESPACE_NAME_LABEL.to_owned(), namespace.to_string());
            }
            Change::AddPod(pod) => {
                if !topology.namespaces.contains_key(&pod.name.namespace) {
                    return Err(ChangeError::NoSuchNamespace(pod.name.namespace.clone()));
                }
                if topology.pods.contains_key(&pod.name) {
                    return Err(ChangeError::AlreadyThere(pod.name.to_string()));
                }
                topology.pods.insert(pod.name.clone(), pod.clone());
            }
            Change::RemovePod(name) => {
                topology.pods.remove(name).ok_or_else(|| ChangeError::NoSuchPod(name.clone()))?;
            }
            Change::EndPod(name) => {
                let pod = topology.pods.get_mut(name);
                pod.ok_or_else(|| ChangeError::NoSuchPod(name.clone()))?.phase = Phase::Succeeded;
            }
            Change::TerminatePod(name) => {
                let pod = topology.pods.get_mut(name);
                pod.ok_or_else(|| ChangeError::NoSuchPod(name.clone()))?.terminating = true;
            }
            Change::LabelPod { pod, labels } => {
                let found = topology
                    .pods
                    .get_mut(pod)
                    .ok_or_else(|| ChangeError::NoSuchPod(pod.clone()))?;
                relabel(&mut found.labels, labels);
            }
        }
        Ok(())
    }
}

fn relabel(labels: &mut super::Labels, changes: &LabelChanges) {
    for (key, value) in changes {
        match value {
            Some(value) => labels.insert(key.clone(), value.clone()),
            None => labels.remove(key),
        };
    }
}
