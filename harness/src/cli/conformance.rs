//! `ringfence conformance`: the cases of the catalogue, shown or written to disk.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use super::conformance_args::Conformance;
use super::failure::Failure;
use super::settings::RunSettings;
use super::{sample, screen};
use crate::catalogue::{self, Case};
use crate::exit::ExitCode;
use crate::report;
use crate::run::ScenarioInfo;

/// Lists the cases that are asked for, or writes them.
pub(super) fn conformance(args: Conformance) -> Result<ExitCode, Failure> {
    let settings = RunSettings::new(args.options).map_err(Failure::usage)?;
    if let Some(count) = args.sample {
        let asked = sample::Asked { count, write: args.write, failed: args.failed };
        return sample::sample(&asked, &settings);
    }
    let mut cases = catalogue::cases().map_err(Failure::untold)?;
    let all = cases.len();
    cases.retain(|case| settings.selection.wants(&case.id, &case.tags));
    if cases.is_empty() {
        return Err(Failure::untold(anyhow!(
            "expected a case for `--filter` and `--tag`, found none among {all}: `ringfence conformance --list` shows them"
        )));
    }
    match &args.write {
        None => screen::print(report::list(&infos(&cases), screen::stdout()).as_bytes())?,
        Some(folder) => {
            write(&cases, folder).map_err(Failure::usage)?;
            screen::note(&format!("{} cases in `{}`", cases.len(), folder.display()));
        }
    }
    Ok(ExitCode::Passed)
}

fn infos(cases: &[Case]) -> Vec<ScenarioInfo> {
    let info = |case: &Case| ScenarioInfo {
        id: case.id.clone(),
        name: case.id.clone(),
        about: case.sentence.clone(),
        tags: case.tags.clone(),
        steps: Vec::new(),
    };
    cases.iter().map(info).collect()
}

fn write(cases: &[Case], root: &Path) -> Result<()> {
    let asked = || format!("expected a folder for `--write`, found none at `{}`", root.display());
    fs::create_dir_all(root).with_context(asked)?;
    if fs::read_dir(root).with_context(asked)?.next().is_some() {
        bail!(
            "expected an empty folder for `--write`, found files in `{}`: name another one",
            root.display()
        );
    }
    for case in cases {
        let folder = root.join(&case.id);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create `{}`", folder.display()))?;
        for (name, text) in &case.folder.files {
            let file = folder.join(name);
            fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
        }
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
        write(&cases, folder.path()).unwrap();
        let root = folder.path().join("special");
        let loaded = load_scenarios(std::slice::from_ref(&root), &LoadOptions::default());
        assert_eq!(loaded.scenarios.len(), cases.len());
        for (case, written) in cases.iter().zip(&loaded.scenarios) {
            let (scenario, _) = case.scenario(&LoadOptions::default());
            assert_eq!(format!("special/{}", written.id), case.id);
            assert_eq!(scenario.unwrap().steps.len(), written.steps.len());
        }
        let again = write(&cases, folder.path()).unwrap_err().to_string();
        assert!(
            again.starts_with("expected an empty folder for `--write`, found files"),
            "{again}"
        );
    }
}
