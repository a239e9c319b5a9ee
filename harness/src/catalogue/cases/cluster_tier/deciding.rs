//! Finds the cells that one thing decides, by trying what would be meant without it.

use super::script::Script;
use crate::catalogue::case::{Decider, Deciding, Reason};
use crate::catalogue::cases::network_policy::deciding::{endpoint, opposite};
use crate::catalogue::cluster_tier::{
    ClusterPolicy, Combination, Port, Subject, Tier, everybody, subjects,
};
use crate::catalogue::scene::Scene;
use crate::catalogue::selection::End;
use crate::catalogue::town::{self, TARGET};
use crate::model::{Cell, Direction, Endpoint, Intent, Via};

/// The search for the deciding cells of a scene.
pub(super) struct Search<'c> {
    pub(super) script: &'c Script<'c>,
    pub(super) scene: &'c Scene,
}

impl Search<'_> {
    /// The deciding cells, the one that shows the tested rule first.
    pub(super) fn all(&self, step: usize) -> Vec<Deciding> {
        let mut found = Vec::new();
        let Some(main) = self.main() else { return found };
        let hidden = self.script.around.hidden;
        let reason = if hidden { Reason::Above } else { Reason::Rule };
        found.push(self.deciding(step, main.clone(), reason));
        if hidden {
            return found;
        }
        let direction = self.combination().direction;
        let misses = self.combination().peer.near_misses().iter();
        let everybody = || everybody(direction);
        for cell in misses.filter_map(|miss| self.cell(*miss)) {
            found.extend(self.missed(step, cell, Reason::Peer, |policy, at| {
                policy.rules[at].peers = everybody();
            }));
        }
        let any_port = |policy: &mut ClusterPolicy, at: usize| policy.rules[at].ports = None;
        let (first, second) = (self.script.port(), self.script.port() + 1);
        let port = if main.port == first { second } else { first };
        found.extend(self.missed(step, Cell { port, ..main.clone() }, Reason::Port, any_port));
        if self.combination().port != Port::Name {
            let protocol = town::beside(main.protocol);
            let cell = Cell { protocol, ..main.clone() };
            found.extend(self.missed(step, cell, Reason::Protocol, any_port));
        }
        let cell = Cell { family: town::other(main.family), ..main };
        found.extend(self.missed(step, cell, Reason::Family, |policy, at| {
            policy.rules[at].peers = everybody();
        }));
        found.extend(self.of_subject(step));
        found.extend(self.of_direction(step));
        found
    }

    fn combination(&self) -> &Combination {
        self.script.combination
    }

    /// The cell that the tested rule decides.
    pub(super) fn main(&self) -> Option<Cell> {
        self.cell(self.combination().peer.deciding())
    }

    /// The cell between the target and an end, on the port that the rule names.
    fn cell(&self, peer: End) -> Option<Cell> {
        let (peer, target) = (endpoint(peer), endpoint(End::Pod(TARGET)));
        let Combination { direction, port, protocol, family, .. } = *self.combination();
        let (source, destination) = match direction {
            Direction::Ingress => (peer, target),
            Direction::Egress => (target, peer),
        };
        let number = self.script.port();
        let ports = self.scene.ports(&destination).into_iter();
        let port = ports.into_iter().find(|at| {
            at.protocol == protocol
                && if port == Port::Name { at.named } else { at.number == number }
        })?;
        let (port, protocol) = (port.number, port.protocol);
        let cell = Cell { source, destination, port, protocol, family, via: Via::Pod };
        self.scene.cells().contains(&cell).then_some(cell)
    }

    fn deciding(&self, step: usize, cell: Cell, reason: Reason) -> Deciding {
        let names = self.scene.cluster.iter().filter(|policy| policy.file == "policy.yaml");
        let names: Vec<_> = names.map(ClusterPolicy::full_name).collect();
        let kind = self.combination().api.kind(self.combination().tier);
        let policy = names.into_iter().next();
        let policy = policy.unwrap_or_else(|| crate::model::ClusterPolicyName::new(kind, "tested"));
        Deciding {
            step,
            intent: self.scene.intent(&cell),
            direction: match reason {
                Reason::Types => opposite(self.combination().direction),
                _ => self.combination().direction,
            },
            cell,
            policy: Decider::ClusterPolicy(policy),
            rule: Some(self.script.rule()),
            reason,
        }
    }

    /// What would be meant of a cell if the tested policy were another.
    fn otherwise(&self, cell: &Cell, change: impl Fn(&mut ClusterPolicy)) -> Intent {
        let mut scene = self.scene.clone();
        let tested = scene.cluster.iter_mut().filter(|policy| policy.file == "policy.yaml");
        tested.for_each(change);
        scene.intent(cell)
    }

    /// A cell that the tested rule is not about, and would be with another one.
    fn missed(
        &self,
        step: usize,
        cell: Cell,
        reason: Reason,
        change: impl Fn(&mut ClusterPolicy, usize),
    ) -> Option<Deciding> {
        let at = self.script.rule();
        let intent = self.scene.intent(&cell);
        let without = self.otherwise(&cell, |policy| {
            policy.rules.remove(at);
        });
        let missed = self.scene.cells().contains(&cell)
            && without == intent
            && self.otherwise(&cell, |policy| change(policy, at)) != intent;
        missed.then(|| self.deciding(step, cell, reason))
    }

    /// A pod that the policy is not about.
    fn of_subject(&self, step: usize) -> Option<Deciding> {
        let direction = self.combination().direction;
        let cell = self.own_cells(|cell| subject(cell, direction)).find(|(cell, pod)| {
            let tested = self.scene.cluster.iter().find(|policy| policy.file == "policy.yaml");
            let is_left_out =
                tested.is_some_and(|policy| !self.scene.is_one_of(&policy.subjects, *pod));
            is_left_out
                && self.is_free(cell, opposite(direction))
                && self
                    .otherwise(cell, |policy| policy.subjects = subjects(Subject::EveryNamespace))
                    != self.scene.intent(cell)
        });
        cell.map(|(cell, _)| self.deciding(step, cell, Reason::Target))
    }

    /// What the policy leaves alone in the direction that has no rules.
    fn of_direction(&self, step: usize) -> Option<Deciding> {
        let direction = opposite(self.combination().direction);
        let turned = |cell: &Cell| {
            let mut scene = self.scene.clone();
            let tested = scene.cluster.iter().filter(|policy| policy.file == "policy.yaml");
            let turned: Vec<ClusterPolicy> = tested
                .cloned()
                .map(|mut policy| {
                    policy.direction = direction;
                    policy
                })
                .collect();
            scene.cluster.extend(turned);
            scene.intent(cell)
        };
        let own = |cell: &Cell| {
            Scene::place(subject(cell, direction)) == Some(TARGET)
                && self.is_free(cell, opposite(direction))
        };
        let cell = self
            .own_cells(|cell| subject(cell, direction))
            .find(|(cell, _)| own(cell) && turned(cell) != self.scene.intent(cell));
        cell.map(|(cell, _)| self.deciding(step, cell, Reason::Types))
    }

    /// Whether no policy says anything of a cell in a direction.
    fn is_free(&self, cell: &Cell, direction: Direction) -> bool {
        let said = |tier| self.scene.by_tier(cell, direction, tier).is_some();
        !Tier::ALL.iter().any(|tier| said(*tier)) && !self.scene.side(cell, direction).is_isolated()
    }

    /// The cells of the tested protocol and family between pods, with one end's place.
    fn own_cells(
        &self,
        end: impl Fn(&Cell) -> &Endpoint,
    ) -> impl Iterator<Item = (Cell, town::Place)> {
        let Combination { protocol, family, .. } = *self.combination();
        let cells = self.scene.cells().into_iter();
        cells.filter_map(move |cell| {
            let own = cell.protocol == protocol && cell.family == family;
            let between = cell.source.as_pod().is_some() && cell.destination.as_pod().is_some();
            let place = Scene::place(end(&cell)).filter(|_| own && between)?;
            Some((cell, place))
        })
    }
}

/// The end whose policies are asked.
const fn subject(cell: &Cell, direction: Direction) -> &Endpoint {
    match direction {
        Direction::Ingress => &cell.destination,
        Direction::Egress => &cell.source,
    }
}
