//! A network namespace for a test.

use std::any::type_name;
use std::env;
use std::io::{Write, stderr};
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::super::super::obstacle::{Obstacle, Part};
use super::super::super::sys;

/// Set where the test program was started again in a user namespace.
const AGAIN: &str = "RINGFENCE_TEST_AGAIN";

/// Runs a test in a network namespace of its own, on a thread of its own.
///
/// An ordinary user may make one in a user namespace alone: then the test program is
/// started again in one, for this test alone.
///
/// Where the machine forbids that too, the test fails under `RINGFENCE_REQUIRE=embedded`.
/// Else it says on standard error, past libtest's capture, that nothing was tested: the
/// standard test harness cannot ignore a test that has begun.
///
/// # Panics
/// Where the test does.
pub(super) fn in_namespace<T: FnOnce() + Send>(test: T) {
    let forbidden = std::thread::scope(|scope| {
        let done = scope.spawn(|| match unshare(CloneFlags::CLONE_NEWNET) {
            Ok(()) => {
                test();
                None
            }
            Err(Errno::EPERM) if env::var_os(AGAIN).is_none() => {
                start_again(&test_name(type_name::<T>()))
            }
            Err(errno) => panic!("expected a network namespace of the test's own: {errno}"),
        });
        done.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    if let Some(reason) = forbidden {
        let required = env::var("RINGFENCE_REQUIRE").unwrap_or_default();
        let required = required.split(',').any(|word| word == "embedded");
        assert!(!required, "RINGFENCE_REQUIRE=embedded, and {reason}");
        let name = test_name(type_name::<T>());
        stderr().write_all(format!("\nNOT TESTED: {name}: {reason}\n").as_bytes()).unwrap();
    }
}

/// Runs a test in a process and a user namespace of its own; why that was forbidden.
fn start_again(name: &str) -> Option<String> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", name, "--include-ignored", "--nocapture", "--color=never"]);
    command.env(AGAIN, "1");
    sys::in_user_namespace(&mut command);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return Some(Obstacle::meet(Part::UserNamespace, error).to_string()),
    };
    let out = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    // A name that no test has would end well, too.
    let passed = output.status.success() && out.contains("test result: ok. 1 passed");
    assert!(passed, "in a user namespace, {}:\n{out}{said}", output.status);
    print!("{out}");
    None
}

/// `crate::module::test::{{closure}}` → `module::test`, as libtest names it.
fn test_name(closure: &str) -> String {
    let path = closure.split("::{{closure}}").next().unwrap_or(closure);
    path.split_once("::").map_or(path, |(_, path)| path).to_owned()
}
