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
        (
            vec![],
            expect![[r#"
            Proves with real connections that Kubernetes network policies hold

            Usage: ringfence [OPTIONS] <COMMAND>

            Commands:
              run      Run scenarios: make a cluster for each, and judge every cell"#]],
        ),
        (
            vec!["run", "--jobs", "0"],
            expect![[r#"
            error: invalid value '0' for '--jobs <N>': number would be zero for non-zero type

            For more information, try '--help'."#]],
        ),
        (
            vec!["run", "--on", "kind:calico"],
            expect![
                "error: expected `embedded` as the cluster to run on, found `kind:calico`: this version has no other"
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
    ] {
        let ended = ringfence(&arguments);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}");
        let first = ended.err.lines().take(6).collect::<Vec<_>>().join("\n");
        expected.assert_eq(&first);
    }
}

/// A copy of a scenario of the library, with one of its files changed.
fn changed(scenario: &str, file: &str, change: impl Fn(String) -> String) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let target = copy.path().join(scenario);
    std::fs::create_dir_all(&target).unwrap();
    for entry in std::fs::read_dir(root().join("scenarios").join(scenario)).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let name = entry.file_name();
        let text = if name == file { change(text) } else { text };
        std::fs::write(target.join(name), text).unwrap();
    }
    copy
}

/// Whether this machine can run the embedded cluster. Where it cannot, and
/// RINGFENCE_REQUIRE does not ask for it, the tests that need one pass by.
fn embedded_works() -> bool {
    let ended = ringfence(&["doctor"]);
    let required = std::env::var("RINGFENCE_REQUIRE")
        .is_ok_and(|value| value.split(',').any(|word| word == "embedded"));
    assert!(ended.code == 0 || !required, "RINGFENCE_REQUIRE=embedded, and:\n{}", ended.out);
    if ended.code != 0 {
        eprintln!("not judged for want of the embedded cluster:\n{}", ended.out);
    }
    ended.code == 0
}

#[test]
fn a_scenario_that_holds_ends_with_0() {
    if !embedded_works() {
        return;
    }
    let record = tempfile::NamedTempFile::new().unwrap();
    let path = record.path().to_str().unwrap();
    let arguments = ["run", "--filter", "tiered-database", "--seed", "7", "--record", path];
    let ended = ringfence(&arguments);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(ended.out.starts_with("PASS  tiered-database  "), "{}", ended.out);
    assert!(ended.out.contains("1 scenario: 1 passed; "), "{}", ended.out);
    assert!(ended.out.ends_with("; seed 7\n"), "{}", ended.out);
    let lines = ringfence::run::record::read(record.path()).unwrap();
    assert!(!lines.cut);
    let run = ringfence::report::Run::of(&lines.lines).unwrap();
    assert_eq!(run.finished.unwrap().exit_code, 0);
}

#[test]
fn a_forgotten_egress_rule_ends_with_1_and_the_cell_the_rule_and_the_sentence() {
    if !embedded_works() {
        return;
    }
    let folder = changed("tiered-database", "db-policy.yaml", |text| {
        let egress = text.find("  egress:").unwrap();
        text[..egress].to_owned()
    });
    let ended = ringfence_in(folder.path(), &["run", "tiered-database"]);
    assert_eq!((ended.code, ended.err.as_str()), (1, ""), "{}", ended.out);
    let words = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "FAIL tiered-database",
        "policy fault: meant to be allowed, the policies deny it",
        "X prod/db -> backup:80/TCP over ipv4 intended allow, by `allow prod/db -> backup:80` specified deny, at egress observed dropped",
        "`prod/db` is isolated for egress by `prod/db-policy` (tiered-database/db-policy.yaml:1:1)",
        "1 scenario: 0 passed, 1 failed",
    ] {
        assert!(words.contains(told), "expected `{told}` in:\n{}", ended.out);
    }
}

#[test]
fn invalid_input_ends_with_2_and_every_finding() {
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
        expect_file![format!("golden/cli/invalid-input-{}.txt", arguments[0])].assert_eq(&told);
    }
}

