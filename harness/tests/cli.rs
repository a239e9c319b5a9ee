//! Runs the binary as a user does: exit codes, messages, and what is printed where.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::{expect, expect_file};

/// The folder of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What a command printed and how it ended, run in a folder without colours.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn ringfence_in(folder: &Path, arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("CLICOLOR_FORCE")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let Output { status, stdout, stderr } = output;
    Ended {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn ringfence(arguments: &[&str]) -> Ended {
    ringfence_in(&root(), arguments)
}

#[test]
fn help_of_every_command() {
    for (command, golden) in [
        ("", expect_file!["golden/cli/help.txt"]),
        ("run", expect_file!["golden/cli/help-run.txt"]),
        ("matrix", expect_file!["golden/cli/help-matrix.txt"]),
        ("explain", expect_file!["golden/cli/help-explain.txt"]),
        ("lint", expect_file!["golden/cli/help-lint.txt"]),
        ("doctor", expect_file!["golden/cli/help-doctor.txt"]),
    ] {
        let arguments: Vec<&str> =
            [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let ended = ringfence(&arguments);
        assert_eq!(ended.code, 0);
        golden.assert_eq(&ended.out);
    }
}

#[test]
fn usage_errors_end_with_2_and_say_what_was_expected() {
    for (arguments, expected) in [
        (vec![], expect![""]),
        (vec!["run", "--jobs", "0"], expect![""]),
        (vec!["run", "--on", "kind:calico"], expect![""]),
        (vec!["run", "nowhere"], expect![""]),
        (vec!["run", "--kubernetes", "latest"], expect![""]),
        (vec!["run", "--record", "nowhere/record.jsonl"], expect![""]),
        (
            vec![
                "explain",
                "-f",
                "scenarios/tiered-database/db-policy.yaml",
                "--from",
                "web",
                "--to",
                "prod/db:80",
            ],
            expect![""],
        ),
    ] {
        let ended = ringfence(&arguments);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}");
        let first = ended.err.lines().take(6).collect::<Vec<_>>().join("\n");
        expected.assert_eq(&first);
    }
}
