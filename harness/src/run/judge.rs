//! Compares what was intended, specified and observed of one cell. Pure.

use std::fmt::Write as _;

use crate::model::{Cell, Decision, Intent, Observation, Origin, Verdict};

use super::settle::Course;
use super::{CellJudgement, Finding};

/// What is expected of a cell, and what the policies make of it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// The cell.
    pub(super) cell: Cell,
    /// What people want.
    pub(super) intended: Intent,
    /// The text of the `expect` rule that says so.
    pub(super) expect: String,
    /// Where that rule is.
    pub(super) expect_at: Origin,
    /// What the policies are known to specify instead, by a rule of `faults`.
    pub(super) known: Option<Known>,
    /// What the policies specify.
    pub(super) specified: Decision,
    /// Whether a deny is specified on a cluster that is declared to enforce nothing: it
    /// must be seen to fail.
    pub(super) unenforced: bool,
}

/// A rule of `faults` that matches a cell.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// What the policies are said to specify.
    pub(super) specified: Intent,
    /// Where the rule is.
    pub(super) at: Origin,
}

/// Whether the cell's path was shown to be open without policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// It was, or nothing says that it should be.
    Open,
    /// It never opened; what was seen last.
    NeverOpen(String),
    /// It could not be tried, for this reason.
    Untried(String),
}

impl Control {
    /// Whether the path never opened.
    pub(super) const fn is_shut(&self) -> bool {
        matches!(self, Self::NeverOpen(_))
    }
}

/// What was observed of a cell in a step.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    /// What became of it over the rounds.
    pub(super) course: Course,
    /// What was seen last.
    pub(super) observed: Option<Observation>,
    /// Whether the path works at all.
    pub(super) control: Control,
}

/// How intended and specified stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Agree,
    KnownFault,
    Fault,
    MissingFault,
    Choice,
    NotPortable,
    Unknown,
}

/// How specified and observed stand to each other.
enum Wire {
    Agrees,
    Differs(String),
    Unstable(String),
    CannotTell(String),
}

/// What is said of a cluster whose denies must all fail.
pub(super) const NEGATIVE_CONTROL: &str = "this cluster is declared to enforce nothing";

/// Says in one sentence why the policies specify what they do for a cell.
pub(super) type Because = fn(&Cell, &Decision) -> String;

/// Judges one cell. `strict` makes a policy fault of an intent that is not portable.
pub(super) fn judge(
    question: &Question,
    sight: &Sight,
    strict: bool,
    because: Because,
) -> CellJudgement {
    let meaning = meaning(question, strict);
    let wire = wire(question, sight);
    let open = matches!(question.specified.verdict, Verdict::Undefined(_) | Verdict::Unknown(_));
    let never_open = !open && matches!(sight.control, Control::NeverOpen(_));
    let finding = match (&meaning, &wire) {
        (Meaning::Unknown, _) => Finding::Inconclusive,
        // A path that never worked says nothing, whatever the policies say.
        _ if never_open => Finding::Inconclusive,
        (Meaning::Choice, _) => Finding::Choice,
        (Meaning::NotPortable, _) => Finding::NotPortable,
        (Meaning::KnownFault, _) if open => Finding::KnownPolicyFault,
        (_, Wire::Differs(_)) if question.unenforced => Finding::Enforced,
        (_, Wire::Differs(_)) => Finding::EnforcementFault,
        // A policy fault needs no packet to be certain.
        (Meaning::Fault, _) => Finding::PolicyFault,
        (Meaning::MissingFault, _) => Finding::MissingPolicyFault,
        (_, Wire::Unstable(_)) => Finding::Unstable,
        (_, Wire::CannotTell(_)) => Finding::Inconclusive,
        (_, Wire::Agrees) if question.unenforced => Finding::Unenforced,
        (Meaning::KnownFault, Wire::Agrees) => Finding::KnownPolicyFault,
        (Meaning::Agree, Wire::Agrees) => Finding::Agrees,
    };
    let why =
        (finding != Finding::Agrees).then(|| sentence(question, sight, &meaning, &wire, because));
    CellJudgement {
        cell: question.cell.clone(),
        intended: question.intended,
        expect: question.expect.clone(),
        specified: question.specified.clone(),
        observed: sight.observed.clone(),
        finding,
        why,
    }
}

/// What the policies specify, as the word that an `expect` rule would use.
fn specified(question: &Question) -> Option<Intent> {
    match question.specified.verdict {
        Verdict::Allow => Some(Intent::Allow),
        Verdict::Deny => Some(Intent::Deny),
        Verdict::Undefined(_) => Some(Intent::Any),
        Verdict::Unknown(_) => None,
    }
}

fn meaning(question: &Question, strict: bool) -> Meaning {
    let Some(specified) = specified(question) else { return Meaning::Unknown };
    let known = question.known.as_ref().map(|known| known.specified);
    match (question.intended == specified, known) {
        (true, Some(_)) => Meaning::MissingFault,
        (true, None) if specified == Intent::Any => Meaning::Choice,
        (true, None) => Meaning::Agree,
        (false, Some(known)) if known == specified => Meaning::KnownFault,
        (false, None) if specified == Intent::Any && !strict => Meaning::NotPortable,
        (false, _) => Meaning::Fault,
    }
}

