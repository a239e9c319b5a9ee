//! `ringfence matrix` and `ringfence explain`: what manifests specify, without a cluster.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::args::{Explain, Explanation, Form, Matrix};
use super::endpoint::Connection;
use super::failure::Failure;
use super::input::Manifests;
use super::settings::{existing, kubernetes};
use super::{input, screen};
use crate::exit::ExitCode;
use crate::model::{Family, universe};
use crate::report::specified;
use crate::semantics::{Engine, trace};

fn load(files: Vec<PathBuf>, version: &str) -> Result<Option<Manifests>, Failure> {
    let version = kubernetes(version).map_err(Failure::usage)?;
    Ok(input::manifests(&existing(files).map_err(Failure::usage)?, version))
}

/// What was left out was not decided.
const fn ending(whole: bool) -> ExitCode {
    if whole { ExitCode::Passed } else { ExitCode::CouldNotTell }
}

/// Prints the specified matrix.
pub(super) fn matrix(args: Matrix) -> Result<ExitCode, Failure> {
    let Some(Manifests { world, whole }) = load(args.files, &args.kubernetes)? else {
        return Ok(ExitCode::Usage);
    };
    let cells = universe(&world.topology, &Family::ALL);
    let matrix = Engine::new(&world).matrix(cells);
    let bytes = match args.output {
        Form::Table => specified::table(&matrix, screen::stdout()).into_bytes(),
        Form::Json => specified::json(&matrix).map_err(Failure::untold)?.into_bytes(),
        Form::Csv => specified::csv(&matrix).map_err(Failure::untold)?,
    };
    screen::print(&bytes)?;
    Ok(ending(whole))
}

/// Prints the decision for one connection, in every family that it can have.
pub(super) fn explain(args: Explain) -> Result<ExitCode, Failure> {
    let connection = Connection::parse(&args.from, &args.to).map_err(Failure::usage)?;
    let Some(Manifests { mut world, whole }) = load(args.files, &args.kubernetes)? else {
        return Ok(ExitCode::Usage);
    };
    let cells = connection.cells(&mut world.topology).map_err(Failure::usage)?;
    let explanations: Vec<_> = cells.iter().map(|cell| trace(&world, cell)).collect();
    let text = match args.output {
        Explanation::Text => {
            let mut text = String::new();
            for (n, explanation) in explanations.iter().enumerate() {
                let gap = if n == 0 { "" } else { "\n" };
                let _ = write!(text, "{gap}{explanation}");
            }
            text
        }
        Explanation::Json => {
            serde_json::to_string_pretty(&explanations).map_err(Failure::untold)? + "\n"
        }
    };
    screen::print(text.as_bytes())?;
    Ok(ending(whole))
}
