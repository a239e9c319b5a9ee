//! Random cases, and what is left of one that fails.

use std::path::Path;

use crate::process::{ringfence, ringfence_in};

/// A case whose outcome an exception decides.
const WITH_EXCEPTION: [&str; 6] =
    ["conformance", "--sample=22", "--seed=3", "--filter=sample-3-21", "--jobs=4", "--color=never"];

pub(crate) fn random_cases_are_listed_and_written() {
    let ended = ringfence(&["conformance", "--sample", "3", "--seed", "7", "--list"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    for number in 0..3 {
        assert!(ended.out.contains(&format!("sample-7-{number}")), "{}", ended.out);
    }
    let folder = tempfile::tempdir().unwrap();
    let write = ["conformance", "--sample=2", "--seed=7", "--write=cases"];
    let ended = ringfence_in(folder.path(), &write);
    assert_eq!((ended.code, ended.err.as_str()), (0, "2 cases in `cases`\n"));
    let ended = ringfence_in(folder.path(), &["run", "--list", "cases"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let written = |part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let part = format!("--partition=hash:{part}");
        let write = ["conformance", "--sample=6", "--seed=7", "--write=cases", &part];
        assert_eq!(ringfence_in(folder.path(), &write).code, 0);
        let names = std::fs::read_dir(folder.path().join("cases")).unwrap();
        names.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    let mut parts = [written("1/2"), written("2/2")].concat();
    parts.sort();
    let mut whole = written("1/1");
    whole.sort();
    assert_eq!((parts.len(), &parts), (6, &whole));
    let again = ringfence_in(folder.path(), &write);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("expected an empty folder for `--write`"), "{}", again.err);
    let none = ringfence(&["conformance", "--sample=2", "--seed=7", "--filter=no-such-case"]);
    assert_eq!(none.code, 3);
    assert!(none.err.contains("expected a random case, found none"), "{}", none.err);
    // What is listed is not run, and so does not fail.
    assert_eq!(ringfence(&["conformance", "--list", "--failed=x"]).code, 2);
}

pub(crate) fn random_cases_that_hold_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let ended = ringfence_in(folder.path(), &["conformance", "--sample=3", "--seed=1"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("3 scenarios: 3 passed"), "{}", ended.out);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

pub(crate) fn a_sample_goes_on_with_the_seed_of_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let start = ["conformance", "--sample=2"];
        ringfence_in(folder.path(), &[&start[..], more].concat())
    };
    let ended = run(&["--record=r.jsonl"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let ended = run(&["--resume=r.jsonl"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(ended.err, "resuming `r.jsonl`: 2 of 2 scenarios are over\n");
    std::fs::write(folder.path().join("notes"), "mine\n").unwrap();
    let ended = run(&["--resume=notes"]);
    assert_eq!(ended.code, 2);
    let told = "error: expected `notes` to start with the line of a run's start; is it a record?\n";
    assert_eq!(ended.err, told);
}

pub(crate) fn a_random_case_that_fails_is_shrunk_to_a_folder_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let faulty = "--fault=except-ignored";
    let ended = ringfence_in(folder.path(), &[&WITH_EXCEPTION[..], &[faulty]].concat());
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("1 case that failed in `sample-3-failed`"), "{}", ended.err);
    let failed = folder.path().join("sample-3-failed");
    assert!(failed.join("sample-3-21/scenario.yaml").is_file());
    let least = failed.join("sample-3-21-shrunk");
    let told =
        "failed alike: `ringfence run --fault except-ignored sample-3-failed/sample-3-21-shrunk`";
    assert!(ended.out.contains(told), "{}", ended.out);
    assert!(ended.out.contains("nothing of it can be taken away by itself"), "{}", ended.out);
    one_policy_one_rule_one_peer(&least, &ended.out);
    let least = least.to_str().unwrap();
    assert_eq!(ringfence(&["run", faulty, least]).code, 1);
    assert_eq!(ringfence(&["run", least]).code, 0);
}

fn one_policy_one_rule_one_peer(folder: &Path, told: &str) {
    let mut policies = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(told.contains(&text), "expected what is written to be printed:\n{text}");
        policies.extend(Some(text).filter(|text| text.contains("kind: NetworkPolicy")));
    }
    assert_eq!(policies.len(), 1, "{policies:#?}");
    let count = |word: &str| policies[0].matches(word).count();
    assert_eq!(
        (count("ipBlock:"), count("Selector:"), count("except:")),
        (1, 1, 1),
        "{policies:#?}"
    );
    assert_eq!(count("- from:") + count("- to:"), 1, "{policies:#?}");
}
