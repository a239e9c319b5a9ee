//! Scenarios in folders, at any depth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::file::scenario;
use super::folder::{Folder, SCENARIO_FILE, read};
use super::source::Source;
use super::{Diagnostic, LoadOptions, Scenario, Severity};

/// How deep folders are looked into.
const DEPTH: usize = 32;

/// Scenarios, and all that was found in their files.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The scenarios without errors, by id.
    pub scenarios: Vec<Scenario>,
    /// Every finding, by place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether a finding is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Loads scenarios: each path is a scenario's folder, its `scenario.yaml`, or
/// a folder that holds scenarios at any depth.
///
/// An id is the path below the given folder, or the folder's own name where a
/// scenario is given directly. Nothing is created and nothing is run.
pub fn load_scenarios(paths: &[PathBuf], options: &LoadOptions) -> Loaded {
    let mut loaded = Loaded::default();
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for path in paths {
        if let Err(error) = find(path, &mut found) {
            loaded.diagnostics.push(*error);
        }
    }
    found.sort();
    let mut seen = BTreeSet::new();
    let mut ids: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (id, folder) in found {
        if !seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            continue;
        }
        let file = folder.join(SCENARIO_FILE);
        if let Some(first) = ids.insert(id.clone(), folder.clone()) {
            let message = format!("the id `{id}` is that of `{}` too", first.display());
            loaded.diagnostics.push(Diagnostic::of_file(
                "duplicate-id",
                &file,
                message,
                "rename one of them",
            ));
            continue;
        }
        match read(&file) {
            Ok(source) => {
                let (scenario, diagnostics) =
                    scenario(&source, &id, &Folder::Disk(folder), options);
                loaded.scenarios.extend(scenario);
                loaded.diagnostics.extend(diagnostics);
            }
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", file.display());
                loaded.diagnostics.push(Diagnostic::of_file("unreadable-file", &file, message, ""));
            }
        }
    }
    loaded
}

/// Reads a scenario from text, with the manifests beside it by file name. It
/// is `None` where there is an error.
pub fn parse_scenario(
    file: &str,
    text: &str,
    manifests: &BTreeMap<String, String>,
    options: &LoadOptions,
) -> (Option<Scenario>, Vec<Diagnostic>) {
    let source = Source::new(file, text);
    scenario(&source, file, &Folder::Memory(PathBuf::new(), manifests.clone()), options)
}

/// Reads a scenario's folder from texts by file name, as if it were on disk at `id`, which is
/// its identifier too. It is `None` where there is an error.
pub fn parse_folder(
    id: &str,
    files: &BTreeMap<String, String>,
    options: &LoadOptions,
) -> (Option<Scenario>, Vec<Diagnostic>) {
    let folder = Folder::Memory(PathBuf::from(id), files.clone());
    match folder.read(SCENARIO_FILE) {
        Ok(source) => scenario(&source, id, &folder, options),
        Err(error) => {
            let file = Path::new(id).join(SCENARIO_FILE);
            let message = format!("cannot read `{}`: {error}", file.display());
            (None, vec![Diagnostic::of_file("unreadable-file", &file, message, "")])
        }
    }
}

fn name_of(folder: &Path) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = absolute.file_name().unwrap_or(absolute.as_os_str());
    name.to_string_lossy().into_owned()
}

fn find(path: &Path, found: &mut Vec<(String, PathBuf)>) -> Result<(), Box<Diagnostic>> {
    if path.is_file() {
        if path.file_name().is_some_and(|name| name == SCENARIO_FILE) {
            let folder = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            found.push((name_of(folder), folder.to_owned()));
            return Ok(());
        }
        let message = format!("`{}` is no scenario", path.display());
        let help = format!("give a folder with a `{SCENARIO_FILE}`, or that file itself");
        return Err(Box::new(Diagnostic::of_file("no-scenario", path, message, &help)));
    }
    if !path.exists() {
        let message = format!("there is no `{}`", path.display());
        return Err(Box::new(Diagnostic::of_file("unreadable-file", path, message, "")));
    }
    if path.join(SCENARIO_FILE).is_file() {
        found.push((name_of(path), path.to_owned()));
        return Ok(());
    }
    let before = found.len();
    descend(path, "", 0, found).map_err(|error| {
        let message = format!("cannot read `{}`: {error}", path.display());
        Box::new(Diagnostic::of_file("unreadable-file", path, message, ""))
    })?;
    if found.len() == before {
        let message = format!("`{}` holds no scenario", path.display());
        let help = format!("a scenario is a folder with a `{SCENARIO_FILE}`");
        return Err(Box::new(Diagnostic::of_file("no-scenario", path, message, &help)));
    }
    Ok(())
}

fn descend(
    folder: &Path,
    id: &str,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
) -> std::io::Result<()> {
    if depth > DEPTH {
        return Ok(());
    }
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !path.is_dir() {
            continue;
        }
        let id = if id.is_empty() { name } else { format!("{id}/{name}") };
        if path.join(SCENARIO_FILE).is_file() {
            found.push((id, path));
        } else {
            descend(&path, &id, depth + 1, found)?;
        }
    }
    Ok(())
}
