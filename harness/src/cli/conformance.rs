//! `ringfence conformance`: the cases of the catalogue, run, shown or written to disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::conformance_args;
use super::execution::{self, Chosen};
use super::failure::Failure;
use super::report_args::ConformanceFiles;
use super::settings::RunSettings;
use super::{conformance_case, conformance_report, sample, scenario_folder, screen};
use crate::catalogue::{self, Case};
use crate::exit::ExitCode;
use crate::report;
use crate::report::conformance::Conformance;
use crate::run::ScenarioInfo;
use crate::scenario::LoadOptions;
use crate::scenario::nearby::did_you_mean;

/// What `ringfence conformance` is asked for.
struct Asked {
    settings: RunSettings,
    /// The identifiers of `--case`; none asks for all.
    cases: Vec<String>,
    write: Option<PathBuf>,
    failed: Option<PathBuf>,
    files: ConformanceFiles,
}

/// Runs the cases that are asked for, lists them or writes them.
pub(super) fn conformance(args: conformance_args::Conformance) -> Result<ExitCode, Failure> {
    if args.schema {
        screen::print(conformance_report::schema().map_err(Failure::untold)?.as_bytes())?;
        return Ok(ExitCode::Passed);
    }
    if let Some(count) = args.sample {
        let asked = sample::Asked { count, write: args.write, failed: args.failed };
        let settings = RunSettings::new(args.options).map_err(Failure::usage)?;
        return sample::sample(&asked, settings);
    }
    let asked = Asked {
        settings: RunSettings::new(args.options).map_err(Failure::usage)?,
        cases: args.case,
        write: args.write,
        failed: args.failed,
        files: args.files,
    };
    asked.reports_something().map_err(Failure::usage)?;
    asked.files.writable().map_err(Failure::usage)?;
    let clusters = asked.settings.clusters.len();
    conformance_report::check(&asked.files, clusters).map_err(Failure::usage)?;
    let cases = asked.choose(catalogue::cases().map_err(Failure::untold)?)?;
    match &asked.write {
        Some(folder) => {
            let part = asked.part(&cases);
            write(&part, folder, "--write").map_err(Failure::usage)?;
            screen::note(&format!("{} cases in `{}`", part.len(), folder.display()));
            Ok(ExitCode::Passed)
        }
        None if asked.settings.list => {
            let infos = infos(&asked.part(&cases));
            screen::print(report::list(&infos, screen::stdout()).as_bytes())?;
            Ok(ExitCode::Passed)
        }
        None => asked.run(&cases),
    }
}

impl Asked {
    /// Checks that there will be something to report, if a report is asked for.
    ///
    /// # Errors
    /// Where nothing is to be run.
    fn reports_something(&self) -> Result<()> {
        let Some((report, _)) = self.files.named().next() else { return Ok(()) };
        let only = [
            ("--list", self.settings.list),
            ("--write", self.write.is_some()),
            ("--dry-run", self.settings.kind.dry_run),
        ];
        match only.into_iter().find(|(_, asked)| *asked) {
            Some((only, _)) => bail!(
                "expected a run for `{report}`, found `{only}`, which runs nothing: there is nothing to report"
            ),
            None => Ok(()),
        }
    }

    /// The cases that are asked for, of all parts.
    fn choose(&self, mut cases: Vec<Case>) -> Result<Vec<Case>, Failure> {
        for id in &self.cases {
            if !cases.iter().any(|case| case.id == *id) {
                let near = did_you_mean(id, cases.iter().map(|case| case.id.as_str()));
                let near = near.map(|near| format!(": {near}")).unwrap_or_default();
                return Err(Failure::usage(anyhow!(
                    "expected the identifier of a case for `--case`, found `{id}`{near}; `ringfence conformance --list` shows them"
                )));
            }
        }
        let all = cases.len();
        cases.retain(|case| self.wants(case));
        if cases.is_empty() {
            return Err(Failure::untold(anyhow!(
                "expected a case for `{}`, found none among {all}: `ringfence conformance --list` shows them",
                self.selection()
            )));
        }
        Ok(cases)
    }

    fn wants(&self, case: &Case) -> bool {
        let named = self.cases.is_empty() || self.cases.contains(&case.id);
        named && self.settings.selection.wants(&case.id, &case.tags)
    }

