//! A cluster that stands becomes that of the next scenario.
//!
//! What is the same in both stays: nodes, external hosts, and every pod with the node, the
//! addresses and the ports that it would have in a cluster made anew. So a renewed cluster
//! is one made anew in all that can be seen of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;

use super::deployment::{Deployment, Newcomer, no_node, plan};
use super::network::Slot;
use super::protocol::Demand;
use super::services::Services;
use crate::cluster::placement::{Placement, node_names};
use crate::model::{Change, Endpoint, External, Name, Node, Pod, PodName, Port, Topology, World};

impl Deployment {
    /// Whether nodes and external hosts can stay for what is wanted now.
    pub(super) fn fits(&self, demand: &Demand) -> bool {
        let names = node_names(&demand.topology, demand.nodes);
        let standing = &self.world.topology;
        names == self.node_names
            && plan(demand, &names, self.network.plan().has_ipv6())
                .is_ok_and(|plan| plan == *self.network.plan())
            && same_hosts(standing, &demand.topology)
            && names
                .iter()
                .all(|name| node_ports(standing, name) == node_ports(&demand.topology, name))
    }

    /// Makes the pods be those that are wanted, with no policy but those that stand beside
    /// them. Those that are right stay.
    pub(super) fn populate(&mut self, demand: Demand) -> anyhow::Result<()> {
        let mut world = World::new(demand.topology);
        let mut own: Vec<PodName> = Vec::new();
        let of_scenario: Vec<PodName> = world.topology.pods.keys().cloned().collect();
        for change in &demand.beside {
            world.change(change)?;
            if let Change::AddPod(pod) = change {
                own.push(pod.name.clone());
            }
        }
        for (number, name) in self.node_names.iter().enumerate() {
            let nodes = &mut world.topology.nodes;
            let node = nodes.entry(name.clone()).or_insert_with(|| Node::new(name.clone()));
            node.addresses = self.network.node_addresses(number);
            label(node);
        }
        let mut placement = Placement::default();
        let mut placed = BTreeMap::new();
        for name in of_scenario.iter().chain(&own) {
            let pod = pod_mut(&mut world, name)?;
            let node = placement.place(pod, &self.node_names);
            let node = node.ok_or_else(|| no_node(pod, &self.node_names))?;
            pod.node = Some(self.node_names[node].clone());
            pod.addresses.clear();
            placed.insert(name.clone(), node);
        }
        let mut taken = vec![0; self.node_names.len()];
        let mut newcomers = Vec::new();
        let mut staying = BTreeSet::new();
        // The run's own pods are the same in most scenarios. With the first addresses they stay.
        for name in own.into_iter().chain(of_scenario) {
            let (pod, node) = (pod_mut(&mut world, &name)?, placed[&name]);
            if !pod.has_network() {
                continue;
            }
            let slot = if pod.host_network {
                pod.addresses = self.network.node_addresses(node);
                None
            } else {
                let slot = self.network.slot(node, taken[node])?;
                taken[node] += 1;
                pod.addresses.clone_from(&slot.addresses);
                Some(slot)
            };
            if self.stands(pod, slot.as_ref()) {
                staying.insert(name);
            } else {
                newcomers.push(Newcomer { name, node, slot });
            }
        }
        let leaving = self.world.topology.pods.keys().filter(|name| !staying.contains(*name));
        let leaving: Vec<PodName> = leaving.cloned().collect();
        let served: Vec<PodName> = self.services.iter().map(|(name, _)| name.clone()).collect();
        self.raze_services(&served)?;
        self.services = Services::default();
        for name in &leaving {
            self.servers.close(&name.to_string());
            self.network.remove_pod(name)?;
        }
        self.network.take(&taken);
        (self.world, self.placement) = (world, placement);
        self.enforce(&newcomers)?;
        self.admit(newcomers, &mut |_| Ok(()))?;
        self.allow_targets();
        Ok(())
    }

    /// Whether the pod is there already, where it is to be and with the same listeners.
    fn stands(&self, wanted: &Pod, slot: Option<&Slot>) -> bool {
        let Some(pod) = self.world.topology.pods.get(&wanted.name) else { return false };
        pod.has_network()
            && pod.ports == wanted.ports
            && pod.host_network == wanted.host_network
            && pod.node == wanted.node
            && self.network.slots().get(&wanted.name) == slot
            && self.network.place(&Endpoint::Pod(wanted.name.clone())).is_some()
    }
}

fn pod_mut<'w>(world: &'w mut World, name: &PodName) -> anyhow::Result<&'w mut Pod> {
    let pod = world.topology.pods.get_mut(name);
    pod.with_context(|| format!("expected a pod named `{name}`, found none"))
}

/// Whether the same external hosts are declared, wherever that is.
fn same_hosts(standing: &Topology, wanted: &Topology) -> bool {
    let host = |host: &External| (host.name.clone(), host.addresses.clone(), host.ports.clone());
    standing.externals.values().map(host).eq(wanted.externals.values().map(host))
}

fn node_ports<'t>(topology: &'t Topology, node: &Name) -> &'t [Port] {
    topology.nodes.get(node).map_or(&[], |node| &node.ports)
}

/// Gives a node the labels that every node's kubelet gives it ("Well-Known Labels, Annotations
/// and Taints").
fn label(node: &mut Node) {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let own = [
        ("kubernetes.io/hostname", &*node.name),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", arch),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
    node.labels.get_or_insert_default().extend(own);
}
