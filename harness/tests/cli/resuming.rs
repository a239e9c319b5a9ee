//! Runs that are killed or interrupted, and go on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringfence::report::Run;
use ringfence::run::record::read;
use ringfence::run::{Event, Line};

use crate::process::{BINARY, Ended, command, ringfence};

/// How often a run is killed, at most.
const KILLS: usize = 6;

/// Part of the library, with `--resume`.
fn arguments(record: &Path) -> Vec<String> {
    let record = record.display();
    ["run", "--filter", "api/", "--jobs", "2", "--seed", "7"]
        .into_iter()
        .map(str::to_owned)
        .chain([format!("--resume={record}")])
        .collect()
}

/// Begins the run, and ends it by a signal once so many scenarios are over. Whether it was
/// over before.
fn ended_after(scenarios: usize, signal: Signal, record: &Path) -> bool {
    let mut run = command(BINARY).args(arguments(record)).spawn().unwrap();
    let process = Pid::from_raw(run.id().try_into().unwrap());
    let mut out = BufReader::new(run.stdout.take().unwrap());
    let mut said = String::new();
    for _ in 0..scenarios {
        said.clear();
        out.read_line(&mut said).unwrap();
        if said.trim().is_empty() {
            break;
        }
    }
    // It may have ended by itself.
    let _ = kill(process, signal);
    out.read_to_string(&mut said).unwrap();
    let ended = run.wait_with_output().unwrap();
    ended.status.code() == Some(0)
}

/// The ids of lines of one kind, with how often each has one.
fn ids(lines: &[Line], is: impl Fn(&Event) -> bool) -> BTreeMap<&str, usize> {
    let mut ids = BTreeMap::new();
    for line in lines.iter().filter(|line| is(&line.event)) {
        *ids.entry(line.scenario.as_str()).or_default() += 1;
    }
    ids
}

const fn begins(event: &Event) -> bool {
    matches!(event, Event::ScenarioStarted)
}

const fn ends(event: &Event) -> bool {
    matches!(event, Event::ScenarioFinished { interrupted: false, .. })
}

/// Checks that every scenario is there, each over once, and none begun again once it was.
fn whole(record: &Path) {
    let lines = read(record).unwrap().lines;
    let Event::RunStarted { scenarios, .. } = &lines[0].event else { panic!("{:?}", lines[0]) };
    let given: BTreeSet<&str> = scenarios.iter().map(|info| info.id.as_str()).collect();
    let over = ids(&lines, ends);
    assert_eq!(over.keys().copied().collect::<BTreeSet<_>>(), given);
    assert!(over.values().all(|times| *times == 1), "{over:?}");
    let mut done = BTreeSet::new();
    for line in &lines {
        if begins(&line.event) {
            assert!(!done.contains(line.scenario.as_str()), "`{}` begins again", line.scenario);
        }
        if ends(&line.event) {
            done.insert(line.scenario.as_str());
        }
    }
    let mut latest = Duration::ZERO;
    for line in &lines {
        let resumed = matches!(line.event, Event::Resumed { .. });
        assert!(!resumed || line.at >= latest, "the clock goes on");
        latest = latest.max(line.at);
    }
    let run = Run::of(&lines).unwrap();
    let finished = run.finished.as_ref().unwrap();
    assert_eq!((finished.counts.passed, finished.exit_code), (given.len(), 0));
    assert_eq!(run.counts(), finished.counts);
    // No cell of an attempt that broke off is left.
    let alone = ringfence(&["run", "--filter", "api/", "--seed", "7"]);
    let cells = run.scenarios.values().map(|scenario| scenario.cells()).sum::<usize>();
    assert!(alone.out.contains(&format!("\n{cells} cells")), "{cells} in:\n{}", alone.out);
}

pub(crate) fn a_killed_run_goes_on_and_repeats_and_loses_nothing() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("r.jsonl");
    for _ in 0..KILLS {
        let over = ended_after(random.usize(0..4), Signal::SIGKILL, &record);
        let Ok(file) = OpenOptions::new().write(true).open(&record) else { continue };
        let length = file.metadata().unwrap().len();
        // A line that was cut anywhere: the kernel writes whole pages.
        let end = std::fs::read(&record).unwrap();
        let last = end.iter().rev().skip(1).position(|byte| *byte == b'\n').unwrap_or(0);
        let most = u64::try_from(last).unwrap();
        if !over && random.bool() && most > 1 {
            file.set_len(length - random.u64(1..=most)).unwrap();
        }
        drop(file);
        if over {
            break;
        }
    }
    let ended: Ended = command(BINARY).args(arguments(&record)).output().unwrap().into();
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    whole(&record);
}

