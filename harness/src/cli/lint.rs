//! `ringfence lint`.

use super::args::Lint;
use super::failure::Failure;
use super::settings::{existing, kubernetes};
use super::{input, screen};
use crate::exit::ExitCode;
use crate::report;
use crate::scenario::Severity;

/// Prints every finding, and how many there are.
pub(super) fn lint(args: Lint) -> Result<ExitCode, Failure> {
    let version = kubernetes(&args.kubernetes).map_err(Failure::usage)?;
    let paths = existing(args.paths).map_err(Failure::usage)?;
    let mut findings = Vec::new();
    for path in &paths {
        for finding in input::findings(path, version) {
            // Two paths may lead to one file.
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    screen::print(report::findings(&findings, screen::stdout()).as_bytes())?;
    let errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if errors { ExitCode::Usage } else { ExitCode::Passed })
}
