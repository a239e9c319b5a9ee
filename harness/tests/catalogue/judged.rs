//! What the engine says of a deciding cell, held against what the case means.

use ringfence::catalogue::Deciding;
use ringfence::model::{
    Cell, Decision, Direction, Effect, Exemption, Intent, Side, Verdict, World,
};
use ringfence::semantics::Engine;

/// A deciding cell, and the engine's decision of it.
pub(crate) struct Judged<'c> {
    deciding: &'c Deciding,
    decision: Decision,
}

impl<'c> Judged<'c> {
    /// Asks the engine.
    pub(crate) fn of(deciding: &'c Deciding, world: &World) -> Self {
        Self { deciding, decision: Engine::new(world).decide(&deciding.cell) }
    }

    /// An error that shows the decision, where something does not hold.
    pub(crate) fn expect(&self, holds: bool, what: &str) -> Result<(), String> {
        if holds { Ok(()) } else { Err(format!("{what}: {:#?}", self.decision)) }
    }

    /// The side of the direction that decides, and the other one.
    pub(crate) fn sides(&self) -> (&Side, &Side) {
        let Decision { ingress, egress, .. } = &self.decision;
        match self.deciding.direction {
            Direction::Ingress => (ingress, egress),
            Direction::Egress => (egress, ingress),
        }
    }

    /// Whether the API leaves the cell open.
    pub(crate) fn is_open(&self) -> Result<(), String> {
        self.expect(
            self.deciding.intent == Intent::Any
                && matches!(self.decision.verdict, Verdict::Undefined(_)),
            "the API does not leave it open",
        )
    }

    /// Whether the decision is what the case means.
    pub(crate) fn is_as_meant(&self) -> Result<(), String> {
        let allowed = self.deciding.intent == Intent::Allow;
        let verdict = if allowed { Verdict::Allow } else { Verdict::Deny };
        self.expect(self.decision.verdict == verdict, "another verdict")
    }

    /// Whether a cell gets the other verdict in another world.
    pub(crate) fn turns_over(&self, cell: &Cell, changed: &World) -> Result<(), String> {
        let turned = Engine::new(changed).verdict(cell);
        let allowed = self.deciding.intent == Intent::Allow;
        let wanted = if allowed { Verdict::Deny } else { Verdict::Allow };
        if turned == wanted { Ok(()) } else { Err(format!("does not turn over: {turned:?}")) }
    }
}

/// Whether no policy has anything to do with a cell on this side, but for one that hands it on.
pub(crate) fn is_free(side: &Side) -> bool {
    matches!(side.effect, Effect::NotIsolated | Effect::Exempt(Exemption::NotAPod))
}
