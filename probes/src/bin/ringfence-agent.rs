//! The `ringfence-agent` command.

use std::error::Error;
use std::process::ExitCode;

use ringfence_probe::agent::arguments::{Command, HELP, parse};
use ringfence_probe::agent::network::configure;
use ringfence_probe::agent::{bridge, serve};

fn main() -> ExitCode {
    let command = match parse(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(command) => command,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let result: Result<(), Box<dyn Error>> = match command {
        Command::Serve(options) => serve(&options).map_err(Into::into),
        Command::Bridge { socket } => bridge(&socket).map_err(Into::into),
        Command::Network(plan) => configure(&plan).map_err(Into::into),
        Command::Help => {
            print!("{HELP}");
            Ok(())
        }
        Command::Version => {
            println!("ringfence-agent {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, in one line.
fn complain(error: &dyn Error) {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    let causes: String = causes.map(|cause| format!(": {cause}")).collect();
    eprintln!("ringfence-agent: {error}{causes}");
}
