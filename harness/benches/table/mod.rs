//! The one form of row that the benchmarks print: what, target, measured, note.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Prints rows as they are measured.
#[derive(Debug)]
pub(crate) struct Table {
    wanted: Option<String>,
}

/// What one run of a row took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    /// By the clock.
    pub(crate) wall: Duration,
    /// Of all processors, by every process that took part: it says more than the clock where
    /// the machine has other work to do.
    pub(crate) processor: Duration,
}

impl Table {
    /// Prints the head of a part of the table. A word among the program's arguments limits it
    /// to rows that contain that word.
    pub(crate) fn new(title: &str) -> Self {
        let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
        println!("| {title:<56} | target  | measured  | note");
        println!("| {:-<56} | ------- | --------- | ----", "");
        Self { wanted }
    }

    /// Whether a row is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str()))
    }

    /// Prints a row: measured is the median.
    pub(crate) fn row(
        &self,
        name: &str,
        target: Option<Duration>,
        mut runs: Vec<Took>,
        notes: &[String],
    ) {
        runs.sort_unstable_by_key(|took| took.wall);
        let median = runs[runs.len() / 2];
        let mut note = vec![match target {
            Some(target) if median.wall > target => {
                let by = median.wall.as_secs_f64() / target.as_secs_f64();
                format!("missed ×{by:.2}")
            }
            Some(_) => "met".to_owned(),
            None => "no target".to_owned(),
        }];
        note.push(format!(
            "{} to {} of {}",
            time(runs[0].wall),
            time(runs[runs.len() - 1].wall),
            runs.len()
        ));
        note.push(format!("processors {}", time(median.processor)));
        note.push(format!("load {}", load()));
        note.extend(notes.iter().cloned());
        println!(
            "| {name:<56} | {:>7} | {:>9} | {}",
            target.map_or_else(|| "-".to_owned(), time),
            time(median.wall),
            note.join("; ")
        );
    }
}

/// What this process and its children that were waited for have used so far.
pub(crate) fn used() -> Duration {
    let parts = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].map(|who| {
        let usage: Usage = getrusage(who).expect("the process' own usage");
        (usage.user_time() + usage.system_time()).num_microseconds()
    });
    Duration::from_micros(parts.iter().map(|part| u64::try_from(*part).unwrap_or(0)).sum())
}

/// A duration with three digits that mean something.
fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 0.1 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{:.1} ms", seconds * 1e3),
    }
}

/// How many threads of the machine wanted to run, on average of the last minute (proc_loadavg(5)).
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").to_owned()
}
