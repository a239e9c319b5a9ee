//! `ringfence report`: reports of records, and records put together.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};

use super::failure::Failure;
use super::report_args::{ConformanceReport, Merge, Report};
use super::{conformance_report, screen};
use crate::exit::ExitCode;
use crate::report::conformance::{Conformance, covers_catalogue};
use crate::report::merge::{Merger, Record};
use crate::report::{Run, terminal};
use crate::run::Line;
use crate::run::record::{RecordWriter, each};

/// Carries out `ringfence report`.
pub(super) fn report(command: Report) -> Result<ExitCode, Failure> {
    match command {
        Report::Conformance(args) => conformance(&args),
        Report::Merge(args) => merge(&args),
    }
}

/// What several records say together.
struct Merged {
    run: Run,
    code: ExitCode,
}

/// The report of the cases in records, however many they are.
fn conformance(args: &ConformanceReport) -> Result<ExitCode, Failure> {
    apart(&args.records, args.files.named()).map_err(Failure::usage)?;
    args.files.writable().map_err(Failure::usage)?;
    let Merged { run, code } = merged(&args.records, None)?;
    conformance_report::check(&args.files, clusters(&run)).map_err(Failure::usage)?;
    if !covers_catalogue(&run) {
        return Err(Failure::usage(anyhow!(
            "expected records of `ringfence conformance`, found none of its cases in them: `ringfence report merge` prints what they say"
        )));
    }
    conformance_report::write(&args.files, &run, &Conformance::of(&run, |_| None))?;
    Ok(code)
}

/// Puts records together, and prints the report that the one run would have printed.
fn merge(args: &Merge) -> Result<ExitCode, Failure> {
    let record = args.record.iter().map(|record| ("--record", record.as_path()));
    apart(&args.records, record.chain(args.files.named())).map_err(Failure::usage)?;
    args.files.writable().map_err(Failure::usage)?;
    let Merged { run, code } = merged(&args.records, args.record.as_deref())?;
    conformance_report::check(&args.files, clusters(&run)).map_err(Failure::usage)?;
    if covers_catalogue(&run) {
        conformance_report::write(&args.files, &run, &Conformance::of(&run, |_| None))?;
    } else {
        if args.files.named().next().is_some() {
            return Err(Failure::usage(anyhow!(
                "expected records of `ringfence conformance` for a conformance report, found none of its cases in them"
            )));
        }
        let text = terminal::render(&run, screen::stdout());
        screen::print(format!("\n{text}").as_bytes())?;
    }
    Ok(code)
}

fn clusters(run: &Run) -> usize {
    run.started.as_ref().map_or(0, |started| started.clusters.len())
}

/// Whether two paths lead to one file.
/// Checks that nothing is written over a record.
///
/// # Errors
/// Where an option names one of the records.
fn apart<'p>(
    records: &[PathBuf],
    written: impl Iterator<Item = (&'static str, &'p Path)>,
) -> anyhow::Result<()> {
    for (option, path) in written {
        if let Some(own) = records.iter().find(|record| is_same(record, path)) {
            bail!(
                "expected a file of its own for `{option}`, found `{}`, which is one of the records: it would be lost",
                own.display()
            );
        }
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Reads records twice: first for what they say, then for the lines that stay.
fn merged(paths: &[PathBuf], out: Option<&Path>) -> Result<Merged, Failure> {
    for (number, one) in paths.iter().enumerate() {
        if paths[..number].iter().any(|other| is_same(one, other)) {
            return Err(Failure::usage(anyhow!(
                "expected each record once, found `{}` twice",
                one.display()
            )));
        }
    }
    let mut records = Vec::with_capacity(paths.len());
    for path in paths {
        let mut record = Record::new(&path.display().to_string());
        let mut refused = None;
        let read = each(path, |line| {
            if refused.is_none() {
                refused = record.fold(&line).err();
            }
        });
        let whole = read.map_err(Failure::usage)?;
        record.cut = whole.cut;
        if let Some(error) = refused {
            let error = anyhow::Error::new(error);
            return Err(Failure::usage(
                error.context(format!("the record `{}` cannot be read", path.display())),
            ));
        }
        records.push(record);
    }
    let mut merger = Merger::of(records).map_err(Failure::usage)?;
    for told in merger.told() {
        screen::warn(told);
    }
    let mut writer = match out {
        Some(path) => Some(RecordWriter::create(path).map_err(Failure::usage)?),
        None => None,
    };
    let mut run = Run::default();
    let mut failed = None;
    let mut keep = |line: &Line| {
        let written = match &mut writer {
            Some(writer) => writer.append(line).map_err(anyhow::Error::new),
            None => Ok(()),
        };
        let folded = written.and_then(|()| run.fold(line).map_err(anyhow::Error::new));
        if let Err(error) = folded {
            failed.get_or_insert(error);
        }
    };
    merger.start().iter().for_each(&mut keep);
    for (number, path) in paths.iter().enumerate() {
        let mut at = 0;
        let read = each(path, |line| {
            if merger.keeps(number, at, &line) {
                keep(&line);
            }
            at += 1;
        });
        read.with_context(|| format!("the record `{}` changed while it was read", path.display()))
            .map_err(Failure::untold)?;
    }
    merger.end().iter().for_each(&mut keep);
    match failed {
        Some(error) => Err(Failure::untold(error)),
        None => Ok(Merged { run, code: merger.code() }),
    }
}
