//! The manifests of `ci/indexed-job`: what they say is what this program takes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use expect_test::expect_file;
use serde_json::Value;

use crate::process::{BINARY, Ended, command, ringfence, root};

fn manifest(file: &str) -> Value {
    let text = fs::read_to_string(root().join("ci/indexed-job").join(file)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// The container of a Job.
fn container(job: &Value) -> &Value {
    &job["spec"]["template"]["spec"]["containers"][0]
}

/// The command of a Job's container, as a kubelet starts it, with `ringfence` in the path,
/// which does something more, and with another folder of records.
fn started(job: &Value, records: &Path, more: &str) -> Command {
    let bin = records.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let program = bin.join("ringfence");
    fs::write(&program, format!("#!/bin/sh\nexec '{BINARY}' \"$@\" {more}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let texts = |field: &str| -> Vec<String> {
        let texts = container(job)[field].as_array().unwrap().iter();
        texts.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let words = [texts("command"), texts("args")].concat();
    let records = records.display().to_string();
    let words: Vec<String> = words.iter().map(|text| text.replace("/records", &records)).collect();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut run = command(&words[0]);
    run.args(&words[1..]).env("PATH", path).env("AGENT_IMAGE", "agent:1");
    run
}

pub(crate) fn the_manifest_is_accepted_by_this_program() {
    let job = manifest("job.yaml");
    let parts = job["spec"]["completions"].as_u64().unwrap();
    for field in ["parallelism", "maxFailedIndexes"] {
        assert_eq!(job["spec"][field], parts, "{field}");
    }
    let folder = tempfile::tempdir().unwrap();
    let list = |arguments: &[&str]| {
        let ended = ringfence(&[&["conformance", "--list"], arguments].concat());
        ended.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let index = parts - 1;
    let mut run = started(&job, folder.path(), "--list --filter special/");
    let ended: Ended = run.env("JOB_COMPLETION_INDEX", index.to_string()).output().unwrap().into();
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let part = format!("hash:{parts}/{parts}");
    let expected = list(&["--filter", "special/", "--partition", &part]);
    assert!(!expected.is_empty());
    assert_eq!(ended.out.lines().collect::<Vec<_>>(), expected);
    // The other Job takes all records there are: here one that is none.
    fs::write(folder.path().join("part-1.jsonl"), "").unwrap();
    let ended: Ended =
        started(&manifest("report.yaml"), folder.path(), "").output().unwrap().into();
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(
        ended.err.contains("part-1.jsonl` to start with the line of a run's start"),
        "{}",
        ended.err
    );
}

/// `UPDATE_EXPECT=1` writes it.
pub(crate) fn its_account_is_the_one_that_is_printed() {
    let ended = ringfence(&["rbac", "--namespace", "ringfence"]);
    assert_eq!(ended.code, 0);
    expect_file!["../../../ci/indexed-job/account.yaml"].assert_eq(&ended.out);
    let job = manifest("job.yaml");
    let account = &job["spec"]["template"]["spec"]["serviceAccountName"];
    assert!(ended.out.contains(&format!(
        "\nkind: ServiceAccount\nmetadata:\n  name: {}\n",
        account.as_str().unwrap()
    )));
    assert_eq!(job["metadata"]["namespace"], "ringfence");
}