#[test]
fn warnings_alone_end_with_0() {
    let ended = ringfence(&["lint", "scenarios/api/policy-types-default"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert!(ended.out.ends_with(" warnings\n"), "{}", ended.out);
}

#[test]
fn nothing_judged_ends_with_3() {
    let ended = ringfence(&["run", "--filter", "no such scenario"]);
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    assert!(ended.err.starts_with(
        "error: expected a scenario for `--filter no such scenario`, found none among "
    ));
}

#[test]
fn what_is_only_left_open_ends_with_3() {
    if !embedded_works() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("to-itself");
    std::fs::create_dir(&scenario).unwrap();
    std::fs::write(scenario.join("scenario.yaml"), TO_ITSELF).unwrap();
    std::fs::write(scenario.join("deny.yaml"), DENY).unwrap();
    let ended = ringfence_in(folder.path(), &["run", "to-itself"]);
    assert_eq!((ended.code, ended.err.as_str()), (3, ""), "{}", ended.out);
    assert!(ended.out.starts_with("SKIP  to-itself  "), "{}", ended.out);
    assert!(ended.out.contains("; nothing was judged"), "{}", ended.out);
}

const TO_ITSELF: &str = "\
name: to-itself
about: A closed pod calls itself, which is each plugin's own choice.
tags: [ingress]
topology:
  namespaces:
    app:
      pods:
        web: { labels: { app: web }, ports: [80] }
steps:
  - name: closed
    apply: [ deny.yaml ]
    expect: [ any app/web -> app/web ]
";

const DENY: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny, namespace: app }
spec: { podSelector: {}, policyTypes: [Ingress] }
";

#[test]
fn a_list_names_every_scenario_and_makes_nothing() {
    let ended = ringfence(&["run", "--list", "--tag", "ingress"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert!(ended.out.lines().any(|line| line.starts_with("tiered-database  ")), "{}", ended.out);
}

const APP: &str = "\
apiVersion: v1
kind: Pod
metadata: { name: api, namespace: prod, labels: { app: api } }
spec: { containers: [{ name: api, image: api, ports: [{ containerPort: 5000 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db, namespace: prod, labels: { app: db } }
spec: { containers: [{ name: db, image: db, ports: [{ containerPort: 3306, name: mysql }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: prod }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{ podSelector: { matchLabels: { app: api } } }]
      ports: [{ port: mysql }]
  egress:
    - to: [{ ipBlock: { cidr: 192.168.5.0/24 } }]
";

#[test]
fn the_specified_matrix_needs_no_cluster() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.yaml"), APP).unwrap();
    for form in ["table", "json", "csv"] {
        let ended = ringfence_in(folder.path(), &["matrix", "-f", "app.yaml", "--output", form]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
        expect_file![format!("golden/cli/matrix-{form}.txt")].assert_eq(&ended.out);
    }
}

#[test]
fn an_explanation_names_every_rule_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.yaml"), APP).unwrap();
    let mut all = String::new();
    for (from, to) in [
        ("prod/api", "prod/db:mysql"),
        ("prod/db", "prod/api:5000/TCP"),
        ("prod/db", "192.168.5.10:80"),
        ("203.0.113.7", "prod/db:3306"),
    ] {
        let arguments = ["explain", "-f", "app.yaml", "--from", from, "--to", to];
        let ended = ringfence_in(folder.path(), &arguments);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
        all += &format!("$ ringfence {}\n{}\n", arguments.join(" "), ended.out);
    }
    expect_file!["golden/cli/explain.txt"].assert_eq(&all);
}

#[test]
fn colours_are_used_where_they_are_asked_for() {
    let arguments = ["run", "--list", "--color"];
    let ended = |when: &str| ringfence(&[&arguments[..], &[when, "--filter", "tiered"]].concat());
    assert!(!ended("auto").out.contains('\x1b') && !ended("never").out.contains('\x1b'));
    let doctor = ringfence(&["doctor", "--color", "always"]);
    assert!(doctor.out.contains('\x1b'), "{}", doctor.out);
}
