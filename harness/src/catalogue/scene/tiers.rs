//! What a tier's policies make of a cell. This is no engine: whom a selector means was said by
//! hand beside it, and here the sets are only put in their order.

use super::Scene;
use crate::catalogue::cluster_tier::{Action, ClusterPolicy, Entry, Meant, Rule, Subjects, Tier};
use crate::catalogue::selection::{Namespaces, Pods};
use crate::catalogue::town::Place;
use crate::model::{Cell, Direction, Endpoint, Intent};

impl Scene {
    /// What a tier decides of a cell; `None` where it leaves it to the next.
    pub(in crate::catalogue) fn by_tier(
        &self,
        cell: &Cell,
        direction: Direction,
        tier: Tier,
    ) -> Option<Intent> {
        let (subject, peer) = match direction {
            Direction::Ingress => (&cell.destination, &cell.source),
            Direction::Egress => (&cell.source, &cell.destination),
        };
        let subject = Self::place(subject)?;
        let about = |policy: &&ClusterPolicy| {
            policy.tier == tier
                && policy.direction == direction
                && self.is_one_of(&policy.subjects, subject)
        };
        let mut policies: Vec<&ClusterPolicy> = self.cluster.iter().filter(about).collect();
        policies.sort_by_key(|policy| policy.priority);
        let mut rules = policies.into_iter().flat_map(|policy| &policy.rules);
        match rules.find(|rule| self.is_about(rule, peer, cell))?.action {
            Action::Accept => Some(Intent::Allow),
            Action::Deny => Some(Intent::Deny),
            Action::Pass => None,
        }
    }

    /// Whether a subject selects a pod.
    pub(in crate::catalogue) fn is_one_of(&self, subjects: &Subjects, pod: Place) -> bool {
        let worn = self.worn_as_target(pod);
        self.is_among(pod, subjects.namespaces, subjects.pods, worn)
    }

    fn is_about(&self, rule: &Rule, peer: &Endpoint, cell: &Cell) -> bool {
        let listener = self
            .ports(&cell.destination)
            .into_iter()
            .find(|listener| listener.number == cell.port && listener.protocol == cell.protocol);
        let ports = rule.ports.as_ref();
        let port = ports.is_none_or(|ports| {
            listener.is_some_and(|at| ports.iter().any(|opening| opening.means(at)))
        });
        port && rule.peers.iter().any(|entry| self.means(entry, peer, cell))
    }

    fn means(&self, entry: &Entry, peer: &Endpoint, cell: &Cell) -> bool {
        match entry.meant {
            Meant::Pods(namespaces, pods) => Self::place(peer).is_some_and(|place| {
                self.is_among(place, namespaces, pods, self.worn_as_peer(place))
            }),
            Meant::Hosts(of, hosts) => {
                of == cell.family && self.host(peer).is_some_and(|host| hosts.contains(&host))
            }
            Meant::Everywhere(of) => of == cell.family,
            Meant::Nodes(nodes) => nodes.iter().any(|name| *peer == Endpoint::Node((*name).into())),
        }
    }

    /// Whether a pod that wears these labels is among those of some namespaces.
    fn is_among(&self, pod: Place, of: Namespaces, pods: Pods, worn: &str) -> bool {
        let namespace = match of {
            // No policy of the cluster has a namespace of its own.
            Namespaces::Own => false,
            Namespaces::Named(name) => pod.0 == name,
            Namespaces::Wearing(whose) => whose.contains(&self.worn_by_namespace(pod.0)),
            Namespaces::Every => true,
        };
        namespace
            && match pods {
                Pods::Every => true,
                Pods::Wearing(whose) => whose.contains(&worn),
            }
    }
}
