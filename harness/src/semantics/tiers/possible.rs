//! What a tier may make of a connection, where it is not certain which rules match.

use crate::model::ClusterAction;

use super::super::answer::Answer;

/// Which decisions are possible, and what keeps them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Possible {
    pub(super) accept: bool,
    pub(super) deny: bool,
    pub(super) pass: bool,
    /// That no rule matches.
    pub(super) nothing: bool,
    /// What is open or missing; `No` where nothing is.
    pub(super) doubt: Answer,
}

impl Possible {
    /// Nothing decided, and nothing doubted.
    const NONE: Self =
        Self { accept: false, deny: false, pass: false, nothing: false, doubt: Answer::No };

    /// No rule matches.
    pub(super) const NOTHING: Self = Self { nothing: true, ..Self::NONE };

    /// The first match among a policy's rules, which gives each rule that is asked: "a rule
    /// that appears at the top of the ingress rules would take the highest precedence"
    /// (`ClusterNetworkPolicySpec.ingress`).
    pub(super) fn first_of(rules: impl Iterator<Item = (Answer, ClusterAction)>) -> Self {
        let mut possible = Self::NONE;
        for (answer, action) in rules {
            match answer {
                Answer::No => continue,
                Answer::Yes => {}
                Answer::Open(_) | Answer::Missing(_) => {
                    possible.doubt = possible.doubt.or(answer);
                }
            }
            match action {
                ClusterAction::Accept => possible.accept = true,
                ClusterAction::Deny => possible.deny = true,
                ClusterAction::Pass => possible.pass = true,
            }
            if answer == Answer::Yes {
                return possible;
            }
        }
        Self { nothing: true, ..possible }
    }

    /// One or the other, whichever the dataplane prefers where both match and disagree.
    pub(super) fn either(self, other: Self, preference: Answer) -> Self {
        let disagree = self.decides() && other.decides() && self.actions() != other.actions();
        let doubt = self.doubt.or(other.doubt);
        Self {
            accept: self.accept || other.accept,
            deny: self.deny || other.deny,
            pass: self.pass || other.pass,
            nothing: self.nothing && other.nothing,
            doubt: if disagree { doubt.or(preference) } else { doubt },
        }
    }

    /// This, and where no rule of it matches the other.
    pub(super) fn then(self, other: impl FnOnce() -> Self) -> Self {
        if !self.nothing {
            return self;
        }
        let next = other();
        Self {
            accept: self.accept || next.accept,
            deny: self.deny || next.deny,
            pass: self.pass || next.pass,
            nothing: next.nothing,
            doubt: self.doubt.or(next.doubt),
        }
    }

    /// Whether a rule may match.
    pub(super) const fn decides(self) -> bool {
        self.accept || self.deny || self.pass
    }

    const fn actions(self) -> (bool, bool, bool) {
        (self.accept, self.deny, self.pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Clause;

    const OPEN: Answer = Answer::Open(Clause::RewrittenAddress);
    const EQUAL: Answer = Answer::Open(Clause::EqualPriorities);

    fn of(rules: &[(Answer, ClusterAction)]) -> Possible {
        Possible::first_of(rules.iter().copied())
    }

    #[test]
    fn the_first_rule_that_matches_for_certain_ends_the_policy() {
        use ClusterAction::{Accept, Deny, Pass};
        let found = of(&[(Answer::No, Deny), (OPEN, Pass), (Answer::Yes, Accept), (OPEN, Deny)]);
        let expected = Possible { accept: true, pass: true, doubt: OPEN, ..Possible::NONE };
        assert_eq!(found, expected);
        assert_eq!(of(&[(Answer::No, Deny)]), Possible::NOTHING);
        assert!(of(&[(OPEN, Deny)]).nothing);
    }

    #[test]
    fn policies_of_one_priority_are_in_doubt_only_where_they_disagree() {
        let accept = of(&[(Answer::Yes, ClusterAction::Accept)]);
        let deny = of(&[(Answer::Yes, ClusterAction::Deny)]);
        assert_eq!(accept.either(accept, EQUAL), accept);
        assert_eq!(accept.either(Possible::NOTHING, EQUAL), accept);
        let both = accept.either(deny, EQUAL);
        assert!(both.accept && both.deny && !both.nothing);
        assert_eq!(both.doubt, EQUAL);
    }

    #[test]
    fn the_next_policy_is_asked_only_where_none_may_have_matched() {
        let accept = of(&[(Answer::Yes, ClusterAction::Accept)]);
        let deny = of(&[(Answer::Yes, ClusterAction::Deny)]);
        assert_eq!(accept.then(|| deny), accept);
        assert_eq!(Possible::NOTHING.then(|| deny), deny);
        let maybe = of(&[(OPEN, ClusterAction::Accept)]).then(|| deny);
        assert!(maybe.accept && maybe.deny && !maybe.nothing);
        assert_eq!(maybe.doubt, OPEN);
    }
}
