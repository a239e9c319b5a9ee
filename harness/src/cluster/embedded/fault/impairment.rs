//! A dataplane's faults and delays together: what each node is to enforce, and when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::EmbeddedOptions;
use super::super::dataplane::{Flaws, NodeView};
use super::Fault;
use super::perception::Perception;
use super::schedule::Schedule;
use crate::model::{PodName, World};

/// What makes a dataplane part from one that is prompt and right.
#[derive(Debug)]
pub(in super::super) struct Impairment {
    perception: Perception,
    flaws: Flaws,
    schedule: Schedule,
    /// What was believed at the last change.
    believed: Arc<World>,
    changes: u64,
}

/// What a node is to enforce, some time after it is told.
#[derive(Debug, Clone)]
pub(in super::super) struct Instruction {
    pub(in super::super) world: Arc<World>,
    pub(in super::super) view: NodeView,
    pub(in super::super) flaws: Flaws,
    pub(in super::super) after: Duration,
}

impl Impairment {
    /// That of a cluster with these options; `None` where it has neither fault nor delay.
    pub(in super::super) fn new(options: &EmbeddedOptions) -> Option<Self> {
        if options.faults.is_empty() && options.delay.is_none() {
            return None;
        }
        let faults: Vec<Fault> =
            BTreeSet::from_iter(options.faults.iter().copied()).into_iter().collect();
        Some(Self {
            perception: Perception::new(&faults),
            flaws: flaws(&faults),
            schedule: Schedule::new(&faults, options.delay),
            believed: Arc::default(),
            changes: 0,
        })
    }

    /// What becomes of a change: for every node, in their order, what it is to enforce, the
    /// earliest first. What comes after no time is to be in force before the new pods start.
    pub(in super::super) fn orders(
        &mut self,
        world: &World,
        views: &[NodeView],
        new: &BTreeSet<&PodName>,
    ) -> Vec<Vec<Instruction>> {
        self.changes += 1;
        let believed = Arc::new(self.perception.see(world));
        // New pods are isolated by what was enforced before they came, however late the rest is.
        let handled =
            Arc::new(World { topology: believed.topology.clone(), ..(*self.believed).clone() });
        let mut flaws = self.flaws.clone();
        flaws.handling.cut = flaws.handling.cut.map(|_| self.changes as u32);
        let order = |world: &Arc<World>, view: NodeView, after| Instruction {
            world: world.clone(),
            view,
            flaws: flaws.clone(),
            after,
        };
        let orders = views.iter().enumerate().map(|(node, view)| {
            let mut orders = Vec::new();
            let Some(after) = self.schedule.after(node, self.changes) else { return orders };
            let is_new = |pod: &PodName| new.contains(pod);
            let any_new = view.pods.iter().any(|pod| is_new(&pod.name));
            match self.schedule.new_pods_open().filter(|_| any_new) {
                Some(open) => {
                    let mut without = view.clone();
                    without.pods.retain(|pod| !is_new(&pod.name));
                    orders.push(order(&believed, without, after));
                    orders.push(order(&believed, view.clone(), after.max(open)));
                }
                None => {
                    if any_new && !after.is_zero() {
                        orders.push(order(&handled, view.clone(), Duration::ZERO));
                    }
                    orders.push(order(&believed, view.clone(), after));
                }
            }
            orders
        });
        let orders = orders.collect();
        self.believed = believed;
        orders
    }

    /// Whether pods' addresses are hidden behind their nodes'.
    pub(in super::super) fn rewrites_sources(&self) -> bool {
        self.flaws.sources_rewritten
    }
}

/// What the faults come to in the compiler, and on the way to the kernel.
fn flaws(faults: &[Fault]) -> Flaws {
    let has = |fault| faults.contains(&fault);
    let mut flaws = Flaws {
        policies_intersected: has(Fault::PoliciesIntersected),
        no_rules_isolate: has(Fault::ClusterPolicyWithoutRulesIsolates),
        host_network_subjects: has(Fault::HostNetworkPodIsSubject),
        terminating_open: has(Fault::TerminatingPodUnfiltered),
        ipv6_open: has(Fault::Ipv6Unfiltered),
        other_nodes_open: has(Fault::CrossNodeUnfiltered),
        sources_rewritten: has(Fault::PodSourceRewritten),
        ..Flaws::default()
    };
    flaws.handling.service_ports = has(Fault::ServicePortJudged);
    flaws.handling.baseline_first = has(Fault::BaselineOverNetworkPolicy);
    flaws.handling.own_node = has(Fault::OwnNodeBlocked);
    flaws.handling.replies = has(Fault::RepliesDropped);
    flaws.handling.cut = has(Fault::ConnectionsCutByAnyChange).then_some(0);
    flaws
}

