//! Machines that are short of something.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

use crate::process::{BINARY, Ended, command};

/// Set where this program plays a machine that forbids user namespaces.
const ROLE: &str = "RINGFENCE_TEST_FORBIDDEN";

pub(crate) fn is_role() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Becomes `ringfence` in a user namespace that allows no other below it: each has limits of
/// its own (`namespaces(7)`). It has to be called before any thread starts.
pub(crate) fn play() -> ExitCode {
    let user = geteuid();
    unshare(CloneFlags::CLONE_NEWUSER).unwrap();
    fs::write("/proc/self/uid_map", format!("0 {user} 1")).unwrap();
    fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
    let error = Command::new(BINARY).args(std::env::args_os().skip(1)).env_remove(ROLE).exec();
    panic!("expected `{BINARY}` to be started: {error}");
}

pub(crate) fn forbidden_user_namespaces_are_named() {
    let forbidden = |arguments: &[&str]| {
        let this = std::env::current_exe().unwrap();
        Ended::from(command(this).args(arguments).env(ROLE, "1").output().unwrap())
    };
    let setting = "the limit `user.max_user_namespaces` is reached (it is 0): raise it with `sysctl -w user.max_user_namespaces=10000`";
    for (arguments, told) in [
        (
            vec!["run", "--filter", "tiered-database"],
            ["SKIP tiered-database", "; nothing was judged"],
        ),
        (vec!["doctor"], ["missing user namespaces", "the embedded cluster does not work here"]),
    ] {
        let ended = forbidden(&arguments);
        assert_eq!((ended.code, ended.err.as_str()), (3, ""), "{}", ended.out);
        let words = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for told in told.into_iter().chain([setting]) {
            assert!(words.contains(told), "expected `{told}` in:\n{}", ended.out);
        }
    }
    // What needs no cluster goes on.
    let ended = forbidden(&["lint", "scenarios/tiered-database"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
}

/// As where it is built anew during a run.
pub(crate) fn a_program_that_was_removed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("ringfence");
    fs::copy(BINARY, &copy).unwrap();
    let arguments = ["run", "--filter", "default-deny", "--jobs", "1"];
    let mut run = command(&copy).args(arguments).spawn().unwrap();
    let mut out = BufReader::new(run.stdout.take().unwrap());
    let mut said = String::new();
    out.read_line(&mut said).unwrap();
    fs::remove_file(&copy).unwrap();
    out.read_to_string(&mut said).unwrap();
    let ended = run.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), err.as_str()), (Some(0), ""), "{said}");
}

/// A shell closes the standard input, and sets the limit.
pub(crate) fn few_open_files_and_no_input_suffice() {
    let script = format!("ulimit -n 256; exec '{BINARY}' run --filter default-deny <&-");
    let ended = Ended::from(command("sh").args(["-c", &script]).output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
}
