//! Finds the cells of a case that one thing decides, by trying what would be meant without it.

use crate::catalogue::axis::Port;
use crate::catalogue::case::{Decider, Deciding, Reason};
use crate::catalogue::feature::Combination;
use crate::catalogue::policy::{Policy, Rule};
use crate::catalogue::scene::Scene;
use crate::catalogue::selection::{End, Pods};
use crate::catalogue::town::{self, OWN, TARGET};
use crate::model::{Cell, Direction, Endpoint, Family, Intent, PolicyName, Via};

/// The deciding cells of the last step.
pub(super) fn deciding(
    combination: &Combination,
    scene: &Scene,
    step: usize,
    rule: Option<usize>,
) -> Vec<Deciding> {
    Search { combination, scene, step, rule, peer: combination.end() }.all()
}

impl Combination {
    /// The end that the tested rule is to let in or out, or would be.
    pub(in crate::catalogue) fn end(&self) -> End {
        self.peer.deciding()
    }
}

struct Search<'c> {
    combination: &'c Combination,
    scene: &'c Scene,
    step: usize,
    rule: Option<usize>,
    peer: End,
}

/// An end as a cell has it.
pub(in crate::catalogue) fn endpoint(end: End) -> Endpoint {
    match end {
        End::Pod((namespace, name)) => Endpoint::pod(namespace, name),
        End::Host(host) => host.end(),
        End::Node(name) => Endpoint::Node(name.into()),
    }
}

