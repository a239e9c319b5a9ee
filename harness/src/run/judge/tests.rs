use std::time::Duration;

use expect_test::expect_file;

use super::*;
use crate::model::{
    Clause, Effect, Endpoint, Evidence, Family, MissingFact, Name, Outcome, Protocol, Side, Via,
};

const ALLOW: Verdict = Verdict::Allow;
const DENY: Verdict = Verdict::Deny;
const OPEN: Verdict = Verdict::Undefined(Clause::PodToItself);
const UNKNOWN: Verdict = Verdict::Unknown(MissingFact::Address);

fn at(line: u32) -> Origin {
    Origin { file: "scenario.yaml".into(), document: 0, path: "".into(), line, column: 9 }
}

fn question(intended: Intent, verdict: Verdict, known: Option<Intent>) -> Question {
    let side = Side::of(Effect::NotIsolated);
    Question {
        cell: Cell {
            source: Endpoint::pod("prod", "web"),
            destination: Endpoint::pod("prod", "db"),
            port: 3306,
            protocol: Protocol::Tcp,
            family: Family::Ipv4,
            via: Via::Pod,
        },
        intended,
        expect: format!("{intended} * -> prod/db"),
        expect_at: at(12),
        known: known.map(|specified| Known { specified, at: at(20) }),
        specified: Decision { verdict, egress: side.clone(), ingress: side },
        unenforced: false,
    }
}

/// A deny on a cluster that is declared to enforce nothing.
fn unenforced(intended: Intent, known: Option<Intent>) -> Question {
    Question { unenforced: true, ..question(intended, DENY, known) }
}

fn because(_: &Cell, specified: &Decision) -> String {
    match specified.verdict {
        Verdict::Allow => "no policy isolates either end",
        Verdict::Deny => "`prod/db-policy` isolates `prod/db` (db.yaml:1:1)",
        Verdict::Undefined(_) => "the API leaves it open: a pod that connects to itself",
        Verdict::Unknown(_) => "an ipBlock decides, and the address is not known",
    }
    .to_owned()
}

fn sight(course: Course, outcome: Outcome) -> Sight {
    let latency = Duration::from_millis(1);
    let observed = Observation { outcome, latency, ..Observation::broken("") };
    Sight { course, observed: Some(observed), control: Control::Open }
}

fn agreed(outcome: Outcome) -> Sight {
    sight(Course::Agreed, outcome)
}

fn differed(outcome: Outcome) -> Sight {
    sight(Course::Differed { rounds: 3 }, outcome)
}

fn control(sight: Sight, control: Control) -> Sight {
    Sight { control, ..sight }
}

