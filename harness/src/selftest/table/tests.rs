//! A selftest of every kind of result, as it is shown.

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::expect_file;

use super::*;
use crate::exit::ExitCode;
use crate::report::Run;
use crate::selftest::{Caught, Report, SCHEMA, Sight};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn sight(case: &str) -> Sight {
    Sight {
        case: case.to_owned(),
        step: "the policy is in force".to_owned(),
        cell: "x/b -> x/a:80/TCP over ipv4".parse().unwrap(),
        seen: "specified deny, observed connected".to_owned(),
        after: MS(1310),
    }
}

fn judged(fault: Fault, verdict: Verdict) -> Judged {
    let detector = detector(fault);
    let (level, bound) = (detector.level, detector.bound);
    Judged { fault, about: fault.sentence(), level, bound, verdict }
}

fn pair(first: (Fault, Option<bool>), second: (Fault, Option<bool>)) -> Pair {
    let of = |(fault, seen): (Fault, Option<bool>)| Caught {
        fault,
        case: format!("case-of/{fault}"),
        seen,
    };
    Pair { of: [of(first), of(second)] }
}

fn good() -> Selftest {
    Selftest {
        schema: SCHEMA,
        version: "0.0.0".to_owned(),
        seed: 7,
        faults: vec![
            judged(Fault::IngressIgnored, Verdict::Caught(sight("ingress/plain"))),
            judged(Fault::FirstPortOfRange, Verdict::Caught(sight("ingress/port=range"))),
        ],
        fault_free: Some(FaultFree {
            longest: MS(400),
            cases: 240,
            skipped: 0,
            cells: 42_140,
            reports: Vec::new(),
            took: MS(30_000),
        }),
        pairs: vec![
            pair((Fault::IngressIgnored, Some(true)), (Fault::FirstPortOfRange, Some(false))),
            pair((Fault::IngressIgnored, Some(true)), (Fault::PortsIgnored, Some(true))),
        ],
        sweep: None,
        took: MS(61_500),
    }
}

fn bad() -> Selftest {
    let mut bad = good();
    bad.faults.push(judged(Fault::ExceptIgnored, Verdict::Survived { cases: 14 }));
    let reason = "egress/protocol=sctp: the machine has no SCTP".to_owned();
    bad.faults.push(judged(Fault::SctpReadAsTcp, Verdict::Untold { reason }));
    let found = bad.fault_free.as_mut().unwrap();
    found.skipped = 3;
    found.reports = vec![Report {
        case: "ingress/plain".to_owned(),
        status: Status::Failed,
        why: "x/b -> x/a:80/TCP over ipv4: it got through".to_owned(),
    }];
    bad.pairs = vec![
        pair((Fault::AndReadAsOr, Some(false)), (Fault::OrReadAsAnd, Some(false))),
        pair((Fault::AndReadAsOr, None), (Fault::PortsIgnored, Some(false))),
    ];
    let mut sweep = Sweep::new(["a/plain", "b/plain"].map(str::to_owned));
    sweep.add(Fault::IngressIgnored, &Run::default(), BTreeSet::from(["a/plain".to_owned()]));
    bad.sweep = Some(sweep);
    bad
}

#[test]
fn a_selftest_is_shown() {
    expect_file!["../../../tests/golden/selftest/caught.txt"]
        .assert_eq(&render(&good(), Look::PLAIN));
    expect_file!["../../../tests/golden/selftest/survivors.txt"]
        .assert_eq(&render(&bad(), Look::PLAIN));
}

#[test]
fn every_fault_is_listed_with_what_is_meant_to_catch_it() {
    let cases = crate::catalogue::cases().unwrap();
    expect_file!["../../../tests/golden/selftest/list.txt"].assert_eq(&list(
        Fault::ALL,
        &cases,
        Look::PLAIN,
    ));
}

#[test]
fn what_is_shown_decides_how_it_ends() {
    assert_eq!(good().exit_code(), ExitCode::Passed);
    assert_eq!(bad().exit_code(), ExitCode::Fault);
    let with = |change: fn(&mut Selftest)| {
        let mut changed = good();
        change(&mut changed);
        changed.exit_code()
    };
    let survived = with(|found| found.faults[0].verdict = Verdict::Survived { cases: 1 });
    assert_eq!(survived, ExitCode::Fault);
    let untold = with(|found| found.faults[0].verdict = Verdict::Untold { reason: String::new() });
    assert_eq!(untold, ExitCode::CouldNotTell);
    let hidden = with(|found| found.pairs[0].of[0].seen = Some(false));
    assert_eq!(hidden, ExitCode::Fault);
    let untold = with(|found| found.pairs[0].of[0].seen = None);
    assert_eq!(untold, ExitCode::CouldNotTell);
    for (status, code) in
        [(Status::Failed, ExitCode::Fault), (Status::Errored, ExitCode::CouldNotTell)]
    {
        let mut reported = good();
        let report = Report { case: String::new(), status, why: String::new() };
        reported.fault_free.as_mut().unwrap().reports.push(report);
        assert_eq!(reported.exit_code(), code);
    }
    assert_eq!(with(|found| found.fault_free = None), ExitCode::CouldNotTell);
    // Nothing judged is no pass.
    let nothing = with(|found| found.fault_free.as_mut().unwrap().cells = 0);
    assert_eq!(nothing, ExitCode::CouldNotTell);
}