fn wire(question: &Question, sight: &Sight) -> Wire {
    let seen = seen(sight);
    match &sight.control {
        Control::NeverOpen(last) => {
            return Wire::CannotTell(format!(
                "the path never opened without policies (last seen: {last}), so nothing seen later says what they do"
            ));
        }
        Control::Untried(reason) if !connected(sight) => {
            return Wire::CannotTell(format!(
                "observed {seen}, and the path was never shown to be open: {reason}"
            ));
        }
        Control::Open | Control::Untried(_) => {}
    }
    match &sight.course {
        Course::Free if matches!(specified(question), Some(Intent::Allow | Intent::Deny)) => {
            Wire::CannotTell(format!("observed {seen}, and it was not waited for"))
        }
        Course::Free | Course::Agreed => Wire::Agrees,
        Course::Differed { rounds } if question.unenforced => Wire::Differs(format!(
            "{NEGATIVE_CONTROL}, and observed {seen}, {rounds} rounds in a row"
        )),
        Course::Differed { rounds } => {
            Wire::Differs(format!("observed {seen}, {rounds} rounds in a row"))
        }
        Course::Turned if question.unenforced => Wire::Differs(format!(
            "{NEGATIVE_CONTROL}, and observed {seen}, after it had been open"
        )),
        Course::Turned => {
            Wire::Differs(format!("observed {seen}, after it had been as specified before"))
        }
        Course::Ignored { rounds, blind } => Wire::Differs(format!(
            "observed {seen}, in all {rounds} rounds until the step's deadline; {blind}"
        )),
        Course::Leaked { at } => Wire::Differs(format!(
            "observed open {} ms after the pod was made, though its isolation was in force before",
            at.as_millis()
        )),
        Course::Unstable { changes } => Wire::Unstable(format!(
            "it keeps changing ({changes} changes in this step), last observed {seen}"
        )),
        Course::Unclear => Wire::CannotTell(match question.specified.verdict {
            Verdict::Unknown(_) => format!("observed {seen}"),
            _ => format!("observed {seen}, which neither confirms nor contradicts that"),
        }),
        Course::Untold(reason) => Wire::CannotTell(reason.clone()),
    }
}

fn connected(sight: &Sight) -> bool {
    sight.observed.as_ref().is_some_and(|seen| seen.outcome.is_connected())
}

/// What was seen last, with the dataplane's own word.
fn seen(sight: &Sight) -> String {
    let Some(seen) = &sight.observed else { return "nothing (it was never attempted)".to_owned() };
    let mut text = seen.outcome.to_string();
    if let Some(evidence) = &seen.evidence {
        let _ = write!(text, " (node `{}`: {})", evidence.node, evidence.text);
    }
    text
}

fn sentence(
    question: &Question,
    sight: &Sight,
    meaning: &Meaning,
    wire: &Wire,
    because: Because,
) -> String {
    let Question { intended, expect_at, .. } = question;
    let because = because(&question.cell, &question.specified);
    let specified = match specified(question) {
        // The sentence about an open cell says itself that the API leaves it open.
        Some(Intent::Any) => because,
        Some(specified) => format!("the policies specify {specified}: {because}"),
        None => format!("what the policies specify is unknown: {because}"),
    };
    let wants = match intended {
        Intent::Any => {
            format!("`expect` says any ({expect_at}), which is for what the API leaves open, and")
        }
        _ => format!("`expect` wants {intended} ({expect_at}), and"),
    };
    let mut text = match meaning {
        Meaning::MissingFault => {
            let at = question.known.as_ref().map(|known| known.at.to_string()).unwrap_or_default();
            format!(
                "`faults` says that intended and specified part here ({at}), and they do not: {specified}"
            )
        }
        Meaning::Fault | Meaning::KnownFault | Meaning::NotPortable => {
            format!("{wants} {specified}")
        }
        _ => specified,
    };
    match (meaning, &question.known) {
        (Meaning::KnownFault, _) => text.push_str("; known, by `faults`"),
        (Meaning::Fault, Some(Known { specified, at })) => {
            let _ = write!(text, "; `faults` says {specified} instead ({at})");
        }
        _ => {}
    }
    let rest = match wire {
        Wire::Agrees if matches!(sight.course, Course::Free) => {
            format!("this cluster: {}", seen(sight))
        }
        Wire::Agrees if question.unenforced => {
            format!("{NEGATIVE_CONTROL}; observed {}, as it must be there", seen(sight))
        }
        Wire::Agrees => format!("observed {}, as specified", seen(sight)),
        Wire::Differs(text) | Wire::Unstable(text) | Wire::CannotTell(text) => text.clone(),
    };
    let _ = write!(text, "; {rest}");
    text
}

#[cfg(test)]
mod tests;
