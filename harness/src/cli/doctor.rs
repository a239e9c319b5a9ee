//! `ringfence doctor`.

use super::failure::Failure;
use super::screen;
use crate::cluster::embedded::doctor::checks;
use crate::exit::ExitCode;
use crate::report::prerequisites;

/// Tries every prerequisite of the embedded cluster, and shows how each stands.
pub(super) fn doctor() -> Result<ExitCode, Failure> {
    let runtime = super::runtime()?;
    let checks = runtime.block_on(checks()).map_err(Failure::untold)?;
    screen::print(prerequisites::render(&checks, screen::stdout()).as_bytes())?;
    let works = prerequisites::suffice(&checks);
    Ok(if works { ExitCode::Passed } else { ExitCode::CouldNotTell })
}
