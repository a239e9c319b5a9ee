//! What there is around the tested rule, and the steps by which it comes about.

use crate::catalogue::cases::network_policy::construction::target_node;
use crate::catalogue::cases::network_policy::deciding::opposite;
use crate::catalogue::cluster_tier::{
    Action, Beside, Change, ClusterPolicy, Combination, NODES, Rule, Subject, Surroundings, Tier,
    another_subject, entries, everybody, number, openings, subjects, surroundings, third,
};
use crate::catalogue::policy::{Policy, Rule as PolicyRule};
use crate::catalogue::scene::Scene;
use crate::catalogue::selection::{End, like_target};
use crate::catalogue::town::{self, NEXT, NODE_PORT, OWN, Place, TARGET};
use crate::catalogue::writing::{self, Relabelled, Step};
use crate::model::Intent;

/// The priority of the tested policy.
const PRIORITY: u16 = 50;

/// A combination, with what is around its rule.
pub(super) struct Script<'c> {
    pub(super) combination: &'c Combination,
    pub(super) around: Surroundings,
}

impl<'c> Script<'c> {
    /// The script of a combination, where its rule can decide alone.
    pub(super) fn new(combination: &'c Combination) -> Result<Self, &'static str> {
        let Combination { tier, action, beside, .. } = *combination;
        Ok(Self { combination, around: surroundings(tier, action, beside)? })
    }

    /// The port that is tried.
    pub(super) fn port(&self) -> u16 {
        if self.combination.peer.is_node() { NODE_PORT } else { 80 }
    }

    /// The place of the tested rule among those of its policy.
    pub(super) fn rule(&self) -> usize {
        usize::from(self.combination.beside == Beside::Rules)
    }

    /// The tested policy.
    fn tested(&self) -> ClusterPolicy {
        let Combination { direction, api, action, peer, port, protocol, family, .. } =
            *self.combination;
        let mut rules = Vec::new();
        if self.combination.beside == Beside::Rules {
            rules.push(Rule {
                action: contrary(action),
                peers: vec![third()],
                ports: Some(vec![number(api, protocol, 81)]),
            });
        }
        rules.push(Rule {
            action,
            peers: entries(peer, family),
            ports: openings(port, api, protocol, self.port()),
        });
        rules.extend(self.around.behind.map(|behind| Rule::about(behind, everybody(direction))));
        ClusterPolicy {
            file: "policy.yaml",
            name: "tested",
            api,
            tier: self.combination.tier,
            priority: PRIORITY,
            subjects: subjects(self.combination.subject),
            direction,
            rules,
        }
    }

    /// A policy that does one thing to everybody.
    fn sweeping(
        &self,
        (file, name): (&'static str, &'static str),
        tier: Tier,
        priority: u16,
        action: Action,
    ) -> ClusterPolicy {
        let Combination { api, direction, .. } = *self.combination;
        let mut rules = vec![Rule::about(action, everybody(direction))];
        if action == Action::Pass {
            rules.push(Rule::about(Action::Deny, everybody(direction)));
        }
        let subjects = subjects(Subject::Pods);
        ClusterPolicy { file, name, api, tier, priority, subjects, direction, rules }
    }

    /// The policy of the cluster beside the tested one.
    fn other(&self) -> Option<ClusterPolicy> {
        let Combination { tier, beside, .. } = *self.combination;
        let action = self.around.other?;
        let other_tier = match tier {
            Tier::Admin => Tier::Baseline,
            Tier::Baseline => Tier::Admin,
        };
        let (tier, priority) = match beside {
            Beside::PriorityBelow => (tier, PRIORITY + 10),
            Beside::PriorityAbove => (tier, PRIORITY - 10),
            _ => (other_tier, PRIORITY),
        };
        Some(self.sweeping(("beside.yaml", "beside"), tier, priority, action))
    }

    /// The NetworkPolicy beside the tested policy.
    fn policy(&self) -> Option<Policy> {
        let direction = self.combination.direction;
        let named = ("beside.yaml", OWN, "beside");
        let policy = |direction, rules| Policy::new(named, like_target(), direction, rules);
        match self.combination.beside {
            Beside::NetworkPolicyAllows => {
                Some(policy(direction, Some(vec![PolicyRule::default()])))
            }
            Beside::NetworkPolicyDenies => Some(policy(direction, None)),
            Beside::OtherDirection => Some(policy(opposite(direction), None)),
            _ => None,
        }
    }

    /// What there is in the end.
    pub(super) fn scene(&self) -> Scene {
        let Combination { direction, protocol, peer, path, .. } = *self.combination;
        let nodes: &[&str] = if peer.is_node() { &NODES } else { &[] };
        let target_node =
            if peer.is_node() { "node-1" } else { target_node(path, peer.deciding()) };
        let mut cluster: Vec<ClusterPolicy> = self.other().into_iter().collect();
        cluster.push(self.tested());
        Scene {
            direction,
            protocol,
            pods: town::PODS.iter().map(|(place, _)| *place).collect(),
            hosts: peer.hosts().to_vec(),
            target_node,
            served: Vec::new(),
            peers_swapped: None,
            targets_swapped: false,
            namespaces_swapped: false,
            policies: self.policy().into_iter().collect(),
            nodes,
            cluster,
        }
    }

    /// What a policy would do that came before all others, and was in the way.
    fn in_the_way(&self, last: Intent) -> ClusterPolicy {
        let action = if last == Intent::Allow { Action::Deny } else { Action::Accept };
        self.sweeping(("removed.yaml", "removed"), Tier::Admin, 0, action)
    }

    /// The steps that lead to what is in force at the end, where `last` is meant of the
    /// deciding cell.
    pub(super) fn steps(&self, scene: &Scene, last: Intent) -> Vec<Step> {
        const IN_FORCE: &str = "the policy is in force";
        let first = |scene: Scene, name| Step {
            name,
            actions: vec![writing::apply(&files(&scene))],
            scene,
        };
        let then = |name, actions| Step { name, actions, scene: scene.clone() };
        let again = || vec![writing::apply(&["policy.yaml"])];
        let mut before = scene.clone();
        let pair = match (self.combination.change, self.combination.peer.deciding()) {
            (Change::Create, _) => return vec![first(before, IN_FORCE)],
            (Change::Twice, _) => {
                (first(before, IN_FORCE), then("applied again, it means the same", again()))
            }
            (Change::Replace, _) => {
                let direction = self.combination.direction;
                self.rewrite(&mut before, |policy| {
                    policy.subjects = another_subject();
                    policy.rules = vec![Rule::about(Action::Deny, everybody(direction))];
                });
                (
                    first(before, "another policy of the same name is in force"),
                    then("the tested one has replaced it", again()),
                )
            }
            (Change::Priority, _) => {
                let above = self.combination.beside == Beside::PriorityAbove;
                let priority = if above { PRIORITY - 20 } else { PRIORITY + 20 };
                self.rewrite(&mut before, |policy| policy.priority = priority);
                (
                    first(before, "of two policies the other is asked first, or last"),
                    then("their order has changed", again()),
                )
            }
            (Change::Delete, _) => {
                let removed = self.in_the_way(last);
                let delete = vec![format!("delete: [{}]", removed.full_name())];
                before.cluster.push(removed);
                (
                    first(before, "another policy comes before all of them"),
                    then("that one is deleted", delete),
                )
            }
            (Change::RelabelPeer, End::Pod((namespace, name))) => {
                before.peers_swapped = Some(namespace);
                let exchange = [(namespace, name), (namespace, "c")].map(Relabelled::Peer);
                (
                    first(before, "two pods wear each other's labels"),
                    then("they have exchanged them", vec![writing::relabel(&exchange)]),
                )
            }
            (Change::RelabelSubject, _) => {
                before.targets_swapped = true;
                let exchange = [TARGET, (OWN, "b")].map(Relabelled::Target);
                (
                    first(before, "the subject and another pod wear each other's labels"),
                    then("they have exchanged them", vec![writing::relabel(&exchange)]),
                )
            }
            (Change::RelabelNamespace, _) => {
                before.namespaces_swapped = true;
                let exchange = [OWN, NEXT].map(Relabelled::Namespace);
                (
                    first(before, "two namespaces wear each other's labels"),
                    then("they have exchanged them", vec![writing::relabel(&exchange)]),
                )
            }
            (Change::AddPeer, End::Pod(place)) => {
                let (before, add) = without(scene, place);
                (
                    first(before, "it is in force before the pod is there"),
                    then("the pod comes", add),
                )
            }
            (Change::AddSubject, _) => {
                let (before, add) = without(scene, TARGET);
                (
                    first(before, "it is in force before the pod is there"),
                    then("the pod comes", add),
                )
            }
            (Change::RelabelPeer | Change::AddPeer, _) => return vec![first(before, IN_FORCE)],
        };
        vec![pair.0, pair.1]
    }

    /// Makes the tested policy another one, in a file of its own.
    fn rewrite(&self, scene: &mut Scene, change: impl Fn(&mut ClusterPolicy)) {
        let tested = scene.cluster.iter_mut().filter(|policy| policy.file == "policy.yaml");
        tested.for_each(|policy| {
            change(policy);
            policy.file = "before.yaml";
        });
    }
}

/// The files of what is in force.
fn files(scene: &Scene) -> Vec<&'static str> {
    let policies = scene.policies.iter().map(|policy| policy.file);
    policies.chain(scene.cluster.iter().map(|policy| policy.file)).collect()
}

/// A scene without a pod, and how it comes.
fn without(last: &Scene, place: Place) -> (Scene, Vec<String>) {
    let mut before = last.clone();
    before.pods.remove(&place);
    (before, vec![writing::add_pods(last, &[place])])
}

/// What an action is seen against.
const fn contrary(action: Action) -> Action {
    match action {
        Action::Deny => Action::Accept,
        Action::Accept | Action::Pass => Action::Deny,
    }
}
