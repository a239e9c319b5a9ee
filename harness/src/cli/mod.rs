//! The command line: arguments → settings → what is done → an exit code.

mod args;
mod cluster_args;
mod cluster_kind;
mod clusters;
mod cni;
mod conformance;
mod conformance_args;
mod conformance_case;
mod conformance_report;
mod declared;
mod doctor;
mod endpoint;
mod execution;
mod failure;
mod image;
mod input;
mod interrupts;
mod kind;
mod lint;
mod manifests;
mod rbac;
mod report;
mod report_args;
mod resumption;
mod run;
mod run_args;
mod sample;
mod scenario_folder;
mod screen;
mod selftest;
mod selftest_args;
mod selftest_lab;
mod settings;

use std::ffi::OsString;

use anyhow::Context;
use clap::Parser;

use self::args::{Arguments, Command};
use self::failure::Failure;
use self::settings::RunSettings;
use crate::exit::ExitCode;

/// Carries out a command line, the program's name first. Reports go to
/// standard output, everything else to standard error.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to be done where the help cannot be printed.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::Usage } else { ExitCode::Passed };
        }
    };
    screen::choose_colors(arguments.color);
    dispatch(arguments.command).unwrap_or_else(|failure| failure.report())
}

/// What asynchronous work runs on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().context("threads cannot be started").map_err(Failure::untold)
}

fn dispatch(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(args) => {
            let here = std::env::current_dir()
                .context("the current folder is not there any more: go to another one")
                .map_err(Failure::usage)?;
            let args = *args;
            let paths = settings::paths(args.paths, &here).map_err(Failure::usage)?;
            run::run(&paths, &RunSettings::new(args.options).map_err(Failure::usage)?)
        }
        Command::Conformance(args) => conformance::conformance(*args),
        Command::Report(args) => report::report(args),
        Command::Selftest(args) => selftest::selftest(&args),
        Command::Matrix(args) => manifests::matrix(args),
        Command::Explain(args) => manifests::explain(args),
        Command::Lint(args) => lint::lint(args),
        Command::Image(command) => image::image(command),
        Command::Doctor => doctor::doctor(),
        Command::Rbac(args) => rbac::rbac(args),
        Command::Cni(args) => cni::cni(args),
        Command::Clusters(args) => clusters::clusters(args),
    }
}