pub(crate) fn an_interrupted_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("r.jsonl");
    assert!(!ended_after(2, Signal::SIGINT, &record));
    let lines = read(&record).unwrap().lines;
    assert!(matches!(lines.last().unwrap().event, Event::RunFinished { exit_code: 3, .. }));
    let ended: Ended = command(BINARY).args(arguments(&record)).output().unwrap().into();
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    let told = format!("resuming `{}`: ", record.display());
    assert!(ended.err.starts_with(&told), "{}", ended.err);
    whole(&record);
}

pub(crate) fn what_could_not_be_told_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("r.jsonl");
    let library = crate::process::root().join("scenarios");
    let run = |option: &str| -> Ended {
        let start = ["run", "--filter", "default-deny", "--seed", "7", option];
        command(BINARY).args(start).arg(&record).arg(&library).output().unwrap().into()
    };
    assert_eq!(run("--record").code, 0);
    // As if one scenario had met an overloaded machine.
    let text = std::fs::read_to_string(&record).unwrap();
    let mut untold = None;
    let changed = text.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["event"]["kind"] == "scenario-finished" && untold.is_none() {
            line["event"]["status"] = "errored".into();
            line["event"]["reason"] = "its rounds were void".into();
            untold = line["scenario"].as_str().map(str::to_owned);
        }
        format!("{line}\n")
    });
    let changed: String = changed.collect();
    std::fs::write(&record, changed).unwrap();
    let before = read(&record).unwrap().lines.len();
    let ended = run("--resume");
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    let told = " are over; 1 that could not be told is run again\n";
    assert!(ended.err.ends_with(told), "{}", ended.err);
    let lines = read(&record).unwrap().lines;
    let again: Vec<&str> = ids(&lines[before..], begins).into_keys().collect();
    assert_eq!(again, [untold.as_deref().unwrap()]);
    let run = Run::of(&lines).unwrap();
    let finished = run.finished.as_ref().unwrap();
    assert_eq!((finished.counts, finished.counts.errored), (run.counts(), 0));
}

pub(crate) fn a_record_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let copy = crate::process::changed("default-deny", "scenario.yaml", |text| text);
    let at = copy.path();
    let run = |record: &str, more: &[&str]| -> Ended {
        let path = folder.path().join("r.jsonl");
        let start = ["run", "--filter", "default", "--seed", "7", record];
        let run = command(BINARY).args(start).arg(path).args(more).current_dir(at).output();
        run.unwrap().into()
    };
    assert_eq!(run("--record", &["."]).code, 0);
    let before = std::fs::read(folder.path().join("r.jsonl")).unwrap();
    let refused = |more: &[&str]| {
        let ended = run("--resume", more);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""));
        ended.err.replace(&folder.path().display().to_string(), "FOLDER")
    };
    expect![[r#"
        error: expected the command line of the run in `FOLDER/r.jsonl`, found another:
          `--evidence`: expected the default as recorded, found `none`
          `--strict`: expected the default as recorded, found `true`
        name another file to begin a run
    "#]]
    .assert_eq(&refused(&[".", "--strict", "--evidence=none"]));
    expect![[r#"
        error: expected the command line of the run in `FOLDER/r.jsonl`, found another:
          `--partition`: expected none as recorded, found `hash:1/1`
        name another file to begin a run
    "#]]
    .assert_eq(&refused(&[".", "--partition=hash:1/1"]));
    let scenario = at.join("default-deny/scenario.yaml");
    let text = std::fs::read_to_string(&scenario).unwrap();
    std::fs::write(&scenario, text + "# changed\n").unwrap();
    std::fs::create_dir(at.join("default-two")).unwrap();
    std::fs::write(at.join("default-two/scenario.yaml"), OTHER).unwrap();
    expect![[r#"
        error: expected the command line of the run in `FOLDER/r.jsonl`, found another:
          expected files that are as recorded, found changed: `default-deny`
          expected recorded scenarios alone, found new: `default-two`
        name another file to begin a run
    "#]]
    .assert_eq(&refused(&["."]));
    assert_eq!(std::fs::read(folder.path().join("r.jsonl")).unwrap(), before, "it is as it was");
}

const OTHER: &str = "\
name: other
about: Two pods reach each other.
tags: [ingress]
topology:
  namespaces:
    app:
      pods:
        one: { labels: { app: one } }
        two: { labels: { app: two }, ports: [80] }
steps:
  - name: open
    expect: [ allow * -> * ]
";
