//! Faulty dataplanes, listed and tried.

use expect_test::expect;
use serde_json::Value;

use crate::process::ringfence;

pub(crate) fn faults_are_listed_with_what_is_meant_to_catch_them() {
    let ended = ringfence(&["selftest", "--list", "--fault", "own-node-blocked"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    expect![[r"
        own-node-blocked
            The node of an isolated pod is kept from it like anybody else.
            caught by special/own-node (must, within 5.00 s)
            seen in Calico: https://github.com/projectcalico/calico/issues/4469
    "]]
    .assert_eq(&ended.out);
    // Each once, whatever is asked for.
    let twice = ["--list", "--fault=own-node-blocked", "--fault=own-node-blocked"];
    assert_eq!(ringfence(&[&["selftest"], &twice[..]].concat()).out, ended.out);
}

pub(crate) fn a_selftest_that_cannot_be_is_refused_before_anything_is_made() {
    for (arguments, expected) in [
        (
            vec!["--fault", "own-node-block"],
            expect![
                "error: invalid value 'own-node-block' for '--fault <NAME>': expected a fault, found `own-node-block`: did you mean `own-node-blocked`?"
            ],
        ),
        (
            vec!["--jobs", "0"],
            expect![
                "error: invalid value '0' for '--jobs <N>': number would be zero for non-zero type"
            ],
        ),
        (
            vec!["--list", "--full"],
            expect!["error: the argument '--list' cannot be used with '--full'"],
        ),
        (
            vec!["--json", "nowhere/selftest.json"],
            expect![
                "error: expected a file for `--json`, found that `nowhere/selftest.json` cannot be made"
            ],
        ),
    ] {
        let ended = ringfence(&[&["selftest"], &arguments[..]].concat());
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}");
        expected.assert_eq(ended.err.lines().next().unwrap_or_default());
    }
}

/// One fault of each place where a dataplane can be wrong: what it reads, what it remembers,
/// what it makes of packets, and when.
pub(crate) fn each_fault_is_caught_and_nothing_is_reported_without() {
    let json = tempfile::NamedTempFile::new().unwrap();
    let path = json.path().to_str().unwrap();
    let faults = [
        "same-range-rules-merged",
        "completed-pod-address-kept",
        "own-node-blocked",
        "new-pod-isolated-late",
    ];
    let mut arguments = vec!["selftest", "--seed", "7", "--json", path];
    arguments.extend(faults.iter().flat_map(|fault| ["--fault", fault]));
    let ended = ringfence(&arguments);
    assert_eq!(ended.code, 0, "{}\n{}", ended.err, ended.out);
    assert!(ended.out.contains("\n4 faults: 4 caught\n"), "{}", ended.out);
    assert!(ended.out.contains(": nothing is reported\n"), "{}", ended.out);
    assert!(ended.out.ends_with("; seed 7\n"), "{}", ended.out);

    let found: Value = serde_json::from_slice(&std::fs::read(json.path()).unwrap()).unwrap();
    let told: Vec<_> = found["faults"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), faults.len());
    for judged in told {
        assert!(faults.contains(&judged["fault"].as_str().unwrap()), "{judged:#}");
        assert_eq!(
            (&judged["verdict"]["kind"], &judged["level"]),
            (&"caught".into(), &"must".into())
        );
    }
    assert_eq!(found["fault_free"]["reports"], Value::Array(Vec::new()));
    // Six pairs of four faults, each of which shows.
    let pairs = found["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 6);
    for pair in pairs {
        let seen = pair["of"].as_array().unwrap().iter().any(|one| one["seen"] == true);
        assert!(seen, "{pair:#}");
    }
}
