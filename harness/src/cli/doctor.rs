//! `ringfence doctor`.

use super::failure::Failure;
use super::screen;
use crate::cluster::docker;
use crate::cluster::embedded::doctor::checks;
use crate::cluster::kind;
use crate::exit::ExitCode;
use crate::report::prerequisites;

/// Tries every prerequisite of the embedded cluster, and what other clusters need besides; shows
/// how each stands. The exit code is about the embedded cluster alone.
pub(super) fn doctor() -> Result<ExitCode, Failure> {
    let runtime = super::runtime()?;
    let checks = runtime.block_on(checks()).map_err(Failure::untold)?;
    let mut more = vec![runtime.block_on(docker::doctor::check())];
    more.extend(runtime.block_on(kind::doctor::checks()));
    screen::print(prerequisites::render(&checks, screen::stdout()).as_bytes())?;
    screen::print(prerequisites::render_more(&more, screen::stdout()).as_bytes())?;
    let works = prerequisites::suffice(&checks);
    Ok(if works { ExitCode::Passed } else { ExitCode::CouldNotTell })
}
