//! `ringfence matrix` and `ringfence explain`: what manifests specify, without a cluster.

use std::path::PathBuf;

use super::args::{Explain, Explanation, Form, Matrix};
use super::endpoint::Connection;
use super::failure::Failure;
use super::input::Manifests;
use super::settings::{existing, kubernetes};
use super::{input, screen};
use crate::exit::ExitCode;
use crate::model::{Family, Phase, universe};
use crate::report::{self, specified};
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
    for pod in world.topology.pods.values().filter(|pod| pod.phase != Phase::Running) {
        screen::warn(&format!("`{}` has no row: its phase is {:?}", pod.name, pod.phase));
    }
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

/// The explanations, or the first alone where the second says the same of IPv6.
fn collapse(texts: &[String]) -> String {
    let [one, other] = texts else { return texts.concat() };
    let (ipv4, ipv6) = (Family::Ipv4.to_string(), Family::Ipv6.to_string());
    if other.replace(&ipv6, &ipv4) == *one {
        one.replacen(&format!(" over {ipv4}"), &format!(" over {ipv4} and {ipv6}"), 1)
    } else {
        format!("{one}\n{other}")
    }
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
            let texts: Vec<String> = explanations.iter().map(ToString::to_string).collect();
            report::tame(&collapse(&texts), false)
        }
        Explanation::Json => {
            serde_json::to_string_pretty(&explanations).map_err(Failure::untold)? + "\n"
        }
    };
    screen::print(text.as_bytes())?;
    Ok(ending(whole))
}
