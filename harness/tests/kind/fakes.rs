//! Hands that only note what they are given, and programs that only say what they were called with.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ringfence::cluster::ClusterError;
use ringfence::cluster::kind::{Action, AgentArchive, AgentBuilder, Hands, Machine, Told};

/// What one action came to.
pub(crate) type Outcome = Box<dyn Fn(&Action) -> Option<ClusterError> + Send + Sync>;

/// Notes when each action began and ended.
pub(crate) struct Recording {
    pub(crate) notes: Mutex<Vec<String>>,
    pub(crate) outcome: Outcome,
}

impl Recording {
    pub(crate) fn new(
        outcome: impl Fn(&Action) -> Option<ClusterError> + Send + Sync + 'static,
    ) -> Self {
        Self { notes: Mutex::default(), outcome: Box::new(outcome) }
    }

    fn note(&self, what: &str, action: &Action) {
        let action = action.to_string();
        let line = action.lines().next().unwrap();
        self.notes.lock().unwrap().push(format!("{what} {line}"));
    }

    /// Where the first note that starts so stands.
    pub(crate) fn at(&self, start: &str) -> usize {
        let notes = self.notes.lock().unwrap();
        notes
            .iter()
            .position(|n| n.starts_with(start))
            .unwrap_or_else(|| panic!("expected a note `{start}…`, found {notes:#?}"))
    }
}

#[async_trait]
impl Hands for Recording {
    async fn perform(&self, action: &Action, _: &Told) -> Result<(), ClusterError> {
        self.note("begin", action);
        // Whatever else is ready begins before this ends.
        tokio::task::yield_now().await;
        self.note("end", action);
        (self.outcome)(action).map_or(Ok(()), Err)
    }
}

/// An agent's image that is never loaded anywhere.
pub(crate) struct NoAgent;

#[async_trait]
impl AgentBuilder for NoAgent {
    async fn build(&self) -> Result<AgentArchive, ClusterError> {
        Err(ClusterError::Unsupported("this test loads no agent".to_owned()))
    }
}

pub(crate) fn machine() -> Machine {
    Machine::new(Arc::new(NoAgent))
}

/// A machine whose programs are fakes, and whose Docker and clusters are notes.
pub(crate) struct Half {
    pub(crate) machine: Machine,
    pub(crate) notes: Recording,
}

#[async_trait]
impl Hands for Half {
    async fn perform(&self, action: &Action, told: &Told) -> Result<(), ClusterError> {
        match action {
            Action::FindProgram(_)
            | Action::Fetch { .. }
            | Action::WriteFile { .. }
            | Action::CreateCluster { .. }
            | Action::InstallChart { .. }
            | Action::DeleteCluster { .. }
            | Action::RemoveFolder { .. } => self.machine.perform(action, told).await,
            _ => self.notes.perform(action, told).await,
        }
    }
}

/// A folder with fake programs: each appends its name and arguments to `calls`, and does
/// what its script says.
pub(crate) struct Programs {
    pub(crate) folder: tempfile::TempDir,
}

impl Programs {
    pub(crate) fn new(scripts: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            let path = folder.path().join(name);
            let calls = folder.path().join("calls");
            let text = format!("#!/bin/sh\necho {name} \"$@\" >> {}\n{script}\n", calls.display());
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    /// The search path: the fakes, and the shell's own tools.
    pub(crate) fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.folder.path().display())
    }

    /// The calls so far, with a folder's path as `FOLDER`.
    pub(crate) fn calls(&self, folder: &Path) -> Vec<String> {
        let calls = std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        calls.lines().map(|l| l.replace(folder.to_str().unwrap(), "FOLDER")).collect()
    }
}

/// A CNI file in a folder, with the files that it names.
pub(crate) fn cni_file(folder: &Path, text: &str, files: &[(&str, &[u8])]) -> PathBuf {
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let path = folder.join("mine.yaml");
    std::fs::write(&path, text).unwrap();
    path
}
