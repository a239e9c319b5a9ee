//! The command line itself: help, usage errors, colours.

use expect_test::{expect, expect_file};

use crate::process::ringfence;

pub(crate) fn help_of_every_command() {
    for (command, golden) in [
        ("", expect_file!["../golden/cli/help.txt"]),
        ("run", expect_file!["../golden/cli/help-run.txt"]),
        ("conformance", expect_file!["../golden/cli/help-conformance.txt"]),
        ("report conformance", expect_file!["../golden/cli/help-report-conformance.txt"]),
        ("report merge", expect_file!["../golden/cli/help-report-merge.txt"]),
        ("selftest", expect_file!["../golden/cli/help-selftest.txt"]),
        ("matrix", expect_file!["../golden/cli/help-matrix.txt"]),
        ("explain", expect_file!["../golden/cli/help-explain.txt"]),
        ("lint", expect_file!["../golden/cli/help-lint.txt"]),
        ("image build", expect_file!["../golden/cli/help-image-build.txt"]),
        ("image push", expect_file!["../golden/cli/help-image-push.txt"]),
        ("doctor", expect_file!["../golden/cli/help-doctor.txt"]),
        ("rbac", expect_file!["../golden/cli/help-rbac.txt"]),
        ("cni fetch", expect_file!["../golden/cli/help-cni-fetch.txt"]),
        ("clusters", expect_file!["../golden/cli/help-clusters.txt"]),
        ("clusters prune", expect_file!["../golden/cli/help-clusters-prune.txt"]),
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let ended = ringfence(&arguments);
        assert_eq!(ended.code, 0);
        golden.assert_eq(&ended.out);
    }
}

pub(crate) fn usage_errors_end_with_2_and_say_what_was_expected() {
    for (arguments, expected) in [
        (
            vec![],
            expect![[r#"
                Proves with real connections that Kubernetes network policies hold

                Usage: ringfence [OPTIONS] <COMMAND>

                Commands:
                  run          Run scenarios: make a cluster for each, and judge every cell"#]],
        ),
        (
            vec!["run", "--jobs", "0"],
            expect![[r#"
            error: invalid value '0' for '--jobs <N>': number would be zero for non-zero type

            For more information, try '--help'."#]],
        ),
        (
            vec!["run", "--on", "kind"],
            expect![
                "error: expected `embedded`, `kind:CNI[@VERSION]` or `kubeconfig[:CONTEXT]` as the cluster to run on, found `kind`"
            ],
        ),
        (
            vec!["run", "nowhere"],
            expect!["error: expected a file or a folder at `nowhere`, found nothing"],
        ),
        (
            vec!["run", "--kubernetes", "latest"],
            expect![[r#"
            error: `--kubernetes` is not understood
              because: expected a Kubernetes version such as `1.36` or `v1.36.2`, found `latest`"#]],
        ),
        (
            vec!["run", "--record", "-"],
            expect![
                "error: expected a file for `--record`, found `-`: standard output carries the report; a file of that name is `./-`"
            ],
        ),
        (
            vec!["run", "--partition", "hash:6/5"],
            expect![[r#"
            error: invalid value 'hash:6/5' for '--partition <hash:K/N>': expected `hash:K/N` with K from 1 to N, as in `hash:2/5`, found `hash:6/5`

            For more information, try '--help'."#]],
        ),
        (
            vec!["report", "merge", "nowhere.jsonl"],
            expect![[r#"
            error: cannot read the record `nowhere.jsonl`
              because: No such file or directory (os error 2)"#]],
        ),
        (
            vec!["report", "merge", "README.md"],
            expect![
                "error: expected `README.md` to start with the line of a run's start; is it a record?"
            ],
        ),
        (
            vec!["run", "--record", "nowhere/record.jsonl"],
            expect![[r#"
            error: cannot create the record `nowhere/record.jsonl`
              because: No such file or directory (os error 2)"#]],
        ),
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
            expect!["error: expected `NAMESPACE/POD` or an address, found `web`"],
        ),
        (
            vec!["rbac", "--agent-pull-secret", "registry"],
            expect![
                "error: expected a secret as `NAMESPACE/NAME` after `--agent-pull-secret`, found `registry`"
            ],
        ),
    ] {
        let ended = ringfence(&arguments);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}");
        let first = ended.err.lines().take(6).collect::<Vec<_>>().join("\n");
        expected.assert_eq(&first);
    }
}

pub(crate) fn colours_are_used_where_they_are_asked_for() {
    let arguments = ["run", "--list", "--color"];
    let ended = |when: &str| ringfence(&[&arguments[..], &[when, "--filter", "tiered"]].concat());
    assert!(!ended("auto").out.contains('\x1b') && !ended("never").out.contains('\x1b'));
    let doctor = ringfence(&["doctor", "--color", "always"]);
    assert!(doctor.out.contains('\x1b'), "{}", doctor.out);
}