#[cfg(test)]
mod tests {
    use super::super::super::dataplane::LocalPod;
    use super::super::Delay;
    use super::*;
    use crate::model::{Name, Origin, Pod, Topology};

    fn world(pods: &[&str]) -> World {
        let mut topology = Topology::default();
        for name in pods {
            let pod = Pod::new(PodName::new("x", name), Origin::synthetic("test"));
            topology.pods.insert(pod.name.clone(), pod);
        }
        World::new(topology)
    }

    /// Two nodes, of which the second has these pods.
    fn views(pods: &[&str]) -> [NodeView; 2] {
        let local = pods.iter().zip(11..);
        let local = local
            .map(|(name, interface)| LocalPod { name: PodName::new("x", name), interface })
            .collect();
        [
            NodeView { name: Name::from("node-1"), pods: Vec::new() },
            NodeView { name: Name::from("node-2"), pods: local },
        ]
    }

    fn impaired(faults: &[Fault], delay: Option<Delay>) -> Impairment {
        let options =
            EmbeddedOptions { faults: faults.to_vec(), delay, ..EmbeddedOptions::default() };
        Impairment::new(&options).unwrap()
    }

    #[test]
    fn a_right_and_prompt_dataplane_has_none() {
        assert!(Impairment::new(&EmbeddedOptions::default()).is_none());
    }

    #[test]
    fn a_node_that_is_never_updated_gets_no_order() {
        let orders = impaired(&[Fault::NodeNeverUpdated], None).orders(
            &world(&["a"]),
            &views(&["a"]),
            &BTreeSet::new(),
        );
        assert_eq!(orders.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(orders[1][0].after, Duration::ZERO);
    }

    #[test]
    fn a_new_pod_that_is_isolated_late_is_left_out_at_first() {
        let new = PodName::new("x", "b");
        let orders = impaired(&[Fault::NewPodIsolatedLate], None).orders(
            &world(&["a", "b"]),
            &views(&["a", "b"]),
            &BTreeSet::from([&new]),
        );
        let [first, then] = orders[1].as_slice() else { panic!("{orders:?}") };
        assert_eq!((first.view.pods.len(), then.view.pods.len()), (1, 2));
        assert_eq!(first.after, Duration::ZERO);
        assert!(then.after > Duration::ZERO);
        assert_eq!(orders[0].len(), 1, "a node without new pods has nothing to leave out");
    }

    /// Late without a fault: new pods are isolated by what was in force before they came.
    #[test]
    fn a_late_dataplane_has_new_pods_under_the_policies_before_them() {
        let delay = Some(Delay { seed: 7, longest_ms: 400 });
        let mut impairment = impaired(&[], delay);
        impairment.orders(&world(&["a"]), &views(&["a"]), &BTreeSet::new());
        let new = PodName::new("x", "b");
        let orders =
            impairment.orders(&world(&["a", "b"]), &views(&["a", "b"]), &BTreeSet::from([&new]));
        let [before, late] = orders[1].as_slice() else { panic!("{orders:?}") };
        assert_eq!(before.after, Duration::ZERO);
        assert_eq!(before.view, late.view);
        assert!(before.world.topology.pods.contains_key(&new), "its address is known");
        assert!(late.after > Duration::ZERO && late.after <= Duration::from_millis(400));
        assert!(orders.iter().flatten().all(|order| order.flaws == Flaws::default()));
    }

    #[test]
    fn every_change_cuts_connections_anew() {
        let mut impairment = impaired(&[Fault::ConnectionsCutByAnyChange], None);
        let mut cut = || {
            let orders = impairment.orders(&world(&["a"]), &views(&["a"]), &BTreeSet::new());
            orders[0][0].flaws.handling.cut
        };
        let (first, second) = (cut(), cut());
        assert!(first.is_some() && second.is_some() && first != second);
    }
}
