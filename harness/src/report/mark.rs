//! The sign that stands for a cell in a grid. A sign is readable without
//! colour; the legend beneath the grid says what each one means.

use anstyle::Style;

use super::look::{BAD, DOUBTFUL, FAINT, GOOD, KNOWN};
use crate::model::{Decision, Verdict};
use crate::run::{CellJudgement, Finding};

/// What a grid shows of one cell, in the order in which a legend lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Mark {
    /// Specified, nothing more: allow.
    Allow,
    /// Specified, nothing more: deny.
    Deny,
    /// Specified, nothing more: the API leaves it open.
    Undefined,
    /// Specified, nothing more: a fact is missing.
    Unknown,
    /// Got through, as it should.
    Open,
    /// Stopped, as it should.
    Closed,
    /// The policies allow what was meant to be denied.
    PolicyOpens,
    /// The policies deny what was meant to be allowed.
    PolicyCloses,
    /// A fault that the scenario names did not show.
    FaultMissing,
    /// Got through although the policies deny it.
    Leak,
    /// Stopped although the policies allow it.
    Blocked,
    /// Intent and specification part as the scenario says they do.
    KnownFault,
    /// Got through although the policies deny it, as it must on a negative control.
    Unenforced,
    /// Stopped on a negative control.
    Enforced,
    /// The API leaves it open.
    Choice,
    /// The intent rests on what the API leaves open.
    NotPortable,
    /// It kept changing.
    Unstable,
    /// It could not be told.
    Inconclusive,
}

impl Mark {
    /// What is to be shown of a judged cell.
    pub(crate) fn judged(cell: &CellJudgement) -> Self {
        let through = cell.observed.as_ref().is_some_and(|o| o.outcome.arrived());
        let denied = cell.specified.verdict == Verdict::Deny;
        match cell.finding {
            Finding::Agrees if through => Self::Open,
            Finding::Agrees => Self::Closed,
            Finding::KnownPolicyFault => Self::KnownFault,
            Finding::PolicyFault if denied => Self::PolicyCloses,
            Finding::PolicyFault => Self::PolicyOpens,
            Finding::MissingPolicyFault => Self::FaultMissing,
            Finding::EnforcementFault if denied => Self::Leak,
            Finding::EnforcementFault => Self::Blocked,
            Finding::Unenforced => Self::Unenforced,
            Finding::Enforced => Self::Enforced,
            Finding::Choice => Self::Choice,
            Finding::NotPortable => Self::NotPortable,
            Finding::Unstable => Self::Unstable,
            Finding::Inconclusive => Self::Inconclusive,
        }
    }

    /// What is to be shown of a cell of which only the specification is known.
    pub(crate) fn specified(decision: &Decision) -> Self {
        match decision.verdict {
            Verdict::Allow => Self::Allow,
            Verdict::Deny => Self::Deny,
            Verdict::Undefined(_) => Self::Undefined,
            Verdict::Unknown(_) => Self::Unknown,
        }
    }

    /// Whether the cell is one that a reader has to look at.
    pub(crate) const fn differs(self) -> bool {
        matches!(
            self,
            Self::PolicyOpens
                | Self::PolicyCloses
                | Self::FaultMissing
                | Self::Leak
                | Self::Blocked
                | Self::Enforced
                | Self::Unstable
                | Self::Inconclusive
        )
    }

    const fn row(self) -> (char, Style, &'static str) {
        match self {
            Self::Allow => ('·', GOOD, "allow"),
            Self::Deny => ('x', Style::new(), "deny"),
            Self::Undefined => ('u', DOUBTFUL, "undefined: the API leaves it open"),
            Self::Unknown => ('?', DOUBTFUL, "unknown: a fact is missing"),
            Self::Open => ('·', GOOD, "got through, as it should"),
            Self::Closed => ('x', FAINT, "stopped, as it should be"),
            Self::PolicyOpens => {
                ('O', BAD, "policy fault: meant to be denied, the policies allow it")
            }
            Self::PolicyCloses => {
                ('X', BAD, "policy fault: meant to be allowed, the policies deny it")
            }
            Self::FaultMissing => {
                ('M', BAD, "the scenario lists a policy fault here, and there is none")
            }
            Self::Leak => ('L', BAD, "enforcement fault: got through, the policies deny it"),
            Self::Blocked => {
                ('B', BAD, "enforcement fault: did not get through, the policies allow it")
            }
            Self::KnownFault => {
                ('k', KNOWN, "known: the policies break their claim as the scenario says")
            }
            Self::Unenforced => {
                ('f', FAINT, "negative control: the deny was seen to fail, as it must")
            }
            Self::Enforced => (
                'E',
                BAD,
                "negative control: stopped, on a cluster that is declared to enforce nothing",
            ),
            Self::Choice => ('c', FAINT, "left open by the API: the cluster's choice"),
            Self::NotPortable => {
                ('n', DOUBTFUL, "not portable: the intent rests on what the API leaves open")
            }
            Self::Unstable => ('~', DOUBTFUL, "unstable: it kept changing"),
            Self::Inconclusive => ('?', DOUBTFUL, "inconclusive: it could not be told"),
        }
    }

    /// The sign.
    pub(crate) const fn glyph(self) -> char {
        self.row().0
    }

    /// Its colour.
    pub(crate) const fn style(self) -> Style {
        self.row().1
    }

    /// Its line in the legend.
    pub(crate) const fn meaning(self) -> &'static str {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Mark;

    #[test]
    fn no_two_signs_of_one_grid_are_alike() {
        use Mark::{
            Allow, Blocked, Choice, Closed, Deny, Enforced, FaultMissing, Inconclusive, KnownFault,
            Leak, NotPortable, Open, PolicyCloses, PolicyOpens, Undefined, Unenforced, Unknown,
            Unstable,
        };
        let judged = [
            Open,
            Closed,
            PolicyOpens,
            PolicyCloses,
            FaultMissing,
            Leak,
            Blocked,
            KnownFault,
            Unenforced,
            Enforced,
            Choice,
            NotPortable,
            Unstable,
            Inconclusive,
        ];
        let specified = [Allow, Deny, Undefined, Unknown];
        for grid in [judged.as_slice(), &specified] {
            let glyphs: BTreeSet<char> = grid.iter().map(|mark| mark.glyph()).collect();
            assert_eq!(glyphs.len(), grid.len());
        }
    }
}
