//! The command line: arguments → settings → what is done → an exit code.

pub mod args;
pub mod endpoint;
mod screen;
pub mod settings;
