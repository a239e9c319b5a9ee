//! Manifests without a scenario, for `matrix`, `explain` and `lint`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::building::Building;
use super::folder::{SCENARIO_FILE, read};
use super::source::Source;
use super::{Diagnostic, LoadOptions, Severity};
use crate::model::{ClusterPolicy, NetworkPolicy, Topology};

/// What a bundle of manifests holds.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// Namespaces and pods. A namespace that has no manifest of its own is
    /// there without labels; nodes are those that pods name.
    pub topology: Topology,
    /// The policies by name; of several with one name the last.
    pub policies: Vec<Arc<NetworkPolicy>>,
    /// The policies of the cluster by kind and name; of several with one name the last.
    pub cluster_policies: Vec<Arc<ClusterPolicy>>,
    /// Policies of kinds that are not understood, a sentence each: where there
    /// is one, what the others specify is not the whole.
    pub unsupported: Vec<String>,
    /// Every finding, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Bundle {
    /// Whether a finding is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Loads manifests: files, folders at any depth (`.yaml`, `.yml`, `.json`), and
/// `-` for standard input.
pub fn load_manifests(paths: &[PathBuf], options: &LoadOptions) -> Bundle {
    let mut building = Building::default();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            let text = read
                .map_err(|error| error.to_string())
                .and_then(|_| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
            match text {
                Ok(text) => building.add(Source::new("<stdin>", text), options.kubernetes),
                Err(error) => building.unreadable(Path::new("<stdin>"), &error),
            }
            continue;
        }
        let mut files = Vec::new();
        if let Err(error) = find(path, 0, &mut files) {
            building.unreadable(path, &error.to_string());
        }
        for file in files {
            match read(&file) {
                Ok(source) => building.add(source, options.kubernetes),
                Err(error) => building.unreadable(&file, &error),
            }
        }
    }
    finish(building)
}

/// Reads manifests from text.
pub fn parse_manifests(file: &str, text: &str, options: &LoadOptions) -> Bundle {
    let mut building = Building::default();
    building.add(Source::new(file, text), options.kubernetes);
    finish(building)
}

/// A bundle in which everything is declared that is named, with its findings in order.
fn finish(mut building: Building) -> Bundle {
    building.complete();
    building.diagnostics.sort_by(|a, b| a.origin.cmp_place(&b.origin));
    Bundle {
        topology: building.topology,
        policies: building.policies.into_values().collect(),
        cluster_policies: building.cluster_policies.into_values().collect(),
        unsupported: building.unsupported,
        diagnostics: building.diagnostics,
    }
}

fn find(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let is_manifest = ["yaml", "yml", "json"].contains(&extension) && name != SCENARIO_FILE;
        if !name.starts_with('.') && depth < 32 && (path.is_dir() || is_manifest) {
            find(&path, depth + 1, files)?;
        }
    }
    Ok(())
}