/// One row per rule of judging: a name, the question, what was seen, and what is to be said.
fn rows() -> Vec<(&'static str, Question, Sight, Finding)> {
    use Intent::{Allow, Any, Deny};
    use Outcome::{Connected, Dropped, ReplyLost};
    let wrong_pod = || Outcome::WrongPod { answered: "prod/api".into() };
    let broken = || Outcome::Broken { reason: "too many open files".into() };
    let never = || Control::NeverOpen("dropped".into());
    let untried = || Control::Untried("the pod was removed before".into());
    let mut evident = differed(Dropped);
    evident.observed.as_mut().unwrap().evidence =
        Some(Evidence { node: Name::from("node-1"), text: "ingress of prod/db".into() });
    vec![
        ("allowed", question(Allow, ALLOW, None), agreed(Connected), Finding::Agrees),
        ("denied", question(Deny, DENY, None), agreed(Dropped), Finding::Agrees),
        ("negative control", unenforced(Deny, None), agreed(Connected), Finding::Unenforced),
        (
            "negative control, known fault",
            unenforced(Allow, Some(Deny)),
            agreed(Connected),
            Finding::Unenforced,
        ),
        (
            "negative control, fault",
            unenforced(Allow, None),
            agreed(Connected),
            Finding::PolicyFault,
        ),
        ("negative control, held", unenforced(Deny, None), differed(Dropped), Finding::Enforced),
        (
            "negative control, held later",
            unenforced(Deny, None),
            sight(Course::Turned, Dropped),
            Finding::Enforced,
        ),
        ("refused", question(Deny, DENY, None), agreed(Outcome::Refused), Finding::Agrees),
        ("policy fault", question(Allow, DENY, None), agreed(Dropped), Finding::PolicyFault),
        (
            "listed otherwise",
            question(Deny, ALLOW, Some(Any)),
            agreed(Connected),
            Finding::PolicyFault,
        ),
        (
            "known policy fault",
            question(Deny, ALLOW, Some(Allow)),
            agreed(Connected),
            Finding::KnownPolicyFault,
        ),
        (
            "known, not enforced",
            question(Allow, DENY, Some(Deny)),
            differed(Connected),
            Finding::EnforcementFault,
        ),
        (
            "known, not clear",
            question(Allow, DENY, Some(Deny)),
            sight(Course::Unclear, broken()),
            Finding::Inconclusive,
        ),
        (
            "missing policy fault",
            question(Deny, DENY, Some(Allow)),
            agreed(Dropped),
            Finding::MissingPolicyFault,
        ),
        (
            "missing policy fault, not enforced",
            question(Deny, DENY, Some(Allow)),
            differed(Connected),
            Finding::EnforcementFault,
        ),
        ("any on an allow", question(Any, ALLOW, None), agreed(Connected), Finding::PolicyFault),
        ("choice", question(Any, OPEN, None), sight(Course::Free, Connected), Finding::Choice),
        (
            "not portable",
            question(Deny, OPEN, None),
            sight(Course::Free, Connected),
            Finding::NotPortable,
        ),
        (
            "known to be left open",
            question(Deny, OPEN, Some(Any)),
            sight(Course::Free, Dropped),
            Finding::KnownPolicyFault,
        ),
        (
            "unknown",
            question(Deny, UNKNOWN, None),
            sight(Course::Free, Dropped),
            Finding::Inconclusive,
        ),
        (
            "not enforced",
            question(Deny, DENY, None),
            differed(Connected),
            Finding::EnforcementFault,
        ),
        ("over-enforced", question(Allow, ALLOW, None), evident, Finding::EnforcementFault),
        (
            "arrived, though denied",
            question(Deny, DENY, None),
            differed(ReplyLost),
            Finding::EnforcementFault,
        ),
        (
            "reply lost, though allowed",
            question(Allow, ALLOW, None),
            differed(ReplyLost),
            Finding::EnforcementFault,
        ),
        (
            "turned",
            question(Deny, DENY, None),
            sight(Course::Turned, Connected),
            Finding::EnforcementFault,
        ),
        (
            "leaked",
            question(Deny, DENY, None),
            sight(Course::Leaked { at: Duration::from_millis(3) }, Dropped),
            Finding::EnforcementFault,
        ),
        (
            "both faults",
            question(Allow, DENY, None),
            differed(Connected),
            Finding::EnforcementFault,
        ),
        (
            "unstable",
            question(Deny, DENY, None),
            sight(Course::Unstable { changes: 4 }, Dropped),
            Finding::Unstable,
        ),
        (
            "wrong pod",
            question(Deny, DENY, None),
            sight(Course::Unclear, wrong_pod()),
            Finding::Inconclusive,
        ),
        (
            "broken, though the policy is at fault",
            question(Allow, DENY, None),
            sight(Course::Unclear, broken()),
            Finding::PolicyFault,
        ),
        (
            "path never open",
            question(Deny, DENY, None),
            control(agreed(Dropped), never()),
            Finding::Inconclusive,
        ),
        (
            "path never open, and the policy is at fault",
            question(Allow, DENY, None),
            control(agreed(Dropped), never()),
            Finding::Inconclusive,
        ),
        (
            "no control",
            question(Deny, DENY, None),
            control(agreed(Dropped), untried()),
            Finding::Inconclusive,
        ),
        (
            "no control needed",
            question(Allow, ALLOW, None),
            control(agreed(Connected), untried()),
            Finding::Agrees,
        ),
        (
            "not waited for",
            question(Deny, DENY, None),
            sight(Course::Free, Connected),
            Finding::Inconclusive,
        ),
        (
            "untold",
            question(Deny, DENY, None),
            sight(Course::Untold("node `b` did not show that it looked".into()), Dropped),
            Finding::Inconclusive,
        ),
    ]
}

#[test]
fn every_rule_of_judging() {
    for (name, question, sight, finding) in rows() {
        let judged = judge(&question, &sight, false, because);
        assert_eq!(judged.finding, finding, "{name}");
        assert_eq!(judged.why.is_none(), finding == Finding::Agrees, "{name}");
    }
}

#[test]
fn strict_makes_a_policy_fault_of_what_is_not_portable() {
    let seen = sight(Course::Free, Outcome::Connected);
    let judge =
        |intended, known| judge(&question(intended, OPEN, known), &seen, true, because).finding;
    assert_eq!(judge(Intent::Deny, None), Finding::PolicyFault);
    assert_eq!(judge(Intent::Any, None), Finding::Choice);
    assert_eq!(judge(Intent::Deny, Some(Intent::Any)), Finding::KnownPolicyFault);
}

#[test]
fn every_sentence() {
    let mut text = String::new();
    for (name, question, sight, _) in rows() {
        if let Some(why) = judge(&question, &sight, false, because).why {
            let _ = writeln!(text, "{name}:\n  {why}");
        }
    }
    expect_file!["sentences.txt"].assert_eq(&text);
}
