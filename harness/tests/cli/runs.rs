//! Runs on the embedded cluster.

use crate::process::{BINARY, Ended, changed, command, ringfence, ringfence_in};

pub(crate) fn a_scenario_that_holds_ends_with_0() {
    let record = tempfile::NamedTempFile::new().unwrap();
    let path = record.path().to_str().unwrap();
    let arguments = ["run", "--filter", "tiered-database", "--seed", "7", "--record", path];
    let ended = ringfence(&arguments);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(ended.out.starts_with("PASS  tiered-database  "), "{}", ended.out);
    assert!(ended.out.contains("\n1 scenario: 1 passed\n114 cells\n"), "{}", ended.out);
    assert!(ended.out.ends_with("; seed 7\n"), "{}", ended.out);
    let lines = ringfence::run::record::read(record.path()).unwrap();
    assert!(!lines.cut);
    let run = ringfence::report::Run::of(&lines.lines).unwrap();
    assert_eq!(run.finished.unwrap().exit_code, 0);
}

pub(crate) fn a_forgotten_egress_rule_ends_with_1_and_the_cell_the_rule_and_the_sentence() {
    let folder = changed("tiered-database", "db-policy.yaml", |text| {
        let egress = text.find("  egress:").unwrap();
        text[..egress].to_owned()
    });
    let ended = ringfence_in(folder.path(), &["run", "--bundles", "failures", "tiered-database"]);
    assert_eq!((ended.code, ended.err.as_str()), (1, ""), "{}", ended.out);
    let bundle = folder.path().join("failures/embedded/tiered-database");
    let read = |file: &str| std::fs::read_to_string(bundle.join(file)).unwrap();
    assert!(read("cluster/endpoints.txt").contains("\nprod/db on node-"));
    assert!(read("cluster/nodes/node-1/ruleset.txt").contains("chain"));
    assert!(read("judgements.txt").contains("policy-fault"));
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

pub(crate) fn what_is_only_left_open_ends_with_3() {
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

/// The loader judged it: a scenario with nothing else has passed.
pub(crate) fn a_rejected_manifest_counts_as_judged_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("refused");
    std::fs::create_dir(&scenario).unwrap();
    std::fs::write(scenario.join("scenario.yaml"), REFUSED).unwrap();
    std::fs::write(scenario.join("deny.yaml"), DENY.replace("podSelector", "podSelectr")).unwrap();
    let ended = ringfence_in(folder.path(), &["run", "refused"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    for told in [
        "policies that break their claim\n",
        "\n    nobody has this field: the API server refuses it\n    k refused/deny.yaml:4:9: unknown field `spec.podSelectr`\n",
        "1 scenario: 1 passed\n0 cells; 1 known rejection\nin ",
    ] {
        assert!(ended.out.contains(told), "expected `{told}` in:\n{}", ended.out);
    }
}

const REFUSED: &str = "\
name: refused
about: A misspelt field is not dropped in silence.
tags: [manifest-error]
topology:
  namespaces:
    app:
      pods:
        web: { labels: { app: web } }
steps:
  - name: nobody has this field
    rejects:
      - { file: deny.yaml, line: 4, column: 9, message: unknown field }
";

pub(crate) fn one_job_keeps_the_order() {
    let ended = ringfence(&["run", "--filter", "default-deny", "--jobs", "1"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let finished = ended.out.lines().map_while(|line| line.strip_prefix("PASS  "));
    let ids: Vec<&str> = finished.filter_map(|line| line.split("  ").next()).collect();
    assert!(ids.len() > 2 && ids.is_sorted(), "{ids:?}");
}

/// The exit code is still that of the run.
pub(crate) fn a_run_outlives_its_reader() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let arguments = ["run", "--filter", "tiered-database"];
    let ended: Ended = command(BINARY).args(arguments).stdout(writer).output().unwrap().into();
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
}
