//! A negative control: a cluster that is declared to enforce nothing, on which a run
//! passes only if every deny is seen to fail.

use super::super::Status;
use super::super::judge::{NEGATIVE_CONTROL, Question};
use super::super::paths::Path;
use super::Play;
use super::blindness::listed;
use crate::model::Name;

impl Play<'_> {
    /// Takes note of a step's denies, and of nodes that enforced the sentinel's policy.
    pub(super) fn control_negatively(
        &mut self,
        step: &str,
        questions: &[(Question, Path)],
        enforced: &[Name],
    ) {
        self.controlled |= questions.iter().any(|(question, _)| question.unenforced);
        if enforced.is_empty() || self.enforced {
            return;
        }
        self.enforced = true;
        self.progress.tally.befall(
            Status::Failed,
            format!(
                "{NEGATIVE_CONTROL}, and in step `{step}` {} enforced the sentinel's policy",
                listed(enforced)
            ),
        );
    }

    /// Where no step asked for a deny, nothing was controlled.
    pub(super) fn end_negative_control(&mut self) {
        if self.capabilities.dataplane.enforces || self.controlled {
            return;
        }
        self.progress.tally.befall(
            Status::Skipped,
            format!("nothing was controlled: {NEGATIVE_CONTROL}, and no step asks for a deny"),
        );
    }
}
