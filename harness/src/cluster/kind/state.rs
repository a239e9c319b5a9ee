//! What is kept of each cluster that Ringfence makes, so that another process finds it:
//! a folder with its kubeconfig, a note of what it is, and a lock.
//!
//! The folder is made before the cluster and removed after it. A process holds the lock while
//! it uses the cluster; the kernel gives it back however the process ends. A cluster that was
//! not to be kept and whose lock is free was left by a process that was killed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// What every cluster's name in kind begins with.
const PREFIX: &str = "ringfence-";

/// The note of what a cluster is.
const NOTE: &str = "state.json";

/// The longest name: kind's nodes are named after it, and a host name has 63 characters.
const LONGEST: usize = 30;

/// What is noted of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Its name, as in `--name`.
    pub name: String,
    /// Its CNI and version, as in `kind:CNI@VERSION`.
    pub cni: String,
    /// Whether it outlives the process that made it.
    pub kept: bool,
    /// Whether it was made to its end.
    pub ready: bool,
    /// The run that used it last, by which what it left is found; none before the first.
    #[serde(default)]
    pub run: Option<String>,
}

/// A cluster's folder, which nobody else uses while this exists.
#[derive(Debug)]
pub struct ClusterFolder {
    path: PathBuf,
    name: String,
    _lock: File,
}

/// The folder of all clusters: `$XDG_STATE_HOME/ringfence/clusters`, by the XDG Base
/// Directory Specification `~/.local/state` where the variable is not set.
///
/// # Errors
/// Where neither it nor `HOME` is set.
pub fn clusters_folder() -> anyhow::Result<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .context("expected a folder for state: set `XDG_STATE_HOME` or `HOME`")?;
    Ok(state.join("ringfence/clusters"))
}

/// The names in Ringfence of clusters by kind's own list of names, one a line.
pub fn own_names(kinds: &str) -> Vec<String> {
    kinds.lines().filter_map(|line| line.trim().strip_prefix(PREFIX)).map(str::to_owned).collect()
}

/// The name in kind of a cluster.
pub fn kind_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Checks a name that a user gives to a cluster.
///
/// # Errors
/// Where nodes cannot be named after it.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = |c: char| c == '-';
    if name.is_empty()
        || name.len() > LONGEST
        || !name.chars().all(good)
        || name.starts_with(ends)
        || name.ends_with(ends)
    {
        bail!(
            "expected a name of 1 to {LONGEST} lowercase letters, digits and dashes, found `{name}`"
        );
    }
    Ok(())
}

impl ClusterFolder {
    /// Takes the folder of a name, and makes it where it is not there. `None` where another
    /// process uses it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn take(all: &Path, name: &str) -> anyhow::Result<Option<Self>> {
        check_name(name)?;
        let path = all.join(name);
        let shown = || format!("the folder `{}` cannot be used", all.display());
        fs::create_dir_all(all).with_context(shown)?;
        // Beside the folder, so that the lock outlives the folder's removal.
        let lock = all.join(format!("{name}.lock"));
        let lock = File::options().create(true).append(true).open(lock).with_context(shown)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).with_context(shown),
        }
        Ok(Some(Self { path, name: name.to_owned(), _lock: lock }))
    }

    /// As [`ClusterFolder::take`], when whoever uses the folder now is done with it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn wait(all: &Path, name: &str) -> anyhow::Result<Self> {
        if let Some(folder) = Self::take(all, name)? {
            return Ok(folder);
        }
        let file = all.join(format!("{name}.lock"));
        let shown = || format!("`{}` cannot be locked", file.display());
        let lock = File::options().create(true).append(true).open(&file).with_context(shown)?;
        lock.lock().with_context(shown)?;
        Ok(Self { path: all.join(name), name: name.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is noted; `None` where there is no cluster.
    ///
    /// # Errors
    /// Where the note is not understood.
    pub fn state(&self) -> anyhow::Result<Option<State>> {
        read(&self.path)
    }

    /// Notes what the cluster is.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn note(&self, state: &State) -> anyhow::Result<()> {
        let file = self.path.join(NOTE);
        let shown = || format!("`{}` cannot be written", file.display());
        fs::create_dir_all(&self.path).with_context(shown)?;
        // A reader finds the old note or the new one, and never half of it.
        let new = self.path.join(format!("{NOTE}.new"));
        fs::write(&new, serde_json::to_vec_pretty(state)?).with_context(shown)?;
        fs::rename(&new, &file).with_context(shown)
    }
}

fn read(folder: &Path) -> anyhow::Result<Option<State>> {
    let file = folder.join(NOTE);
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("`{}` cannot be read", file.display()));
        }
    };
    let state = serde_json::from_slice(&text);
    state.map(Some).with_context(|| format!("`{}` is not understood", file.display()))
}

/// Every cluster that is noted, by name, and whether a process uses it.
///
/// # Errors
/// Where the folder or a note cannot be read.
pub fn list(all: &Path) -> anyhow::Result<Vec<(State, bool)>> {
    let entries = match fs::read_dir(all) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("`{}` cannot be read", all.display()));
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let Some(state) = read(&path).ok().flatten() else { continue };
        let used = ClusterFolder::take(all, &state.name)?.is_none();
        found.push((state, used));
    }
    found.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str) -> State {
        State { name: name.into(), cni: "calico@v1".into(), kept: false, ready: false, run: None }
    }

    #[test]
    fn a_cluster_has_one_user_at_a_time() {
        let all = tempfile::tempdir().unwrap();
        let first = ClusterFolder::take(all.path(), "a").unwrap().unwrap();
        assert_eq!(first.state().unwrap(), None);
        first.note(&state("a")).unwrap();
        assert!(ClusterFolder::take(all.path(), "a").unwrap().is_none());
        assert_eq!(list(all.path()).unwrap(), [(state("a"), true)]);
        drop(first);
        assert_eq!(list(all.path()).unwrap(), [(state("a"), false)]);
        let again = ClusterFolder::take(all.path(), "a").unwrap().unwrap();
        assert_eq!(again.state().unwrap(), Some(state("a")));
        assert!(list(&all.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn names_become_host_names() {
        for name in ["a", "nightly-1", &"x".repeat(30)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "A", "a.b", "-a", "a-", "../a", &"x".repeat(31)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert_eq!(kind_name("a"), "ringfence-a");
        assert_eq!(own_names("kind\nringfence-a\nringfence-b\n"), ["a", "b"]);
    }
}
