use super::*;
use crate::report::fixture;

/// The record of a part that holds one scenario, of two.
fn part(number: u32, id: &str, lines: Vec<Line>) -> Vec<Line> {
    let mut lines = lines;
    for line in &mut lines {
        if !line.scenario.is_empty() {
            line.scenario = id.to_owned();
        }
        if let Event::RunStarted { scenarios, suite, .. } = &mut line.event {
            scenarios[0].id = id.to_owned();
            let all = [("a", "1"), ("b", "2")].into_iter();
            let partition = Some(format!("hash:{number}/2").parse().unwrap());
            let options = BTreeMap::new();
            *suite = Some(SuiteInfo::new(all, String::new(), partition, options));
        }
    }
    lines
}

fn record(name: &str, lines: &[Line]) -> Record {
    let mut record = Record::new(name);
    lines.iter().for_each(|line| record.fold(line).unwrap());
    record
}

/// The merged record, what was told, and the exit code.
fn merged(all: &[&[Line]]) -> (Vec<Line>, Vec<String>, ExitCode) {
    let records = all.iter().enumerate().map(|(n, lines)| record(&format!("{n}.jsonl"), lines));
    let mut merger = Merger::of(records.collect()).unwrap();
    let mut lines = merger.start();
    for (number, own) in all.iter().enumerate() {
        for (at, line) in own.iter().enumerate() {
            if merger.keeps(number, at, line) {
                lines.push(line.clone());
            }
        }
    }
    lines.extend(merger.end());
    (lines, merger.told().map(str::to_owned).collect(), merger.code())
}

fn change(lines: &[Line], change: impl Fn(&mut Event)) -> Vec<Line> {
    let mut lines = lines.to_vec();
    lines.iter_mut().for_each(|line| change(&mut line.event));
    lines
}

#[test]
fn parts_make_a_whole() {
    let (a, b) = (part(1, "a", fixture::passing()), part(2, "b", fixture::enforcement_fault()));
    let (lines, told, code) = merged(&[&b, &a]);
    assert_eq!((told, code), (vec![], ExitCode::Fault));
    let run = Run::of(&lines).unwrap();
    let finished = run.finished.as_ref().unwrap();
    assert_eq!((finished.counts, finished.exit_code), (run.counts(), 1));
    assert_eq!(run.scenarios.len(), 2);
    let suite = run.started.unwrap().suite.unwrap();
    assert_eq!((suite.partition, suite.missing, suite.scenarios), (None, vec![], 2));
    // A record that was put together can be put together with others.
    let (again, told, _) = merged(&[&lines, &a]);
    assert_eq!(Run::of(&again).unwrap().scenarios, run.scenarios);
    assert_eq!(
        told,
        [
            "1 scenario is in both `0.jsonl` and `1.jsonl`, for example `a`: the graver result counts"
        ]
    );
}

#[test]
fn a_part_that_is_missing_cannot_be_told() {
    let a = part(1, "a", fixture::passing());
    let (lines, told, code) = merged(&[&a]);
    assert_eq!(code, ExitCode::CouldNotTell);
    assert_eq!(told, ["no record has `hash:2/2` on `embedded`: 1 of 2 parts are there"]);
    let run = Run::of(&lines).unwrap();
    assert_eq!(run.finished.map(|finished| finished.exit_code), Some(3));
    let suite = run.started.unwrap().suite.unwrap();
    assert_eq!(suite.missing, ["hash:2/2".parse().unwrap()]);
    // A fault is one all the same; and what is missing can still come.
    let (_, _, code) = merged(&[&part(1, "a", fixture::enforcement_fault())]);
    assert_eq!(code, ExitCode::Fault);
    let (_, told, code) = merged(&[&lines, &part(2, "b", fixture::passing())]);
    assert_eq!((told, code), (vec![], ExitCode::Passed));
}

#[test]
fn a_record_that_breaks_off_makes_the_whole_break_off() {
    let a = part(1, "a", fixture::passing());
    let mut b = part(2, "b", fixture::passing());
    b.truncate(b.len() - 2);
    let (lines, told, code) = merged(&[&a, &b]);
    assert_eq!(code, ExitCode::CouldNotTell);
    assert_eq!(
        told,
        ["`1.jsonl` breaks off, and 1 scenario is not over: `--resume` goes on with it"]
    );
    assert_eq!(Run::of(&lines).unwrap().finished, None);
}

#[test]
fn of_a_resumed_record_the_last_attempt_stays() {
    let whole = part(1, "a", fixture::enforcement_fault());
    let broken = whole[1..whole.len() - 2].to_vec();
    let resumed = Event::Resumed { version: "0.1.0".to_owned(), over: 0, cut: true };
    let mut lines = vec![whole[0].clone()];
    lines.extend(broken);
    lines.push(Line { event: resumed, ..whole[0].clone() });
    let attempt = part(1, "a", fixture::passing());
    lines.extend(attempt[1..].to_vec());
    let (merged, told, code) = merged(&[&lines, &part(2, "b", fixture::passing())]);
    assert_eq!((told, code), (vec![], ExitCode::Passed));
    let begun = |line: &&Line| matches!(line.event, Event::ScenarioStarted);
    assert_eq!(merged.iter().filter(begun).count(), 2);
    assert_eq!(Run::of(&merged).unwrap().scenarios, {
        let two = [part(1, "a", fixture::passing()), part(2, "b", fixture::passing())];
        Run::of(&super::tests::merged(&[&two[0], &two[1]]).0).unwrap().scenarios
    });
}

