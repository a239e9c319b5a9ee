//! `ringfence run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow};

use super::execution::{self, Chosen};
use super::failure::Failure;
use super::settings::RunSettings;
use super::{input, screen};
use crate::exit::ExitCode;
use crate::report::terminal;
use crate::run::Item;
use crate::scenario::{Diagnostic, Scenario};

/// Runs what is asked for, and reports it.
pub(super) fn run(paths: &[PathBuf], settings: &RunSettings) -> Result<ExitCode, Failure> {
    let Some(library) = input::scenarios(paths, settings.kubernetes) else {
        return Ok(ExitCode::Usage);
    };
    let all = library.scenarios.len();
    let chosen: Vec<Arc<Scenario>> = library
        .scenarios
        .into_iter()
        .filter(|scenario| settings.selection.wants(&scenario.id, &scenario.tags))
        .map(Arc::new)
        .collect();
    if chosen.is_empty() {
        let asked = &settings.selection;
        return Err(Failure::untold(if asked.is_all() {
            anyhow!("expected at least one scenario, found none: nothing was judged")
        } else {
            anyhow!(
                "expected a scenario for `{asked}`, found none among {all}: `ringfence run --list` shows them"
            )
        }));
    }
    let warnings = about(&chosen, library.warnings);
    let items = chosen.into_iter().map(Item::from).collect();
    let chosen = Chosen { items, selection: settings.selection.to_string(), warnings };
    let Some(executed) = execution::execute(chosen, settings)? else {
        return Ok(ExitCode::Passed);
    };
    screen::print(format!("\n{}", terminal::render(&executed.run, screen::stdout())).as_bytes())?;
    Ok(executed.end())
}

/// The findings about the files of these scenarios.
fn about(scenarios: &[Arc<Scenario>], mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    findings.retain(|finding| {
        let file = Path::new(&*finding.origin.file);
        scenarios.iter().any(|scenario| file.starts_with(&scenario.folder))
    });
    findings
}
