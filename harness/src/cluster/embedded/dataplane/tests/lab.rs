//! A network namespace for a test.

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

/// Runs a test in a network namespace of its own, on a thread of its own, where that is
/// allowed. An ordinary user would need a user namespace, which wants a process with one
/// thread; the embedded cluster's own tests cover that.
///
/// # Panics
/// Where root may not, or the test does.
pub(super) fn in_namespace(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let done = scope.spawn(|| match unshare(CloneFlags::CLONE_NEWNET) {
            Ok(()) => test(),
            Err(Errno::EPERM) if !geteuid().is_root() => {
                eprintln!("not tested: only root may make a network namespace on a thread");
            }
            Err(errno) => panic!("expected a network namespace of the test's own: {errno}"),
        });
        if let Err(panic) = done.join() {
            std::panic::resume_unwind(panic);
        }
    });
}
