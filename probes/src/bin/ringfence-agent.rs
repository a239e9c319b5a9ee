//! The `ringfence-agent` command.

use std::process::ExitCode;

use ringfence_probe::agent::arguments::{Command, HELP, parse};
use ringfence_probe::agent::{bridge, serve};

fn main() -> ExitCode {
    let command = match parse(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("ringfence-agent: {error}");
            return ExitCode::from(2);
        }
    };
    let result = match command {
        Command::Serve(options) => serve(&options),
        Command::Bridge { socket } => bridge(&socket),
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
            eprintln!("ringfence-agent: {error}");
            ExitCode::FAILURE
        }
    }
}