#[test]
fn what_could_not_be_told_gives_way_to_a_later_attempt() {
    let errored = change(&part(1, "a", fixture::passing()), |event| match event {
        Event::ScenarioFinished { status, .. } | Event::StepJudged { status, .. } => {
            *status = Status::Errored;
        }
        Event::RunFinished { counts, exit_code, .. } => {
            (*counts, *exit_code) = (Counts { errored: 1, ..Counts::default() }, 3);
        }
        _ => {}
    });
    let resumed = Event::Resumed { version: "0.1.0".to_owned(), over: 0, cut: false };
    let mut lines = errored.clone();
    lines.push(Line { event: resumed, ..errored[0].clone() });
    // Until it begins again, it is what it was.
    let key = ("a".to_owned(), "embedded".to_owned());
    let waiting = &Run::of(&lines).unwrap().scenarios[&key];
    assert_eq!((waiting.status, waiting.is_over()), (Some(Status::Errored), true));
    assert!(!waiting.is_told());
    let attempt = part(1, "a", fixture::passing());
    lines.extend(attempt[1..].to_vec());
    let folded = Run::of(&lines).unwrap();
    assert_eq!(folded.scenarios, Run::of(&attempt).unwrap().scenarios);
    let (all, told, code) = merged(&[&lines, &part(2, "b", fixture::passing())]);
    assert_eq!((told, code), (vec![], ExitCode::Passed));
    let judged = |line: &&Line| matches!(line.event, Event::StepJudged { .. });
    let one = attempt.iter().filter(judged).count();
    assert_eq!(all.iter().filter(judged).count(), 2 * one);
    assert_eq!(Run::of(&all).unwrap().scenarios[&key], folded.scenarios[&key]);
}

#[test]
fn one_run_named_twice_is_refused() {
    let a = part(1, "a", fixture::passing());
    for other in [&a[..], &a[..a.len() - 2]] {
        let records = vec![record("0.jsonl", &a), record("1.jsonl", other)];
        assert_eq!(
            Merger::of(records).unwrap_err().to_string(),
            "expected each record once, found the same run in `0.jsonl` and `1.jsonl`: the longer of them has all"
        );
    }
}

#[test]
fn records_of_other_runs_are_told_apart() {
    let (a, b) = (part(1, "a", fixture::passing()), part(2, "b", fixture::passing()));
    let started = |change_it: fn(&mut String, &mut u64, &mut SuiteInfo)| {
        change(&b, |event| {
            if let Event::RunStarted { version, seed, suite: Some(suite), .. } = event {
                change_it(version, seed, suite);
            }
        })
    };
    for (other, expected, code) in [
        (
            started(|version, _, _| "0.2.0".clone_into(version)),
            "`0.jsonl` and `1.jsonl` were written by ringfence 0.1.0 and 0.2.0, which may judge otherwise",
            ExitCode::CouldNotTell,
        ),
        (
            started(|_, seed, _| *seed = 8),
            "`0.jsonl` and `1.jsonl` have other seeds, 7 and 8: `--seed` gives them one",
            ExitCode::Passed,
        ),
        (
            started(|_, _, suite| {
                (suite.digest, suite.scenarios) = ("x".to_owned(), 3);
                suite.selection = "--filter x".to_owned();
            }),
            "`0.jsonl` and `1.jsonl` are not of one suite: 2 scenarios and 3 scenarios, chosen by nothing and `--filter x`",
            ExitCode::CouldNotTell,
        ),
        (
            started(|_, _, suite| {
                suite.options.insert("--strict".to_owned(), "true".to_owned());
            }),
            "`0.jsonl` and `1.jsonl` were run with other options: none and `--strict true`",
            ExitCode::CouldNotTell,
        ),
    ] {
        let (_, told, found) = merged(&[&a, &other]);
        assert_eq!((told, found), (vec![expected.to_owned()], code));
    }
    let thirds = started(|_, _, suite| suite.partition = Some("hash:2/3".parse().unwrap()));
    let error = Merger::of(vec![record("0.jsonl", &a), record("1.jsonl", &thirds)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected parts of one suite, found `hash:1/2` in `0.jsonl` and `hash:2/3` in `1.jsonl`: a scenario may be in both or in neither"
    );
    let mute = fixture::passing();
    let error = Merger::of(vec![record("0.jsonl", &a), record("old.jsonl", &mute)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a record that says what its scenarios were chosen from, found that `old.jsonl` does not: it can only be read alone"
    );
    assert!(Merger::of(vec![record("old.jsonl", &mute)]).is_ok());
}

#[test]
fn clusters_stand_side_by_side_and_what_is_left_of_them_is_told() {
    let on = |lines: &[Line], name: &str| {
        let mut lines = lines.to_vec();
        for line in &mut lines {
            if !line.cluster.is_empty() {
                line.cluster = name.to_owned();
            }
            if let Event::RunStarted { clusters, suite: Some(suite), .. } = &mut line.event {
                *clusters = vec![name.to_owned()];
                suite.partition = None;
            }
        }
        lines
    };
    let one = on(&part(1, "a", fixture::passing()), "one");
    let mut two = on(&part(1, "a", fixture::passing()), "two");
    let what = vec!["namespace `rf-x`".to_owned()];
    let left =
        Line { cluster: "two".to_owned(), event: Event::LeftBehind { what }, ..two[0].clone() };
    two.insert(two.len() - 1, left);
    let (lines, told, code) = merged(&[&one, &two]);
    assert_eq!((told, code), (vec![], ExitCode::CouldNotTell));
    let run = Run::of(&lines).unwrap();
    assert!(run.is_on_several());
    assert_eq!(run.clusters["two"].left_behind, ["namespace `rf-x`"]);
    assert_eq!(
        run.finished.map(|finished| (finished.counts.passed, finished.exit_code)),
        Some((2, 3))
    );
}
