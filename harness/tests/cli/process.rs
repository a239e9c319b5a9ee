//! The binary under test, and what it works on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What a command printed and how it ended, run in a folder without colours.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A program that runs without colours, its output piped.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env_remove("CLICOLOR_FORCE").env("NO_COLOR", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_ringfence");

impl From<Output> for Ended {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = status.code().unwrap_or_else(|| panic!("expected an exit code: {status}"));
        Self { code, out: text(stdout), err: text(stderr) }
    }
}

pub(crate) fn ringfence_in(folder: &Path, arguments: &[&str]) -> Ended {
    command(BINARY).args(arguments).current_dir(folder).output().unwrap().into()
}

pub(crate) fn ringfence(arguments: &[&str]) -> Ended {
    ringfence_in(&root(), arguments)
}

/// A copy of a scenario of the library, with one of its files changed.
pub(crate) fn changed(
    scenario: &str,
    file: &str,
    change: impl Fn(String) -> String,
) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let target = copy.path().join(scenario);
    std::fs::create_dir_all(&target).unwrap();
    for entry in std::fs::read_dir(root().join("scenarios").join(scenario)).unwrap() {
        let entry = entry.unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let name = entry.file_name();
        let text = if name == file { change(text) } else { text };
        std::fs::write(target.join(name), text).unwrap();
    }
    copy
}
