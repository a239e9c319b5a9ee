//! Scenarios and manifests as the commands take them: all that is wrong is
//! said at once, before anything is done.

use std::path::{Path, PathBuf};

use super::screen;
use crate::model::World;
use crate::scenario::{
    Diagnostic, KubernetesVersion, LoadOptions, SCENARIO_FILE, Scenario, load_manifests,
    load_scenarios,
};

/// Scenarios without errors.
pub(super) struct Library {
    /// In order of their identifiers.
    pub(super) scenarios: Vec<Scenario>,
    /// What is accepted and probably not meant.
    pub(super) warnings: Vec<Diagnostic>,
}

/// Loads scenarios. `None` where there is an error; every finding was then
/// printed to standard error.
pub(super) fn scenarios(paths: &[PathBuf], kubernetes: KubernetesVersion) -> Option<Library> {
    let loaded = load_scenarios(paths, &LoadOptions { kubernetes });
    if loaded.has_errors() {
        screen::diagnose(&loaded.diagnostics);
        return None;
    }
    Some(Library { scenarios: loaded.scenarios, warnings: loaded.diagnostics })
}

/// What manifests make up.
pub(super) struct Manifests {
    /// The topology and the policies.
    pub(super) world: World,
    /// Whether all of it was understood; if not, the reasons were printed to standard error.
    pub(super) whole: bool,
}

/// Loads manifests. `None` where there is an error; every finding is printed
/// to standard error.
pub(super) fn manifests(paths: &[PathBuf], kubernetes: KubernetesVersion) -> Option<Manifests> {
    let bundle = load_manifests(paths, &LoadOptions { kubernetes });
    screen::diagnose(&bundle.diagnostics);
    if bundle.has_errors() {
        return None;
    }
    for sentence in &bundle.unsupported {
        screen::warn(&format!("{sentence}: what follows is not the whole"));
    }
    let mut world = World::new(bundle.topology);
    world.policies =
        bundle.policies.into_iter().map(|policy| (policy.name.clone(), policy)).collect();
    world.cluster_policies =
        bundle.cluster_policies.into_iter().map(|policy| (policy.name.clone(), policy)).collect();
    Some(Manifests { world, whole: bundle.unsupported.is_empty() })
}

/// Every finding in a path: of scenarios where it holds any, else of manifests.
pub(super) fn findings(path: &Path, kubernetes: KubernetesVersion) -> Vec<Diagnostic> {
    let (paths, options) = ([path.to_owned()], LoadOptions { kubernetes });
    if holds_scenario(path) {
        load_scenarios(&paths, &options).diagnostics
    } else {
        load_manifests(&paths, &options).diagnostics
    }
}

fn holds_scenario(path: &Path) -> bool {
    if path.is_file() {
        return path.file_name().is_some_and(|name| name == SCENARIO_FILE);
    }
    let Ok(entries) = std::fs::read_dir(path) else { return false };
    let mut folders = Vec::new();
    for entry in entries.flatten() {
        // A link to a folder above would never end.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            Ok(_) if entry.file_name() == SCENARIO_FILE => return true,
            _ => {}
        }
    }
    folders.iter().any(|folder| holds_scenario(folder))
}
