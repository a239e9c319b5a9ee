//! Cases by profile: core, and the parts that an implementation may lack.

use std::collections::BTreeMap;

use super::model::{Extended, Part, Profile, Standing, Tally};
use super::outcome::Outcome;
use crate::run::CaseInfo;

/// Puts cases together by the API that they are about. Success is said of nothing but the
/// `whole` catalogue.
pub(super) fn profiles<'a>(
    cases: impl Iterator<Item = (&'a CaseInfo, Outcome)>,
    whole: bool,
) -> Vec<Profile> {
    let mut profiles = BTreeMap::<&str, (Tally, BTreeMap<String, Tally>, usize)>::new();
    for (case, outcome) in cases {
        let (core, extended, recorded) = profiles.entry(&case.profile).or_default();
        match Part::of(case) {
            Part::Core => outcome.count(core),
            Part::Recorded if outcome == Outcome::Failed => outcome.count(core),
            Part::Recorded => *recorded += 1,
            Part::Extended(parts) => {
                for part in parts {
                    outcome.count(extended.entry(part).or_default());
                }
            }
        }
    }
    let profile = |(name, (core, extended, recorded)): (&str, _)| {
        let extended: BTreeMap<String, Tally> = extended;
        Profile {
            name: name.to_owned(),
            result: standing(&core, extended.values(), whole),
            core,
            extended: extended
                .into_iter()
                .map(|(part, cases)| Extended { part, judged: cases.judged() > 0, cases })
                .collect(),
            recorded,
        }
    };
    profiles.into_iter().map(profile).collect()
}

fn standing<'a>(
    core: &Tally,
    mut extended: impl Iterator<Item = &'a Tally>,
    whole: bool,
) -> Standing {
    if core.failed > 0 || extended.any(|part| part.failed > 0) {
        Standing::Failure
    } else if whole && core.is_clean() && core.passed > 0 {
        Standing::Success
    } else {
        Standing::Partial
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{ApiText, Kind, Level};

    fn case(level: Level, needs: &[&str]) -> CaseInfo {
        CaseInfo {
            level,
            kind: Kind::Matrix,
            profile: "NetworkPolicy".to_owned(),
            features: vec![],
            needs: needs.iter().map(|part| (*part).to_owned()).collect(),
            api: ApiText { text: String::new(), source: String::new() },
            deciding: vec![],
        }
    }

    #[test]
    fn success_is_said_where_every_core_case_was_judged_and_passed() {
        use Outcome::{Failed, Inconclusive, Passed, Recorded, Skipped};
        let (must, open) = (case(Level::Must, &[]), case(Level::Undefined, &[]));
        let sctp = case(Level::MustIfDeclared, &["sctp"]);
        for (cases, whole, expected) in [
            (vec![(&must, Passed)], true, Standing::Success),
            (vec![(&must, Passed)], false, Standing::Partial),
            (vec![(&must, Passed), (&must, Skipped)], true, Standing::Partial),
            (vec![(&must, Passed), (&must, Inconclusive)], true, Standing::Partial),
            (vec![(&must, Passed), (&sctp, Skipped)], true, Standing::Success),
            (vec![(&must, Passed), (&sctp, Failed)], true, Standing::Failure),
            (vec![(&must, Passed), (&must, Failed)], true, Standing::Failure),
            (vec![(&must, Passed), (&open, Recorded)], true, Standing::Success),
            (vec![(&must, Passed), (&open, Failed)], true, Standing::Failure),
            (vec![(&sctp, Passed)], true, Standing::Partial),
        ] {
            let all = profiles(cases.iter().copied(), whole);
            let [profile] = all.as_slice() else { panic!("{all:?}") };
            assert_eq!(profile.result, expected, "{cases:?}");
        }
    }
}
