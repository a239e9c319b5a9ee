//! Where conformance reports go: to the terminal, and to files.

use std::fs::OpenOptions;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::jiff::Timestamp;

use super::failure::Failure;
use super::report_args::ConformanceFiles;
use super::screen;
use crate::report::Run;
use crate::report::conformance::upstream::{ConformanceReport, Implementation};
use crate::report::conformance::{Conformance, markdown, terminal};

impl ConformanceFiles {
    /// The files that are asked for, with the options that name them.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let all = [
            ("--markdown", &self.markdown),
            ("--json", &self.json),
            ("--report-output", &self.report_output),
        ];
        all.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)))
    }

    /// Checks that they can be written, and are not one: a run may take long, and its report is
    /// not to be lost at its end.
    ///
    /// # Errors
    /// Where one cannot be written, or two options name the same.
    pub(super) fn writable(&self) -> Result<()> {
        let mut known: Vec<(&str, &Path)> = Vec::new();
        for (option, path) in self.named() {
            if let Some((other, _)) = known.iter().find(|(_, other)| *other == path) {
                bail!(
                    "expected a file of its own for `{option}`, found `{}`, which `{other}` names too",
                    path.display()
                );
            }
            writable(path).with_context(|| unwritable(option, path))?;
            known.push((option, path));
        }
        Ok(())
    }
}

/// Whether a file can be written, which leaves it as it is. What is neither a file nor a folder,
/// such as a pipe, is opened once, when there is something to write.
fn writable(path: &Path) -> std::io::Result<()> {
    match path.metadata() {
        Ok(known) if !known.is_file() && !known.is_dir() => Ok(()),
        Ok(_) => OpenOptions::new().write(true).open(path).map(drop),
        Err(_) => {
            drop(OpenOptions::new().write(true).create_new(true).open(path)?);
            std::fs::remove_file(path)
        }
    }
}

fn unwritable(option: &str, path: &Path) -> String {
    format!("expected a file for `{option}`, found that `{}` cannot be written", path.display())
}

/// Checks what the network-policy-api project's report needs.
///
/// # Errors
/// Where the ConformanceReport cannot be about these clusters, or something of it is empty.
pub(super) fn check(files: &ConformanceFiles, clusters: usize) -> Result<()> {
    if files.report_output.is_none() {
        return Ok(());
    }
    if clusters > 1 {
        bail!(
            "expected one cluster for `--report-output`, found {clusters}: the report is about one implementation; run them apart, or use `--json`"
        );
    }
    let mut texts = vec![
        ("--organization", &files.organization),
        ("--project", &files.project),
        ("--url", &files.url),
        ("--version", &files.version),
        ("--additional-info", &files.additional_info),
    ];
    texts.retain(|(_, text)| text.as_ref().is_none_or(|text| text.trim().is_empty()));
    if let Some((option, _)) = texts.first() {
        bail!("expected a text for `{option}`, found none: the ConformanceReport needs it");
    }
    if files.contact.iter().any(|name| name.trim().is_empty()) {
        bail!("expected names for `--contact`, separated by commas, found an empty one");
    }
    Ok(())
}

/// Prints the report, and writes the files that are asked for.
///
/// # Errors
/// Where one of them cannot be written.
pub(super) fn write(
    files: &ConformanceFiles,
    run: &Run,
    report: &Conformance,
) -> Result<(), Failure> {
    screen::print(format!("\n{}", terminal::render(report, screen::stdout())).as_bytes())?;
    let all = [
        ("--markdown", &files.markdown, markdown::render(report)),
        ("--json", &files.json, json(report).map_err(Failure::untold)?),
        ("--report-output", &files.report_output, theirs(files, run, report)?),
    ];
    for (option, path, text) in all {
        let Some(path) = path else { continue };
        let written = std::fs::write(path, &text).with_context(|| unwritable(option, path));
        written.map_err(Failure::untold)?;
    }
    Ok(())
}

/// As JSON, with its line end.
fn json(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The schema of `--json`.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn schema() -> Result<String> {
    json(&crate::report::conformance::schema())
}

/// The network-policy-api project's report, where it is asked for.
fn theirs(files: &ConformanceFiles, run: &Run, report: &Conformance) -> Result<String, Failure> {
    if files.report_output.is_none() {
        return Ok(String::new());
    }
    let text = |option: &Option<String>| option.clone().unwrap_or_default();
    let implementation = Implementation {
        organization: text(&files.organization),
        project: text(&files.project),
        url: text(&files.url),
        version: text(&files.version),
        contact: files.contact.clone(),
        additional_information: text(&files.additional_info),
    };
    let cluster = report.clusters.first().map_or("", |cluster| cluster.cluster.as_str());
    let date = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let theirs = ConformanceReport::of(run, cluster, &report.incomplete, implementation, date);
    if theirs.profiles.is_empty() {
        screen::warn(
            "the ConformanceReport has no profile: it knows `ClusterNetworkPolicy` alone, and no case about that was run",
        );
    }
    serde_saphyr::to_string(&theirs).map_err(|error| Failure::untold(anyhow::Error::new(error)))
}
