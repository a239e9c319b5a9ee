//! The few system calls that no safe wrapper covers. The only unsafe code of the crate.
#![expect(
    unsafe_code,
    reason = "socket options of netlink sockets, and work between fork and exec, have no safe wrapper"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// Sets an integer socket option.
pub(super) fn set_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which outlives the call;
    // the kernel only reads it.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets a program start in a user namespace of its own, in which it is root. A test has
/// threads already, so it cannot make one itself (`unshare(2)`, `CLONE_NEWUSER`).
#[cfg(test)]
pub(super) fn in_user_namespace(command: &mut std::process::Command) {
    use std::ffi::CStr;
    use std::os::unix::process::CommandExt;

    use nix::fcntl::{OFlag, open};
    use nix::sched::{CloneFlags, unshare};
    use nix::sys::stat::Mode;
    use nix::unistd::{getegid, geteuid, write};

    let maps: [(&CStr, String); 3] = [
        (c"/proc/self/setgroups", "deny".to_owned()),
        (c"/proc/self/uid_map", format!("0 {} 1", geteuid())),
        (c"/proc/self/gid_map", format!("0 {} 1", getegid())),
    ];
    let enter = move || {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        for (path, text) in &maps {
            write(open(*path, OFlag::O_WRONLY, Mode::empty())?, text.as_bytes())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are made (unshare, open,
    // write, close); all memory was allocated before, and errors are plain numbers.
    unsafe { command.pre_exec(enter) };
}
