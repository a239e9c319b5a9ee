//! The catalogue's cases, shown and written.

use expect_test::{expect, expect_file};

use crate::process::{ringfence, ringfence_in};

pub(crate) fn cases_are_listed_and_written() {
    let ended = ringfence(&["conformance", "--list", "--filter", "special/", "--tag", "must"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    expect_file!["../golden/cli/conformance-list.txt"].assert_eq(&ended.out);

    let folder = tempfile::tempdir().unwrap();
    let write =
        ["conformance", "--write", "cases", "--filter", "ingress/peer=nested-except,path=o"];
    let ended = ringfence_in(folder.path(), &write);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{}", ended.err);
    let written = folder.path().join("cases/ingress/peer=nested-except,path=outside");
    for (file, golden) in [
        ("scenario.yaml", expect_file!["../golden/cli/conformance-scenario.yaml"]),
        ("policy.yaml", expect_file!["../golden/cli/conformance-policy.yaml"]),
    ] {
        golden.assert_eq(&std::fs::read_to_string(written.join(file)).unwrap());
    }
    let again = ringfence_in(folder.path(), &write);
    assert_eq!((again.code, again.out.as_str()), (2, ""));
    expect![
        "error: expected an empty folder for `--write`, found files in `cases`: name another one\n"
    ]
    .assert_eq(&again.err);
}

pub(crate) fn a_case_that_is_not_there_is_told() {
    let ended = ringfence(&["conformance", "--list", "--filter", "no-such-case"]);
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    let told = "error: expected a case for `--filter no-such-case`, found none among ";
    assert!(ended.err.starts_with(told), "{}", ended.err);
    let ended = ringfence(&["conformance", "--case", "ingress/plian"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    expect![[r#"
        error: expected the identifier of a case for `--case`, found `ingress/plian`: did you mean `ingress/plain`?; `ringfence conformance --list` shows them
    "#]]
    .assert_eq(&ended.err);
}

pub(crate) fn parts_hold_every_case_once() {
    let list = |part: &str| {
        let mut arguments = vec!["conformance", "--list", "--filter", "special/"];
        arguments.extend((!part.is_empty()).then_some(["--partition", part]).into_iter().flatten());
        let ended = ringfence(&arguments);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""));
        let ids = ended.out.lines().filter_map(|line| line.split_whitespace().next());
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    let parts = ["hash:1/2", "hash:2/2"].map(list);
    assert!(parts.iter().all(|part| !part.is_empty()));
    let mut both = parts.concat();
    both.sort();
    assert_eq!(both, list(""));
}

pub(crate) fn a_report_that_cannot_be_is_refused_before_anything_is_made() {
    let theirs = |more: &[&str]| {
        let all = ["--organization=o", "--project=p", "--url=u", "--version=v", "--contact=@a,@b"];
        let arguments = ["conformance", "--report-output=r.yaml"];
        let ended = ringfence(&[&arguments[..], &all, more].concat());
        assert_eq!((ended.code, ended.out.as_str()), (2, ""));
        ended.err
    };
    assert!(theirs(&[]).contains("--additional-info <TEXT>"), "{}", theirs(&[]));
    expect![[r#"
        error: expected a text for `--additional-info`, found none: the ConformanceReport needs it
    "#]]
    .assert_eq(&theirs(&["--additional-info="]));
    for (arguments, told) in [
        (
            ["--list", "--json=r.json"],
            "error: expected a run for `--json`, found `--list`, which runs nothing: there is nothing to report\n",
        ),
        (
            ["--json=r.json", "--markdown=r.json"],
            "error: expected a file of its own for `--json`, found `r.json`, which `--markdown` names too\n",
        ),
        (
            ["--jobs=1", "--markdown=nowhere/r.md"],
            "error: expected a file for `--markdown`, found that `nowhere/r.md` cannot be written\n  because: No such file or directory (os error 2)\n",
        ),
        (
            ["--jobs=1", "--json=."],
            "error: expected a file for `--json`, found that `.` cannot be written\n  because: Is a directory (os error 21)\n",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ended = ringfence_in(folder.path(), &[&["conformance"][..], &arguments].concat());
        assert_eq!((ended.code, ended.err.as_str()), (2, told));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }
    expect![[r#"
        error: expected one cluster for `--report-output`, found 2: the report is about one implementation; run them apart, or use `--json`
    "#]]
    .assert_eq(&theirs(&["--additional-info=i", "--on=embedded", "--on=kubeconfig"]));
}

/// A whole run with every form of its report, and the same from its record.
pub(crate) fn cases_are_run_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    let cases = ["--case=special/own-node", "--case=special/itself,ingress"];
    let files = ["--json=a.json", "--markdown=a.md", "--failed=failed"];
    let start = ["conformance", "--seed=7", "--record=r.jsonl"];
    let ended = ringfence_in(folder.path(), &[&start[..], &cases, &files].concat());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let (_, report) = ended.out.split_once("\n\n").unwrap();
    for told in [
        "conformance of embedded\n",
        "  NetworkPolicy, core       1       -             -        -  partial\n",
        "\n2 cases: 1 passed, 1 recorded; 14 cells\n",
        "\nnot the whole catalogue: cases were chosen by `--case special/own-node --case\n",
        "\nringfence 0.1.0; seed 7\n",
    ] {
        assert!(report.contains(told), "expected `{told}` in:\n{report}");
    }
    let schema: serde_json::Value =
        serde_json::from_str(&ringfence(&["conformance", "--schema"]).out).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("a.json")).unwrap();
    jsonschema::validate(&schema, &json).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("failed")).unwrap().count(), 0);

    let again = ["report", "conformance", "r.jsonl", "--json=b.json", "--markdown=b.md"];
    let ended = ringfence_in(folder.path(), &again);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert_eq!(ended.out.trim_start(), report);
    assert_eq!((read("a.json"), read("a.md")), (read("b.json"), read("b.md")));
    let theirs = [
        "--report-output=r.yaml",
        "--organization=o",
        "--project=p",
        "--url=u",
        "--version=v1",
        "--contact=@a,@b",
        "--additional-info=i",
    ];
    let ended = ringfence_in(folder.path(), &[&again[..3], &theirs].concat());
    assert_eq!(ended.code, 0);
    expect![[r#"
        warning: the ConformanceReport has no profile: it knows `ClusterNetworkPolicy` alone, and no case about that was run
    "#]]
    .assert_eq(&ended.err);
    assert!(read("r.yaml").contains("contact:\n  - \"@a\"\n  - \"@b\"\n"), "{}", read("r.yaml"));
    // A record of scenarios is none of cases.
    let run = ["run", "--filter=default-deny-that", "--record=s.jsonl"];
    let path = crate::process::root().join("scenarios");
    let run = [&run[..], &[path.to_str().unwrap()]].concat();
    assert_eq!(ringfence_in(folder.path(), &run).code, 0);
    let ended = ringfence_in(folder.path(), &["report", "conformance", "s.jsonl"]);
    assert_eq!(ended.code, 2);
    expect![[r#"
        error: expected records of `ringfence conformance`, found none of its cases in them: `ringfence report merge` prints what they say
    "#]]
    .assert_eq(&ended.err);
}

pub(crate) fn parts_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let run = |part: &str, record: &str| {
        let arguments = ["conformance", "--filter=special/one-protocol", "--seed=7"];
        let own = [format!("--partition={part}"), format!("--record={record}")];
        let own = own.each_ref().map(String::as_str);
        let ended = ringfence_in(folder.path(), &[&arguments[..], &own].concat());
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    };
    run("hash:1/2", "1.jsonl");
    run("hash:2/2", "2.jsonl");
    let merge =
        |more: &[&str]| ringfence_in(folder.path(), &[&["report", "merge"][..], more].concat());
    let ended = merge(&["2.jsonl", "1.jsonl", "--record=all.jsonl"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(ended.out.contains("\n6 cases: 6 passed; "), "{}", ended.out);
    let again = merge(&["all.jsonl"]);
    assert_eq!((again.code, again.out), (0, ended.out));

    let ended = merge(&["1.jsonl"]);
    assert_eq!(ended.code, 3);
    let told = "warning: no record has `hash:2/2` on `embedded`: 1 of 2 parts are there\n";
    assert_eq!(ended.err, told);
    std::fs::copy(folder.path().join("1.jsonl"), folder.path().join("copy.jsonl")).unwrap();
    for (again, told) in [
        ("./1.jsonl", "error: expected each record once, found `./1.jsonl` twice\n"),
        (
            "copy.jsonl",
            "error: expected each record once, found the same run in `1.jsonl` and `copy.jsonl`: the longer of them has all\n",
        ),
    ] {
        let ended = merge(&["1.jsonl", again]);
        assert_eq!((ended.code, ended.err.as_str()), (2, told));
    }
    let ended = merge(&["1.jsonl", "--record=./1.jsonl"]);
    assert_eq!(ended.code, 2);
    expect![[r#"
        error: expected a file of its own for `--record`, found `1.jsonl`, which is one of the records: it would be lost
    "#]]
    .assert_eq(&ended.err);
}
