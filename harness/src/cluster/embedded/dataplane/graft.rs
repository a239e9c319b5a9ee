//! Rules of one ruleset in another.

use super::ruleset::{Match, Rule, Set, SetId};

/// A rule of another ruleset, whose sets have these places here.
pub(super) fn renumbered(Rule(matches): Rule, ids: &[SetId]) -> Rule {
    let of = |SetId(position): SetId| ids[position];
    let matches = matches.into_iter().map(|found| match found {
        Match::Peer(set) => Match::Peer(of(set)),
        Match::Service(set) => Match::Service(of(set)),
        Match::Socket(set) => Match::Socket(of(set)),
        Match::Family(_) | Match::Protocol(_) | Match::Port(..) => found,
    });
    Rule(matches.collect())
}

/// The place of a set among those that there are.
pub(super) fn id(sets: &mut Vec<Set>, set: Set) -> SetId {
    let known = sets.iter().position(|known| *known == set);
    SetId(known.unwrap_or_else(|| {
        sets.push(set);
        sets.len() - 1
    }))
}
