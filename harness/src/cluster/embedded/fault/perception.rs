//! What the dataplane believes: a world made of the real one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Fault;
use super::memory::Memory;
use super::reading::misread;
use super::tiers;
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
                Fault::PassReadAsDeny
                | Fault::PassReadAsAccept
                | Fault::PriorityInverted
                | Fault::TiersInverted
                | Fault::UnknownPeerFailsOpen => {
                    for policy in believed.cluster_policies.values_mut() {
                        tiers::misread(*fault, Arc::make_mut(policy));
                    }
                }
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

#[cfg(test)]
mod tests {
    use super::super::tiers::tests::{pods, policy, rule};
    use super::*;
    use crate::model::{
        ClusterAction, ClusterPolicy, ClusterPolicyKind, ClusterPolicyName, ClusterSubject,
        LabelSelector, Origin, Tier,
    };

    fn pass(name: &str) -> ClusterPolicy {
        let name = ClusterPolicyName::new(ClusterPolicyKind::ClusterNetworkPolicy, name);
        let rules = [rule(ClusterAction::Pass, &[pods()])];
        ClusterPolicy { name, ..policy(Tier::Admin, Some(7), &rules) }
    }

    fn about(selector: LabelSelector, policy: ClusterPolicy) -> ClusterPolicy {
        let origin = Origin::synthetic("test");
        ClusterPolicy { subject: ClusterSubject::Namespaces { selector, origin }, ..policy }
    }

    fn world(policies: &[ClusterPolicy]) -> World {
        let named = policies.iter().map(|of| (of.name.clone(), Arc::new(of.clone())));
        World { cluster_policies: named.collect(), ..World::default() }
    }

    /// What is believed of worlds that come one after the other.
    fn believed<const N: usize>(fault: Fault, worlds: [World; N]) -> [World; N] {
        let mut perception = Perception::new(&[fault]);
        worlds.map(|world| perception.see(&world))
    }

    #[test]
    fn a_policy_of_the_cluster_that_is_deleted_stays() {
        let newer = ClusterPolicy { priority: Some(8), ..pass("a") };
        let worlds = [
            world(&[pass("a"), pass("b")]),
            world(std::slice::from_ref(&newer)),
            world(&[]),
            world(&[pass("a")]),
        ];
        let expected = [
            world(&[pass("a"), pass("b")]),
            world(&[newer.clone(), pass("b")]),
            world(&[newer, pass("b")]),
            world(&[pass("a"), pass("b")]),
        ];
        assert_eq!(believed(Fault::PolicyDeleteIgnored, worlds), expected);
    }

    #[test]
    fn a_policy_of_the_cluster_keeps_the_subject_of_its_first_version() {
        let first = || about(LabelSelector::label("of", "first"), pass("a"));
        let newer = ClusterPolicy { priority: Some(8), ..pass("a") };
        let other = || pass("b");
        let worlds = [
            world(&[first()]),
            world(&[newer.clone(), other()]),
            world(&[other()]),
            world(std::slice::from_ref(&newer)),
        ];
        let kept = ClusterPolicy { priority: Some(8), ..first() };
        // A policy that was deleted and comes again is another one.
        let expected =
            [world(&[first()]), world(&[kept, other()]), world(&[other()]), world(&[newer])];
        assert_eq!(believed(Fault::PolicyUpdateKeepsOldSelector, worlds), expected);
    }

    #[test]
    fn policies_of_the_cluster_are_misread() {
        let seen = |fault| believed(fault, [world(&[pass("a")])]);
        let action = |policy: &ClusterPolicy| policy.ingress[0].action;
        for (fault, expected) in [
            (Fault::PassReadAsDeny, ClusterAction::Deny),
            (Fault::PassReadAsAccept, ClusterAction::Accept),
            (Fault::IngressIgnored, ClusterAction::Pass),
        ] {
            let [seen] = seen(fault);
            assert!(seen.cluster_policies.values().all(|of| action(of) == expected), "{fault}");
        }
        let read = |changed: ClusterPolicy| [world(&[changed])];
        let baseline = ClusterPolicy { tier: Tier::Baseline, ..pass("a") };
        assert_eq!(seen(Fault::TiersInverted), read(baseline));
        let last = ClusterPolicy { priority: Some(993), ..pass("a") };
        assert_eq!(seen(Fault::PriorityInverted), read(last));
        assert_eq!(seen(Fault::UnknownPeerFailsOpen), read(pass("a")));
    }
}
