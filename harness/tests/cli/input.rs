//! Scenarios that cannot be run, and those that are chosen.

use std::fs;

use expect_test::{expect, expect_file};

use crate::process::{BINARY, Ended, changed, command, ringfence, ringfence_in, root};

pub(crate) fn invalid_input_ends_with_2_and_every_finding() {
    let folder = changed("tiered-database", "db-policy.yaml", |text| {
        text.replace("podSelector:\n    matchLabels", "podSelectr:\n    matchLabels")
            .replace("192.168.5.10/32", "192.168.5.10/24")
    });
    for arguments in [["run", "tiered-database"], ["lint", "tiered-database"]] {
        let ended = ringfence_in(folder.path(), &arguments);
        assert_eq!(ended.code, 2);
        let (told, silent) = match arguments[0] {
            "run" => (ended.err, ended.out),
            _ => (ended.out, ended.err),
        };
        assert_eq!(silent, "");
        expect_file![format!("../golden/cli/invalid-input-{}.txt", arguments[0])].assert_eq(&told);
    }
}

pub(crate) fn warnings_alone_end_with_0() {
    let ended = ringfence(&["lint", "scenarios/api/policy-types-default"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert!(ended.out.ends_with(" warnings\n"), "{}", ended.out);
}

pub(crate) fn nothing_judged_ends_with_3() {
    let ended = ringfence(&["run", "--filter", "no such scenario"]);
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    assert!(ended.err.starts_with(
        "error: expected a scenario for `--filter no such scenario`, found none among "
    ));
}

pub(crate) fn a_list_names_every_scenario_and_makes_nothing() {
    let ended = ringfence(&["run", "--list", "--tag", "ingress"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert!(ended.out.lines().any(|line| line.starts_with("tiered-database  ")), "{}", ended.out);
}

/// Every finding of every file is told, no scenario is started, and no record is made.
pub(crate) fn one_bad_scenario_among_good_ones_stops_all_before_anything_is_made() {
    let folder = changed("tiered-database", "db-policy.yaml", |text| {
        text.replace("podSelector:\n    matchLabels", "podSelectr:\n    matchLabels")
    });
    let good = root().join("scenarios/default-deny");
    let worse = folder.path().join("worse");
    fs::create_dir(&worse).unwrap();
    fs::write(worse.join("scenario.yaml"), "name: worse\nsteps: 3\n").unwrap();
    let good = good.to_str().unwrap();
    let arguments = ["run", good, "worse", "tiered-database", "--record", "record.jsonl"];
    let ended = ringfence_in(folder.path(), &arguments);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    for told in ["--> worse/scenario.yaml:2:8", "unknown field `spec.podSelectr`"] {
        assert!(ended.err.contains(told), "expected `{told}` in:\n{}", ended.err);
    }
    assert!(!folder.path().join("record.jsonl").exists());
}

/// Also root, who may read every file, cannot read these.
pub(crate) fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in [("empty", ""), ("not-text", "scenario.yaml")] {
        fs::create_dir(folder.path().join(name)).unwrap();
        if !file.is_empty() {
            fs::write(folder.path().join(name).join(file), b"name: \xff\n").unwrap();
        }
    }
    let copy = changed("tiered-database", "db-policy.yaml", |text| text);
    fs::remove_file(copy.path().join("tiered-database/db-policy.yaml")).unwrap();
    fs::create_dir(copy.path().join("tiered-database/db-policy.yaml")).unwrap();
    for (folder, arguments, expected) in [
        (
            &folder,
            ["run", "empty"],
            expect![[r#"
            error[no-scenario]: `empty` holds no scenario
             --> empty
              = help: a scenario is a folder with a `scenario.yaml`

            1 error
        "#]],
        ),
        (
            &folder,
            ["run", "not-text"],
            expect![[r#"
            error[unreadable-file]: cannot read `not-text/scenario.yaml`: line 1 is not UTF-8
             --> not-text/scenario.yaml

            1 error
        "#]],
        ),
        (
            &folder,
            ["run", "empty/scenario.yaml"],
            expect![[r#"
            error: expected a file or a folder at `empty/scenario.yaml`, found nothing
        "#]],
        ),
        (
            &copy,
            ["run", "tiered-database"],
            expect![[r#"
            error[unreadable-file]: cannot read `db-policy.yaml`: Is a directory (os error 21)
              --> tiered-database/scenario.yaml:26:13
               |
            26 |     apply: [db-policy.yaml]
               |             ^^^^^^^^^^^^^^

            1 error
        "#]],
        ),
    ] {
        let ended = ringfence_in(folder.path(), &arguments);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}");
        expected.assert_eq(&ended.err);
    }
}

pub(crate) fn several_paths_a_filter_and_tags_choose_together() {
    let listed = |arguments: &[&str]| {
        let ended = ringfence(&[&["run", "--list"], arguments].concat());
        assert_eq!((ended.code, ended.err.as_str()), (0, ""));
        let ids = ended.out.lines().filter_map(|line| line.split("  ").next());
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    let two = ["scenarios/tiered-database", "scenarios/default-deny/scenario.yaml"];
    // A scenario that two paths lead to runs once.
    let twice = ["scenarios/tiered-database/../tiered-database", "scenarios/tiered-database"];
    assert_eq!(listed(&two), ["default-deny", "tiered-database"]);
    assert_eq!(listed(&twice), ["tiered-database"]);
    assert_eq!(listed(&["--filter", "default-deny", "--tag", "by-hand"]), ["default-deny"]);
    let either = listed(&["--tag", "sctp", "--tag", "ipv6"]);
    assert!(either.contains(&"api/sctp".to_owned()) && either.len() > 1, "{either:?}");
}

/// As where `| head -1` has its line.
pub(crate) fn a_reader_that_goes_away_is_no_error() {
    for (arguments, code) in [
        (vec!["--help"], 0),
        (vec!["run", "--list"], 0),
        (vec!["lint", "scenarios"], 0),
        (vec!["matrix", "-f", "scenarios/api/workloads/app.yaml", "--output", "json"], 0),
        (
            vec![
                "lint",
                "scenarios/ingress-egress-tutorial/namespace-selector-in-spec/as-published.yaml",
            ],
            2,
        ),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(BINARY).args(&arguments).stdout(writer).output().unwrap();
        let ended = Ended::from(output);
        assert_eq!((ended.code, ended.err.as_str()), (code, ""), "{arguments:?}");
    }
}
