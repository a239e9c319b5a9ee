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
pub(in super::super) struct Order {
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
    ) -> Vec<Vec<Order>> {
        self.changes += 1;
        let believed = Arc::new(self.perception.see(world));
        // New pods are isolated by what was enforced before they came, however late the rest is.
        let handled =
            Arc::new(World { topology: believed.topology.clone(), ..(*self.believed).clone() });
        let mut flaws = self.flaws.clone();
        flaws.handling.cut = flaws.handling.cut.map(|_| self.changes as u32);
        let order = |world: &Arc<World>, view: NodeView, after| Order {
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
        terminating_open: has(Fault::TerminatingPodUnfiltered),
        ipv6_open: has(Fault::Ipv6Unfiltered),
        other_nodes_open: has(Fault::CrossNodeUnfiltered),
        sources_rewritten: has(Fault::PodSourceRewritten),
        ..Flaws::default()
    };
    flaws.handling.service_ports = has(Fault::ServicePortJudged);
    flaws.handling.own_node = has(Fault::OwnNodeBlocked);
    flaws.handling.replies = has(Fault::RepliesDropped);
    flaws.handling.cut = has(Fault::ConnectionsCutByAnyChange).then_some(0);
    flaws
}
