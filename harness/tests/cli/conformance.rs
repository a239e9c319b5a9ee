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

pub(crate) fn what_is_to_be_done_has_to_be_said() {
    assert_eq!(ringfence(&["conformance"]).code, 2);
    let ended = ringfence(&["conformance", "--list", "--filter", "no-such-case"]);
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    assert!(
        ended
            .err
            .starts_with("error: expected a case for `--filter` and `--tag`, found none among "),
        "{}",
        ended.err
    );
}
