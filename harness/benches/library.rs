//! The whole scenario library through the real binary, as `ringfence run` does it, and how long
//! a user waits for the first verdict: `cargo bench --bench library`.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use ringfence::run::{Event, Line};

mod table;

use table::{Table, Took};

/// How often the library is run.
const TIMES: usize = 3;
/// How long a run may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let table = Table::new("scenario library");
    let target = Some(Duration::from_secs(10));
    for (name, arguments) in [
        ("the whole library", &[][..]),
        ("the whole library, no evidence", &["--evidence", "none"]),
    ] {
        if table.wants(name) {
            let runs = (0..TIMES).map(|_| library(arguments)).collect();
            table.row(name, target.filter(|_| arguments.is_empty()), runs, &[]);
        }
    }
    let name = "from process start to the first verdict";
    if table.wants(name) {
        let runs = (0..TIMES).map(|_| first_verdict()).collect();
        table.row(name, Some(Duration::from_millis(500)), runs, &[]);
    }
}

/// A run of the whole library, whose output goes nowhere.
fn run(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .arg("run")
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

fn library(arguments: &[&str]) -> Took {
    let (used, start) = (table::used(), Instant::now());
    let ended = run(arguments).wait().expect("the run ends");
    let (wall, processor) = (start.elapsed(), table::used() - used);
    assert!(ended.success(), "expected every scenario to pass, found {ended}");
    Took { wall, processor }
}

/// From the start of the process until the line of the first judged step is in the record, which
/// is a pipe that is read as it is written.
fn first_verdict() -> Took {
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record");
    mkfifo(&record, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
    let mut lines = RecordPipe::open(&record);
    let (used, start) = (table::used(), Instant::now());
    let mut run = run(&["--record", record.to_str().expect("a path of plain letters")]);
    let mut wall = None;
    while let Some(line) = lines.next() {
        if matches!(line.event, Event::StepJudged { .. }) {
            wall.get_or_insert_with(|| start.elapsed());
        }
    }
    let ended = run.wait().expect("the run ends");
    assert!(ended.success(), "expected every scenario to pass, found {ended}");
    // The processors' time is the whole run's: the rest of it cannot be told apart.
    let processor = table::used() - used;
    Took { wall: wall.expect("a step was judged"), processor }
}

/// A record as it comes.
struct RecordPipe {
    path: PathBuf,
    pipe: File,
    bytes: Vec<u8>,
}

impl RecordPipe {
    /// Opened without waiting for the writer.
    fn open(path: &Path) -> Self {
        let pipe = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .expect("the pipe opens");
        Self { path: path.to_owned(), pipe, bytes: Vec::new() }
    }

    /// The next line; `None` when the writer has closed the pipe.
    fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("a line of a record"));
            }
            // Until a writer opens a pipe, poll(2) tells of no end of it, and read(2) does.
            let mut fds = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
            let patience = PollTimeout::try_from(PATIENCE).expect("a minute");
            let ready = poll(&mut fds, patience).expect("the pipe can be waited for");
            assert!(ready > 0, "expected a line in `{}` within {PATIENCE:?}", self.path.display());
            let mut buffer = [0; 64 << 10];
            match self.pipe.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("the record cannot be read: {error}"),
            }
        }
    }
}