    /// The options by which cases were chosen; empty where all were.
    fn selection(&self) -> String {
        let cases = self.cases.iter().map(|id| format!("--case {id}"));
        let other = Some(self.settings.selection.to_string()).filter(|text| !text.is_empty());
        cases.chain(other).collect::<Vec<_>>().join(" ")
    }

    /// The cases of the part that is asked for.
    fn part<'a>(&self, cases: &'a [Case]) -> Vec<&'a Case> {
        let partition = self.settings.partition;
        cases.iter().filter(|case| partition.is_none_or(|part| part.holds(&case.id))).collect()
    }

    fn run(&self, cases: &[Case]) -> Result<ExitCode, Failure> {
        if let Some(folder) = &self.failed {
            scenario_folder::vacant(folder, "--failed").map_err(Failure::usage)?;
        }
        let options = LoadOptions { kubernetes: self.settings.kubernetes };
        let mut items = Vec::with_capacity(cases.len());
        for case in cases {
            match conformance_case::item(case, &options) {
                Ok(item) => items.push(item),
                Err(findings) => {
                    screen::diagnose(&findings);
                    return Ok(ExitCode::Usage);
                }
            }
        }
        let chosen = Chosen { items, selection: self.selection(), warnings: Vec::new() };
        let Some(executed) = execution::execute(chosen, &self.settings)? else {
            return Ok(ExitCode::Passed);
        };
        let failed = match &self.failed {
            Some(folder) => self.write_failed(&executed.run, cases, folder)?,
            None => BTreeSet::new(),
        };
        let folder = |id: &str| {
            let folder = self.failed.as_ref().filter(|_| failed.contains(id))?;
            Some(folder.join(id).display().to_string())
        };
        let report = Conformance::of(&executed.run, folder);
        let written = conformance_report::write(&self.files, &executed.run, &report);
        let code = executed.end();
        // That a file could not be written hides no fault.
        match written {
            Err(failure) if code == ExitCode::Passed => Err(failure),
            Err(failure) => {
                failure.report();
                Ok(code)
            }
            Ok(()) => Ok(code),
        }
    }

    /// Writes the cases that failed or could not be told on some cluster, and names them.
    fn write_failed(
        &self,
        run: &report::Run,
        cases: &[Case],
        folder: &Path,
    ) -> Result<BTreeSet<String>, Failure> {
        let failed = |id: &str| {
            let mut all = run.scenarios.iter().filter(|((own, _), _)| own == id);
            all.any(|(_, scenario)| scenario.is_bad() && !scenario.interrupted)
        };
        let failed: Vec<&Case> = cases.iter().filter(|case| failed(&case.id)).collect();
        write(&failed, folder, "--failed").map_err(Failure::untold)?;
        Ok(failed.into_iter().map(|case| case.id.clone()).collect())
    }
}

fn infos(cases: &[&Case]) -> Vec<ScenarioInfo> {
    let info = |case: &&Case| ScenarioInfo {
        about: case.sentence.clone(),
        tags: case.tags.clone(),
        ..ScenarioInfo::unknown(&case.id)
    };
    cases.iter().map(info).collect()
}

fn write(cases: &[&Case], root: &Path, option: &str) -> Result<()> {
    scenario_folder::vacant(root, option)?;
    for case in cases {
        scenario_folder::write(&case.folder, &root.join(&case.id))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{LoadOptions, load_scenarios};

    #[test]
    fn what_is_written_is_what_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut cases = catalogue::cases().unwrap();
        cases.retain(|case| case.id.starts_with("special/"));
        let all: Vec<&Case> = cases.iter().collect();
        write(&all, folder.path(), "--write").unwrap();
        let root = folder.path().join("special");
        let loaded = load_scenarios(std::slice::from_ref(&root), &LoadOptions::default());
        assert_eq!(loaded.scenarios.len(), cases.len());
        for (case, written) in cases.iter().zip(&loaded.scenarios) {
            let (scenario, _) = case.scenario(&LoadOptions::default());
            assert_eq!(format!("special/{}", written.id), case.id);
            assert_eq!(scenario.unwrap().steps.len(), written.steps.len());
        }
        let again = write(&all, folder.path(), "--write").unwrap_err().to_string();
        assert!(
            again.starts_with("expected an empty folder for `--write`, found files"),
            "{again}"
        );
    }
}
