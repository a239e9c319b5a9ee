//! The `ringfence` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The embedded cluster's helper is this program, started again.
    ringfence::init();
    ringfence::cli::main(std::env::args_os()).into()
}