impl Search<'_> {
    fn all(&self) -> Vec<Deciding> {
        let mut found = Vec::new();
        let direction = self.combination.direction;
        let main = self.cell(self.peer);
        found.extend(main.clone().map(|cell| match self.rule {
            Some(_) => self.deciding(cell, Intent::Allow, direction, Reason::Rule),
            None => self.deciding(cell, Intent::Deny, direction, Reason::NoRule),
        }));
        if let (Some(main), Some(_)) = (main, self.rule) {
            found.extend(self.of_peers());
            found.extend(self.of_ports(&main));
            found.extend(self.of_family(main));
        }
        found.extend(self.of_target());
        found.extend(self.of_types());
        found
    }

    fn deciding(
        &self,
        cell: Cell,
        intent: Intent,
        direction: Direction,
        reason: Reason,
    ) -> Deciding {
        let policy = Decider::Policy(PolicyName::new(OWN, crate::catalogue::policy::TESTED));
        Deciding { step: self.step, cell, intent, direction, policy, rule: self.rule, reason }
    }

    /// The cell between the target and an end, on the port that the rule is to open.
    fn cell(&self, peer: End) -> Option<Cell> {
        let (peer, target) = (endpoint(peer), endpoint(End::Pod(TARGET)));
        let (source, destination) = match self.combination.direction {
            Direction::Ingress => (peer, target),
            Direction::Egress => (target, peer),
        };
        let ports = self.scene.ports(&destination);
        let named = self.combination.port == Port::Name;
        let port = ports.into_iter().find(|port| {
            port.protocol == self.combination.protocol
                && if named { port.named } else { port.number == 80 }
        })?;
        let Combination { family, via, .. } = *self.combination;
        let cell =
            Cell { source, destination, port: port.number, protocol: port.protocol, family, via };
        self.scene.cells().contains(&cell).then_some(cell)
    }

    /// Whether the other direction leaves the cell to this one.
    fn is_alone(&self, cell: &Cell, direction: Direction) -> bool {
        !self.scene.side(cell, opposite(direction)).is_isolated()
    }

    /// What would be meant of a cell if the tested policy were another.
    fn otherwise(&self, cell: &Cell, change: impl Fn(&mut Policy)) -> Intent {
        let mut scene = self.scene.clone();
        let tested = scene.policies.iter_mut().filter(|policy| policy.file == "policy.yaml");
        tested.for_each(change);
        scene.intent(cell)
    }

    fn otherwise_ruled(&self, cell: &Cell, change: impl Fn(&mut Rule)) -> Intent {
        self.otherwise(cell, |policy| {
            let rule = self.rule.and_then(|at| policy.rules.as_mut()?.get_mut(at));
            rule.into_iter().for_each(&change);
        })
    }

    /// A cell that is denied, and would not be with another rule.
    fn kept_out(&self, cell: Cell, reason: Reason, change: impl Fn(&mut Rule)) -> Option<Deciding> {
        let direction = self.combination.direction;
        let kept_out = self.scene.cells().contains(&cell)
            && self.scene.intent(&cell) == Intent::Deny
            && self.is_alone(&cell, direction)
            && self.otherwise_ruled(&cell, change) == Intent::Allow;
        kept_out.then(|| self.deciding(cell, Intent::Deny, direction, reason))
    }

    fn of_peers(&self) -> Vec<Deciding> {
        let misses = self.combination.peer.near_misses().iter();
        let cells = misses.filter_map(|miss| self.cell(*miss));
        cells
            .filter_map(|cell| self.kept_out(cell, Reason::Peer, |rule| rule.peers = None))
            .collect()
    }

    fn of_ports(&self, main: &Cell) -> Vec<Deciding> {
        let without = |rule: &mut Rule| rule.ports = None;
        let mut found = Vec::new();
        let port = if main.port == 80 { 81 } else { 80 };
        found.extend(self.kept_out(Cell { port, ..main.clone() }, Reason::Port, without));
        if self.combination.port != Port::Name {
            let protocol = town::beside(main.protocol);
            let cell = Cell { protocol, ..main.clone() };
            found.extend(self.kept_out(cell, Reason::Protocol, without));
        }
        found
    }

    fn of_family(&self, main: Cell) -> Option<Deciding> {
        let cell = Cell { family: town::other(main.family), ..main };
        self.kept_out(cell, Reason::Family, |rule| rule.peers = None)
    }

    /// A pod that the policy leaves alone, though it would deny it.
    fn of_target(&self) -> Option<Deciding> {
        let direction = self.combination.direction;
        let cell = self.own_cells().into_iter().find(|cell| {
            let subject = subject(cell, direction).as_pod();
            subject.is_some_and(|pod| *pod.namespace == *OWN && *pod.name != *TARGET.1)
                && cell.protocol == self.combination.protocol
                && !self.scene.side(cell, direction).is_isolated()
                && self.is_alone(cell, direction)
                && self.otherwise(cell, |policy| policy.subjects = Pods::Every) == Intent::Deny
        })?;
        Some(self.deciding(cell, Intent::Allow, direction, Reason::Target))
    }

    /// What the policy does to the target in the direction that is not tested.
    fn of_types(&self) -> Option<Deciding> {
        let tested = self.combination.direction;
        let direction = opposite(tested);
        let isolates = self.combination.types.isolates_other(tested);
        let cell = self.own_cells().into_iter().find(|cell| {
            let side = self.scene.side(cell, direction);
            *subject(cell, direction) == endpoint(End::Pod(TARGET))
                && self.is_alone(cell, direction)
                && side.isolating == usize::from(isolates)
                && self.otherwise(cell, |policy| {
                    policy.isolates = if isolates { vec![tested] } else { vec![tested, direction] };
                }) != self.scene.intent(cell)
        })?;
        let intent = if isolates { Intent::Deny } else { Intent::Allow };
        Some(self.deciding(cell, intent, direction, Reason::Types))
    }

    /// The cells by pods' own addresses, of the tested family.
    fn own_cells(&self) -> Vec<Cell> {
        let family: Family = self.combination.family;
        let cells = self.scene.cells().into_iter();
        cells.filter(|cell| cell.via == Via::Pod && cell.family == family).collect()
    }
}

/// The end whose policies are asked.
const fn subject(cell: &Cell, direction: Direction) -> &Endpoint {
    match direction {
        Direction::Ingress => &cell.destination,
        Direction::Egress => &cell.source,
    }
}

/// The other direction.
pub(in crate::catalogue) const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    }
}
