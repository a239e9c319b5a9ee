//! The conformance catalogue and the selftest through the real binary, beside what is published
//! of other suites: `cargo bench --bench conformance`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ringfence::run::{Event, Line};

mod table;

use table::{Table, Took};

/// How often each is run: they are long, and a median of one is one.
const TIMES: usize = 3;
const MINUTE: Duration = Duration::from_secs(60);

/// What others take on clusters with one CNI, and where that is said. What is derived follows
/// from the pauses in a suite's own source, whatever the machine.
const PEERS: [(&str, &str, &str); 6] = [
    ("Cyclonus, its default 112 cases", "3 h 15 min", "kubernetes-sigs/network-policy-api#348"),
    ("Cyclonus, all 230 cases", "at least 3.95 h", "derived"),
    ("network-policy-api conformance", "at least 13.5 min", "derived"),
    ("Kubernetes in-tree, 29 specs", "2,361 s", "cloudnativelabs/kube-router#1036"),
    ("Kubernetes in-tree, 67 specs, parallel", "6 min 54 s", "cloudnativelabs/kube-router#1036"),
    ("cilium connectivity test, concurrency 5", "5 min", "cilium/cilium-cli#2496"),
];

fn main() {
    let table = Table::new("conformance");
    for (name, arguments, target) in [
        ("the whole catalogue", &["conformance"][..], Some(MINUTE)),
        ("the whole catalogue, no evidence", &["conformance", "--evidence", "none"], Some(MINUTE)),
    ] {
        if table.wants(name) {
            let runs: Vec<(Took, usize)> = (0..TIMES).map(|_| catalogue(arguments)).collect();
            let mut rates: Vec<f64> =
                runs.iter().map(|(took, cells)| *cells as f64 / took.wall.as_secs_f64()).collect();
            rates.sort_unstable_by(f64::total_cmp);
            let notes =
                [format!("{} cells", runs[0].1), format!("{:.0} a second", rates[rates.len() / 2])];
            table.row(name, target, runs.into_iter().map(|(took, _)| took).collect(), &notes);
        }
    }
    let name = "selftest";
    if table.wants(name) {
        table.row(name, Some(5 * MINUTE), vec![measured(&["selftest"])], &[]);
    }
    for (suite, takes, source) in PEERS {
        if table.wants(suite) {
            println!("| {suite:<56} |       - | {takes:>9} | {source}");
        }
    }
}

/// A run whose output goes nowhere, and that must pass.
fn measured(arguments: &[&str]) -> Took {
    let (used, start) = (table::used(), Instant::now());
    let ended = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the binary starts");
    let (wall, processor) = (start.elapsed(), table::used() - used);
    assert!(ended.success(), "expected `ringfence {}` to pass, found {ended}", arguments.join(" "));
    Took { wall, processor }
}

/// A run of the catalogue, and how many cells it judged.
fn catalogue(arguments: &[&str]) -> (Took, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record");
    let path = record.to_str().expect("a path of plain letters");
    let took = measured(&[arguments, &["--record", path]].concat());
    let text = std::fs::read_to_string(&record).expect("the record is there");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of a record"));
    let judged = lines.map(|line: Line| match line.event {
        Event::StepJudged { cells, .. } => cells.len(),
        _ => 0,
    });
    (took, judged.sum())
}
