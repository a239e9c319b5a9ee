//! Tests that need network namespaces: ignored, with the reason, where the machine gives none.
//! They need a `main` of their own, since only a process with a single thread can make the user
//! namespace that an ordinary user needs for them.

use std::{env, fs};

use libtest_mimic::{Completion, Trial};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Tests with their names.
#[macro_export]
macro_rules! trials {
    ($($test:ident),+ $(,)?) => { [$((stringify!($test), $test as fn())),+] };
}

/// Makes the process able to have network namespaces: it is moved into one, and into a user
/// namespace in which it is root where it has to be. To be called before any thread starts.
///
/// # Errors
/// Why the machine gives none.
pub(crate) fn namespaces() -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    let made = match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET),
        made => return made.map_err(|errno| format!("no network namespace: {errno}")),
    };
    made.map_err(|errno| {
        format!("no user namespace: {errno}; `ringfence doctor` names the setting")
    })?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| format!("no root in a user namespace: {file}: {error}"))?;
    }
    Ok(())
}

/// A test that needs a network namespace of its own.
pub(crate) fn own(name: &str, namespaces: &Result<(), String>, test: fn()) -> Trial {
    let namespaces = namespaces.clone();
    Trial::ignorable_test(name, move || match namespaces {
        Ok(()) => {
            test();
            Ok(Completion::Completed)
        }
        Err(reason) if required() => {
            Err(format!("RINGFENCE_REQUIRE=embedded, and {reason}").into())
        }
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

/// Whether a machine without namespaces fails the tests.
fn required() -> bool {
    env::var("RINGFENCE_REQUIRE").is_ok_and(|list| list.split(',').any(|on| on == "embedded"))
}
